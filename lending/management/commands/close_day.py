"""Close one or more business days by hand."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lending import clock
from lending.models import BusinessDate
from lending.services import close


class Command(BaseCommand):
    help = (
        "Close the open business date, step by step; --until closes every day up to and including that one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--until", type=date.fromisoformat, help="YYYY-MM-DD, the last day to close")
        parser.add_argument("--days", type=int, default=1, help="how many days to close (1)")

    def handle(self, *args: Any, until: date | None, days: int, **options: Any) -> None:
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
            day = close.close_day(at=clock.now(), progress=self._show)
            self.stdout.write(self.style.SUCCESS(f"{day} closed"))

    def _show(self, step: str, rows: int) -> None:
        self.stderr.write(f"  {step}: {rows} rows")
