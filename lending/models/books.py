import datetime

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.engine.calendar import clamp
from lending.models.chart import Account, Role
from lending.models.loan import Loan
from lending.models.product import Product
from lending.models.user import User


class InterestSuspension(models.Model):
    """While it is open, what the loan earns and nobody pays is kept out of income."""

    loan = models.ForeignKey(Loan, models.PROTECT, related_name="suspensions", verbose_name=_("loan"))
    since = models.DateField(_("since"))
    until = models.DateField(_("until"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=300)
    by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("suspension of interest")
        verbose_name_plural = _("suspensions of interest")
        ordering = ["-since", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["loan"], condition=Q(until=None), name="interest_suspension_one_open"
            ),
            models.CheckConstraint(
                condition=Q(until=None) | Q(until__gte=F("since")), name="interest_suspension_dates_in_order"
            ),
        ]
        triggers = [pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.loan} · {self.since}"


class PeriodState(models.TextChoices):
    OPEN = "OPEN", _("Open")
    CLOSED = "CLOSED", _("Closed")


class AccountingPeriod(FSMModelMixin, models.Model):
    """A month of the books. Once it is closed the database takes no entry dated into it."""

    State = PeriodState

    month = models.DateField(_("month"), unique=True, help_text=_("its first day"))
    state = fields.state(State, State.OPEN, _("state"))
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    closed_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("closed by")
    )

    class Meta:
        verbose_name = _("accounting period")
        verbose_name_plural = _("accounting periods")
        ordering = ["-month"]
        constraints = [
            fields.known_states("accounting_period", PeriodState),
            models.CheckConstraint(condition=Q(month__day=1), name="accounting_period_starts_a_month"),
            models.CheckConstraint(
                condition=Q(state="OPEN") | Q(closed_at__isnull=False, closed_by__isnull=False),
                name="accounting_period_closed_by_somebody",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="month_stays", operation=pgtrigger.Update, condition=pgtrigger.AnyChange("month")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"

    @property
    def last_day(self) -> datetime.date:
        return clamp(self.month.year, self.month.month, 31)

    @transition(field="state", source=State.OPEN, target=State.CLOSED)
    def close(self, *, by: User, at: datetime.datetime) -> None:
        """No entry may be dated into it any more."""
        self.closed_by, self.closed_at = by, at

    @transition(field="state", source=State.CLOSED, target=State.OPEN)
    def reopen(self) -> None:
        """Two people want to book into it after all."""
        self.closed_by = self.closed_at = None


class ControlBalance(models.Model):
    """A control account of a product at the end of a day, in the books and summed over the loans."""

    date = models.DateField(_("business date"))
    product = models.ForeignKey(Product, models.PROTECT, related_name="+", verbose_name=_("product"))
    role = models.CharField(_("role"), max_length=20, choices=Role)
    books = fields.money(_("books"))
    loans = fields.money(_("loans"))

    class Meta:
        verbose_name = _("control balance")
        verbose_name_plural = _("control balances")
        ordering = ["-date", "product", "role"]
        constraints = [
            models.UniqueConstraint(fields=["date", "product", "role"], name="control_balance_once"),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.product} {self.get_role_display()}"


class AccountDay(models.Model):
    """What was booked on an account on one day, for one product: a sum of journal lines, kept so that a report reads
    days and not lines. An entry dated back takes the sums from its day on away; the next close makes them anew."""

    date = models.DateField(_("booked on"))
    account = models.ForeignKey(Account, models.PROTECT, related_name="days", verbose_name=_("account"))
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("product")
    )
    debit = fields.money(_("debit"))
    credit = fields.money(_("credit"))

    class Meta:
        verbose_name = _("day of an account")
        verbose_name_plural = _("days of accounts")
        ordering = ["date", "account"]
        constraints = [
            models.UniqueConstraint(
                fields=["date", "account", "product"], name="account_day_once", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.account_id}"
