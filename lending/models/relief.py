from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models.customer import Customer
from lending.models.loan import Loan
from lending.models.user import User


class ReliefRequestState(models.TextChoices):
    OPEN = "OPEN", _("Waiting for an answer")
    GRANTED = "GRANTED", _("Granted")
    DECLINED = "DECLINED", _("Declined")
    WITHDRAWN = "WITHDRAWN", _("Withdrawn")


class ReliefRequest(FSMModelMixin, models.Model):
    """A customer who cannot pay as agreed asks for help with a loan."""

    State = ReliefRequestState

    class Reason(models.TextChoices):
        INCOME = "INCOME", _("Less income or no work")
        ILLNESS = "ILLNESS", _("Illness or an accident")
        FAMILY = "FAMILY", _("Something in the family")
        BUSINESS = "BUSINESS", _("Business is going badly")
        DISASTER = "DISASTER", _("A natural disaster")
        OTHER = "OTHER", _("Something else")

    class Wish(models.TextChoices):
        SMALLER = "SMALLER", _("Smaller instalments over a longer time")
        PAUSE = "PAUSE", _("A pause of some months")
        DATE = "DATE", _("Another due day")
        ARREARS = "ARREARS", _("Paying what is overdue in parts")
        ADVICE = "ADVICE", _("I do not know, please advise me")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="relief_requests", verbose_name=_("customer")
    )
    loan = models.ForeignKey(Loan, models.PROTECT, related_name="relief_requests", verbose_name=_("loan"))
    state = fields.state(State, State.OPEN, _("state"))
    reason = models.CharField(_("reason"), max_length=10, choices=Reason)
    wish = models.CharField(_("wish"), max_length=10, choices=Wish)
    words = models.TextField(_("in the customer's words"), max_length=1000, blank=True)
    asked_at = models.DateTimeField(_("asked at"))
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    answered_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("answered by")
    )
    answer = models.CharField(_("answer"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("request for relief")
        verbose_name_plural = _("requests for relief")
        ordering = ["-id"]
        constraints = [
            fields.known_states("relief", ReliefRequestState),
            models.UniqueConstraint(
                fields=["loan"], condition=Q(state="OPEN"), name="relief_one_open_per_loan"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["OPEN", "WITHDRAWN"]) | Q(answered_at__isnull=False),
                name="relief_answered_at_some_time",
            ),
        ]

    def __str__(self) -> str:
        return f"H{self.pk:08d}" if self.pk else str(_("new request"))

    @transition(field="state", source=State.OPEN, target=State.GRANTED)
    def grant(self, *, at: Any, by: User | None, answer: str) -> None:
        """The loan was restructured, or helped in another way."""
        self.answered_at, self.answered_by, self.answer = at, by, answer

    @transition(field="state", source=State.OPEN, target=State.DECLINED)
    def decline(self, *, at: Any, by: User | None, answer: str) -> None:
        """No, with words why."""
        self.answered_at, self.answered_by, self.answer = at, by, answer

    @transition(field="state", source=State.OPEN, target=State.WITHDRAWN)
    def withdraw(self) -> None:
        """The customer needs it no more."""
