"""What is overdue, straight from the loans: the same figures for cases, for the gate, and for the list."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models.expressions import RawSQL

from lending import bulk
from lending.models import Loan

# Asked by the close and before every message.
_LATE = """
SELECT l.customer_id, SUM(i.outstanding), MIN(l.oldest_due_on)
FROM lending_instalment i JOIN lending_loan l ON l.id = i.loan_id
WHERE (i.due_on < %s OR l.state = 'ACCELERATED') AND l.state = ANY(%s::text[]) AND l.oldest_due_on < %s
  AND i.outstanding > 0 {only} GROUP BY l.customer_id
"""
LATE = bulk.Tuples(_LATE.format(only=""))
LATE_OF = bulk.Tuples(_LATE.format(only="AND l.customer_id = ANY(%s::bigint[])"))
# What falls due between two days, both counted, to healthy ones among these customers: by customer and day.
COMING_DUE = bulk.Tuples(
    """
    SELECT l.customer_id, i.due_on, SUM(i.outstanding)
    FROM lending_instalment i JOIN lending_loan l ON l.id = i.loan_id
    WHERE l.state = 'ACTIVE' AND i.due_on BETWEEN %s AND %s AND i.paid_on IS NULL AND i.outstanding > 0
      AND l.customer_id = ANY(%s::bigint[])
    GROUP BY l.customer_id, i.due_on
    """
)
DISPUTED = bulk.Tuples(
    """
    SELECT customer_id, CASE WHEN bool_or(whole) THEN NULL ELSE SUM(amount) END FROM dunning_dispute
    WHERE customer_id = ANY(%s::bigint[]) AND state = 'OPEN' GROUP BY customer_id
    """
)


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
    owing = [str(state) for state in Loan.OWING]
    rows = LATE(on, owing, on) if customer_ids is None else LATE_OF(on, owing, on, list(customer_ids))
    return {customer_id: Owed(amount, oldest) for customer_id, amount, oldest in rows}


def disputed(customer_ids: Iterable[int]) -> dict[int, Decimal | None]:
    """What each customer disputes, None for all of it; who has no open dispute is missing."""
    return dict(DISPUTED(list(customer_ids)))
