"""Which days people work, and how the books were opened: facts of the calendar, kept with each business day."""

from datetime import date
from functools import lru_cache
from typing import Any

import chinese_calendar
import holidays
from django.conf import settings

from lending.models import BusinessDay

SATURDAY = 5


def describe(day: date) -> tuple[bool, str]:
    """Whether `day` is a working day in settings.COUNTRY, and the name of its holiday (empty without one).

    In China the State Council moves working days each year; where its notice is not out yet, and in other countries,
    the public holidays and the weekends count.
    """
    if settings.COUNTRY == "CN":
        try:
            off, name = chinese_calendar.get_holiday_detail(day)
        except NotImplementedError:
            pass
        else:
            return not off, str(name or "") if off else ""
    name = _public(settings.COUNTRY).get(day) or ""
    return not name and day.weekday() < SATURDAY, name


@lru_cache
def _public(country: str) -> Any:
    return holidays.country_holidays(country)


def new_day(day: date) -> BusinessDay:
    """The row of a day that opens, unsaved."""
    working, holiday = describe(day)
    return BusinessDay(date=day, working=working, holiday=holiday[:120])
