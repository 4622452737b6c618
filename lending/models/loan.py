from datetime import date
from decimal import Decimal

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.engine.classes import days_past_due
from lending.models import classes
from lending.models.application import Application, only_from_an_offer
from lending.models.customer import Customer
from lending.models.product import Product
from lending.models.user import User


class LoanState(models.TextChoices):
    APPROVED = "APPROVED", _("Approved")
    ACTIVE = "ACTIVE", _("Active")
    ACCELERATED = "ACCELERATED", _("Accelerated")
    SETTLED = "SETTLED", _("Settled")
    WRITTEN_OFF = "WRITTEN_OFF", _("Written off")
    CANCELLED = "CANCELLED", _("Cancelled")


class Loan(FSMModelMixin, classes.Classified, models.Model):
    """What one contract owes: the fold of its terms and transactions, materialised.

    The balance columns are the loan's position in the books on the open business date; the ledger is moved by
    the difference of two positions and by nothing else.
    """

    State = LoanState

    OWING = (State.ACTIVE, State.ACCELERATED)

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="loans", verbose_name=_("customer"))
    product = models.ForeignKey(Product, models.PROTECT, related_name="loans", verbose_name=_("product"))
    line = models.ForeignKey(
        "lending.CreditLine",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="loans",
        verbose_name=_("line"),
    )
    application = models.OneToOneField(
        Application,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="loan",
        verbose_name=_("application"),
    )
    state = fields.state(State, State.APPROVED, _("state"))
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    terms = models.JSONField(_("terms"))
    principal_amount = fields.money(_("amount lent"))
    annual_cost = fields.rate(_("annual cost"))
    disbursed_on = models.DateField(_("disbursed on"))
    matures_on = models.DateField(_("matures on"))
    settled_on = models.DateField(_("settled on"), null=True, blank=True)
    # The oldest instalment that is not fully paid: days past due follow from it and the business date.
    oldest_due_on = models.DateField(_("oldest unpaid due date"), null=True, blank=True)
    principal = fields.money(_("principal outstanding"))
    interest = fields.money(_("interest billed and unpaid"), help_text=_("below zero when paid in advance"))
    fee = fields.money(_("fees billed and unpaid"))
    penalty = fields.money(_("penalty unpaid"))
    credit = fields.money(_("credit balance"))
    interest_earned = fields.money(_("interest billed so far"))
    fee_earned = fields.money(_("fees billed so far"))
    penalty_earned = fields.money(_("penalty charged so far"))

    class Meta:
        verbose_name = _("loan")
        verbose_name_plural = _("loans")
        ordering = ["-id"]
        permissions = [
            ("post_transaction", _("Can post transactions")),
            ("write_off_loan", _("Can write off loans")),
            ("classify_loan", _("Can classify loans")),
            ("disburse_loan", _("Can pay out tranches of a loan")),
            ("refund_loan", _("Can refund and credit loans")),
            ("restructure_loan", _("Can ask to restructure loans")),
            ("accelerate_loan", _("Can call in loans")),
        ]
        constraints = [
            fields.known_states("loan", LoanState),
            fields.not_negative("loan", "principal_amount", "principal", "credit"),
            models.CheckConstraint(
                condition=~Q(state="SETTLED") | Q(principal=0, settled_on__isnull=False),
                name="loan_settled_owes_nothing",
            ),
            *classes.CONSTRAINTS,
        ]
        indexes = [
            # The close asks for the late loans of a range of ids.
            models.Index(
                fields=["oldest_due_on", "id"],
                condition=Q(state__in=["ACTIVE", "ACCELERATED"]),
                name="loan_oldest_due",
            ),
            *classes.INDEXES,
        ]
        triggers = [only_from_an_offer()]

    def __str__(self) -> str:
        return f"L{self.pk:08d}" if self.pk else str(_("new loan"))

    def days_past_due(self, on: date) -> int:
        """Days since the oldest unpaid due date; an instalment is not late on its due date itself."""
        return days_past_due(self.oldest_due_on, on) if self.state in self.OWING else 0

    @transition(field="state", source=State.APPROVED, target=State.ACTIVE)
    def activate(self) -> None:
        """The money or the goods have gone out."""

    @transition(
        field="state", source=[State.APPROVED, State.ACTIVE, State.ACCELERATED], target=State.CANCELLED
    )
    def cancel(self) -> None:
        """It never went out, or that it did was taken back."""

    @transition(field="state", source=State.ACTIVE, target=State.ACCELERATED)
    def accelerate(self) -> None:
        """Everything is due at once, by contract or judgment."""

    @transition(field="state", source=State.ACCELERATED, target=State.ACTIVE)
    def slow_down(self) -> None:
        """It has a schedule again: the acceleration was taken back, or the loan restructured."""

    @transition(field="state", source=[State.ACTIVE, State.ACCELERATED], target=State.SETTLED)
    def settle(self, *, on: date) -> None:
        """Nothing is owed any more."""
        self.settled_on = on

    @transition(field="state", source=State.SETTLED, target=State.ACTIVE)
    def reopen(self) -> None:
        """A reversal or a later charge brought a debt back."""
        self.settled_on = None

    @transition(field="state", source=[State.ACTIVE, State.ACCELERATED], target=State.WRITTEN_OFF)
    def write_off(self) -> None:
        """Given up in the books; what comes in later is a recovery."""

    @transition(field="state", source=State.WRITTEN_OFF, target=State.ACTIVE)
    def restore(self) -> None:
        """The write-off was taken back."""


# A period that is longer than a month. The partial index of the same words serves the close, so a statement must say it
# in these words.
LONG = Q(due_on__gt=F("accrues_from") + 31)
LONG_SQL = "i.due_on > (i.accrues_from + 31)"


class Instalment(models.Model):
    """One due date of a loan, with what falls due and what has been paid on it."""

    # The unique constraint below is its index, and a row that is not in needless indexes is cheap to change.
    loan = models.ForeignKey(
        Loan, models.PROTECT, related_name="instalments", verbose_name=_("loan"), db_index=False
    )
    number = models.PositiveSmallIntegerField(_("number"))
    # Its interest is earned evenly over the days after this one up to its due date.
    accrues_from = models.DateField(_("interest accrues from"))
    due_on = models.DateField(_("due on"))
    principal = fields.money(_("principal"))
    interest = fields.money(_("interest"))
    fee = fields.money(_("fee"))
    penalty = fields.money(_("penalty"))
    principal_paid = fields.money(_("principal paid"))
    interest_paid = fields.money(_("interest paid"))
    fee_paid = fields.money(_("fee paid"))
    penalty_paid = fields.money(_("penalty paid"))
    waived = fields.money(_("waived"))
    written_off = fields.money(_("written off"))
    # Overdue principal summed over days: the daily close adds to it, the penalty follows from it without drift.
    penalty_base = fields.money(_("principal-days overdue"), editable=False)
    total = models.GeneratedField(
        expression=F("principal") + F("interest") + F("fee") + F("penalty"),
        output_field=models.DecimalField(_("total"), max_digits=18, decimal_places=2),
        db_persist=True,
    )
    outstanding = models.GeneratedField(
        expression=F("principal")
        + F("interest")
        + F("fee")
        + F("penalty")
        - F("principal_paid")
        - F("interest_paid")
        - F("fee_paid")
        - F("penalty_paid")
        - F("waived")
        - F("written_off"),
        output_field=models.DecimalField(_("outstanding"), max_digits=18, decimal_places=2),
        db_persist=True,
    )
    paid_on = models.DateField(_("paid on"), null=True, blank=True)
    statement = models.ForeignKey(
        "lending.Statement",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="instalments",
        verbose_name=_("bill"),
        db_index=False,
    )

    AMOUNTS = (
        "due_on",
        "principal",
        "interest",
        "fee",
        "penalty",
        "principal_paid",
        "interest_paid",
        "fee_paid",
        "penalty_paid",
        "waived",
        "written_off",
        "penalty_base",
        "paid_on",
    )

    class Meta:
        verbose_name = _("instalment")
        verbose_name_plural = _("instalments")
        ordering = ["loan", "number"]
        constraints = [
            models.UniqueConstraint(fields=["loan", "number"], name="instalment_number_once"),
            fields.not_negative(
                "instalment",
                "principal",
                "interest",
                "fee",
                "penalty",
                "principal_paid",
                "interest_paid",
                "fee_paid",
                "penalty_paid",
                "waived",
                "outstanding",
            ),
        ]
        indexes = [
            # What falls due on a day, in a range of loans: also what was paid in advance is billed.
            # The close reads what accrues off the index alone.
            models.Index(
                fields=["due_on", "loan"], include=["accrues_from", "interest"], name="instalment_due"
            ),
            models.Index(fields=["due_on", "loan"], condition=LONG, name="instalment_long"),
            models.Index(
                fields=["statement"], condition=Q(statement__isnull=False), name="instalment_billed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} · {self.due_on}"

    @property
    def charges(self) -> Decimal:
        return self.fee + self.penalty

    @property
    def paid(self) -> Decimal:
        return self.principal_paid + self.interest_paid + self.fee_paid + self.penalty_paid


class Transaction(models.Model):
    """Something that moved a loan. Never edited: a mistake is answered by a reversal."""

    class Type(models.TextChoices):
        DISBURSEMENT = "DISBURSEMENT", _("Disbursement")
        REPAYMENT = "REPAYMENT", _("Repayment")
        CHARGE = "CHARGE", _("Charge")
        WAIVER = "WAIVER", _("Waiver")
        MERCHANT_REFUND = "MERCHANT_REFUND", _("Merchant refund")
        PAYOUT_REFUND = "PAYOUT_REFUND", _("Payout refund")
        GOODWILL = "GOODWILL", _("Goodwill credit")
        CREDIT_REFUND = "CREDIT_REFUND", _("Credit balance paid out")
        SETTLEMENT = "SETTLEMENT", _("Early settlement")
        WRITE_OFF = "WRITE_OFF", _("Write-off")
        RECOVERY = "RECOVERY", _("Recovery")
        REVERSAL = "REVERSAL", _("Reversal")
        PREPAYMENT = "PREPAYMENT", _("Part prepayment")
        CHARGEBACK = "CHARGEBACK", _("Chargeback")
        ACCELERATION = "ACCELERATION", _("Everything called in")
        RESCHEDULE = "RESCHEDULE", _("New schedule")
        HARDSHIP = "HARDSHIP", _("Hardship plan")
        HOLIDAY = "HOLIDAY", _("Payment holiday")
        REAMORTISE = "REAMORTISE", _("Arrears spread over the rest")
        REAGE = "REAGE", _("Arrears on new dates")

    loan = models.ForeignKey(Loan, models.PROTECT, related_name="transactions", verbose_name=_("loan"))
    type = models.CharField(_("type"), max_length=16, choices=Type)
    kind = models.CharField(_("of"), max_length=10, blank=True)
    amount = fields.money(_("amount"))
    value_on = models.DateField(_("value date"))
    booked_on = models.DateField(_("booked on"))
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    channel = models.CharField(_("channel"), max_length=20, blank=True)
    key = models.CharField(_("idempotency key"), max_length=100, unique=True)
    payment_key = models.CharField(
        _("payment"),
        max_length=90,
        blank=True,
        help_text=_("one payment may be spread over several loans"),
    )
    reverses = models.OneToOneField(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="reversed_by",
        verbose_name=_("reverses"),
    )
    # How the amount was allocated on the day it was booked.
    principal = fields.money(_("principal"))
    interest = fields.money(_("interest"))
    fee = fields.money(_("fee"))
    penalty = fields.money(_("penalty"))
    credit = fields.money(_("to credit balance"))
    note = models.CharField(_("note"), max_length=300, blank=True)
    # What was agreed in a restructuring, or which payment a chargeback takes back.
    details = models.JSONField(_("details"), default=dict, blank=True)

    RESTRUCTURINGS = (Type.RESCHEDULE, Type.HARDSHIP, Type.HOLIDAY, Type.REAMORTISE, Type.REAGE)

    class Meta:
        verbose_name = _("transaction")
        verbose_name_plural = _("transactions")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="transaction_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(type="REVERSAL", reverses__isnull=False)
                | (~Q(type="REVERSAL") & Q(reverses__isnull=True)),
                name="transaction_reversal_names_its_original",
            ),
        ]
        indexes = [
            models.Index(fields=["payment_key"], condition=~Q(payment_key=""), name="transaction_payment"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"T{self.pk:08d} {self.get_type_display()}"


class Statement(models.Model):
    """One bill: what a line's customer has to pay by one due day. What is still open on it is derived."""

    line = models.ForeignKey(
        "lending.CreditLine", models.PROTECT, related_name="statements", verbose_name=_("line")
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="statements", verbose_name=_("customer")
    )
    statement_on = models.DateField(_("statement day"))
    due_on = models.DateField(_("due day"))
    amount = fields.money(_("billed"))

    class Meta:
        verbose_name = _("bill")
        verbose_name_plural = _("bills")
        ordering = ["-statement_on", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["line", "statement_on"], name="statement_once_per_cycle"),
            models.CheckConstraint(
                condition=Q(due_on__gt=F("statement_on")), name="statement_due_after_statement_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} · {self.statement_on}"

    @property
    def outstanding(self) -> Decimal:
        return self.instalments.aggregate(sum=models.Sum("outstanding"))["sum"] or fields.ZERO


class PaymentState(models.TextChoices):
    STARTED = "STARTED", _("Started")
    PAID = "PAID", _("Paid")
    FAILED = "FAILED", _("Failed")


class Payment(FSMModelMixin, models.Model):
    """Money a customer sends through a gateway: for the oldest debts first, or to settle one loan early."""

    State = PaymentState

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="payments", verbose_name=_("customer")
    )
    settles = models.ForeignKey(
        Loan, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("settles the loan")
    )
    state = fields.state(State, State.STARTED, _("state"))
    amount = fields.money(_("amount"))
    gateway = models.CharField(_("gateway"), max_length=40)
    reference = models.CharField(_("reference"), max_length=64, unique=True)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["-id"]
        constraints = [
            fields.known_states("payment", PaymentState),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
        ]

    def __str__(self) -> str:
        return self.reference

    @transition(field="state", source=PaymentState.STARTED, target=PaymentState.PAID)
    def succeed(self) -> None:
        """The gateway has the money."""

    @transition(field="state", source=PaymentState.STARTED, target=PaymentState.FAILED)
    def fail(self, *, error: str) -> None:
        """The gateway did not get it."""
        self.error = error[:200]
