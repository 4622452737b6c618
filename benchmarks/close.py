"""How fast a day closes: `python benchmarks/close.py [--loans 1000000] [--shards 2] [--quick]`.

Makes databases of its own in the private PostgreSQL and drops them. A book of loans with 12 instalments each, 6 in 100
late and 3 in 100 due on each day, is closed for a day, on which all that is late is found for the first time, and then
for the three days that count, by every step of the house. Of what falls due 29 in 30 is paid on its day, so that those
three are days like any other. Beside it stands the floor: one plain statement that rewrites
every row of the loans. A small book first, to see whether time per loan grows.
Progress goes to standard error, one JSON line with the figures to standard output.
"""

import argparse
import ctypes
import gc
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import book
from house import apart, connection, metric, own_database, report, say, timed

from lending.models import BusinessDate, CloseException, DayClose
from lending.selectors.ledger import tie_out
from lending.services import close

SMALL = 10_000
DAYS = 3
# Of a million loans in two shards on two cores.
SECONDS_A_DAY, LOANS_A_SECOND = 4.0, 250_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loans", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="20,000 loans, for a look")
    options = parser.parse_args()
    loans = 20_000 if options.quick else options.loans
    small = measure(min(SMALL, loans), options.shards)
    large = measure(loans, options.shards) if loans > SMALL else small
    report("close", metrics(small, large), large.baseline())


class Run:
    """What one book came to."""

    def __init__(self, loans: int, shards: int) -> None:
        self.loans, self.shards = loans, shards
        self.days: list[float] = []
        self.steps: dict[str, float] = {}
        self.rows: dict[str, int] = {}
        self.wal = 0
        self.memory = 0.0
        self.floor = 0.0

    @property
    def day(self) -> float:
        """Seconds of a day: the mean of three."""
        return sum(self.days) / len(self.days)

    @property
    def collections(self) -> float:
        return sum(spent for path, spent in self.steps.items() if path.startswith("dunning.")) / DAYS

    def baseline(self) -> dict[str, Any]:
        return {
            "one statement that rewrites every loan, seconds": round(self.floor, 3),
            "one statement that rewrites every loan, loans per second": round(self.loans / self.floor),
            "loans": self.loans,
            "shards": self.shards,
            "seconds of each day": [round(spent, 3) for spent in self.days],
            "seconds a day of each step": {p: round(s / DAYS, 4) for p, s in self.steps.items()},
        }


def measure(loans: int, shards: int) -> Run:
    run = Run(loans, shards)
    with own_database("close"):
        spent = timed(lambda: apart(lambda: book.build(loans, lambda part: say(f"  {part}"))))
        say(f"{loans:,} loans built in {spent:.1f} s")
        first = book.TODAY
        spent = timed(
            lambda: apart(
                lambda: close.close_day(at=book.moment(first), on=first, parts=shards, workers=shards)
            )
        )
        say(
            f"  {first}: {spent:.1f} s, with its collections: all late loans are found, all cases opened, on one day"
        )
        _forget_memory()
        for _number in range(DAYS):
            apart(book.live_through_the_day)
            _close_one(run, shards)
        run.memory = _peak()
        _show_rows(run.rows)
        _prove(run)
        run.floor = timed(_rewrite)
        say(f"  floor: every loan rewritten in {run.floor:.2f} s")
    return run


def _close_one(run: Run, shards: int) -> None:
    """The day counts until the next is open; what collections do on that day has a figure of its own."""
    day = BusinessDate.current()
    wal, rows = _wal(), _written()
    closing, opened = time.perf_counter(), []
    finish = close.finish

    def note(**values: Any) -> bool:
        done = finish(**values)
        opened.append(time.perf_counter())
        return done

    close.finish = note
    tick, shown = _ticker(), _shown(run.loans)
    close.close_day(at=book.moment(day), on=day, parts=shards, workers=shards, progress=shown, watch=tick)
    close.finish = finish
    run.days.append(opened[0] - closing)
    run.wal += _wal() - wal
    for table, count in _written().items():
        run.rows[table] = run.rows.get(table, 0) + count - rows.get(table, 0)
    for path, seconds in _steps(day).items():
        run.steps[path] = run.steps.get(path, 0.0) + seconds
    say(f"  {day}: {run.days[-1]:.2f} s, {run.loans / run.days[-1]:,.0f} loans/s")


def _ticker() -> Callable[[], Any]:
    from lending import clock

    return clock.wall


def _shown(loans: int) -> Callable[[DayClose], None]:
    return lambda row: say(f"    {row.step} {row.shard}/{row.shards}: {row.rows:,} rows, {row.seconds:.3f} s")


def _steps(day: date) -> dict[str, float]:
    """Seconds of each step, from the start of its first shard to the end of its last."""
    found: dict[str, float] = {}
    for row in DayClose.objects.filter(date=day).order_by("pk"):
        found.setdefault(row.step, 0.0)
        rows = DayClose.objects.filter(date=day, step=row.step)
        start, end = min(r.started_at for r in rows), max(r.finished_at for r in rows)
        found[row.step] = (end - start).total_seconds()
    return found


def _prove(run: Run) -> None:
    """Fast and wrong would be easy: the loans are what their transactions come to, and the books agree with them."""
    assert not CloseException.objects.exists()
    assert BusinessDate.current() == book.TODAY + (DAYS + 1) * book.DAY
    assert [row.difference for row in tie_out()] == [0] * 5
    say(f"  {book.check(300)} loans folded again: the same to the cent; books and loans agree")


def _written() -> dict[str, int]:
    """Rows inserted, updated and deleted so far, by table."""
    connection.close()
    time.sleep(1.1)  # what other connections did is told once a second
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables")
        return dict(cursor.fetchall())


def _show_rows(rows: dict[str, int]) -> None:
    for table, count in sorted(rows.items(), key=lambda item: -item[1]):
        if count:
            say(f"  {count / DAYS:,.0f} rows a day in {table}")


def _wal() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_lsn() - '0/0'")
        return int(cursor.fetchone()[0])


def _rewrite() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE lending_loan SET interest_earned = interest_earned + 0.01")


def _forget_memory() -> None:
    """The peak so far is that of the smaller book: what it left goes back, as at the start of a worker."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _peak() -> float:
    """Megabytes at the highest since then."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def metrics(small: Run, large: Run) -> list[dict[str, Any]]:
    goal = large.loans == 1_000_000 and large.shards == 2
    growth = (large.day / large.loans) / (small.day / small.loans)
    slowest = max(large.steps, key=lambda path: large.steps[path])
    return [
        metric(
            "a day, until the next is open", large.day, "seconds", SECONDS_A_DAY if goal else None, "lower"
        ),
        metric("loans closed", large.loans / large.day, "loans/s", LOANS_A_SECOND if goal else None),
        metric("speed against the floor", large.floor / large.day, "times the floor's", 1.0),
        metric("collections on the day that is open", large.collections, "seconds", None, "lower"),
        metric("rows written a day", sum(large.rows.values()) / DAYS, "rows", None, "lower"),
        metric(
            "loans written a day",
            large.rows["lending_loan"] / DAYS / large.loans,
            "of the loans",
            0.1,
            "lower",
        ),
        metric("write-ahead log a day", large.wal / DAYS / 2**20, "MB", None, "lower"),
        metric("memory of Python", large.memory, "MB", 300.0, "lower"),
        metric(f"slowest step: {slowest}", large.steps[slowest] / DAYS, "seconds", None, "lower"),
        metric(f"time a loan, beside {small.loans:,} loans", growth, "times", 1.5, "lower"),
        metric(f"a day of {small.loans:,} loans", small.day, "seconds", None, "lower"),
    ]


if __name__ == "__main__":
    main()
