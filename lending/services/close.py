"""The daily close: an ordered list of steps, each done once for each business date and range of loans.

`begin` writes down what is to do (a row per step and shard), any number of workers `work` it off in order, `finish`
opens the next day, and the steps for that day follow. Each may be killed anywhere: the row of a shard is marked done in
the transaction of its work, and locks end with their process. docs/close.md says how to add a step.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime
from time import monotonic

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from lending import bulk
from lending.models import BusinessDate, BusinessDay, DayClose
from lending.services import aside, calendar, shards, steps
from lending.services.steps import Step

State = DayClose.State
Progress = Callable[[DayClose], None]
Watch = Callable[[], datetime]

# A deadlock or a failed serialisation is nobody's fault: once more, so many times.
TRIES = 3
TRANSIENT = {"40001", "40P01"}
# Seconds. Whoever waits for a row that the close has locked waits no longer than this and a step.
BRIEF = 0.1

# Every step of every day asks these, whatever it finds to do: as fixed statements they cost next to nothing. What waits
# comes first: one that is said to run is free for a moment, before its worker has locked it, and who took it then would
# only wait for that worker.
UNDONE = """date = %s AND step = %s AND state IN ('WAITING', 'RUNNING') AND (%s::bigint IS NULL OR id = %s)
ORDER BY state = 'RUNNING', shard LIMIT 1"""
ANY = bulk.Select(DayClose, UNDONE)
FREE = bulk.Select(DayClose, f"{UNDONE} FOR NO KEY UPDATE SKIP LOCKED")
NEXT = bulk.Select(DayClose, f"{UNDONE} FOR NO KEY UPDATE")
# Those of several steps that one worker does whole, as far as nobody does them.
ALONE = bulk.Select(
    DayClose,
    "date = %s AND step = ANY(%s::text[]) AND shards = 1 AND state IN ('WAITING', 'RUNNING') ORDER BY id"
    " FOR NO KEY UPDATE SKIP LOCKED",
)
FAILED = bulk.Select(DayClose, "state = 'FAILED' ORDER BY id FOR NO KEY UPDATE")
BROKEN = bulk.Select(DayClose, "date = %s AND step = %s AND state = 'FAILED' ORDER BY id LIMIT 1")
BOOKS = bulk.Select(BusinessDate, "TRUE FOR NO KEY UPDATE")
DAY = bulk.Select(BusinessDay, "date = %s")
UNFINISHED = bulk.Select(
    BusinessDay,
    "state = 'CLOSING' OR date IN (SELECT date FROM lending_dayclose WHERE step = ANY(%s::text[]) AND state <> 'DONE')"
    " ORDER BY date",
)
PLANNED = bulk.Tuples("SELECT DISTINCT step FROM lending_dayclose WHERE date = %s")
LEFT = bulk.Tuples(
    "SELECT DISTINCT step FROM lending_dayclose WHERE date = %s AND step = ANY(%s::text[]) AND state <> 'DONE'"
)
WRITTEN = ["state", "rows", "attempt", "error", "started_at", "finished_at"]


@dataclass(frozen=True, slots=True)
class _Todo:
    """The shards of a step of a day that are not done; with `pk` only that one. Who has no `patience` does not wait for
    those that others work on."""

    on: date
    step: str
    pk: int | None = None
    patience: bool = True

    def ask(self, query: bulk.Select[DayClose]) -> DayClose | None:
        return next(iter(query(self.on, self.step, self.pk, self.pk)), None)


class Stopped(Exception):
    """A step failed, here or at another worker: the close stands until somebody starts it again."""


@transaction.atomic
def open_books(*, on: date) -> date:
    """Set the first business date; does nothing when the books are open."""
    _books, made = BusinessDate.objects.get_or_create(only=True, defaults={"date": on})
    if made:
        calendar.new_day(on).save(force_insert=True)
    return BusinessDate.current()


def close_day(
    *,
    at: datetime,
    on: date | None = None,
    parts: int | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> date:
    """Run what the open business date still lacks, in order, then open the next. Returns the day that was closed.

    With `on` only that day is closed: nothing happens when somebody else has closed it meanwhile. The loans are shared
    out in `parts` ranges (by default as many as the book is large) among `workers` connections. With `watch`, a clock
    for people to look at, a shard is seen to run while it does. Safe to run again after a kill, and by several at once.
    What a step raises comes out here, and the day stays where it is.
    """
    day = begin(at=at, on=on, parts=parts)
    if workers == 1:
        work(day=day, progress=progress, watch=watch)
    else:
        _work_together(day, workers, progress, watch)
    return day.date


def lend_a_hand(*, watch: Watch | None = None, retry: bool = False) -> None:
    """Work on what is under way, if anything is, beside whoever else does; another day is not begun. With `retry` what
    failed is tried again."""
    if retry:
        with transaction.atomic():
            _retry()
    for day in unfinished():
        _work(day, None, watch)


def _retry() -> None:
    for row in FAILED():
        row.retry()
        row.save(update_fields=["state"])


def unfinished() -> list[BusinessDay]:
    """The days of which something is planned and not done, in order."""
    return UNFINISHED(list(settings.CLOSE_STEPS))


@transaction.atomic
def begin(*, at: datetime, on: date | None = None, parts: int | None = None) -> BusinessDay:
    """Write down what the open day needs, and that what failed on any day may be tried again; returns the day.

    A plan that exists stays as it is; so does its `at`, which all steps take for now. With `on`, a day that has been
    closed meanwhile is returned as it is.
    """
    open_on = _books().date
    _retry()
    day = next(iter(DAY(on or open_on)), None) or calendar.new_day(on or open_on)
    if day.date != open_on:
        return day
    if day.state == BusinessDay.State.OPEN:
        day.start_closing(at=at)
        day.save()
    planned = {step for (step,) in PLANNED(open_on)}
    missing = [step for step in steps.listed() if step.path not in planned]
    ranges = shards.ranges(parts) if any(step.sharded for step in missing) else []
    bulk.insert_many([row for step in missing for row in _plan(open_on, step, ranges)])
    return day


def _plan(on: date, step: Step, ranges: list[tuple[int, int]]) -> list[DayClose]:
    if not step.sharded:
        return [bulk.new(DayClose, date=on, step=step.path)]
    return [
        bulk.new(
            DayClose, date=on, step=step.path, shard=number, shards=len(ranges), first_id=first, last_id=last
        )
        for number, (first, last) in enumerate(ranges, start=1)
    ]


def _work_together(day: BusinessDay, workers: int, progress: Progress | None, watch: Watch | None) -> None:
    """Threads are enough: the work is done by the database. Each has a connection of its own."""

    def one(_number: int) -> Exception | None:
        try:
            work(day=day, progress=progress, watch=watch)
        except Exception as error:
            return error
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(workers) as pool:
        errors = [error for error in pool.map(one, range(workers)) if error]
    # The one that says what went wrong comes before those that only saw that something did.
    for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
        raise error


def work(
    *,
    day: BusinessDay,
    progress: Progress | None = None,
    watch: Watch | None = None,
    hurried: bool = False,
) -> None:
    """Take shard after shard of the steps of this day until none is left, waiting at the end of each step for the
    others; before the steps of the day that opens, open it. Raises what a step raises, and Stopped when one failed
    elsewhere.

    What earlier days left to do comes first, so that the days stay in order. `hurried` is for whoever closes a year of
    small days and shows them to nobody: steps that take no time share a transaction.
    """
    for earlier in unfinished():
        if earlier.date < day.date:
            _work(earlier, progress, watch)
    _work(day, progress, watch, hurried)


def _work(day: BusinessDay, progress: Progress | None, watch: Watch | None, hurried: bool = False) -> None:
    opened = False
    for lanes in steps.stages():
        opened = opened or (lanes[0][0].opening and finish(day=day))
        for row in _stage(lanes, day, watch, hurried):
            if progress and row.state == State.DONE:
                progress(row)
    if not opened:
        finish(day=day)


def _stage(
    lanes: Sequence[Sequence[Step]], day: BusinessDay, watch: Watch | None, hurried: bool
) -> Iterator[DayClose]:
    """First what nobody else does, in whichever lane it is; then wait for the others, lane after lane."""
    todo = [list(lane) for lane in lanes]
    for patience in (len(lanes) == 1, True):
        for left in todo:
            yield from (_hurry if hurried else _walk)(left, day, watch, patience)


def _walk(left: list[Step], day: BusinessDay, watch: Watch | None, patience: bool) -> Iterator[DayClose]:
    """Work a lane off, step by step; without patience up to the first step that others work on. `left` keeps what is
    not done."""
    while left and (yield from _by_shard(left[0], day, watch, patience)):
        del left[0]


def _hurry(left: list[Step], day: BusinessDay, watch: Watch | None, patience: bool) -> Iterator[DayClose]:
    """The same, several steps in one go; where that cannot be, as when somebody else is at it, one in patience."""
    while left:
        done = _in_one_go(left, day)
        yield from done
        del left[: len(done)]
        if not done and not patience:
            return
        if not done:
            yield from _by_shard(left[0], day, watch, patience)
            undone = {path for (path,) in LEFT(day.date, [step.path for step in left])}
            left[:] = [step for step in left if step.path in undone]


def _in_one_go(left: Sequence[Step], day: BusinessDay) -> list[DayClose]:
    """Do the steps that come next in one transaction, as long as it is brief: with little to do, to begin and to end
    one for each takes longer than the work. Returns their rows.

    None when the next one has several shards, is done, or is worked on elsewhere; nor when one fails: when each is
    done by itself, it will show which.
    """
    done: list[DayClose] = []
    until = monotonic() + BRIEF
    with contextlib.suppress(Exception), transaction.atomic():
        rows = {row.step: row for row in ALONE(day.date, [step.path for step in left])}
        for step in left:
            if step.path not in rows or (done and monotonic() > until):
                break
            _do(rows[step.path], step, day, None, aside.run_plainly)
            done.append(rows[step.path])
        bulk.update_many(done, WRITTEN)
        return done
    return []


def _by_shard(
    step: Step, day: BusinessDay, watch: Watch | None, patience: bool
) -> Generator[DayClose, None, bool]:
    """Do what nobody else does of a step, shard by shard, and with `patience` wait for the others at its end. Returns
    whether it is done."""
    todo = _Todo(day.date, step.path, patience=patience)
    while row := _persist(todo, step, day, watch):
        yield row
        if row.shards == 1:
            return True
    _check(day.date, step.path)
    return patience or todo.ask(ANY) is None


def _check(on: date, path: str) -> None:
    for failed in BROKEN(on, path):
        raise Stopped(f"{failed}: {failed.error}")


def _persist(todo: _Todo, step: Step, day: BusinessDay, watch: Watch | None) -> DayClose | None:
    """Do a shard, again where the database says that trying again may help."""
    shown = _show(todo, watch) if watch else None
    if watch and shown is None:
        return None
    rows = replace(todo, pk=shown.pk, patience=True) if shown else todo
    for tries_left in range(TRIES - 1, -1, -1):
        taken: list[int] = []
        try:
            return _run(rows, step, day, watch, taken) or shown
        except Exception as error:
            if tries_left and getattr(error.__cause__, "sqlstate", None) in TRANSIENT:
                continue
            if taken:
                _fail(replace(todo, pk=taken[0]), error, day, watch)
            raise
    raise AssertionError("the last try returns or raises")


@transaction.atomic
def _show(todo: _Todo, watch: Watch) -> DayClose | None:
    """Choose a shard and let people see that it runs; the lock that counts is taken with the work."""
    row = _lock(todo)
    if row is not None:
        row.start(at=watch())
        bulk.update_many([row], WRITTEN)
    return row


def _lock(todo: _Todo) -> DayClose | None:
    """A shard that nobody works on. When all are worked on, with patience, one of them as soon as its worker ends
    without finishing it; None when they are done."""
    while True:
        row = todo.ask(FREE) or (todo.ask(NEXT) if todo.patience else None)
        if row is not None or not todo.patience or todo.ask(ANY) is None:
            return row


@transaction.atomic
def _run(todo: _Todo, step: Step, day: BusinessDay, watch: Watch | None, taken: list[int]) -> DayClose | None:
    """Do the work and say so, together; None when it has been done meanwhile. `taken` learns which shard it was."""
    row = _lock(todo)
    if row is None:
        return None
    taken.append(row.pk)
    _do(row, step, day, watch, aside.run)
    bulk.update_many([row], WRITTEN)
    return row


def _do(row: DayClose, step: Step, day: BusinessDay, watch: Watch | None, run: Callable[..., int]) -> None:
    if watch is None or row.state == State.WAITING:
        row.start(at=_moment(day, watch))
    moved = run(step, on=day.date, at=_moment(day), first_id=row.first_id, last_id=row.last_id)
    row.finish(rows=moved, at=_moment(day, watch))


def _moment(day: BusinessDay, watch: Watch | None = None) -> datetime:
    assert day.closing_at is not None
    return watch() if watch else day.closing_at


def _fail(todo: _Todo, error: Exception, day: BusinessDay, watch: Watch | None) -> None:
    """Keep the reason, unless the database itself is gone: then the row waits as one whose worker died."""
    with contextlib.suppress(DatabaseError), transaction.atomic():
        row = todo.ask(FREE)
        if row is not None:
            if row.state == State.WAITING:
                row.start(at=_moment(day, watch))
            row.fail(error=f"{type(error).__name__}: {error}".strip(), at=_moment(day, watch))
            bulk.update_many([row], WRITTEN)


@transaction.atomic
def finish(*, day: BusinessDay) -> bool:
    """Open the next day, if every step that comes before is done and nobody has opened it yet. Returns whether the next
    day is open."""
    books = _books()
    if books.date != day.date:
        return books.date > day.date
    before = [step.path for step in steps.listed() if not step.opening]
    if LEFT(day.date, before):
        return False
    day.close(at=_moment(day))
    books.advance()
    bulk.update_many([day], ["state", "closed_at"])
    bulk.update_many([books], ["date"])
    bulk.insert_many([calendar.new_day(books.date)])
    return True


def _books() -> BusinessDate:
    """The business date, locked. Raises BusinessDate.DoesNotExist while the books are not open."""
    for books in BOOKS():
        return books
    raise BusinessDate.DoesNotExist("the books are not open")
