"""Write the books to a file or to standard output."""

import sys
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lending import beancount, sheets
from lending.selectors import book_export


class Command(BaseCommand):
    help = "Export journal entries as Beancount text, CSV or XLSX."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=["beancount", "csv", "xlsx"], default="beancount")
        parser.add_argument("--from", dest="since", type=date.fromisoformat, help="YYYY-MM-DD, the first day")
        parser.add_argument("--to", dest="until", type=date.fromisoformat, help="YYYY-MM-DD, the last day")
        parser.add_argument("--out", help="the file to write; standard output without it")

    def handle(self, *args: Any, **options: Any) -> None:
        since, until, out = options["since"], options["until"], options["out"]
        if since and until and since > until:
            raise CommandError("The period ends before it begins.")
        if options["format"] == "xlsx":
            self._workbook(since, until, out)
            return
        if options["format"] == "csv":
            pieces = sheets.csv_lines(book_export.COLUMNS, book_export.table(since, until))
        else:
            pieces = beancount.text(since, until)
        if out:
            with open(out, "w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
        else:
            for piece in pieces:
                self.stdout.write(piece, ending="")

    def _workbook(self, since: date | None, until: date | None, out: str | None) -> None:
        rows = book_export.table(since, until)
        if out:
            with open(out, "wb") as file:
                sheets.write_xlsx(file, "journal", book_export.COLUMNS, rows)
        else:
            sheets.write_xlsx(sys.stdout.buffer, "journal", book_export.COLUMNS, rows)
