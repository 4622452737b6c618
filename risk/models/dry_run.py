"""A policy tried on the past: what it would have decided, and what that would have cost or saved."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from lending import fields
from lending.models import User
from risk.engine import effect
from risk.models.scoring import Assessment, PolicyVersion


class DryRun(models.Model):
    """One trial of a policy on the newest assessments of its segment; a new trial of it takes its place."""

    policy = models.OneToOneField(
        PolicyVersion, models.CASCADE, related_name="dry_run", verbose_name=_("policy")
    )
    # Of rules and matrix as they were tried: a draft may have changed since.
    policy_sha256 = models.CharField(_("fingerprint"), max_length=64)
    total = models.PositiveIntegerField(_("applications"))
    changed = models.PositiveIntegerField(_("decided otherwise"))
    by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("tried by")
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("trial of a policy")
        verbose_name_plural = _("trials of policies")
        ordering = ["-at"]

    def __str__(self) -> str:
        return str(self.policy)


class DryRunCase(models.Model):
    """One application in a trial: decided then, decided now, and what became of it."""

    class Fate(models.TextChoices):
        NOT_TAKEN = effect.NOT_TAKEN, _("Nothing was lent")
        RUNNING = effect.RUNNING, _("Still running")
        GOOD = effect.GOOD, _("Paid back")
        BAD = effect.BAD, _("Went bad")

    run = models.ForeignKey(DryRun, models.CASCADE, related_name="cases", verbose_name=_("trial"))
    assessment = models.ForeignKey(Assessment, models.PROTECT, related_name="+", verbose_name=_("assessment"))
    changed = models.BooleanField(_("decided otherwise"))
    outcome_then = models.CharField(_("then"), max_length=8, choices=Assessment.Outcome)
    outcome_now = models.CharField(_("now"), max_length=8, choices=Assessment.Outcome)
    limit_then = fields.money(_("limit then"), null=True, blank=True, default=None)
    limit_now = fields.money(_("limit now"), null=True, blank=True, default=None)
    reasons_now = models.JSONField(_("reasons now"), default=list)
    fate = models.CharField(_("what became of it"), max_length=10, choices=Fate)
    lent = fields.money(_("lent"))
    lost = fields.money(_("lost"))
    earned = fields.money(_("earned"))
    effect = fields.money(
        _("saved"),
        null=True,
        blank=True,
        default=None,
        help_text=_("below zero what it would have cost; empty where nobody knows"),
    )

    class Meta:
        verbose_name = _("application in a trial")
        verbose_name_plural = _("applications in trials")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "assessment"], name="dry_run_case_once"),
            models.CheckConstraint(
                condition=models.Q(fate__in=["NOT_TAKEN", "RUNNING", "GOOD", "BAD"]),
                name="dry_run_fate_known",
            ),
        ]

    def __str__(self) -> str:
        return str(self.assessment.application)
