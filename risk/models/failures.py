"""Applications that could not be scored: tried again for a while, then put where people see them."""

from datetime import datetime

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models import Application


class ScoringFailureState(models.TextChoices):
    RETRYING = "RETRYING", _("Tried again by itself")
    DEAD = "DEAD", _("Given up: a person must act")
    SCORED = "SCORED", _("Scored in the end")
    REFERRED = "REFERRED", _("With a person")


class ScoringFailure(FSMModelMixin, models.Model):
    """An application whose scoring failed, how often, and when it is tried next. The row is the dead letter."""

    State = ScoringFailureState

    application = models.OneToOneField(
        Application, models.PROTECT, related_name="scoring_failure", verbose_name=_("application")
    )
    state = fields.state(State, State.RETRYING, _("state"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.CharField(_("error"), max_length=300)
    failed_at = models.DateTimeField(_("failed at"))
    next_try_at = models.DateTimeField(_("next try at"))

    class Meta:
        verbose_name = _("failed scoring")
        verbose_name_plural = _("failed scorings")
        ordering = ["-failed_at"]
        permissions = [("retry_scoring", _("Can try failed scorings again and give them to a person"))]
        constraints = [fields.known_states("scoring_failure", ScoringFailureState)]
        indexes = [
            models.Index(fields=["failed_at"], condition=Q(state="DEAD"), name="scoring_failure_dead"),
        ]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return str(self.application)

    @property
    def customer_id(self) -> int:
        return self.application.customer_id

    @transition(field="state", source=[State.RETRYING, State.SCORED], target=State.RETRYING)
    def fail(self, *, error: str, at: datetime, next_try_at: datetime) -> None:
        """Once more, later."""
        self.attempts, self.error, self.failed_at = self.attempts + 1, error[:300], at
        self.next_try_at = next_try_at

    @transition(field="state", source=State.RETRYING, target=State.DEAD)
    def give_up(self) -> None:
        """It failed too often: it is not tried again by itself."""

    @transition(field="state", source=State.DEAD, target=State.RETRYING)
    def retry(self, *, at: datetime) -> None:
        """A person has mended what was wrong."""
        self.attempts, self.next_try_at = 0, at

    @transition(field="state", source=[State.DEAD, State.RETRYING], target=State.REFERRED)
    def refer(self) -> None:
        """An officer decides without a score."""

    @transition(field="state", source=State.RETRYING, target=State.SCORED)
    def scored(self) -> None:
        """It went well after all."""
