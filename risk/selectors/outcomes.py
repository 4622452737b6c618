"""What became of applications that were booked: the one definition of bad that training and monitoring share."""

from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection

from risk.models.segment import SEGMENT_SQL

BAD_DAYS = 30  # an instalment this late makes an application bad; what fell due so long ago has matured
WINDOW_DAYS = 180

MATURED = f"""
    SELECT a.id, a.customer_id, a.submitted_at,
           bool_or(least(i.paid_on, %(day)s) - i.due_on >= %(bad_days)s) AS bad
    FROM lending_application a
    JOIN lending_customer c ON c.id = a.customer_id
    JOIN lending_product p ON p.id = a.product_id AND {SEGMENT_SQL} = %(segment)s
    LEFT JOIN lending_creditline line ON line.application_id = a.id
    JOIN lending_loan l ON l.application_id = a.id OR l.line_id = line.id
    JOIN lending_instalment i ON i.loan_id = l.id AND i.total > 0
    WHERE coalesce(line.opened_on, l.disbursed_on) <= %(day)s - %(window)s
      AND i.due_on <= coalesce(line.opened_on, l.disbursed_on) + %(window)s - %(bad_days)s
    GROUP BY a.id ORDER BY a.submitted_at, a.id
"""  # noqa: S608 - the part is our own constant


class Matured(NamedTuple):
    """An application with a known end."""

    application_id: int
    customer_id: int
    submitted_at: datetime
    bad: bool


def matured(segment: str, day: date, window_days: int = WINDOW_DAYS) -> list[Matured]:
    """Applications booked `window_days` or more before `day` of which something fell due in time, oldest first.

    Bad: an instalment due within the window less `BAD_DAYS` after booking was at least `BAD_DAYS` days late.
    """
    arguments: dict[str, Any] = {"segment": segment, "day": day, "window": window_days, "bad_days": BAD_DAYS}
    with connection.cursor() as cursor:
        cursor.execute(MATURED, arguments)
        return [Matured(*row) for row in cursor.fetchall()]
