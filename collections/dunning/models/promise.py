from datetime import date
from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from dunning.models.case import Case
from lending import fields
from lending.models import Customer, User


class PromiseState(models.TextChoices):
    OPEN = "OPEN", _("Open")
    KEPT = "KEPT", _("Kept")
    BROKEN = "BROKEN", _("Broken")
    CANCELLED = "CANCELLED", _("Cancelled")


class Promise(FSMModelMixin, models.Model):
    """A customer's word to pay an amount by a day. Payments judge it, not people."""

    State = PromiseState

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="promises", verbose_name=_("customer")
    )
    case = models.ForeignKey(Case, models.PROTECT, related_name="promises", verbose_name=_("case"))
    state = fields.state(State, State.OPEN, _("state"))
    amount = fields.money(_("amount"))
    taken_on = models.DateField(_("given on"))
    due_on = models.DateField(_("to be paid by"))
    taken_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("taken by")
    )
    # Payments booked before the promise do not keep it: only transactions after this one count.
    after_transaction = models.BigIntegerField(editable=False, default=0)
    received = fields.money(_("received"))
    judged_on = models.DateField(_("judged on"), null=True, blank=True)

    class Meta:
        verbose_name = _("promise")
        verbose_name_plural = _("promises")
        ordering = ["-id"]
        constraints = [
            fields.known_states("promise", PromiseState),
            models.CheckConstraint(condition=Q(amount__gt=0), name="promise_amount_positive"),
            models.CheckConstraint(condition=Q(due_on__gte=F("taken_on")), name="promise_not_in_the_past"),
            models.CheckConstraint(
                condition=Q(state="OPEN") | Q(judged_on__isnull=False), name="promise_judged_has_day"
            ),
            models.UniqueConstraint(
                fields=["case"], condition=Q(state="OPEN"), name="promise_one_open_per_case"
            ),
        ]
        indexes = [models.Index(fields=["due_on"], condition=Q(state="OPEN"), name="promise_to_judge")]

    def __str__(self) -> str:
        return f"{self.amount} → {self.due_on}"

    @transition(field="state", source=State.OPEN, target=State.KEPT)
    def keep(self, *, on: date, received: Decimal) -> None:
        """The money came in time, or nothing is overdue any more."""
        self.judged_on, self.received = on, received

    @transition(field="state", source=State.OPEN, target=State.BROKEN)
    def break_(self, *, on: date, received: Decimal) -> None:
        """The day has passed and the whole amount is not there."""
        self.judged_on, self.received = on, received

    @transition(field="state", source=State.OPEN, target=State.CANCELLED)
    def cancel(self, *, on: date) -> None:
        """Another agreement took its place, or the debt was written off."""
        self.judged_on = on
