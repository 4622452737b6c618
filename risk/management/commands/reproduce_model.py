from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lending import clock
from lending.errors import Refused
from risk.models import ModelVersion
from risk.services import reproduction


class Command(BaseCommand):
    help = "Train a model again from its frozen data and compare the points; fails when they differ."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", type=int, help="the id of the model, as in the address of its page")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = reproduction.reproduce(model_id=options["model"], by=None, at=clock.now())
        except ModelVersion.DoesNotExist:
            raise CommandError(f"There is no model {options['model']}.") from None
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        code = "the same code" if found.same_code else "other code or libraries"
        if not found.same:
            raise CommandError(f"NOT the same: up to {found.largest:.6f} points apart, with {code}.")
        self.stdout.write(self.style.SUCCESS(f"The same points, {found.sha256[:16]}, with {code}."))
