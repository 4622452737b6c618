"""Bills: one per line and cycle, gathering what falls due by its due day."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from lending import bulk, events
from lending.engine import calendar
from lending.models import Customer, Loan, Statement
from lending.services import notices
from lending.services.steps import step

# A bill for each line whose statement day it is and that has something unpaid falling due by the due day.
ISSUE = """
INSERT INTO lending_statement (line_id, customer_id, statement_on, due_on, amount)
SELECT c.id, c.customer_id, %(on)s, due.day, SUM(i.outstanding)
FROM lending_creditline c
JOIN lending_product p ON p.id = c.product_id
CROSS JOIN LATERAL (SELECT LEAST(%(on)s::date + p.days_to_pay, %(end)s::date) AS day) due
JOIN lending_loan l ON l.line_id = c.id AND l.state = ANY(%(owing)s)
JOIN lending_instalment i ON i.loan_id = l.id
WHERE c.statement_day = %(day)s AND i.due_on <= due.day AND i.statement_id IS NULL AND i.outstanding > 0
GROUP BY c.id, c.customer_id, due.day
ON CONFLICT DO NOTHING
RETURNING id
"""

ATTACH = """
UPDATE lending_instalment i SET statement_id = s.id
FROM lending_statement s JOIN lending_loan l ON l.line_id = s.line_id
WHERE s.id = ANY(%(ids)s) AND i.loan_id = l.id AND l.state = ANY(%(owing)s)
  AND i.due_on <= s.due_on AND i.statement_id IS NULL AND i.outstanding > 0
"""

STATEMENTS = bulk.Select(Statement, "id = ANY(%s::bigint[]) ORDER BY id")


@step(_("Bills are issued"))
def issue(*, on: date, at: datetime) -> int:
    """Close step: issue the bills of the lines whose statement day it is, and tell their customers."""
    owing = [str(state) for state in Loan.OWING]
    end = calendar.clamp(on.year, on.month, 31)
    values: dict[str, Any] = {"on": on, "end": end, "day": on.day, "owing": owing}
    with connection.cursor() as cursor:
        cursor.execute(ISSUE, values)
        ids = [row[0] for row in cursor.fetchall()]
        cursor.execute(ATTACH, {"ids": ids, "owing": owing})
    _announce(STATEMENTS(ids) if ids else [], at)
    return len(ids)


def _announce(rows: Sequence[Statement], at: datetime) -> None:
    events.record_many(
        [
            events.build("statement.issued", row, by=None, at=at, amount=row.amount, due_on=row.due_on)
            for row in rows
        ]
    )
    people = notices.people(row.customer_id for row in rows)
    notices.queue_many([_message(people[row.customer_id], row, row.amount) for row in rows], at=at)


def _message(customer: Customer, row: Statement, amount: Decimal) -> notices.Message:
    return notices.Message(
        customer=customer,
        template="bill_issued",
        context={"amount": amount, "due_on": row.due_on},
        key=f"bill-issued:{row.pk}",
    )
