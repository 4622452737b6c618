from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.simulation import pilot
from lending.models import Customer
from risk.models import Segment


class Command(BaseCommand):
    help = (
        "Make the demo's scorecards anew from a large simulated world; the (empty) database stays as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customers", type=int, default=5000, help="how many people (5000)")
        parser.add_argument("--companies", type=int, default=2000, help="how many companies (2000)")
        parser.add_argument(
            "--segment", action="append", choices=Segment.values, help="only this card (all of them)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if Customer.objects.exists():
            raise CommandError("This needs an empty database.")
        segments = options["segment"] or Segment.values
        for segment, run in pilot.train(options["customers"], options["companies"], segments).items():
            bad = sum(case.bad for case in run.cases)
            self.stdout.write(f"{segment}: {len(run.cases)} applications, {bad} bad")
