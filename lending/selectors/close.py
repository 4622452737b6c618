"""Reads of the daily close: the run of a day, step by step, and the days before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max, Min, Q, Sum

from lending.models import BusinessDay, CloseException, DayClose
from lending.services.steps import name_of

State = DayClose.State
# What a step is said to be, by what is said of its shards: the first that there is.
WORST = (State.FAILED, State.RUNNING, State.WAITING, State.DONE)


@dataclass(frozen=True)
class Part:
    """A shard of a step, as people watch it."""

    row: DayClose
    seconds: float | None
    # It says that it runs and nobody holds it: its worker died.
    left: bool = False

    @property
    def per_second(self) -> float | None:
        return self.row.rows / self.seconds if self.seconds and self.row.state == State.DONE else None


@dataclass(frozen=True)
class StepRun:
    """A step of one day with its shards; without shards it has not been planned."""

    path: str
    name: Any
    parts: Sequence[Part]

    @property
    def worst(self) -> DayClose | None:
        """The shard that says how the step stands."""
        return min((p.row for p in self.parts), key=lambda row: WORST.index(row.state), default=None)

    @property
    def done(self) -> int:
        return sum(part.row.state == State.DONE for part in self.parts)

    @property
    def rows(self) -> int:
        return sum(part.row.rows for part in self.parts)

    @property
    def seconds(self) -> float | None:
        """From the start of the first shard to the end of the last that ended."""
        starts = [part.row.started_at for part in self.parts if part.row.started_at]
        ends = [part.row.finished_at for part in self.parts if part.row.finished_at]
        return (max(ends) - min(starts)).total_seconds() if starts and ends else None

    @property
    def per_second(self) -> float | None:
        return self.rows / self.seconds if self.seconds and self.done else None


def run(on: date, now: datetime) -> list[StepRun]:
    """The steps of the house in order, and those of that day that are no more, with how far each is. Shards that run
    are measured up to `now`."""
    left = _left_by_the_dead(on)
    found: dict[str, list[Part]] = {path: [] for path in settings.CLOSE_STEPS}
    for row in DayClose.objects.filter(date=on).order_by("step", "shard"):
        running = row.state == State.RUNNING and row.started_at
        seconds = (now - row.started_at).total_seconds() if running and row.started_at else row.seconds
        found.setdefault(row.step, []).append(Part(row, seconds, row.pk in left))
    return [StepRun(path, name_of(path), parts) for path, parts in found.items()]


@transaction.atomic
def _left_by_the_dead(on: date) -> set[int]:
    """Shards that are said to run and that nobody has locked. The lock taken to see it ends here."""
    running = DayClose.objects.filter(date=on, state=State.RUNNING)
    return set(running.select_for_update(no_key=True, skip_locked=True).values_list("pk", flat=True))


@dataclass(frozen=True)
class Closed:
    """A day that was closed, as a whole."""

    day: BusinessDay
    rows: int
    attempts: int
    shards: int
    started_at: datetime | None
    finished_at: datetime | None
    aside: int

    @property
    def seconds(self) -> float | None:
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


def history(before: date, limit: int = 14) -> list[Closed]:
    """The days closed last, newest first."""
    days = list(BusinessDay.objects.filter(date__lt=before).order_by("-date")[:limit])
    dates = [day.date for day in days]
    sums: dict[date, dict[str, Any]] = {
        row["date"]: dict(row)
        for row in DayClose.objects.filter(date__in=dates)
        .order_by()
        .values("date")
        .annotate(
            sum=Sum("rows"),
            attempt=Max("attempt"),
            of=Max("shards"),
            first=Min("started_at"),
            last=Max("finished_at"),
        )
    }
    aside = dict(
        CloseException.objects.filter(date__in=dates).values_list("date").annotate(Count("pk")).order_by()
    )
    return [_closed(day, sums.get(day.date, {}), aside.get(day.date, 0)) for day in days]


def _closed(day: BusinessDay, sums: dict[str, Any], aside: int) -> Closed:
    return Closed(
        day=day,
        rows=sums.get("sum") or 0,
        attempts=sums.get("attempt") or 0,
        shards=sums.get("of") or 0,
        started_at=sums.get("first"),
        finished_at=sums.get("last"),
        aside=aside,
    )


def set_aside() -> tuple[int, int]:
    """How many loans are set aside, and how many ever were."""
    counts = CloseException.objects.aggregate(
        open=Count("loan", filter=Q(state=CloseException.State.OPEN), distinct=True), all=Count("pk")
    )
    return counts["open"], counts["all"]
