"""The first thing in a new house: a business date."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from lending import clock, reference
from lending.models import BusinessDate
from lending.services import close


class Command(BaseCommand):
    help = "Open the books of an empty house on their first business date."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--on", type=date.fromisoformat, help="YYYY-MM-DD, the first business date (today)"
        )
        parser.add_argument("--products", action="store_true", help="with the first shelf of products")

    def handle(self, *args: Any, on: date | None, products: bool, **options: Any) -> None:
        if BusinessDate.objects.exists():
            self._open_already(on)
            return
        if on and on > clock.wall_date():
            raise CommandError(f"{on} has not come yet.")
        day = close.open_books(on=on or clock.wall_date())
        if products:
            reference.starter_products()
        self.stdout.write(self.style.SUCCESS(f"The books are open; the business date is {day}."))

    def _open_already(self, on: date | None) -> None:
        """A deployment runs this command every time, so that open books are no error; another date is one."""
        words = f"The books are open already: the business date is {clock.today()}."
        if on and on != clock.today():
            raise CommandError(words)
        self.stdout.write(words)
