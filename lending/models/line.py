from datetime import date
from decimal import Decimal
from typing import Any

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models.application import Application, only_from_an_offer
from lending.models.customer import Customer
from lending.models.loan import Loan
from lending.models.product import Product
from lending.models.user import User


class CreditLineState(models.TextChoices):
    PENDING = "PENDING", _("Pending")
    ACTIVE = "ACTIVE", _("Active")
    SUSPENDED = "SUSPENDED", _("Suspended")
    CLOSED = "CLOSED", _("Closed")


class CreditLine(FSMModelMixin, models.Model):
    """A revolving limit. `used` and `held` are facts kept under the line's lock; what is free is derived."""

    State = CreditLineState

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="lines", verbose_name=_("customer"))
    product = models.ForeignKey(Product, models.PROTECT, related_name="lines", verbose_name=_("product"))
    application = models.OneToOneField(
        Application,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="line",
        verbose_name=_("application"),
    )
    state = fields.state(State, State.PENDING, _("state"))
    base_limit = fields.money(_("base limit"))
    used = fields.money(_("used"))
    held = fields.money(_("held"))
    statement_day = models.PositiveSmallIntegerField(
        _("statement day"), validators=[MinValueValidator(1), MaxValueValidator(22)]
    )
    # The price agreed for this line; empty on lines that have the product's own.
    annual_rate = fields.rate(_("annual rate"), null=True, blank=True, default=None)
    fee_rate = fields.rate(_("fee rate per instalment"), null=True, blank=True, default=None)
    opened_on = models.DateField(_("opened on"))
    reviewed_on = models.DateField(_("last reviewed on"))

    class Meta:
        verbose_name = _("credit line")
        verbose_name_plural = _("credit lines")
        ordering = ["-id"]
        permissions = [("steer_line", _("Can suspend, cut and restore lines"))]
        triggers = [only_from_an_offer()]
        constraints = [
            fields.known_states("line", CreditLineState),
            fields.not_negative("line", "base_limit", "used", "held"),
            models.CheckConstraint(
                condition=Q(statement_day__gte=1, statement_day__lte=22), name="line_statement_day_fits"
            ),
            models.UniqueConstraint(
                fields=["customer"], condition=~Q(state="CLOSED"), name="line_one_open_per_customer"
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(state="SUSPENDED"), name="line_suspended")]

    def __str__(self) -> str:
        return f"C{self.pk:08d}" if self.pk else str(_("new line"))

    def limit(self, on: date) -> Decimal:
        """The base limit plus the temporary limits that run on that day."""
        running = self.temporary_limits.filter(starts_on__lte=on, ends_on__gte=on)
        return self.base_limit + (running.aggregate(sum=models.Sum("amount"))["sum"] or fields.ZERO)

    def free(self, on: date) -> Decimal:
        """What can still be bought: nothing unless the line is active, never below zero."""
        if self.state != self.State.ACTIVE:
            return fields.ZERO
        return max(fields.ZERO, self.limit(on) - self.used - self.held)

    @transition(field="state", source=State.PENDING, target=State.ACTIVE)
    def open(self) -> None:
        """The customer may buy."""

    @transition(field="state", source=[State.ACTIVE, State.SUSPENDED], target=State.SUSPENDED)
    def suspend(self) -> None:
        """A hold was placed; any open hold keeps the line here."""

    @transition(field="state", source=State.SUSPENDED, target=State.ACTIVE)
    def resume(self) -> None:
        """The last hold was lifted."""

    @transition(field="state", source=[State.PENDING, State.ACTIVE, State.SUSPENDED], target=State.CLOSED)
    def close(self) -> None:
        """No further purchases; what is owed stays owed."""


class LineHold(models.Model):
    """A reason for which a line is suspended. While one is open, so is the suspension."""

    class Cause(models.TextChoices):
        CONTROL = "CONTROL", _("Behaviour control")
        ARREARS = "ARREARS", _("Arrears")
        STAFF = "STAFF", _("Staff")
        CUSTOMER = "CUSTOMER", _("Customer's own wish")
        REVIEW = "REVIEW", _("Yearly review overdue")

    line = models.ForeignKey(CreditLine, models.PROTECT, related_name="holds", verbose_name=_("line"))
    cause = models.CharField(_("cause"), max_length=10, choices=Cause)
    note = models.CharField(_("note"), max_length=300, blank=True)
    placed_at = models.DateTimeField(_("placed at"))
    placed_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("placed by")
    )
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)
    lifted_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("lifted by")
    )

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        ordering = ["-placed_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["line", "cause"], condition=Q(lifted_at=None), name="hold_one_open_per_cause"
            ),
        ]

    def __str__(self) -> str:
        return str(self.get_cause_display())


class LimitChange(models.Model):
    """Every change of a base limit: before, after, who and why. Append-only."""

    class Kind(models.TextChoices):
        OPENED = "OPENED", _("Opened")
        RAISED = "RAISED", _("Raised")
        CUT = "CUT", _("Cut")
        RESTORED = "RESTORED", _("Restored")

    line = models.ForeignKey(CreditLine, models.PROTECT, related_name="limit_changes", verbose_name=_("line"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    before = fields.money(_("before"))
    after = fields.money(_("after"))
    cause = models.CharField(_("cause"), max_length=300)
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("limit change")
        verbose_name_plural = _("limit changes")
        ordering = ["-id"]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"


class TemporaryLimit(models.Model):
    """An amount on top of the base limit, with an end."""

    line = models.ForeignKey(
        CreditLine, models.PROTECT, related_name="temporary_limits", verbose_name=_("line")
    )
    amount = fields.money(_("amount"))
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("to"))
    reason = models.CharField(_("reason"), max_length=200)

    class Meta:
        verbose_name = _("temporary limit")
        verbose_name_plural = _("temporary limits")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="temporary_limit_positive"),
            models.CheckConstraint(
                condition=Q(ends_on__gte=models.F("starts_on")), name="temporary_limit_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} → {self.ends_on}"


class PurchaseState(models.TextChoices):
    AUTHORISED = "AUTHORISED", _("Authorised")
    CAPTURED = "CAPTURED", _("Captured")
    VOIDED = "VOIDED", _("Voided")
    EXPIRED = "EXPIRED", _("Expired")
    REFUNDED = "REFUNDED", _("Refunded")


class Purchase(FSMModelMixin, models.Model):
    """An order bought on a line: held when authorised, a loan when captured."""

    State = PurchaseState

    line = models.ForeignKey(CreditLine, models.PROTECT, related_name="purchases", verbose_name=_("line"))
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="purchases", verbose_name=_("customer")
    )
    order_ref = models.CharField(_("order"), max_length=64, unique=True)
    description = models.CharField(_("description"), max_length=200, blank=True)
    state = fields.state(State, State.AUTHORISED, _("state"))
    amount = fields.money(_("amount"))
    captured = fields.money(_("captured"))
    refunded = fields.money(_("refunded"))
    tenor = models.PositiveSmallIntegerField(_("instalments"))
    annual_cost = fields.rate(_("annual cost shown"))
    loan = models.OneToOneField(
        Loan, models.PROTECT, null=True, blank=True, related_name="purchase", verbose_name=_("loan")
    )
    authorised_at = models.DateTimeField(_("authorised at"))
    expires_on = models.DateField(_("authorisation ends on"))

    class Meta:
        verbose_name = _("purchase")
        verbose_name_plural = _("purchases")
        ordering = ["-id"]
        constraints = [
            fields.known_states("purchase", PurchaseState),
            models.CheckConstraint(condition=Q(amount__gt=0), name="purchase_amount_positive"),
            models.CheckConstraint(
                condition=Q(captured__lte=models.F("amount"), refunded__lte=models.F("captured")),
                name="purchase_refund_within_capture_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["CAPTURED", "REFUNDED"], loan__isnull=False)
                | Q(state__in=["AUTHORISED", "VOIDED", "EXPIRED"], loan__isnull=True),
                name="purchase_has_loan_once_captured",
            ),
            fields.not_negative("purchase", "captured", "refunded"),
        ]
        indexes = [
            models.Index(fields=["expires_on"], condition=Q(state="AUTHORISED"), name="purchase_to_expire"),
        ]

    def __str__(self) -> str:
        return self.order_ref

    @transition(field="state", source=State.AUTHORISED, target=State.CAPTURED)
    def capture(self, *, amount: Decimal, loan: Any) -> None:
        """The goods have left: the hold becomes a loan."""
        self.captured, self.loan = amount, loan

    @transition(field="state", source=State.AUTHORISED, target=State.VOIDED)
    def void(self) -> None:
        """The order was called off before capture."""

    @transition(field="state", source=State.AUTHORISED, target=State.EXPIRED)
    def expire(self) -> None:
        """Nobody captured in time."""

    @transition(field="state", source=State.CAPTURED, target=State.REFUNDED)
    def refund_whole(self) -> None:
        """Everything came back."""
