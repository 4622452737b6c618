"""The interest periods of a loan: when each starts and ends, and its exact interest factor."""

from datetime import date
from typing import NamedTuple

from lending.engine.calendar import roll
from lending.engine.daycount import Ratio, days_30e_360, year_fraction
from lending.engine.terms import Terms


class Period(NamedTuple):
    """One interest period (start_on, due_on]; its factor num/den is the yearly rate times its part of a year."""

    start_on: date
    due_on: date
    num: int
    den: int


def due_dates(terms: Terms) -> list[date]:
    """Every due date, rolled from the first day and not from the one before, so that none drifts."""
    return [due_on(terms, number) for number in range(1, terms.instalments + 1)]


def due_on(terms: Terms, number: int) -> date:
    """The due date of instalment ``number``; numbers past the last go on in the same rhythm."""
    if terms.due_dates and number <= len(terms.due_dates):
        return terms.due_dates[number - 1]
    if terms.first_due_on is None:
        return roll(terms.disbursed_on, terms.unit, terms.every * number)
    return roll(terms.first_due_on, terms.unit, terms.every * (number - 1), _anchor_day(terms))


def _anchor_day(terms: Terms) -> int:
    """A first due date that only was clamped (31 Jan to 29 Feb) rolls on from the day of disbursement."""
    assert terms.first_due_on is not None
    natural = roll(terms.disbursed_on, terms.unit, terms.every)
    return terms.disbursed_on.day if natural == terms.first_due_on else terms.first_due_on.day


def periods(terms: Terms) -> list[Period]:
    """All interest periods with their factors."""
    dates = due_dates(terms)
    starts = [terms.disbursed_on, *dates[:-1]]
    return [
        Period(start, end, *factor(terms, start, end, _is_regular(terms, start, end, index)))
        for index, (start, end) in enumerate(zip(starts, dates, strict=True))
    ]


def _is_regular(terms: Terms, start: date, end: date, index: int) -> bool:
    """Whether a period is one whole step of the rhythm; only a first due date of its own can break the first.

    Agreed due dates (moved by holidays, say) keep the interest of a whole step when interest is by PERIOD.
    """
    if terms.due_dates:
        return terms.interest_period == "PERIOD"
    if index or terms.first_due_on is None:
        return True
    return end == roll(start, terms.unit, terms.every)


def factor(terms: Terms, start: date, end: date, regular: bool = True) -> Ratio:
    """Yearly rate times the part of a year of this period, exactly, after interest-free days."""
    num, den = _whole_factor(terms, start, end, regular)
    rate_num, rate_den = terms.annual_rate.as_integer_ratio()
    num, den = num * rate_num, den * rate_den
    if terms.interest_free_days:
        free = (terms.disbursed_on - start).days + terms.interest_free_days
        days = (end - start).days
        num, den = num * (days - min(max(free, 0), days)), den * days
    return num, den


def _whole_factor(terms: Terms, start: date, end: date, regular: bool) -> Ratio:
    by_months = terms.unit in ("MONTH", "YEAR")
    if terms.interest_period == "PERIOD" and by_months:
        return _months(terms, 1) if regular else _broken_months(start, end)
    if by_months and terms.day_count in ("30/360", "30/365"):
        year = int(terms.day_count[3:])
        return _months(terms, 1, 30, year) if regular else (days_30e_360(start, end), year)
    return year_fraction(terms.day_count, start, end)


def _months(terms: Terms, steps: int, per_month: int = 1, per_year: int = 12) -> Ratio:
    months = terms.every * (12 if terms.unit == "YEAR" else 1)
    return months * steps * per_month, per_year


def _broken_months(start: date, end: date) -> Ratio:
    """Whole months back from the end, and the odd days as a part of the month they lie in."""
    months = (end.year - start.year) * 12 + end.month - start.month
    if roll(end, "MONTH", -months) < start:
        months -= 1
    cut = roll(end, "MONTH", -months)
    length = (cut - roll(end, "MONTH", -months - 1)).days
    odd = (cut - start).days
    return months * length + odd, 12 * length


def part(terms: Terms, start: date, end: date, upto: date) -> Ratio:
    """The factor from ``start`` to ``upto`` inside a period: its share of the period by days (for settlement)."""
    days = (end - start).days
    used = min(max((upto - start).days, 0), days)
    num, den = factor(terms, start, end)
    return num * used, den * days


