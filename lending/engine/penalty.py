"""Late interest: simple, per day, on overdue unpaid principal, never on itself, and never above its cap."""

from datetime import date, timedelta

from lending.engine.allocation import PENALTY, PRINCIPAL
from lending.engine.instalment import Instalment
from lending.engine.loan import Loan
from lending.engine.money import round_ratio, to_minor

ROUNDING = "HALF_UP"


def accrue(loan: Loan, day: date) -> None:
    """Count the days since the last reckoning up to and including ``day``; the first day that costs is the
    one after the due date and the days of grace. At the cap it stops for good, on the very day."""
    if not loan.terms.penalty_rate or loan.status or loan.is_capped:
        return
    since = loan.penalised_to or date.min
    if day <= since:
        return
    loan.penalised_to = day
    grace = timedelta(days=loan.terms.penalty_grace_days)
    last = day - grace
    late = [
        (max(since, row.due_on + grace), owed, row)
        for row in loan.rows
        if row.due_on < last and row.left and (owed := row.owed(PRINCIPAL)) > 0
    ]
    if late:
        _count_to(loan, late, day)


Late = list[tuple[date, int, Instalment]]  # counted until, principal overdue since then, its instalment


def _count_to(loan: Loan, late: Late, day: date) -> None:
    room = _room(loan)
    if room is not None and sum(_more(loan, late, day)) > room:
        loan.is_capped = True
        day = _last_day_within(loan, late, day, room)
        extra = _more(loan, late, day + timedelta(days=1))
        for (_, _, row), amount in zip(late, _clip(_more(loan, late, day), extra, room), strict=True):
            row.penalise(amount)
        return
    for (start, owed, row), amount in zip(late, _more(loan, late, day), strict=True):
        row.late += owed * max((day - start).days, 0)
        row.penalise(amount)


def _more(loan: Loan, late: Late, day: date) -> list[int]:
    """What each late instalment would owe more by ``day``, rounded from its whole count of unit-days."""
    rate, per = loan.terms.penalty_rate.as_integer_ratio()
    den = per * loan.terms.day_count_penalty
    return [
        round_ratio((row.late + owed * max((day - start).days, 0)) * rate, den, ROUNDING) - row.penalised
        for start, owed, row in late
    ]


def _room(loan: Loan) -> int | None:
    """What may still be added before the cap; penalties that were charged count too."""
    if loan.terms.penalty_cap is None:
        return None
    taken = sum(row.due[PENALTY] for row in loan.rows)
    return max(to_minor(loan.terms.penalty_cap, loan.terms.decimals) - taken, 0)


def _last_day_within(loan: Loan, late: Late, day: date, room: int) -> date:
    """The last day on which all the penalty still fits, found by halving."""
    low, high = min(start for start, _, _ in late), day
    while (high - low).days > 1:
        middle = low + (high - low) // 2
        if sum(_more(loan, late, middle)) > room:
            high = middle
        else:
            low = middle
    return low


def _clip(fits: list[int], too_much: list[int], room: int) -> list[int]:
    """The day on which the cap is reached: older instalments take what is left of the room first."""
    left = room - sum(fits)
    clipped = []
    for have, want in zip(fits, too_much, strict=True):
        taken = min(want - have, left)
        left -= taken
        clipped.append(have + taken)
    return clipped
