from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.simulation import pilot
from lending.models import Customer


class Command(BaseCommand):
    help = (
        "Make the demo's scorecards anew from a large simulated world; the (empty) database stays as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customers", type=int, default=5000, help="how many people (5000)")
        parser.add_argument("--companies", type=int, default=2000, help="how many companies (2000)")

    def handle(self, *args: Any, **options: Any) -> None:
        if Customer.objects.exists():
            raise CommandError("This needs an empty database.")
        for segment, run in pilot.train(options["customers"], options["companies"]).items():
            bad = sum(case.bad for case in run.cases)
            self.stdout.write(f"{segment}: {len(run.cases)} applications, {bad} bad")
