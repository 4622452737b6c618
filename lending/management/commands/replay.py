import sys
from typing import Any

from django.core.management.base import BaseCommand

from lending.engine import jsonlines


class Command(BaseCommand):
    help = "Read terms and events as JSON lines, write what each instalment comes to."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        for line in jsonlines.answer_lines(sys.stdin.buffer, jsonlines.replay_case):
            self.stdout.write(line)
