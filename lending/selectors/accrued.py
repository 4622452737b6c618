"""Interest earned and billed to nobody yet: the share of each running instalment, by product or by loan."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from lending.fields import ZERO
from lending.models import Loan

# The running instalment of a loan is the first that falls due after the day; its period begins where the one before
# ends. Those that begin and end within MONTH are read off the index of due dates, all at once; only for loans with
# longer periods, and where few loans are meant, is each looked up by itself. Sums are of whole cents.
MONTH = timedelta(days=31)
_NEXT = """
SELECT r.number, r.due_on, r.interest FROM lending_instalment r
WHERE {unknown} AND r.loan_id = l.id AND r.due_on > %(on)s ORDER BY r.number LIMIT 1
"""
_BEFORE = """
SELECT b.due_on FROM lending_instalment b WHERE {unknown} AND b.loan_id = l.id AND b.number = i.number - 1 LIMIT 1
"""
_ACCRUED = """
SELECT l.product_id, l.id AS loan_id,
       ROUND(i.interest * (%(on)s - period.start_on) / (i.due_on - period.start_on), 2) AS accrued
"""
_PERIOD = """
CROSS JOIN LATERAL (
    SELECT GREATEST(
        COALESCE(before.due_on, l.disbursed_on),
        l.disbursed_on + COALESCE((l.terms ->> 'interest_free_days')::int, 0)
    ) AS start_on
) period
WHERE (l.state = ANY(%(owing)s) OR (l.state = 'SETTLED' AND l.interest < 0))
  AND i.interest > 0 AND period.start_on < %(on)s AND period.start_on < i.due_on
"""
_EACH = f"""
{_ACCRUED}
FROM lending_loan l
CROSS JOIN LATERAL ({_NEXT.format(unknown="TRUE")}) i
LEFT JOIN LATERAL ({_BEFORE.format(unknown="TRUE")}) before ON TRUE
{_PERIOD}
"""  # noqa: S608
_ALL = f"""
{_ACCRUED}
FROM lending_loan l
LEFT JOIN (
    SELECT DISTINCT ON (loan_id) loan_id, number, due_on, interest FROM lending_instalment
    WHERE due_on > %(on)s AND due_on <= %(until)s ORDER BY loan_id, number
) near ON near.loan_id = l.id
LEFT JOIN LATERAL ({_NEXT.format(unknown="near.loan_id IS NULL")}) far ON TRUE
CROSS JOIN LATERAL (
    SELECT COALESCE(near.number, far.number) AS number, COALESCE(near.due_on, far.due_on) AS due_on,
           COALESCE(near.interest, far.interest) AS interest
) i
LEFT JOIN (
    SELECT loan_id, number, due_on FROM lending_instalment WHERE due_on > %(since)s AND due_on <= %(on)s
) past ON past.loan_id = l.id AND past.number = i.number - 1
LEFT JOIN LATERAL ({_BEFORE.format(unknown="past.loan_id IS NULL AND i.number > 1")}) old ON TRUE
CROSS JOIN LATERAL (SELECT COALESCE(past.due_on, old.due_on) AS due_on) before
{_PERIOD}
"""  # noqa: S608
_IN_SUSPENSE = "EXISTS (SELECT FROM lending_interestsuspension s WHERE s.loan_id = l.id AND s.until IS NULL)"

ACCRUED = f"""
SELECT product_id, SUM(accrued) FROM ({_ALL} AND NOT {_IN_SUSPENSE}) shares GROUP BY product_id
"""  # noqa: S608
# The same for the instalments that fall due on one day, which are being billed.
RELEASED = f"""
SELECT product_id, SUM(accrued) FROM ({_EACH} AND NOT {_IN_SUSPENSE} AND i.due_on = %(due)s
    AND l.id IN (SELECT loan_id FROM lending_instalment WHERE due_on = %(due)s)
) shares GROUP BY product_id
"""  # noqa: S608
OF_LOANS = f"SELECT loan_id, accrued FROM ({_EACH} AND l.id = ANY(%(loans)s)) shares"  # noqa: S608
OFF_BALANCE = f"""
SELECT product_id, SUM(accrued) FROM ({_EACH} AND {_IN_SUSPENSE}) shares GROUP BY product_id
"""  # noqa: S608


def accrued(on: date) -> dict[int, Decimal]:
    """Interest earned by the end of the day and billed to nobody yet, by product, without the loans in suspense."""
    return _sums(ACCRUED, on=on, until=on + MONTH, since=on - MONTH)


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
