import sys
from typing import Any

from django.core.management.base import BaseCommand

from lending.engine import jsonlines


class Command(BaseCommand):
    help = "Read terms as JSON lines, write their schedules and annual cost."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        for line in jsonlines.answer_lines(sys.stdin.buffer, jsonlines.quote):
            self.stdout.write(line)
