"""Dates of a loan: due dates that never drift, statement days, business days."""

from collections.abc import Callable
from datetime import date, timedelta

STATEMENT_TO_DUE_DAYS = 9
_LENGTHS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def add_months(start: date, months: int, day: int | None = None) -> date:
    """``start`` plus whole months, on ``day`` (default: its own) or the last day of a shorter month.

    Roll from the first date, never from the last one: 31 Oct, 30 Nov, 31 Dec, 31 Jan, 29 Feb, 31 Mar.
    """
    years, month0 = divmod(start.month - 1 + months, 12)
    return clamp(start.year + years, month0 + 1, day or start.day)


def months_on(start: date, step: int, count: int) -> list[date]:
    """The days 1 to ``count`` steps of ``step`` months after ``start``, each rolled from ``start``."""
    year, month, day = start.year, start.month, start.day
    found = []
    for _ in range(count):
        month += step
        if month > 12:
            year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
        found.append(date(year, month, day) if day < 29 else clamp(year, month, day))
    return found


def clamp(year: int, month: int, day: int) -> date:
    """That day of the month, or the month's last day where it has no such day."""
    if day > 28:
        last = 29 if month == 2 and is_leap(year) else _LENGTHS[month]
        day = min(day, last)
    return date(year, month, day)


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def roll(anchor: date, unit: str, steps: int, day: int | None = None) -> date:
    """``anchor`` plus ``steps`` units (DAY, WEEK, MONTH, YEAR)."""
    if unit == "MONTH":
        return add_months(anchor, steps, day)
    if unit == "YEAR":
        return add_months(anchor, 12 * steps, day)
    return anchor + timedelta(days=steps * (7 if unit == "WEEK" else 1))


def statement_due_on(statement_on: date, days: int = STATEMENT_TO_DUE_DAYS) -> date:
    """The due date of the bill made on ``statement_on``: so many days later, not past the end of that month."""
    return clamp(statement_on.year, statement_on.month, statement_on.day + days)


def next_statement_on(day: date, statement_day: int) -> date:
    """The first statement date on or after ``day``; raises ValueError unless ``statement_day`` is 1 to 28."""
    if not 1 <= statement_day <= 28:
        raise ValueError("statement_day must be 1 to 28")
    this_month = day.replace(day=statement_day)
    return this_month if day <= this_month else add_months(this_month, 1)


def first_due_on(purchase_on: date, statement_day: int, days: int = STATEMENT_TO_DUE_DAYS) -> date:
    """The due date of the first statement that holds a purchase; one on the statement day is still in it."""
    return statement_due_on(next_statement_on(purchase_on, statement_day), days)


def roll_business_day(day: date, is_working: Callable[[date], bool], rule: str = "FOLLOWING") -> date:
    """``day``, or the nearest working day by ``rule``: NONE, FOLLOWING, MODIFIED_FOLLOWING (not into the next
    month) or PRECEDING. Raises ValueError for another rule, or where no working day is within 31 days."""
    if rule == "NONE" or is_working(day):
        return day
    if rule == "PRECEDING":
        return _walk(day, -1, is_working)
    if rule not in ("FOLLOWING", "MODIFIED_FOLLOWING"):
        raise ValueError(f"unknown business day rule: {rule}")
    later = _walk(day, 1, is_working)
    if rule == "MODIFIED_FOLLOWING" and later.month != day.month:
        return _walk(day, -1, is_working)
    return later


def _walk(day: date, step: int, is_working: Callable[[date], bool]) -> date:
    for distance in range(1, 32):
        candidate = day + timedelta(days=step * distance)
        if is_working(candidate):
            return candidate
    raise ValueError(f"no working day within a month of {day}")
