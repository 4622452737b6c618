"""What is overdue, straight from the loans: the same figures for cases, for the gate, and for the list."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.contrib.postgres.aggregates import BoolOr
from django.db.models import Min, Q, QuerySet, Sum
from django.db.models.expressions import RawSQL

from dunning.models import Dispute
from lending.models import Instalment, Loan


def unnested(ids: Iterable[int]) -> RawSQL:
    """Thousands of ids for `__in`, as one array: as a list, each would be a word of the statement to be read."""
    return RawSQL("SELECT unnest(%s::bigint[])", [list(ids)])  # noqa: S611


@dataclass(frozen=True)
class Owed:
    """What a customer is late with: the sum of what is unpaid after its due date, and the oldest such date."""

    amount: Decimal
    oldest_due_on: date


def overdue(on: date, customer_ids: Iterable[int] | None = None) -> dict[int, Owed]:
    """What each customer is late with at the start of `on`: nothing is late on its due date itself.

    Of an accelerated loan everything is due. Penalties are as the books have them, which stop at the legal
    cap.
    """
    rows = _late(on)
    if customer_ids is not None:
        rows = rows.filter(loan__customer_id__in=unnested(customer_ids))
    sums = rows.values("loan__customer_id").annotate(
        amount=Sum("outstanding"), oldest=Min("loan__oldest_due_on")
    )
    return {row["loan__customer_id"]: Owed(row["amount"], row["oldest"]) for row in sums}


def _late(on: date) -> QuerySet[Instalment]:
    return Instalment.objects.filter(
        Q(due_on__lt=on) | Q(loan__state=Loan.State.ACCELERATED),
        loan__state__in=Loan.OWING,
        loan__oldest_due_on__lt=on,
        outstanding__gt=0,
    ).order_by()


def coming_due(first: date, last: date) -> QuerySet[Instalment]:
    """Unpaid instalments of healthy customers that fall due between the two days, both counted."""
    return Instalment.objects.filter(
        loan__state=Loan.State.ACTIVE, due_on__range=(first, last), paid_on=None, outstanding__gt=0
    ).order_by()


def disputed(customer_ids: Iterable[int]) -> dict[int, Decimal | None]:
    """What each customer disputes, None for all of it; who has no open dispute is missing."""
    rows = Dispute.objects.filter(customer_id__in=unnested(customer_ids), state=Dispute.State.OPEN)
    sums = rows.values("customer_id").annotate(sum=Sum("amount"), whole=BoolOr("whole")).order_by()
    return {row["customer_id"]: None if row["whole"] else row["sum"] for row in sums}
