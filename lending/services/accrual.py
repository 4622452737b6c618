"""What time alone does to loans: instalments fall due, penalties grow. Set-based; a healthy loan costs nothing."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from lending.models import Loan
from lending.services import ledger, refold
from lending.services.steps import LOANS, WHOLE, Shard, step

# Interest and fees of the instalments that fall due on the day are billed to their loans, also to those whose customer
# paid everything ahead of time. A penalty counts from the moment that it is charged: there is nothing to bill.
BILL = f"""
WITH due AS (
    SELECT i.loan_id, SUM(i.interest) AS interest, SUM(i.fee) AS fee
    FROM lending_instalment i
    WHERE i.due_on = %(day)s AND i.interest + i.fee > 0 AND i.loan_id BETWEEN %(first)s AND %(last)s
    GROUP BY i.loan_id
), billed AS (
    UPDATE lending_loan l
    SET interest = l.interest + due.interest, interest_earned = l.interest_earned + due.interest,
        fee = l.fee + due.fee, fee_earned = l.fee_earned + due.fee
    FROM due
    WHERE l.id = due.loan_id AND {LOANS}
      AND (l.state = ANY(%(owing)s) OR (l.state = 'SETTLED' AND (l.interest < 0 OR l.fee < 0)))
    RETURNING l.product_id, due.interest, due.fee
)
SELECT product_id, COUNT(*), SUM(interest), SUM(fee) FROM billed GROUP BY product_id ORDER BY product_id
"""  # noqa: S608

# Principal that is overdue on the day counts once more; the penalty is read from the sum of principal-days, so that
# days of rounding never add up. Where the product caps the penalty of a loan, the oldest instalments take what is left
# of the room first. Same figures as lending.engine.penalty. From each late loan to its own instalments (OFFSET keeps
# the planner to it): what was ever due before today grows with the years, what is late does not.
PENALISE = f"""
WITH priced AS MATERIALIZED (
    SELECT *, penalty_rate / penalty_year_days AS a_day FROM lending_product WHERE penalty_rate > 0
), late AS (
    SELECT i.id, l.id AS loan_id, i.penalty_base AS base, i.principal - i.principal_paid - i.written_off AS principal,
           p.a_day, i.number,
           CASE WHEN p.penalty_cap_rate IS NOT NULL THEN GREATEST(
               ROUND(l.principal_amount * p.penalty_cap_rate, 2)
               - (SELECT SUM(o.penalty) FROM lending_instalment o WHERE o.loan_id = l.id), 0) END AS room
    FROM lending_loan l
    JOIN priced p ON p.id = l.product_id
    CROSS JOIN LATERAL (
        SELECT * FROM lending_instalment i
        WHERE i.loan_id = l.id AND i.due_on + p.penalty_grace_days < %(day)s
          AND i.paid_on IS NULL AND i.principal > i.principal_paid + i.written_off
        OFFSET 0
    ) i
    WHERE l.state = ANY(%(owing)s) AND l.oldest_due_on < %(day)s AND {LOANS}
), wanted AS (
    SELECT *, ROUND((base + principal) * a_day, 2) - ROUND(base * a_day, 2) AS more FROM late
), fitted AS (
    SELECT id, loan_id, base, principal, more AS grows FROM wanted WHERE room IS NULL
    UNION ALL
    SELECT id, loan_id, base, principal,
           GREATEST(LEAST(more, room + more - SUM(more) OVER (PARTITION BY loan_id ORDER BY number)), 0)
    FROM wanted WHERE room IS NOT NULL
), grown AS (
    UPDATE lending_instalment i
    SET penalty_base = fitted.base + fitted.principal, penalty = i.penalty + fitted.grows
    FROM fitted WHERE i.id = fitted.id
    RETURNING i.loan_id, fitted.grows AS penalty
), by_loan AS (
    SELECT loan_id, SUM(penalty) AS penalty FROM grown GROUP BY loan_id HAVING SUM(penalty) <> 0
), penalised AS (
    UPDATE lending_loan l SET penalty = l.penalty + by_loan.penalty, penalty_earned = l.penalty_earned + by_loan.penalty
    FROM by_loan
    WHERE l.id = by_loan.loan_id AND l.state = ANY(%(owing)s) AND l.oldest_due_on < %(day)s AND {LOANS}
    RETURNING l.product_id, by_loan.penalty
)
SELECT product_id, COUNT(*), SUM(penalty) FROM penalised GROUP BY product_id ORDER BY product_id
"""  # noqa: S608


@transaction.atomic
def catch_up(*, loan_id: int, key: str, at: datetime, on: date) -> int:
    """Bring a loan that this step left behind up to date: fold it, and book what it missed."""
    return int(refold.refold(loan_id=loan_id, key=key, on=on))


@step(_("What falls due on the next day is billed"), sharded=True, catch_up=catch_up)
def open_day(*, on: date, at: datetime, shard: Shard = WHOLE) -> int:
    """Close step, the last one that moves money: bill what falls due on the next day and count its penalties.

    One entry per product and kind, dated the day that opens. Returns the number of loans moved.
    """
    day = on + timedelta(days=1)
    billed = _run(BILL, day, shard)
    penalised = _run(PENALISE, day, shard)
    bookings = _bookings("interest", day, shard, [(row[0], row[2]) for row in billed])
    bookings += _bookings("fee", day, shard, [(row[0], row[3]) for row in billed])
    bookings += _bookings("penalty", day, shard, [(row[0], row[2]) for row in penalised])
    ledger.post(bookings)
    return sum(row[1] for row in (*billed, *penalised))


def _run(sql: str, day: date, shard: Shard) -> list[tuple]:
    """Rows of product, number of loans, and sums."""
    with connection.cursor() as cursor:
        cursor.execute(sql, {"day": day, "owing": [str(state) for state in Loan.OWING], **shard.params})
        rows: list[tuple] = cursor.fetchall()
        return rows


SIDES = {
    "interest": (ledger.INTEREST_RECEIVABLE, ledger.INTEREST_INCOME),
    "fee": (ledger.FEE_RECEIVABLE, ledger.FEE_INCOME),
    "penalty": (ledger.PENALTY_RECEIVABLE, ledger.PENALTY_INCOME),
}


def _bookings(kind: str, day: date, shard: Shard, amounts: list[tuple[int, Decimal]]) -> list[ledger.Booking]:
    debit, credit = SIDES[kind]
    return [
        ledger.Booking(
            key=f"{kind}:{day}:{product_id}{shard.key}",
            memo=f"{kind} billed",
            booked_on=day,
            value_on=day,
            lines=[(debit, amount), (credit, -amount)],
            product_id=product_id,
        )
        for product_id, amount in amounts
    ]
