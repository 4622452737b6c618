"""The roll rates of anybody's own history: `manage.py roll_rates history.csv.gz --id account --month month --status
bucket`."""

import csv
import gzip
import io
import re
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lending.engine.rollrates import Matrix, matrix, moves

_MONTH = re.compile(r"(\d{4})-?(\d{2})(?:-?\d{2})?")


class Command(BaseCommand):
    help = "Compute the matrix of roll rates from a CSV of accounts, months and states (.gz too; - reads the input)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--id", default="ID", help="column that names the account")
        parser.add_argument(
            "--month", default="MONTHS_BALANCE", help="column of the month: a number, or 2026-11"
        )
        parser.add_argument("--status", default="STATUS", help="column of the state")
        parser.add_argument(
            "--order", default="", help="states in the order to show them, with commas between"
        )
        parser.add_argument("--csv", action="store_true", help="print the table as CSV, shares not rounded")

    def handle(self, *args: Any, **options: Any) -> None:
        columns = (options["id"], options["month"], options["status"])
        order = [state.strip() for state in options["order"].split(",") if state.strip()]
        try:
            with _opened(options["file"]) as file:
                found = matrix(moves(_rows(file, columns)), order)
        except (OSError, EOFError) as error:
            raise CommandError(f"{options['file']}: {error}") from error
        except (ValueError, csv.Error) as error:
            raise CommandError(str(error)) from error
        if not any(found.totals):
            raise CommandError("No account has two months that follow each other.")
        self._print_csv(found) if options["csv"] else self._print(found)

    def _print(self, found: Matrix) -> None:
        self.stdout.write(
            "from\\to" + "".join(f"{state:>10}" for state in found.states) + f"{'accounts':>12}"
        )
        for state, total, shares in zip(found.states, found.totals, found.shares(), strict=True):
            cells = "".join(f"{_percent(share):>10}" for share in shares)
            self.stdout.write(f"{state:<7}{cells}{total:>12}")

    def _print_csv(self, found: Matrix) -> None:
        writer = csv.writer(self.stdout)
        writer.writerow(["from", "to", "accounts", "share"])
        for before, row in zip(found.states, found.counts, strict=True):
            for after, count in zip(found.states, row, strict=True):
                writer.writerow([before, after, count, found.share(before, after)])


def _percent(share: Decimal | None) -> str:
    return "–" if share is None else f"{share * 100:.2f}%"


def _opened(name: str) -> IO[str]:
    if name == "-":
        return sys.stdin
    if Path(name).suffix == ".gz":
        return io.TextIOWrapper(gzip.open(name), encoding="utf-8-sig", newline="")
    return open(name, encoding="utf-8-sig", newline="")


def _rows(file: IO[str], columns: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """Account, number of the month, state; raises ValueError in words."""
    reader = csv.reader(file)
    header = next(reader, [])
    missing = [column for column in columns if column not in header]
    if missing:
        raise ValueError(
            f"There is no column {', '.join(missing)}; the file has: {', '.join(header) or 'nothing'}."
        )
    id_, month, status = (header.index(column) for column in columns)
    for row in reader:
        if row:
            try:
                yield row[id_], _number(row[month]), row[status]
            except (IndexError, ValueError):
                raise ValueError(f"Line {reader.line_num} cannot be read: {','.join(row)[:80]}") from None


def _number(text: str) -> int:
    """A month as a number that grows by one: -13, or 2026-11, 202611, 2026-11-30."""
    if found := _MONTH.fullmatch(text.strip()):
        year, month = int(found[1]), int(found[2])
        if not 1 <= month <= 12:
            raise ValueError(text)
        return year * 12 + month
    return int(text)
