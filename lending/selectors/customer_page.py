"""Everything about one customer that the staff's page shows, each part in a fixed number of statements."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import BooleanField, ExpressionWrapper, F, Prefetch, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from lending.fields import ZERO
from lending.models import (
    Collateral,
    CreditLine,
    Customer,
    Event,
    Instalment,
    LimitChange,
    LineHold,
    Loan,
    Statement,
    Transaction,
)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What one customer may owe, owes, and has given as security. Amounts in the currency's minor unit."""

    limit: Decimal
    used: Decimal
    held: Decimal
    free: Decimal
    principal: Decimal
    billed: Decimal
    overdue: Decimal
    days_past_due: int
    security: Decimal

    @property
    def owed(self) -> Decimal:
        return self.principal + self.billed

    @property
    def coverage(self) -> Decimal | None:
        """Security after haircut over what is owed; None when nothing is."""
        return self.security / self.owed if self.owed else None


def exposure(customer: Customer, on: date) -> Exposure:
    open_lines = list(customer.lines.exclude(state=CreditLine.State.CLOSED))
    owing = customer.loans.filter(state__in=Loan.OWING)
    sums = owing.aggregate(
        principal=Coalesce(Sum("principal"), ZERO),
        billed=Coalesce(Sum(F("interest") + F("fee") + F("penalty")), ZERO),
    )
    late = Instalment.objects.filter(loan__in=owing, due_on__lt=on, outstanding__gt=0)
    return Exposure(
        limit=sum((line.limit(on) for line in open_lines), ZERO),
        used=sum((line.used for line in open_lines), ZERO),
        held=sum((line.held for line in open_lines), ZERO),
        free=sum((line.free(on) for line in open_lines), ZERO),
        overdue=late.aggregate(sum=Coalesce(Sum("outstanding"), ZERO))["sum"],
        days_past_due=max((loan.days_past_due(on) for loan in owing), default=0),
        security=sum((item.lending_value(on) for item in customer.collateral.all()), ZERO),
        **sums,
    )


def lines(customer: Customer) -> QuerySet[CreditLine]:
    """The customer's lines, each with its holds, limit changes and temporary limits."""
    return customer.lines.select_related("product").prefetch_related(
        Prefetch("holds", LineHold.objects.select_related("placed_by", "lifted_by")),
        Prefetch("limit_changes", LimitChange.objects.select_related("by")),
        "temporary_limits",
    )


def loans(customer: Customer) -> QuerySet[Loan]:
    """Loans that are owed first, the latest among them on top."""
    owed_first = ExpressionWrapper(Q(state__in=Loan.OWING), BooleanField()).desc()
    return customer.loans.select_related("product").order_by(owed_first, "-id")


def upcoming(customer: Customer, limit: int = 24) -> QuerySet[Instalment]:
    """What is still to be paid, oldest due date first."""
    unpaid = Instalment.objects.filter(loan__customer=customer, loan__state__in=Loan.OWING, outstanding__gt=0)
    return unpaid.select_related("loan").order_by("due_on", "loan_id")[:limit]


def transactions(customer: Customer, limit: int = 50) -> QuerySet[Transaction]:
    rows = Transaction.objects.filter(loan__customer=customer)
    return rows.select_related("loan", "by").order_by("-id")[:limit]


def bills(customer: Customer) -> QuerySet[Statement]:
    """The customer's bills with what is still open on each."""
    return customer.statements.annotate(open=Coalesce(Sum("instalments__outstanding"), ZERO))


def collateral(customer: Customer) -> QuerySet[Collateral]:
    return customer.collateral.all()


def timeline(customer: Customer, limit: int = 100) -> QuerySet[Event]:
    """What happened with the customer, latest first."""
    return Event.objects.filter(customer=customer).select_related("actor").order_by("-id")[:limit]
