"""Closed months take no entry, and the books leave the house in a form that somebody else has checked."""

import csv
import io
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse
from openpyxl import load_workbook

from lending import beancount
from lending.errors import Refused
from lending.models import (
    Account,
    AccountingPeriod,
    ApprovalRequest,
    ControlBalance,
    Customer,
    JournalEntry,
    JournalLine,
    Loan,
    Product,
)
from lending.selectors import book_export
from lending.services import approvals, ledger, loans, periods

from .admin_support import button, desk, member, words
from .conftest import MONDAY, moment
from .ledger_support import lend

D = Decimal
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_books")]


@pytest.fixture
def april(
    make_customer: Callable[..., Customer], at: datetime, run_to: Callable[[date], datetime]
) -> tuple[date, Loan]:
    """A loan of March, and the books on 3 April."""
    loan = lend(make_customer().pk, "cash-loan", "12000", 12, MONDAY, at)
    loans.repay(loan_id=loan.pk, amount=D("100.10"), key="r", by=None, at=at, on=MONDAY)
    day = date(2026, 4, 3)
    run_to(day)
    return day, loan


def month(text: str) -> AccountingPeriod:
    return AccountingPeriod.objects.get(month=date.fromisoformat(f"{text}-01"))


def close_month(text: str, on: date) -> AccountingPeriod:
    return periods.close_month(period_id=month(text).pk, by=member("accountant"), at=moment(on), on=on)


def entry_of(day: date) -> ledger.Booking:
    return ledger.Booking(f"by-hand:{day}", "by hand", day, day, [("BANK", D(1)), ("CAPITAL", D(-1))])


def test_a_closed_month_takes_no_entry_from_anybody(april: tuple[date, Loan]) -> None:
    day, loan = april
    closed = close_month("2026-03", day)
    assert (closed.state, str(closed.closed_by)) == ("CLOSED", "the-accountant")
    before = JournalEntry.objects.count()
    with pytest.raises(Refused, match="period of this date is closed"):
        ledger.post([entry_of(date(2026, 3, 31))])
    with pytest.raises(IntegrityError, match="period is closed"), transaction.atomic():
        JournalEntry.objects.create(key="x", memo="x", booked_on=date(2026, 3, 1), value_on=date(2026, 3, 1))
    assert JournalEntry.objects.count() == before
    # A payment of March that comes to light now is an entry of today.
    now = {"by": None, "at": moment(day), "on": day}
    loans.repay(loan_id=loan.pk, amount=D(5), key="late", value_on=date(2026, 3, 30), **now)
    ledger.post([entry_of(day)])


def test_a_month_closes_once_in_order_and_when_it_is_over(april: tuple[date, Loan]) -> None:
    day, _loan = april
    with pytest.raises(Refused, match="not over"):
        close_month("2026-04", day)
    with pytest.raises(Refused, match="not over"):
        close_month("2026-03", date(2026, 3, 31))
    AccountingPeriod.objects.create(month=date(2026, 2, 1))
    with pytest.raises(Refused, match="earlier month is open"):
        close_month("2026-03", day)
    close_month("2026-02", day)
    close_month("2026-03", day)
    with pytest.raises(Refused, match="closed already"):
        close_month("2026-03", day)


def test_a_month_whose_loans_and_books_differ_does_not_close(april: tuple[date, Loan]) -> None:
    day, _loan = april
    product = Product.objects.exclude(pk=_loan.product_id).first()
    ControlBalance.objects.create(
        date=date(2026, 3, 31), product=product, role="PRINCIPAL", books=D(1), loans=D(2)
    )
    with pytest.raises(Refused, match="differ"):
        close_month("2026-03", day)


def test_only_two_people_open_the_last_closed_month_again(april: tuple[date, Loan]) -> None:
    day, _loan = april
    now = {"at": moment(day), "on": day}
    maker, checker = member("accountant"), member("senior_approver")
    with pytest.raises(Refused, match="is open"):
        periods.ask_reopen(period_id=month("2026-03").pk, reason="x", by=maker, **now)
    AccountingPeriod.objects.create(month=date(2026, 2, 1))
    close_month("2026-02", day)
    close_month("2026-03", day)
    with pytest.raises(Refused, match="only the last"):
        periods.ask_reopen(period_id=month("2026-02").pk, reason="x", by=maker, **now)
    request = periods.ask_reopen(period_id=month("2026-03").pk, reason="An invoice", by=maker, **now)
    with pytest.raises(Refused, match="asked for this already"):
        periods.ask_reopen(period_id=month("2026-03").pk, reason="again", by=maker, **now)
    with pytest.raises(Refused, match="second person"):
        approvals.approve(request_id=request.pk, by=maker, **now)
    assert month("2026-03").state == "CLOSED"
    approvals.approve(request_id=request.pk, by=checker, **now)
    assert month("2026-03").state == "OPEN"
    ledger.post([entry_of(date(2026, 3, 31))])


def test_the_accountant_closes_in_the_admin_and_others_do_not(april: tuple[date, Loan]) -> None:
    period = month("2026-03")
    assert desk("senior_approver").post(button(period, "close_month"), {}).status_code == 403
    client = desk("accountant")
    assert "2026-03 is closed." in words(client.post(button(period, "close_month"), {}, follow=True))
    assert "Closed" in words(client.get(reverse("admin:lending_accountingperiod_changelist")))
    client.post(button(period, "ask_reopen"), {"reason": "An invoice"})
    assert ApprovalRequest.objects.get().payload == {"period_id": period.pk}


# --- export ---------------------------------------------------------------------------------------------------


def bean_check(path: Path) -> subprocess.CompletedProcess:
    program = Path(sys.executable).with_name("bean-check")
    return subprocess.run([program, str(path)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "asked",
    [{}, {"since": "2026-03-15"}, {"until": "2026-03-20"}, {"since": "2026-03-10", "until": "2026-03-31"}],
)
def test_bean_check_accepts_the_books(april: tuple[date, Loan], tmp_path: Path, asked: dict) -> None:
    path = tmp_path / "books.beancount"
    options = {"since": "--from", "until": "--to"}
    call_command("export_books", *(f"{options[k]}={v}" for k, v in asked.items()), out=str(path))
    checked = bean_check(path)
    assert (checked.returncode, checked.stderr + checked.stdout) == (0, "")
    text = path.read_text()
    assert text.count(" balance ") == text.count(" open ") == Account.objects.count()
    assert ("Balances brought forward" in text) == ("since" in asked)
    assert (f" ^{april[1]}" in text) == ("since" not in asked)


def test_bean_check_would_notice_a_missing_entry(april: tuple[date, Loan], tmp_path: Path) -> None:
    """The assertions at the end come from the ledger, not from what was written."""
    pieces = list(beancount.text())
    [lost] = [piece for piece in pieces if "REPAYMENT" in piece]
    path = tmp_path / "books.beancount"
    path.write_text("".join(piece for piece in pieces if piece != lost))
    assert bean_check(path).returncode != 0


def test_words_that_would_break_the_file_do_not(april: tuple[date, Loan], tmp_path: Path) -> None:
    day, _loan = april
    bad = entry_of(day)
    bad.memo = 'say "no"\\ and\nmore'
    ledger.post([bad])
    path = tmp_path / "books.beancount"
    path.write_text("".join(beancount.text()))
    assert bean_check(path).returncode == 0


def test_an_empty_book_is_an_empty_file(books: date, tmp_path: Path) -> None:
    path = tmp_path / "books.beancount"
    call_command("export_books", out=str(path))
    assert bean_check(path).returncode == 0 and "open" not in path.read_text()


def test_the_tables_hold_every_line(april: tuple[date, Loan], tmp_path: Path) -> None:
    call_command("export_books", format="csv", out=str(tmp_path / "b.csv"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "b.csv").read_text("utf-8-sig"))))
    assert len(rows) == JournalLine.objects.count()
    debit, credit = (sum(D(row[side] or 0) for row in rows) for side in ("debit", "credit"))
    assert debit == credit > 12000
    call_command("export_books", format="xlsx", out=str(tmp_path / "b.xlsx"))
    sheet = load_workbook(tmp_path / "b.xlsx").active
    assert sheet.max_row == len(rows) + 1
    assert [cell.value for cell in sheet[1]] == list(book_export.COLUMNS)
    with pytest.raises(CommandError, match="ends before"):
        call_command("export_books", "--from=2026-03-02", "--to=2026-03-01")


def test_the_accountant_downloads_the_books(april: tuple[date, Loan], tmp_path: Path) -> None:
    client, url = desk("accountant"), reverse("admin:lending_account_export_books")
    assert client.get(url).status_code == 200
    text = b"".join(client.get(url, {"format": "beancount"}).streaming_content)
    (tmp_path / "b.beancount").write_bytes(text)
    assert bean_check(tmp_path / "b.beancount").returncode == 0
    for kind in ("csv", "xlsx"):
        assert b"".join(client.get(url, {"format": kind}).streaming_content)
    bad = client.get(url, {"format": "csv", "since": "2026-03-05", "until": "2026-03-01"})
    assert "ends before it begins" in words(bad)
    assert desk("credit_officer").get(url, {"format": "csv"}).status_code == 403
