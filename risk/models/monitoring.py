"""How models do once they are in use: monthly readings, reviews by people, and rivals kept as files."""

from typing import Any

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from lending.models import User
from risk.models.scoring import ModelVersion


class Reading(models.Model):
    """What a model looked like over one month: drift of inputs and score, ranking and level on known ends.

    Measured once and never changed; an analyst adds an answer to an alarm, once.
    """

    class Level(models.TextChoices):
        STABLE = "STABLE", _("Stable")
        WATCH = "WATCH", _("To be watched")
        ACT = "ACT", _("To be acted on")

    model = models.ForeignKey(ModelVersion, models.PROTECT, related_name="readings", verbose_name=_("model"))
    month = models.DateField(_("month"), help_text=_("its first day"))
    decisions = models.PositiveIntegerField(_("applications decided"))
    matured = models.PositiveIntegerField(_("with a known end"))
    bad = models.PositiveIntegerField(_("bad"))
    psi = models.FloatField(_("PSI of the score"), null=True, blank=True)
    auc = models.FloatField(_("AUC on known ends"), null=True, blank=True)
    ks = models.FloatField(_("KS on known ends"), null=True, blank=True)
    level = models.CharField(_("verdict"), max_length=8, choices=Level)
    figures = models.JSONField(_("figures"))
    at = models.DateTimeField(_("measured at"))
    answer = models.CharField(_("answer to the alarm"), max_length=500, blank=True)
    answered_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("answered by")
    )
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)

    class Meta:
        verbose_name = _("reading of a model")
        verbose_name_plural = _("monitoring of models")
        ordering = ["-month", "model"]
        permissions = [("answer_reading", _("Can answer alarms of models"))]
        constraints = [
            models.UniqueConstraint(fields=["model", "month"], name="reading_once_a_month"),
            models.CheckConstraint(condition=Q(month__day=1), name="reading_month_is_its_first_day"),
            models.CheckConstraint(
                condition=Q(level__in=["STABLE", "WATCH", "ACT"]), name="reading_level_known"
            ),
            models.CheckConstraint(condition=Q(bad__lte=F("matured")), name="reading_bad_among_matured"),
            models.CheckConstraint(
                condition=Q(answer="", answered_by=None, answered_at=None)
                | (~Q(answer="") & Q(answered_by__isnull=False, answered_at__isnull=False)),
                name="reading_answer_is_signed",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="measured_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(exclude=["answer", "answered_by", "answered_at"]),
            ),
            pgtrigger.Protect(
                name="answered_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__answered_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} · {date_format(self.month, 'YEAR_MONTH_FORMAT')}"

    @property
    def alarms(self) -> list[dict[str, Any]]:
        """What tripped: `figure` (a feature, "score", "auc" or "level"), `value`, and its `level`."""
        found: list[dict[str, Any]] = self.figures.get("alarms", [])
        return found


class ModelReview(models.Model):
    """A person has looked at a model again, says what they found, and when it is due next."""

    model = models.ForeignKey(ModelVersion, models.PROTECT, related_name="reviews", verbose_name=_("model"))
    on = models.DateField(_("reviewed on"))
    finding = models.TextField(_("finding"))
    next_on = models.DateField(_("next review"))
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("reviewed by"))
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("review of a model")
        verbose_name_plural = _("reviews of models")
        ordering = ["-on", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(next_on__gt=F("on")), name="model_review_next_is_later"),
            models.CheckConstraint(condition=~Q(finding=""), name="model_review_says_something"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.model} · {self.on}"


class Artefact(models.Model):
    """A rival trained on the same rows as a scorecard, as a file that is only opened with its fingerprint.

    It measures what the table of points gives away against freer models, and decides nothing.
    """

    class Kind(models.TextChoices):
        BINNED_LOGISTIC = "binned_logistic", _("Binned logistic regression")
        BOOSTING = "boosting", _("Unrestricted boosting")

    model = models.ForeignKey(ModelVersion, models.PROTECT, related_name="artefacts", verbose_name=_("model"))
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    file = models.FileField(_("file"), upload_to="artefacts/%Y/%m/")
    sha256 = models.CharField(_("fingerprint"), max_length=64)
    metrics = models.JSONField(_("metrics"), help_text=_("on later data"))
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("rival of a model")
        verbose_name_plural = _("rivals of models")
        ordering = ["model", "kind"]
        constraints = [models.UniqueConstraint(fields=["model", "kind"], name="artefact_once_per_kind")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.model} · {self.get_kind_display()}"
