import sys
from typing import Any

from django.core.management.base import BaseCommand

from lending.engine import jsonlines


class Command(BaseCommand):
    help = "Read dated flows as JSON lines, write their annual percentage rate."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        for line in jsonlines.answer_lines(sys.stdin.buffer, jsonlines.apr_case):
            self.stdout.write(line)
