"""How a step of the daily close declares itself, and the range of loans that it is given.

A step is a function `step(*, on, at) -> rows`, or with `sharded=True` `step(*, on, at, shard) -> rows`. It is done as a
whole or not at all, in a transaction of the runner (lending/services/close.py), and a second run for the same day and
range changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string

F = TypeVar("F", bound=Callable[..., int])

LAST = 2**63 - 1

# The condition of a shard on a loan called `l`, for SQL that is given `**shard.params`.
LOANS = "l.id BETWEEN %(first)s AND %(last)s AND l.id <> ALL(%(aside)s::bigint[])"


@dataclass(frozen=True, slots=True)
class Shard:
    """A range of loan ids, both ends counted, less the loans that are set aside. The last range has no end, so that
    loans made during the close are in it."""

    first_id: int = 0
    last_id: int = LAST
    aside: tuple[int, ...] = ()

    @property
    def params(self) -> dict[str, Any]:
        """The values for `LOANS`."""
        return {"first": self.first_id, "last": self.last_id, "aside": list(self.aside)}

    @property
    def key(self) -> str:
        """What makes a key of this range different from that of another; empty for the whole book."""
        return "" if (self.first_id, self.last_id) == (0, LAST) else f":{self.first_id}-{self.last_id}"

    def among(self, rows: QuerySet, loan: str = "pk") -> QuerySet:
        """Those of `rows` whose loan (the name of the column that holds its id) is in this range."""
        rows = rows.filter(**{f"{loan}__range": (self.first_id, self.last_id)})
        return rows.exclude(**{f"{loan}__in": self.aside}) if self.aside else rows

    def part(self, first_id: int, last_id: int) -> "Shard":
        return replace(self, first_id=first_id, last_id=last_id)


WHOLE = Shard()


@dataclass(frozen=True, slots=True)
class Declared:
    name: Any
    sharded: bool = False
    opening: bool = False
    catch_up: Callable[..., int] | None = None


def step(
    name: Any, *, sharded: bool = False, opening: bool = False, catch_up: Callable[..., int] | None = None
) -> Callable[[F], F]:
    """Declare a function to be a step of the close, with its name in the reader's language.

    An `opening` step is for the day that opens: it runs when that day is open already, and nobody waits for it; it is
    given the day that closed all the same. A sharded step may leave loans out that it cannot deal with:
    `catch_up(loan_id=, key=, at=, on=)` then brings one of them up to date; without it the step is run again for that
    loan alone.
    """

    def declare(action: F) -> F:
        # Who runs it decides how far it is undone when it fails: a savepoint of its own would be two statements more.
        whole = transaction.atomic(savepoint=False)(action)
        whole.close_step = Declared(name, sharded, opening, catch_up)  # type: ignore[attr-defined]
        return whole

    return declare


@dataclass(frozen=True, slots=True)
class Step:
    """A step as the runner sees it: its dotted path is what the run log knows it by."""

    path: str
    name: Any
    sharded: bool
    opening: bool
    action: Callable[..., int]
    catch_up: Callable[..., int] | None = None

    def run(self, *, on: date, at: datetime, shard: Shard = WHOLE) -> int:
        """Returns the number of rows moved."""
        return self.action(on=on, at=at, shard=shard) if self.sharded else self.action(on=on, at=at)


def find(path: str) -> Step:
    """The step at a dotted path; one that declares nothing goes over the whole book and is called by its path."""
    action = import_string(path)
    said: Declared = getattr(action, "close_step", None) or Declared(path)
    return Step(path, said.name, said.sharded, said.opening, action, said.catch_up)


def listed() -> list[Step]:
    """The steps of settings.CLOSE_STEPS, in order; those of the day that opens come last."""
    return sorted((find(path) for path in settings.CLOSE_STEPS), key=lambda step: step.opening)


def stages() -> list[list[list[Step]]]:
    """The same, stage after stage: a stage is a list of lanes, and who is done with one lane may do another. A step
    without a place in settings.CLOSE_PLACES is a stage by itself."""

    def place(step: Step) -> tuple[Any, int]:
        stage, lane = settings.CLOSE_PLACES.get(step.path, (step.path, 0))
        return (stage, step.opening), lane

    return [
        [list(lane) for _lane, lane in groupby(several, key=place)]
        for _stage, several in groupby(listed(), key=lambda step: place(step)[0])
    ]


def name_of(path: str) -> Any:
    """What the step does, in words; the path of one that is no more."""
    try:
        return find(path).name
    except ImportError:
        return path
