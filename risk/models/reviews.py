"""Limits over life: what a night's scores said of each customer, and what the review did to a line."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from lending import fields
from lending.models import CreditLine, Customer, LimitOffer
from risk.models.scoring import ModelVersion


class ScoreNight(models.Model):
    """A night in which all customers with a line are scored again, and as of when."""

    on = models.DateField(_("business date"), unique=True)
    as_of = models.DateTimeField(_("facts as of"))
    customers = models.PositiveIntegerField(_("customers"), default=0)

    class Meta:
        verbose_name = _("night of scoring")
        verbose_name_plural = _("nights of scoring")
        ordering = ["-on"]

    def __str__(self) -> str:
        return str(self.on)


class ScoreChunk(models.Model):
    """A range of customers (ids, both ends counted) that one worker scores in one transaction."""

    night = models.ForeignKey(ScoreNight, models.CASCADE, related_name="chunks", verbose_name=_("night"))
    first_id = models.BigIntegerField(_("first customer"))
    last_id = models.BigIntegerField(_("last customer"))
    customers = models.PositiveIntegerField(_("customers"))
    scored = models.PositiveIntegerField(_("scored"), default=0)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.CharField(_("error"), max_length=300, blank=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)

    class Meta:
        verbose_name = _("chunk of customers")
        verbose_name_plural = _("chunks of customers")
        ordering = ["night", "first_id"]
        constraints = [
            models.UniqueConstraint(fields=["night", "first_id"], name="score_chunk_once"),
            models.CheckConstraint(condition=Q(last_id__gte=F("first_id")), name="score_chunk_is_a_range"),
        ]
        indexes = [models.Index(fields=["night"], condition=Q(done_at=None), name="score_chunk_to_do")]

    def __str__(self) -> str:
        return f"{self.first_id}–{self.last_id}"


class BehaviourScore(models.Model):
    """What the champion said of a customer with a line on a night. `reasons` lost most points, the worst first."""

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="behaviour_scores", verbose_name=_("customer")
    )
    on = models.DateField(_("business date"))
    model = models.ForeignKey(ModelVersion, models.PROTECT, related_name="+", verbose_name=_("model"))
    score = models.FloatField(_("score"))
    pd = models.FloatField(_("probability of default"))
    grade = models.CharField(_("grade"), max_length=2)
    reasons = ArrayField(models.CharField(max_length=60), verbose_name=_("reasons"), default=list)

    class Meta:
        verbose_name = _("behaviour score")
        verbose_name_plural = _("behaviour scores")
        ordering = ["-on", "customer"]
        constraints = [models.UniqueConstraint(fields=["customer", "on"], name="behaviour_score_once_a_day")]
        indexes = [models.Index(fields=["on"], name="behaviour_score_on")]

    def __str__(self) -> str:
        return f"{self.customer} · {self.on} · {self.score:.0f}"


class ReviewDay(models.Model):
    """What the review of all lines came to on a business date; whoever writes the row does the review."""

    on = models.DateField(_("business date"), unique=True)
    lines = models.PositiveIntegerField(_("lines"), default=0)
    offered = models.PositiveIntegerField(_("offered more"), default=0)
    cut = models.PositiveIntegerField(_("cut"), default=0)
    reapproved = models.PositiveIntegerField(_("approved again"), default=0)

    class Meta:
        verbose_name = _("review of limits")
        verbose_name_plural = _("reviews of limits")
        ordering = ["-on"]

    def __str__(self) -> str:
        return str(self.on)

    @property
    def kept(self) -> int:
        return self.lines - self.offered - self.cut


class LineReview(models.Model):
    """A line whose limit the review would raise or did cut, with what it saw. Lines that are kept have no row."""

    class Outcome(models.TextChoices):
        RAISE = "RAISE", _("Raise offered")
        CUT = "CUT", _("Cut")

    line = models.ForeignKey(CreditLine, models.PROTECT, related_name="reviews", verbose_name=_("line"))
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="line_reviews", verbose_name=_("customer")
    )
    on = models.DateField(_("business date"))
    outcome = models.CharField(_("outcome"), max_length=5, choices=Outcome)
    limit_before = fields.money(_("limit before"))
    limit_after = fields.money(_("limit after"))
    reasons = ArrayField(models.CharField(max_length=60), verbose_name=_("reasons"), default=list)
    seen = models.JSONField(_("what it saw"), default=dict)
    offer = models.OneToOneField(
        LimitOffer, models.PROTECT, null=True, blank=True, related_name="review", verbose_name=_("offer")
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("review of a limit")
        verbose_name_plural = _("limits reviewed")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["line", "on"], name="line_review_once_a_day"),
            models.CheckConstraint(
                condition=Q(outcome="RAISE", limit_after__gt=F("limit_before"), offer__isnull=False)
                | Q(outcome="CUT", limit_after__lt=F("limit_before"), offer__isnull=True),
                name="line_review_moves_as_it_says",
            ),
        ]
        indexes = [models.Index(fields=["on"], name="line_review_on")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.line} · {self.on} · {self.get_outcome_display()}"
