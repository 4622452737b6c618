from datetime import date

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from dunning.engine import strategy as engine
from dunning.models.strategy import Strategy
from lending import fields
from lending.models import Customer, Loan, User


class CaseState(models.TextChoices):
    REMINDING = "REMINDING", _("Reminding")
    CALLING = "CALLING", _("Calling")
    DEMANDING = "DEMANDING", _("Demanding")
    LEGAL = "LEGAL", _("Legal")
    PAUSED = "PAUSED", _("Paused")
    CLOSED = "CLOSED", _("Closed")


class CaseEnd(models.TextChoices):
    PAID = "PAID", _("Paid")
    WRITTEN_OFF = "WRITTEN_OFF", _("Written off")


_OUT_OF_COURT = [CaseState.REMINDING, CaseState.CALLING, CaseState.DEMANDING]


class Case(FSMModelMixin, models.Model):
    """A customer in arrears. It opens and closes by itself; the amounts are facts as of `as_of`."""

    State = CaseState
    End = CaseEnd

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="cases", verbose_name=_("customer"))
    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="cases", verbose_name=_("strategy"))
    state = fields.state(State, State.REMINDING, _("stage"))
    opened_on = models.DateField(_("opened on"))
    closed_on = models.DateField(_("closed on"), null=True, blank=True)
    end = models.CharField(_("how it ended"), max_length=12, choices=CaseEnd, blank=True)
    as_of = models.DateField(_("figures as of"))
    overdue = fields.money(_("overdue"))
    oldest_due_on = models.DateField(_("overdue since"))
    expected = fields.money(_("expected recovery"), help_text=_("what the list is ranked by"))
    assigned_to = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="cases", verbose_name=_("assigned to")
    )
    next_action_on = models.DateField(
        _("next step on"), null=True, blank=True, help_text=_("when the strategy looks at the case again")
    )
    paused_until = models.DateField(_("paused until"), null=True, blank=True)
    pause_reason = models.CharField(_("reason for the pause"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        ordering = ["-expected", "id"]
        permissions = [("work_case", _("Can work cases: contacts, promises, pauses, disputes"))]
        constraints = [
            fields.known_states("case", CaseState),
            fields.not_negative("case", "overdue", "expected"),
            models.UniqueConstraint(
                fields=["customer"], condition=~Q(state="CLOSED"), name="case_one_open_per_customer"
            ),
            models.CheckConstraint(
                condition=Q(state="CLOSED", closed_on__isnull=False) & ~Q(end="")
                | ~Q(state="CLOSED") & Q(closed_on=None, end=""),
                name="case_closed_says_when_and_how",
            ),
            models.CheckConstraint(
                condition=Q(state="PAUSED", paused_until__isnull=False) | ~Q(state="PAUSED"),
                name="case_pause_has_an_end",
            ),
        ]
        indexes = [
            models.Index(fields=["next_action_on"], condition=~Q(state="CLOSED"), name="case_to_work"),
            models.Index(fields=["-expected"], condition=~Q(state="CLOSED"), name="case_rank"),
        ]

    def __str__(self) -> str:
        return f"D{self.pk:08d}" if self.pk else str(_("new case"))

    @property
    def is_open(self) -> bool:
        return self.state != self.State.CLOSED

    def days_past_due(self, on: date) -> int:
        """Days since the oldest unpaid due date; the day itself is not late."""
        return max(0, (on - self.oldest_due_on).days) if self.is_open else 0

    def bucket(self, on: date) -> str:
        """M1 up to 30 days, M2 to 60, M3 to 90, M3+ beyond."""
        return engine.bucket(self.days_past_due(on))

    @transition(field="state", source=[State.CALLING, State.DEMANDING], target=State.REMINDING)
    def remind(self) -> None:
        """A part payment made it young again."""

    @transition(field="state", source=[State.REMINDING, State.DEMANDING], target=State.CALLING)
    def call(self) -> None:
        """Messages were not enough, or a part payment took it back from demanding."""

    @transition(field="state", source=[State.REMINDING, State.CALLING], target=State.DEMANDING)
    def demand(self) -> None:
        """Payment is requested formally, on paper."""

    @transition(field="state", source=_OUT_OF_COURT, target=State.LEGAL)
    def go_legal(self) -> None:
        """A legal matter is open."""

    @transition(field="state", source=State.LEGAL, target=State.DEMANDING)
    def leave_court(self) -> None:
        """The legal matter ended and the debt is still there."""

    @transition(field="state", source=_OUT_OF_COURT, target=State.PAUSED)
    def pause(self, *, until: date, reason: str) -> None:
        """Nothing is planned until that day."""
        self.paused_until, self.pause_reason = until, reason

    @transition(field="state", source=State.PAUSED, target=State.REMINDING)
    def resume(self) -> None:
        """The strategy takes it from here to the stage of its days."""
        self.paused_until, self.pause_reason = None, ""

    @transition(field="state", source=[*_OUT_OF_COURT, State.LEGAL, State.PAUSED], target=State.CLOSED)
    def close(self, *, on: date, end: str) -> None:
        """Nothing is overdue any more, or what was has been written off."""
        self.closed_on, self.end = on, end


class DisputeState(models.TextChoices):
    OPEN = "OPEN", _("Open")
    UPHELD = "UPHELD", _("The customer is right")
    REJECTED = "REJECTED", _("The claim stands")
    WITHDRAWN = "WITHDRAWN", _("Withdrawn")


class Dispute(FSMModelMixin, models.Model):
    """An amount that the customer says is not owed. While it is open, nobody is chased for it."""

    State = DisputeState

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="disputes", verbose_name=_("customer")
    )
    loan = models.ForeignKey(
        Loan, models.PROTECT, null=True, blank=True, related_name="disputes", verbose_name=_("loan")
    )
    state = fields.state(State, State.OPEN, _("state"))
    amount = fields.money(_("disputed amount"))
    whole = models.BooleanField(
        _("everything"),
        default=False,
        help_text=_("all that was overdue when it was opened, and so what is added to it since"),
    )
    reason = models.CharField(_("reason"), max_length=300)
    opened_on = models.DateField(_("opened on"))
    answer_by = models.DateField(_("to be answered by"))
    resolved_on = models.DateField(_("resolved on"), null=True, blank=True)
    answer = models.CharField(_("answer"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        ordering = ["-id"]
        constraints = [
            fields.known_states("dispute", DisputeState),
            models.CheckConstraint(condition=Q(amount__gt=0), name="dispute_amount_positive"),
            models.CheckConstraint(
                condition=Q(state="OPEN") | Q(resolved_on__isnull=False), name="dispute_resolved_has_day"
            ),
            models.UniqueConstraint(
                fields=["customer", "loan"],
                condition=Q(state="OPEN"),
                nulls_distinct=False,
                name="dispute_one_open_per_loan",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} · {self.amount}"

    @transition(field="state", source=State.OPEN, target=State.UPHELD)
    def uphold(self, *, on: date, answer: str) -> None:
        """The amount is not owed; whoever decides so also corrects the books."""
        self.resolved_on, self.answer = on, answer

    @transition(field="state", source=State.OPEN, target=State.REJECTED)
    def reject(self, *, on: date, answer: str) -> None:
        """The amount is owed."""
        self.resolved_on, self.answer = on, answer

    @transition(field="state", source=State.OPEN, target=State.WITHDRAWN)
    def withdraw(self, *, on: date, answer: str) -> None:
        """The customer takes it back."""
        self.resolved_on, self.answer = on, answer
