"""Late interest: simple, per day, on overdue unpaid principal, never on itself, and never above its cap."""

from datetime import date, timedelta

from lending.engine.loan import Loan
from lending.engine.money import round_ratio, to_minor


def accrue(loan: Loan, day: date) -> None:
    """Count the days since the last reckoning up to and including ``day``."""
    if not loan.terms.penalty_rate:
        return
    since = loan.penalised_to
    if since is None or day > since:
        loan.penalised_to = day
        if loan.rows:
            _count(loan, since or loan.rows[0].start_on, day)


def _count(loan: Loan, since: date, day: date) -> None:
    terms = loan.terms
    rate, per = terms.penalty_rate.as_integer_ratio()
    den = per * terms.day_count_penalty
    grace = timedelta(days=terms.penalty_grace_days)
    late = [row for row in loan.rows if row.due_on + grace < day and row.owed_principal() > 0]
    for row in late:
        days = (day - max(since, row.due_on + grace)).days
        row.late += row.owed_principal() * max(days, 0)
        row.set_penalty(round_ratio(row.late * rate, den, "HALF_UP"))
    if terms.penalty_cap is not None:
        to_minor(terms.penalty_cap, terms.decimals)
