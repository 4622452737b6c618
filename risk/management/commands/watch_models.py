from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from lending import clock
from lending.errors import Refused
from risk.services import monitoring


class Command(BaseCommand):
    help = (
        "Measure every model in use over a month (default: the last one); what was measured stays as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", type=_month, help="YYYY-MM")

    def handle(self, *args: Any, **options: Any) -> None:
        at = clock.now()
        last = timezone.localtime(at).date().replace(day=1) - timedelta(days=1)
        try:
            readings = monitoring.measure_month(month=options["month"] or last, at=at)
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        for one in readings:
            told = ", ".join(f"{alarm['figure']} {alarm['value']:.3f}" for alarm in one.alarms) or "-"
            self.stdout.write(
                f"{one}: {one.level}, {one.decisions} decisions, {one.matured} known ends; {told}"
            )
        if not readings:
            self.stdout.write("Nothing to measure: no model in use is without its reading of that month.")


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")
