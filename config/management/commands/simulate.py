import os
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.simulation import run, summary
from lending import clock


class Command(BaseCommand):
    help = (
        "Simulate the platform in an empty database: people and companies who order, return, borrow and pay, or "
        "do not, while the product itself takes the applications, decides, books, bills and collects, day by day. "
        "The same seed and the same last day tell the same story."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customers", type=int, default=2000, help="how many people (2000)")
        parser.add_argument("--companies", type=int, default=100, help="how many companies (100)")
        parser.add_argument("--months", type=int, default=12, help="how many months to live through (12)")
        parser.add_argument("--seed", type=int, default=1, help="another seed, another story (1)")
        parser.add_argument("--until", type=date.fromisoformat, help="the last day, YYYY-MM-DD (today)")
        parser.add_argument(
            "--workers", type=int, default=os.cpu_count() or 1, help="how many processes share the customers"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        plan = run.Plan(
            customers=options["customers"],
            companies=options["companies"],
            months=options["months"],
            seed=options["seed"],
            until=options["until"] or clock.wall_date(),
        )
        try:
            run.simulate(plan, run.Bar(self.stderr), options["workers"])
        except run.Refusal as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(summary.of_the_book())
