"""The only module that reads the wall clock.

The business date is data: it moves when a day is closed. Edges (views, tasks, admin, commands) ask here once and
pass `on` and `at` down; models, engines and services never look at a clock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, time

from django.utils import timezone

from lending.models import BusinessDate, BusinessDay

# What `standing` has read, once something asked.
_standing: ContextVar[list[date] | None] = ContextVar("standing", default=None)


def today() -> date:
    """The open business date."""
    read = _standing.get()
    if read is None:
        return BusinessDate.current()
    if not read:
        read.append(BusinessDate.current())
    return read[0]


@contextmanager
def standing() -> Iterator[None]:
    """Within, the business date is read once: for a page that asks for it row by row and changes nothing."""
    token = _standing.set([])
    try:
        yield
    finally:
        _standing.reset(token)


def day_state() -> str:
    """Whether the open business date is OPEN or being closed (CLOSING)."""
    state: str | None = BusinessDay.objects.filter(pk=today()).values_list("state", flat=True).first()
    return state or BusinessDay.State.OPEN.value


def now() -> datetime:
    """The moment of business: the business date with the wall's local time of day."""
    day = today()
    return timezone.localtime().replace(year=day.year, month=day.month, day=day.day)


def closing() -> datetime:
    """The moment at which the open business date is closed: now, or the end of a day that has passed on the wall."""
    day, wall = today(), timezone.localtime()
    return wall if wall.date() <= day else datetime.combine(day, time.max, wall.tzinfo)


def wall() -> datetime:
    """The wall clock itself, for things that live outside the business day (time-outs, run logs)."""
    return timezone.now()


def wall_date() -> date:
    """Today by the wall clock, in the lender's time zone."""
    return timezone.localdate()
