from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.simulation import run
from lending import clock

HELP = """Simulates the platform: people and companies who order, return, borrow and pay (or not), while the product
itself takes the applications, decides, books, bills and collects, day by day. Deterministic for a seed."""


class Command(BaseCommand):
    help = HELP

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customers", type=int, default=2000, help="how many people (default 2000)")
        parser.add_argument("--companies", type=int, default=100, help="how many companies (default 100)")
        parser.add_argument(
            "--months", type=int, default=12, help="how many months to live through (default 12)"
        )
        parser.add_argument(
            "--seed", type=int, default=1, help="the same seed tells the same story (default 1)"
        )
        parser.add_argument(
            "--until", type=date.fromisoformat, help="the last day, YYYY-MM-DD (default: today)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        until = options["until"] or clock.wall().date()
        plan = run.Plan(
            customers=options["customers"],
            companies=options["companies"],
            months=options["months"],
            seed=options["seed"],
            until=until,
        )
        try:
            result = run.simulate(plan, run.Bar(self.stderr))
        except run.NotEmpty as error:
            raise CommandError(str(error)) from None
        self.stdout.write(str(result))
