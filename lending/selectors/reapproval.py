"""Which lines must be approved again, and by when."""

from datetime import date, timedelta
from functools import reduce
from operator import or_

from django.db.models import Q, QuerySet

from lending.models import CreditLine, Product
from lending.selectors import rules

CODE = "LINE_REVIEW_DAYS"
WARNING_DAYS = 30  # staff see what comes due so long before
LIVE = [CreditLine.State.ACTIVE, CreditLine.State.SUSPENDED]


def overdue(on: date) -> QuerySet[CreditLine]:
    """The open lines whose approval no longer holds on that day."""
    return _older_than(on, 0)


def due_soon(on: date) -> QuerySet[CreditLine]:
    """The open lines whose approval holds on that day and ends within WARNING_DAYS."""
    return _older_than(on, WARNING_DAYS).exclude(pk__in=overdue(on).values("pk"))


def holds_until(line: CreditLine, on: date) -> date | None:
    """The last day on which the line may be drawn on without another approval; None where no rule asks for one."""
    days = _days(line.product.lender_type, on)
    return None if days is None else line.reviewed_on + timedelta(days=days)


def _days(lender_type: str, on: date) -> int | None:
    try:
        return int(rules.parameter(CODE, on, lender_type=lender_type))
    except rules.MissingRule:
        return None


def _older_than(on: date, early: int) -> QuerySet[CreditLine]:
    """Each lender type has a period of its own."""
    lenders = Product.objects.filter(kind="LINE").order_by().values_list("lender_type", flat=True).distinct()
    conditions = [
        Q(product__lender_type=lender, reviewed_on__lt=on + timedelta(days=early - days))
        for lender in lenders
        if (days := _days(lender, on)) is not None
    ]
    if not conditions:
        return CreditLine.objects.none()
    return CreditLine.objects.filter(reduce(or_, conditions), state__in=LIVE)
