"""Interest earned and billed to nobody yet: the share of each running instalment, by product or by loan."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from lending.fields import ZERO
from lending.models import Loan
from lending.models.loan import LONG_SQL

# The running instalment of a loan is the one whose period holds the day. Of all loans, those that begin and end within
# a month are read off the index of due dates, the few longer ones off an index of their own. Sums are of whole cents.
_RUNNING = """
SELECT i.loan_id, i.interest, i.accrues_from, i.due_on FROM lending_instalment i
WHERE i.due_on > %(on)s AND i.accrues_from < %(on)s AND i.interest > 0
"""
_OF_ALL = f"""
{_RUNNING} AND i.due_on <= %(on)s::date + 31
UNION ALL
{_RUNNING} AND i.due_on > %(on)s::date + 31 AND {LONG_SQL}
"""
_ACCRUED = """
SELECT {by}, SUM(ROUND(i.interest * (%(on)s - i.accrues_from) / (i.due_on - i.accrues_from), 2))
FROM ({running}) i JOIN lending_loan l ON l.id = i.loan_id
WHERE (l.state = ANY(%(owing)s) OR (l.state = 'SETTLED' AND l.interest < 0)) AND {those}
GROUP BY {by}
"""
_EARNING = "NOT EXISTS (SELECT FROM lending_interestsuspension s WHERE s.loan_id = l.id AND s.until IS NULL)"

ACCRUED = _ACCRUED.format(by="l.product_id", running=_OF_ALL, those=_EARNING)
# The same for the instalments that fall due on one day, which are being billed.
RELEASED = _ACCRUED.format(by="l.product_id", running=f"{_RUNNING} AND i.due_on = %(due)s", those=_EARNING)
OF_LOANS = _ACCRUED.format(by="l.id", running=_RUNNING, those="l.id = ANY(%(loans)s)")


def accrued(on: date) -> dict[int, Decimal]:
    """Interest earned by the end of the day and billed to nobody yet, by product, without the loans in suspense."""
    return _sums(ACCRUED, on=on)


def released(on: date, due: date) -> dict[int, Decimal]:
    """What of that belongs to the instalments that fall due on `due`, by product."""
    return _sums(RELEASED, on=on, due=due)


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
