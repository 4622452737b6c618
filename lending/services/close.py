"""The daily close: an ordered list of steps, each done once for each business date."""

from collections.abc import Callable
from datetime import date, datetime

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from lending.models import BusinessDate, DayClose

Progress = Callable[[str, int], None]


@transaction.atomic
def open_books(*, on: date) -> date:
    """Set the first business date; does nothing when the books are open."""
    BusinessDate.objects.get_or_create(only=True, defaults={"date": on})
    return BusinessDate.current()


def close_day(*, at: datetime, progress: Progress | None = None) -> date:
    """Run the steps that the open business date still lacks, each in a transaction of its own, then open the next.

    Safe to run again after a kill, and by two workers at once: a step and the row that says it is done commit
    together, under the lock of the business date. Returns the day that was closed.
    """
    day = BusinessDate.current()
    for path in settings.CLOSE_STEPS:
        rows = _run_step(day, path, at)
        if progress and rows is not None:
            progress(path, rows)
    _advance(day)
    return day


@transaction.atomic
def _run_step(day: date, path: str, at: datetime) -> int | None:
    """The rows that the step touched, or None when it was done before."""
    books = BusinessDate.objects.select_for_update().get()
    if books.date != day or DayClose.objects.filter(date=day, step=path).exists():
        return None
    rows: int = import_string(path)(on=day, at=at)
    DayClose.objects.create(date=day, step=path, rows=rows, finished_at=at)
    return rows


@transaction.atomic
def _advance(day: date) -> None:
    books = BusinessDate.objects.select_for_update().get()
    done = DayClose.objects.filter(date=day, step__in=settings.CLOSE_STEPS).count()
    if books.date == day and done == len(settings.CLOSE_STEPS):
        books.advance()
        books.save(update_fields=["date"])
