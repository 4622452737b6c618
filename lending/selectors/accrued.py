"""Interest earned and billed to nobody yet: the share of each running instalment, by product or by loan."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from lending.fields import ZERO
from lending.models import Loan

# The running instalment of each loan is the first that falls due after the day. Sums are of whole cents.
_SHARES = """
SELECT l.product_id, l.id AS loan_id,
       ROUND(i.interest * (%(on)s - period.start_on) / (i.due_on - period.start_on), 2) AS accrued
FROM lending_loan l
CROSS JOIN LATERAL (
    SELECT r.number, r.due_on, r.interest FROM lending_instalment r
    WHERE r.loan_id = l.id AND r.due_on > %(on)s ORDER BY r.number LIMIT 1
) i
LEFT JOIN lending_instalment before ON before.loan_id = l.id AND before.number = i.number - 1
CROSS JOIN LATERAL (
    SELECT GREATEST(
        COALESCE(before.due_on, l.disbursed_on),
        l.disbursed_on + COALESCE((l.terms ->> 'interest_free_days')::int, 0)
    ) AS start_on
) period
WHERE (l.state = ANY(%(owing)s) OR (l.state = 'SETTLED' AND l.interest < 0))
  AND i.interest > 0 AND period.start_on < %(on)s AND period.start_on < i.due_on
"""
_IN_SUSPENSE = "EXISTS (SELECT FROM lending_interestsuspension s WHERE s.loan_id = l.id AND s.until IS NULL)"

ACCRUED = f"""
SELECT product_id, SUM(accrued) FROM ({_SHARES} AND NOT {_IN_SUSPENSE}) shares GROUP BY product_id
"""  # noqa: S608
# The same for the instalments that fall due on one day, which are being billed.
RELEASED = f"""
SELECT product_id, SUM(accrued) FROM ({_SHARES} AND NOT {_IN_SUSPENSE} AND i.due_on = %(due)s) shares
WHERE loan_id IN (SELECT loan_id FROM lending_instalment WHERE due_on = %(due)s)
GROUP BY product_id
"""  # noqa: S608
OF_LOANS = f"SELECT loan_id, accrued FROM ({_SHARES} AND l.id = ANY(%(loans)s)) shares"  # noqa: S608
OFF_BALANCE = f"""
SELECT product_id, SUM(accrued) FROM ({_SHARES} AND {_IN_SUSPENSE}) shares GROUP BY product_id
"""  # noqa: S608


def accrued(on: date) -> dict[int, Decimal]:
    """Interest earned by the end of the day and billed to nobody yet, by product, without the loans in suspense."""
    return _sums(ACCRUED, on=on)


def released(on: date, due: date) -> dict[int, Decimal]:
    """What of that belongs to the instalments that fall due on `due`, by product."""
    return _sums(RELEASED, on=on, due=due)


def off_balance(on: date) -> dict[int, Decimal]:
    """The same of the loans in suspense: what they would have earned in their running periods, by product."""
    return _sums(OFF_BALANCE, on=on)


def accrued_of(loan_ids: Sequence[int], on: date) -> dict[int, Decimal]:
    """What these loans have accrued by the end of the day and were not billed; loans without any are left out."""
    return dict(_rows(OF_LOANS, {"on": on, "loans": list(loan_ids)}))


def _sums(sql: str, **values: Any) -> dict[int, Decimal]:
    return {product_id: amount for product_id, amount in _rows(sql, values) if amount != ZERO}


def _rows(sql: str, values: dict[str, Any]) -> Iterable[tuple[int, Decimal]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {**values, "owing": [str(state) for state in Loan.OWING]})
        rows: list[tuple[int, Decimal]] = cursor.fetchall()
    return rows
