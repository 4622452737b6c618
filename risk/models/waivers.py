"""Leave to use what is forbidden: asked for by one person, given in writing by the compliance officer, for a time."""

from datetime import datetime

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models import User
from risk.models.segment import Segment


class WaiverState(models.TextChoices):
    ASKED = "ASKED", _("Asked for")
    GIVEN = "GIVEN", _("Given")
    REFUSED = "REFUSED", _("Refused")
    REVOKED = "REVOKED", _("Revoked")


class FeatureWaiver(FSMModelMixin, models.Model):
    """One forbidden name, in one segment, for models or policies or both, until a day."""

    State = WaiverState

    class Scope(models.TextChoices):
        MODEL = "MODEL", _("Models")
        POLICY = "POLICY", _("Policies")
        BOTH = "BOTH", _("Models and policies")

    feature = models.CharField(_("forbidden name"), max_length=60)
    segment = models.CharField(_("segment"), max_length=8, choices=Segment)
    scope = models.CharField(_("for"), max_length=6, choices=Scope)
    state = fields.state(State, State.ASKED, _("state"))
    reason = models.TextField(_("reason"), max_length=2000)
    ends_on = models.DateField(_("until"))
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("asked by"))
    asked_at = models.DateTimeField(_("asked at"))
    opinion = models.TextField(_("what the compliance officer says"), max_length=2000, blank=True)
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)

    class Meta:
        verbose_name = _("leave for a forbidden feature")
        verbose_name_plural = _("leaves for forbidden features")
        ordering = ["-id"]
        permissions = [
            ("ask_waiver", _("Can ask for leave to use a forbidden feature")),
            ("give_waiver", _("Can give leave to use a forbidden feature")),
        ]
        constraints = [
            fields.known_states("waiver", WaiverState),
            models.CheckConstraint(condition=Q(segment__in=Segment.values), name="waiver_segment_known"),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("asked_by")), name="waiver_takes_two_people"
            ),
            models.CheckConstraint(
                condition=Q(state="ASKED") | (Q(decided_by__isnull=False) & ~Q(opinion="")),
                name="waiver_decided_in_writing",
            ),
            models.UniqueConstraint(
                fields=["feature", "segment"],
                condition=Q(state__in=["ASKED", "GIVEN"]),
                name="waiver_one_open_per_feature",
            ),
        ]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.feature} · {self.get_segment_display()}"

    @transition(field="state", source=State.ASKED, target=State.GIVEN)
    def give(self, *, opinion: str, by: User, at: datetime) -> None:
        """It may be used until the day that was asked for."""
        self.opinion, self.decided_by, self.decided_at = opinion, by, at

    @transition(field="state", source=State.ASKED, target=State.REFUSED)
    def refuse(self, *, opinion: str, by: User, at: datetime) -> None:
        """It stays forbidden."""
        self.opinion, self.decided_by, self.decided_at = opinion, by, at

    @transition(field="state", source=State.GIVEN, target=State.REVOKED)
    def revoke(self, *, opinion: str, by: User, at: datetime) -> None:
        """It is forbidden again from now on."""
        self.opinion, self.decided_by, self.decided_at = opinion, by, at
