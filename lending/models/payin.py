"""Money that came in: what could not be placed yet, and the files in which many payments come at once."""

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models.customer import Customer
from lending.models.loan import Loan
from lending.models.user import User


class UnappliedState(models.TextChoices):
    HELD = "HELD", _("Held")
    APPLIED = "APPLIED", _("Applied")
    REFUNDED = "REFUNDED", _("Paid back")


class UnappliedMoney(FSMModelMixin, models.Model):
    """One receipt that lies in suspense until it is applied to a debt or paid back."""

    State = UnappliedState

    class Reason(models.TextChoices):
        UNKNOWN_PAYER = "UNKNOWN_PAYER", _("Nobody knows who paid")
        NOTHING_OWED = "NOTHING_OWED", _("The customer owes nothing")
        LOAN_CLOSED = "LOAN_CLOSED", _("The loan is closed")
        SURPLUS = "SURPLUS", _("More than was owed")
        BY_HAND = "BY_HAND", _("Set aside by staff")
        AHEAD = "AHEAD", _("Its value date lies ahead")

    state = fields.state(State, State.HELD, _("state"))
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="unapplied", verbose_name=_("customer")
    )
    amount = fields.money(_("amount"))
    left = fields.money(_("still held"))
    received_on = models.DateField(_("received on"))
    reason = models.CharField(_("reason"), max_length=16, choices=Reason)
    payer = models.CharField(_("payer"), max_length=120, blank=True)
    reference = models.CharField(_("reference"), max_length=200, blank=True)
    channel = models.CharField(_("channel"), max_length=20, blank=True)
    key = models.CharField(_("idempotency key"), max_length=100, unique=True)
    # A payment dated ahead: the close of that day posts it on that loan, and nothing uses it before.
    loan = models.ForeignKey(
        Loan, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("loan")
    )
    value_on = models.DateField(_("value date"), null=True, blank=True)
    # Whether the daily close may use it for what falls due.
    automatic = models.BooleanField(_("applied by itself"), default=True)
    held_at = models.DateTimeField(_("held since"))

    class Meta:
        verbose_name = _("unapplied money")
        verbose_name_plural = _("unapplied money")
        ordering = ["-id"]
        permissions = [("apply_unapplied", _("Can apply money that is held"))]
        constraints = [
            fields.known_states("unapplied", UnappliedState),
            models.CheckConstraint(
                condition=Q(amount__gt=0, left__gte=0, left__lte=F("amount")), name="unapplied_left_in_amount"
            ),
            models.CheckConstraint(
                condition=Q(state="HELD", left__gt=0) | (~Q(state="HELD") & Q(left=0)),
                name="unapplied_held_has_something_left",
            ),
            models.CheckConstraint(
                condition=~Q(reason="AHEAD") | Q(loan__isnull=False, value_on__gt=F("received_on")),
                name="unapplied_ahead_says_where_and_when",
            ),
        ]
        indexes = [
            models.Index(fields=["customer"], condition=Q(state="HELD"), name="unapplied_held"),
        ]

    def __str__(self) -> str:
        return f"U{self.pk:08d}" if self.pk else self.key

    @transition(field="state", source=State.HELD, target=State.APPLIED)
    def use_up(self) -> None:
        """All of it paid debts."""

    @transition(field="state", source=State.HELD, target=State.REFUNDED)
    def refund(self) -> None:
        """What was left of it went back to the payer."""

    @transition(field="state", source=[State.HELD, State.APPLIED, State.REFUNDED], target=State.HELD)
    def restore(self) -> None:
        """A payment made of it was reversed: it lies here again."""


class UnappliedMove(models.Model):
    """What became of money in suspense, step by step."""

    class Kind(models.TextChoices):
        APPLIED = "APPLIED", _("Applied")
        REFUNDED = "REFUNDED", _("Paid back")
        RESTORED = "RESTORED", _("Put back")

    money = models.ForeignKey(
        UnappliedMoney, models.PROTECT, related_name="moves", verbose_name=_("unapplied money")
    )
    kind = models.CharField(_("what"), max_length=8, choices=Kind)
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("customer")
    )
    amount = fields.money(_("amount"))
    key = models.CharField(_("idempotency key"), max_length=100, unique=True)
    on = models.DateField(_("booked on"))
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("move of unapplied money")
        verbose_name_plural = _("moves of unapplied money")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="unapplied_move_positive"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount}"


class PaymentFileState(models.TextChoices):
    UPLOADED = "UPLOADED", _("To be confirmed")
    CONFIRMED = "CONFIRMED", _("Being posted")
    DONE = "DONE", _("Done")
    DISCARDED = "DISCARDED", _("Discarded")


class PaymentFile(FSMModelMixin, models.Model):
    """A file of payments: read into rows, looked at, confirmed, and posted row by row."""

    State = PaymentFileState

    class Unplaced(models.TextChoices):
        REFUSE = "REFUSE", _("Refuse the row")
        HOLD = "HOLD", _("Hold the money as unapplied")

    class Surplus(models.TextChoices):
        CREDIT = "CREDIT", _("Credit balance of the loan")
        HOLD = "HOLD", _("Hold the money as unapplied")

    state = fields.state(State, State.UPLOADED, _("state"))
    name = models.CharField(_("file"), max_length=200)
    sha256 = models.CharField(max_length=64, editable=False)
    # The same file again, because somebody insisted: 1, 2, ...
    repeat = models.PositiveSmallIntegerField(_("repeated"), default=0)
    header = models.JSONField(_("columns"), default=list)
    mapping = models.JSONField(_("which column is what"), default=dict)
    unplaced = models.CharField(
        _("a payment that cannot be placed"), max_length=8, choices=Unplaced, default=Unplaced.REFUSE
    )
    surplus = models.CharField(_("more than is owed"), max_length=8, choices=Surplus, default=Surplus.CREDIT)
    channel = models.CharField(_("channel"), max_length=20, default="file")
    uploaded_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded at"))
    confirmed_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("confirmed by")
    )
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("payment file")
        verbose_name_plural = _("payment files")
        ordering = ["-id"]
        constraints = [
            fields.known_states("payment_file", PaymentFileState),
            models.UniqueConstraint(
                fields=["sha256", "repeat"], condition=~Q(state="DISCARDED"), name="payment_file_once"
            ),
        ]

    def __str__(self) -> str:
        return f"F{self.pk:06d} {self.name}" if self.pk else self.name

    @transition(field="state", source=State.UPLOADED, target=State.CONFIRMED)
    def confirm(self) -> None:
        """Somebody looked at the preview and said yes."""

    @transition(field="state", source=State.CONFIRMED, target=State.DONE)
    def finish(self) -> None:
        """No row waits any more."""

    @transition(field="state", source=State.UPLOADED, target=State.DISCARDED)
    def discard(self) -> None:
        """It will not be posted."""


class PaymentRowState(models.TextChoices):
    READY = "READY", _("Ready")
    PROBLEM = "PROBLEM", _("Has a problem")
    DUPLICATE = "DUPLICATE", _("Known already")
    POSTED = "POSTED", _("Posted")
    HELD = "HELD", _("Held")
    FAILED = "FAILED", _("Could not be posted")


class PaymentRow(FSMModelMixin, models.Model):
    """One line of a payment file. `key` is its own for ever: however often it is tried, it posts once."""

    State = PaymentRowState
    OPEN = (State.READY, State.PROBLEM, State.DUPLICATE)

    file = models.ForeignKey(PaymentFile, models.PROTECT, related_name="rows", verbose_name=_("payment file"))
    number = models.PositiveIntegerField(_("line"))
    cells = models.JSONField(_("as written"), default=list)
    state = fields.state(State, State.READY, _("state"))
    loan = models.ForeignKey(
        Loan, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("loan")
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("customer")
    )
    amount = fields.money(_("amount"), null=True, blank=True, default=None)
    value_on = models.DateField(_("value date"), null=True, blank=True)
    payer = models.CharField(_("payer"), max_length=120, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    key = models.CharField(_("idempotency key"), max_length=80)
    code = models.CharField(_("problem"), max_length=24, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        verbose_name = _("row of a payment file")
        verbose_name_plural = _("rows of payment files")
        ordering = ["file", "number"]
        constraints = [
            fields.known_states("payment_row", PaymentRowState),
            models.UniqueConstraint(fields=["file", "number"], name="payment_row_number_once"),
            # Two files with the same payment in them, posted by two workers at once: the second one fails here.
            models.UniqueConstraint(
                fields=["key"], condition=Q(state__in=["POSTED", "HELD"]), name="payment_row_key_once"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["READY", "POSTED", "HELD"]) | Q(amount__gt=0, value_on__isnull=False),
                name="payment_row_ready_is_whole",
            ),
        ]
        indexes = [
            models.Index(
                fields=["file", "customer", "number"], condition=Q(state="READY"), name="payment_row_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_id}/{self.number}"

    @transition(field="state", source=OPEN, target=State.READY)
    def accept(self) -> None:
        """It reads well and can be placed."""

    @transition(field="state", source=OPEN, target=State.PROBLEM)
    def doubt(self, *, code: str, **details: str) -> None:
        """It cannot be posted as it stands."""
        self.code, self.details = code, details

    @transition(field="state", source=OPEN, target=State.DUPLICATE)
    def know(self, *, code: str, **details: str) -> None:
        """It was paid already: here, or in another file."""
        self.code, self.details = code, details

    @transition(field="state", source=State.READY, target=State.POSTED)
    def post(self) -> None:
        """The loan has it."""

    @transition(field="state", source=State.READY, target=State.HELD)
    def hold(self) -> None:
        """It lies in suspense."""

    @transition(field="state", source=State.READY, target=State.FAILED)
    def fail(self, *, code: str, **details: str) -> None:
        """It was refused when its turn came."""
        self.code, self.details = code, details
