from typing import Any

from django.core.management.base import BaseCommand

from risk import catalogue


class Command(BaseCommand):
    help = "Write docs/features.md from the features that the code declares."

    def handle(self, *args: Any, **options: Any) -> None:
        catalogue.PAGE.write_text(catalogue.content())
        self.stdout.write(f"{catalogue.PAGE}: written.")
