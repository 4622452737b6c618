"""Set the first business date of a new house."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand

from lending import clock
from lending.services import close


class Command(BaseCommand):
    help = "Open the books on a day, today unless said otherwise. Does nothing when they are open."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--on", type=date.fromisoformat, help="YYYY-MM-DD, the first business date")

    def handle(self, *args: Any, on: date | None, **options: Any) -> None:
        day = close.open_books(on=on or clock.wall_date())
        self.stdout.write(self.style.SUCCESS(f"The books are open; the business date is {day}."))
