import csv
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from lending import clock
from lending.models import BusinessDate
from risk.importing.files import FileFault, lines
from risk.importing.mapping import FileMapping, MappingFault, load
from risk.services.imports import Import, RefusedLine, Tally


class Command(BaseCommand):
    help = (
        "Take in a file of orders, deliveries, returns ... (CSV or JSON lines, also .gz). Safe to run again."
    )

    next_tenth = 0.0

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--mapping", type=Path, required=True, help="which column is what: see docs/import-events.md"
        )
        parser.add_argument(
            "--report", type=Path, help="where refused lines go (default: in .local/imports/)"
        )

    def handle(self, *args: Any, file: Path, mapping: Path, report: Path | None, **options: Any) -> None:
        plan = _mapping(mapping)
        report = report or settings.LOCAL_DIR / "imports" / f"{file.name.removesuffix('.gz')}.refused.csv"
        started = perf_counter()
        try:
            report.parent.mkdir(parents=True, exist_ok=True)
            with report.open("w", newline="", encoding="utf-8") as refused:
                tally = self._run(file, plan, csv.writer(refused))
        except (FileFault, OSError) as fault:
            raise CommandError(str(fault)) from fault
        except BusinessDate.DoesNotExist:
            raise CommandError(_("The books are not open yet: run manage.py open_books.")) from None
        self._tell(tally, report, perf_counter() - started)

    def _run(self, file: Path, plan: FileMapping, report: Any) -> Tally:
        report.writerow(["line", "field", "reason", "raw"])

        def refuse(line: RefusedLine) -> None:
            report.writerow([line.number, line.field, line.reason, line.raw])

        one = Import(plan, clock.now(), refuse, self._show)
        return one.run(lines(file, plan.format, plan.delimiter, plan.encoding, plan.columns))

    def _show(self, tally: Tally) -> None:
        """A line that rewrites itself for people; for a log, one for each tenth of the file."""
        people = sys.stderr.isatty()
        if not people and tally.done < self.next_tenth:
            return
        self.next_tenth = min(1.0, tally.done + 0.1)
        text = _("%(done)4.0f%% read, %(lines)d lines: %(accepted)d events in, %(refused)d lines refused") % {
            "done": tally.done * 100,
            "lines": tally.lines,
            "accepted": tally.accepted,
            "refused": tally.refused_lines,
        }
        self.stderr.write(f"\r{text}" if people else text, ending="" if people else "\n")

    def _tell(self, tally: Tally, report: Path, seconds: float) -> None:
        if sys.stderr.isatty():
            self.stderr.write("")
        told = {
            _("lines read"): tally.lines,
            _("events taken in"): tally.accepted,
            _("events known already"): tally.duplicates,
            _("customers registered"): tally.new_customers,
            _("lines refused"): tally.refused_lines,
            _("seconds"): round(seconds, 1),
        }
        for what, number in told.items():
            self.stdout.write(f"{what}: {number:,}")
        if tally.refused_lines:
            self.stdout.write(self.style.WARNING(_("Why lines were refused: %s") % report))


def _mapping(path: Path) -> FileMapping:
    try:
        return load(path.read_text(encoding="utf-8"), settings.TIME_ZONE)
    except (OSError, UnicodeDecodeError) as fault:
        raise CommandError(_("The mapping cannot be read: %s") % fault) from fault
    except MappingFault as fault:
        raise CommandError(f"{path}: {fault}") from fault
