"""The interest periods of a loan: when each starts and ends, and its exact interest factor."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

from lending.engine.calendar import add_months, months_on, roll, roll_business_day
from lending.engine.daycount import Ratio, year_fraction
from lending.engine.terms import Terms


class Period(NamedTuple):
    """One interest period (start_on, due_on]. Its factor num/den is the yearly rate times its part of a year.

    ``less``/den is interest not due because part of the balance came only after the start of the period.
    """

    start_on: date
    due_on: date
    num: int
    den: int
    less: int = 0


def due_dates(terms: Terms) -> list[date]:
    """Every due date, rolled from the first day and not from the one before, so that none drifts."""
    if terms.due_dates:
        return list(terms.due_dates)
    if terms.first_due_on is None and terms.unit in ("MONTH", "YEAR"):
        return months_on(terms.disbursed_on, step_months(terms), terms.instalments)
    return [due_on(terms, number) for number in range(1, terms.instalments + 1)]


def step_months(terms: Terms) -> int:
    return terms.every * 12 if terms.unit == "YEAR" else terms.every


def on_working_days(terms: Terms, is_working: Callable[[date], bool], rule: str = "FOLLOWING") -> Terms:
    """The same terms with every due date rolled off days that are not working days; raises TermsError when two
    instalments would fall on one day."""
    rolled = tuple(roll_business_day(day, is_working, rule) for day in due_dates(terms))
    return replace(terms, due_dates=rolled)


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
    rate_num, rate_den = terms.annual_rate.as_integer_ratio()
    if is_uniform(terms):
        num, den = _fraction(terms, terms.disbursed_on, dates[0], True)
        num, den = num * rate_num, den * rate_den
        return [Period(start, end, num, den) for start, end in zip(starts, dates, strict=True)]
    found = []
    for index, (start, end) in enumerate(zip(starts, dates, strict=True)):
        num, den = _fraction(terms, start, end, _is_regular(terms, start, end, index))
        if terms.interest_free_days:
            num, den = _after_free_days(terms, start, end, num, den)
        found.append(Period(start, end, num * rate_num, den * rate_den))
    return found


def is_uniform(terms: Terms) -> bool:
    """Whether every period has the same factor, whatever its days."""
    if terms.interest_free_days or terms.unit == "DAY":
        return False
    if terms.interest_period == "PERIOD":
        return True
    by_months = terms.unit in ("MONTH", "YEAR") and terms.day_count in ("30/360", "30/365")
    return by_months and terms.first_due_on is None and not terms.due_dates


def period_of(terms: Terms, start: date, end: date) -> Period:
    """One whole step of the rhythm beyond the agreed periods."""
    num, den = _fraction(terms, start, end, True)
    rate_num, rate_den = terms.annual_rate.as_integer_ratio()
    return Period(start, end, num * rate_num, den * rate_den)


def broken_period(terms: Terms, start: date, end: date) -> Period:
    """A period that need not be a whole step: by its days, and where the terms count no days (interest by PERIOD,
    30/360 by months) by whole months and the odd days as a part of the month that they begin."""
    if end == roll(start, terms.unit, terms.every):
        return period_of(terms, start, end)
    if terms.unit in ("MONTH", "YEAR") and terms.interest_period == "PERIOD":
        months, parts = _months_between(start, end)
        num, den = months, parts * 12
    elif terms.unit == "WEEK" and terms.interest_period == "PERIOD":
        num, den = (end - start).days, 7 * 52
    else:
        num, den = _fraction(terms, start, end, False)
    rate_num, rate_den = terms.annual_rate.as_integer_ratio()
    return Period(start, end, num * rate_num, den * rate_den)


def _is_regular(terms: Terms, start: date, end: date, index: int) -> bool:
    """Whether a period is one whole step of the rhythm; agreed dates and a first due date can break it."""
    if terms.due_dates:
        return False
    if index or terms.first_due_on is None:
        return True
    return end == roll(start, terms.unit, terms.every)


def _fraction(terms: Terms, start: date, end: date, regular: bool) -> Ratio:
    """The part of a year that interest counts for a period, exactly.

    By PERIOD a period of months or weeks counts as a whole step even where its dates make it longer;
    30/360 and 30/365 by months count 30 days for a month, odd days as a part of the month they begin.
    """
    if terms.unit in ("MONTH", "YEAR"):
        months = step_months(terms)
        if terms.interest_period == "PERIOD":
            return months, 12
        if terms.day_count in ("30/360", "30/365"):
            num, den = (months, 1) if regular else _months_between(start, end)
            return 30 * num, den * int(terms.day_count[3:])
    elif terms.unit == "WEEK" and terms.interest_period == "PERIOD":
        return terms.every, 52
    return year_fraction(terms.day_count, start, end)


def _months_between(start: date, end: date) -> Ratio:
    """Whole months from the start, and the odd days as a part of the month that they begin."""
    months = (end.year - start.year) * 12 + end.month - start.month
    if add_months(start, months) > end:
        months -= 1
    cut = add_months(start, months)
    length = (add_months(start, months + 1) - cut).days
    return months * length + (end - cut).days, length


def _after_free_days(terms: Terms, start: date, end: date, num: int, den: int) -> Ratio:
    """The factor without the interest-free days that fall into the period, day by day."""
    free_until = terms.disbursed_on + timedelta(days=terms.interest_free_days)
    free = min(max((free_until - start).days, 0), (end - start).days)
    if not free:
        return num, den
    return within(terms, Period(start, end, num, den), start + timedelta(days=free))


def within(terms: Terms, period: Period, day: date) -> Ratio:
    """The factor of the rest of a period, (day, due_on]: by actual days where the day count counts days, and
    as the share of the whole period's factor where it does not (30/360 by months, interest by PERIOD)."""
    whole = (period.due_on - period.start_on).days
    rest = (period.due_on - day).days
    if _counts_days(terms) and terms.day_count == "ACT/ACT":
        rate = Fraction(period.num, period.den) / Fraction(
            *year_fraction("ACT/ACT", period.start_on, period.due_on)
        )
        part = rate * Fraction(*year_fraction("ACT/ACT", day, period.due_on))
        return part.numerator, part.denominator
    return period.num * rest, period.den * whole


def _counts_days(terms: Terms) -> bool:
    by_months = terms.unit in ("MONTH", "YEAR")
    if terms.interest_period == "PERIOD" and terms.unit != "DAY":
        return False
    return not (by_months and terms.day_count in ("30/360", "30/365"))


def used(terms: Terms, start: date, end: date, day: date) -> Ratio:
    """The share of a period's interest that has accrued by ``day``: its chargeable days so far over all
    (under ACT/ACT each weighed by its year)."""
    first = max(start, min(terms.disbursed_on + timedelta(days=terms.interest_free_days), end))
    if day <= first:
        return 0, 1
    if _counts_days(terms) and terms.day_count == "ACT/ACT":
        share = Fraction(*year_fraction("ACT/ACT", first, day)) / Fraction(
            *year_fraction("ACT/ACT", first, end)
        )
        return share.numerator, share.denominator
    return (min(day, end) - first).days, (end - first).days
