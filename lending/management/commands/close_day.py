"""Close one or more business days by hand."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lending import clock
from lending.models import BusinessDate, DayClose
from lending.services import close, steps


def _count(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 64):
        raise ArgumentTypeError("give a number from 1 to 64")
    return int(text)


class Command(BaseCommand):
    help = "Close the open business date, step by step; with --date every day up to and including that one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--date",
            "--until",
            dest="until",
            type=date.fromisoformat,
            help="YYYY-MM-DD, the last day to close",
        )
        parser.add_argument("--days", type=_count, default=1, help="how many days to close (1)")
        parser.add_argument(
            "--shards", type=_count, help="in how many ranges of loans, each on its own connection"
        )

    def handle(self, *args: Any, until: date | None, days: int, shards: int | None, **options: Any) -> None:
        try:
            first = clock.today()
        except BusinessDate.DoesNotExist:
            raise CommandError(
                "The books are not open yet: load a portfolio, or run `manage.py demo`."
            ) from None
        if until and until < first:
            raise CommandError(f"{until} is closed already: the business date is {first}.")
        count = (until - first).days + 1 if until else days
        for _number in range(count):
            self._close(shards)

    def _close(self, shards: int | None) -> None:
        bar = Bar(self.stderr)
        try:
            day = close.close_day(
                at=clock.closing(),
                on=clock.today(),
                parts=shards,
                workers=shards or 1,
                progress=bar,
                watch=clock.wall,
            )
        except Exception as error:
            bar.end()
            raise CommandError(
                f"{clock.today()} is not closed: {error}. What is done is done; run this again to go on."
            ) from error
        bar.end()
        self.stdout.write(self.style.SUCCESS(f"{day} closed"))


class Bar:
    """The share of the steps that is done; on a terminal one line that grows, elsewhere a line for each step."""

    WIDTH = 30

    def __init__(self, out: Any) -> None:
        self._out, self._of = out, len(steps.listed())
        self._live = bool(getattr(out, "isatty", lambda: False)())
        self._parts = 0.0

    def __call__(self, row: DayClose) -> None:
        self._parts += 1 / row.shards
        done = min(round(self._parts), self._of)
        seconds = row.seconds or 0.0
        part = f" {row.shard}/{row.shards}" if row.shards > 1 else ""
        what = f"{steps.name_of(row.step)}{part}: {row.rows} rows in {seconds:.2f} s"
        if self._live:
            filled = "#" * (self.WIDTH * done // self._of)
            self._out.write(f"\r\033[K[{filled:{self.WIDTH}}] {done}/{self._of} {what}", ending="")
            self._out.flush()
        else:
            self._out.write(f"  {row.step}{part}: {row.rows} rows in {seconds:.2f} s")

    def end(self) -> None:
        if self._live:
            self._out.write("\n", ending="")
