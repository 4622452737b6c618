import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from lending import clock, tables
from lending.errors import Refused
from lending.models import BusinessDate, PaymentFile, PaymentRow
from lending.services import bulk_payments, payment_rows


class Command(BaseCommand):
    help = "Post a file of payments (CSV or XLSX). A file that was interrupted goes on where it stood."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--preview", action="store_true", help="read and tell, post nothing")
        parser.add_argument("--hold", action="store_true", help="hold what cannot be placed, and any surplus")
        parser.add_argument("--again", action="store_true", help="take in a file that was taken in before")
        parser.add_argument("--channel", default="file")
        parser.add_argument(
            "--report", type=Path, help="where lines that are not posted go (default: in .local/imports/)"
        )

    def handle(self, *args: Any, file: Path, preview: bool, report: Path | None, **options: Any) -> None:
        report = report or settings.LOCAL_DIR / "imports" / f"{file.name}.not-posted.csv"
        started = perf_counter()
        try:
            taken = self._taken(file, **options)
            if preview:
                bulk_payments.discard(file_id=taken.pk, by=None, at=clock.now())
            else:
                self._post(taken)
            self._tell(taken, report, perf_counter() - started)
        except OSError as fault:
            raise CommandError(str(fault)) from fault
        except Refused as fault:
            raise CommandError(str(fault)) from fault
        except BusinessDate.DoesNotExist:
            raise CommandError(_("The books are not open yet: run manage.py open_books.")) from None

    def _taken(self, file: Path, *, hold: bool, again: bool, channel: str, **_options: Any) -> PaymentFile:
        choice = "HOLD" if hold else None
        options = bulk_payments.Options(
            unplaced=choice or PaymentFile.Unplaced.REFUSE,
            surplus=choice or PaymentFile.Surplus.CREDIT,
            channel=channel,
            again=again,
        )
        content = file.read_bytes()
        if not again and (interrupted := bulk_payments.interrupted(content)):
            return interrupted
        return bulk_payments.upload(
            name=file.name, content=content, options=options, by=None, at=clock.now(), on=clock.today()
        )

    def _post(self, taken: PaymentFile) -> None:
        if taken.state == PaymentFile.State.UPLOADED:
            bulk_payments.confirm(file_id=taken.pk, by=None, at=clock.now(), told=False)
        total = bulk_payments.progress(taken.pk).waiting
        bulk_payments.run(
            taken.pk, at=clock.now(), on=clock.today(), tell=lambda done: self._show(done, total)
        )

    def _show(self, done: int, total: int) -> None:
        people = sys.stderr.isatty()
        text = _("%(done)d of %(total)d payments") % {"done": done, "total": total}
        self.stderr.write(f"\r{text}" if people else text, ending="" if people else "\n")

    def _tell(self, taken: PaymentFile, report: Path, seconds: float) -> None:
        sums = bulk_payments.progress(taken.pk)
        for state in PaymentRow.State:
            if sums.rows.get(state):
                self.stdout.write(f"{state.label}: {sums.rows[state]:,} ({sums.sums[state]:,.2f})")
        self.stdout.write(f"{_('seconds')}: {seconds:,.1f}")
        if left_out := bulk_payments.not_posted(taken):
            report.parent.mkdir(parents=True, exist_ok=True)
            report.write_bytes(tables.write(payment_rows.report_header(taken), left_out))
            self.stdout.write(self.style.WARNING(_("Why lines were not posted: %s") % report))
