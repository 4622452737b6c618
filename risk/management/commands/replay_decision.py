from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from risk.models import Assessment
from risk.selectors import decisions


class Command(BaseCommand):
    help = "Make decisions again from what was kept, and compare byte for byte. Exit code 1 on a difference."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "ids",
            nargs="*",
            metavar="ID",
            help="number of an application (A00000012 or 12), or a range 12-40",
        )
        parser.add_argument("--all", action="store_true", help="every decision there is")
        parser.add_argument("--quiet", action="store_true", help="print only what differs")

    def handle(self, *args: Any, ids: list[str], quiet: bool, **options: Any) -> None:
        if bool(ids) == options["all"]:
            raise CommandError(_("Name applications, or --all."))
        done = different = 0
        for found in map(decisions.replay, _asked(ids)):
            done += 1
            different += not found.same
            self._tell(found, quiet)
        words = _("%(done)d decisions made again, %(different)d differ.") % {
            "done": done,
            "different": different,
        }
        if different:
            raise CommandError(words)
        self.stdout.write(words)

    def _tell(self, found: decisions.Replay, quiet: bool) -> None:
        application = found.assessment.application
        if found.same and not quiet:
            self.stdout.write(f"{application} = {found.again}")
        if not found.same:
            self.stdout.write(f"{application} ≠ {'; '.join(found.differences)}")
            self.stdout.write(f"  - {found.kept}")
            self.stdout.write(f"  + {found.again}")


def _asked(ids: list[str]) -> Iterator[Assessment]:
    rows = Assessment.objects.select_related("application__customer", "model", "policy").order_by(
        "application"
    )
    if not ids:
        yield from rows.iterator(chunk_size=500)
    for one in ids:
        first, last = _range(one)
        within = rows.filter(application__gte=first, application__lte=last)
        if not within.exists():
            raise CommandError(_("No decision was made on %s.") % one)
        yield from within.iterator(chunk_size=500)


def _range(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    try:
        numbers = int(first.lstrip("Aa")), int(last.lstrip("Aa") if dash else first.lstrip("Aa"))
    except ValueError:
        raise CommandError(_("This is no number of an application: %s") % text) from None
    if max(numbers) >= 2**63 or min(numbers) < 0:
        raise CommandError(_("This is no number of an application: %s") % text)
    return numbers
