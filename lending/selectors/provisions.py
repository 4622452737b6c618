"""Provisions of month ends: both figures side by side, what is booked, and the loans behind a figure."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum

from lending.fields import ZERO
from lending.models import AccountMapping, DefaultRate, JournalLine, LoanProvision, ProvisionMonth, Role

AMOUNTS = ("principal", "exposure", "floor", "expected")


@dataclass(frozen=True, slots=True)
class Required:
    """What one product must hold: the higher of its two sums. Amounts in the currency's minor unit."""

    product_id: int
    floor: Decimal
    expected: Decimal

    @property
    def required(self) -> Decimal:
        return max(self.floor, self.expected)


def by_product(on: date) -> list[Required]:
    rows = ProvisionMonth.objects.filter(date=on).order_by("product_id").values("product_id")
    return [
        Required(row["product_id"], row["floor"], row["expected"])
        for row in rows.annotate(floor=Sum("floor"), expected=Sum("expected"))
    ]


def booked(on: date) -> dict[int, Decimal]:
    """The provision in the books by product, above zero as it is a credit, by entries up to that day."""
    accounts = AccountMapping.objects.filter(role=Role.PROVISION).values("account_id")
    rows = JournalLine.objects.filter(
        account_id__in=accounts, entry__booked_on__lte=on, entry__product__isnull=False
    )
    sums = rows.order_by().values_list("entry__product_id").annotate(Sum("amount"))
    return {product_id: -amount for product_id, amount in sums if amount}


def months() -> list[date]:
    """The month ends that have provisions, newest first."""
    return list(ProvisionMonth.objects.order_by("-date").values_list("date", flat=True).distinct())


def sums(on: date, products: list[int] | None = None) -> list[ProvisionMonth]:
    """By product, class and stage."""
    rows = ProvisionMonth.objects.filter(date=on).select_related("product")
    if products is not None:
        rows = rows.filter(product_id__in=products)
    return list(rows.order_by("product__code", "product__version", "asset_class", "stage"))


def rates(on: date) -> list[DefaultRate]:
    """The rates of default that a month end counted with."""
    return list(DefaultRate.objects.filter(date=on).order_by("bucket", "grade"))


def loans(on: date, products: list[int] | None = None, **narrowed: Any) -> QuerySet[LoanProvision]:
    """The loans behind a figure; `narrowed` are conditions on their rows (asset_class, stage)."""
    rows = LoanProvision.objects.filter(date=on, **narrowed)
    if products is not None:
        rows = rows.filter(product_id__in=products)
    return rows.select_related("product").order_by("loan_id")


def totals(rows: QuerySet[LoanProvision]) -> dict[str, Decimal]:
    found = rows.order_by().aggregate(**{f"sum_{name}": Sum(name) for name in AMOUNTS})
    return {name: found[f"sum_{name}"] or ZERO for name in AMOUNTS}
