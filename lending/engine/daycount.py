"""Day counts: which part of a year a period is, as an exact ratio (numerator, denominator)."""

from datetime import date

from lending.engine.calendar import is_leap

DAY_COUNTS = ("30/360", "30/365", "ACT/360", "ACT/364", "ACT/365", "ACT/ACT", "ACT/ACT-LEAP-PERIOD")
_YEAR_DAYS = {"30/360": 360, "30/365": 365, "ACT/360": 360, "ACT/364": 364, "ACT/365": 365}

Ratio = tuple[int, int]


def year_fraction(day_count: str, start: date, end: date) -> Ratio:
    """The part of a year from ``start`` to ``end`` by actual days, over the year the day count names.

    30/360 and 30/365 count actual days here; months of 30 days are the schedule's business, because only it
    knows which periods are whole months.
    """
    days = (end - start).days
    fixed = _YEAR_DAYS.get(day_count)
    if fixed:
        return days, fixed
    if day_count == "ACT/ACT-LEAP-PERIOD":
        return days, 366 if has_leap_day(start, end) else 365
    return _split_by_year(start, end)


def _split_by_year(start: date, end: date) -> Ratio:
    """ACT/ACT: a day belongs to the year in which it ends, so 31 December is a day of the old year."""
    if start.year == end.year:
        return (end - start).days, 366 if is_leap(start.year) else 365
    common = leap = 0
    for year in range(start.year, end.year + 1):
        days = (min(end, date(year, 12, 31)) - max(start, date(year - 1, 12, 31))).days
        if is_leap(year):
            leap += days
        else:
            common += days
    if not leap:
        return common, 365
    return (leap, 366) if not common else (common * 366 + leap * 365, 365 * 366)


def has_leap_day(start: date, end: date) -> bool:
    """Whether 29 February lies in (start, end]."""
    years = range(start.year, end.year + 1)
    return any(is_leap(year) and start < date(year, 2, 29) <= end for year in years)
