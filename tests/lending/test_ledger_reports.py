"""Reports of the books: balances as of any day, ties to the loans, and the same figures on screen and in files."""

import csv
import io
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F
from django.urls import reverse
from openpyxl import load_workbook

from lending import sheets
from lending.errors import Refused
from lending.models import (
    Account,
    AccountDay,
    AccountingPeriod,
    ControlBalance,
    Customer,
    JournalLine,
    Loan,
    Transaction,
)
from lending.selectors import ledger as books
from lending.services import ledger, loans

from .admin_support import desk, page, words
from .conftest import MONDAY, moment
from .ledger_support import agrees, lend

D = Decimal
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_books")]


@pytest.fixture
def life(
    make_customer: Callable[..., Customer],
    make_loan: Callable[..., Loan],
    at: datetime,
    run_to: Callable[[date], datetime],
) -> date:
    """Five weeks in which anything may happen to four loans; the same each time."""
    dice, customer = random.Random(7), make_customer()
    lend(customer.pk, "cash-loan", "12000", 12, MONDAY, at)
    lend(customer.pk, "cash-loan", "4000", 3, MONDAY, at, method="EQUAL_PRINCIPAL")
    lend(make_customer("联合", kind="COMPANY").pk, "working-capital", "90000", 6, MONDAY, at)
    make_loan("1200", 3)
    day = MONDAY
    for step in range(14):
        day += timedelta(days=dice.randint(1, 4))
        at = run_to(day)
        for loan in Loan.objects.order_by("pk"):
            try:
                act(dice, loan, f"{step}-{loan.pk}", at, day)
            except Refused:
                continue
    run_to(day + timedelta(days=1))
    return day


def act(dice: random.Random, loan: Loan, key: str, at: datetime, on: date) -> None:
    """Something or nothing, by the dice."""
    now = {"key": key, "by": None, "at": at, "on": on}
    what = dice.choice(["pay", "pay", "charge", "waive", "reverse", "settle", None, None, None])
    amount = D(dice.randint(1, 90000)) / 100
    if what == "pay":
        back = on - timedelta(days=dice.choice([0, 0, 3]))
        loans.repay(loan_id=loan.pk, amount=amount, value_on=max(back, MONDAY), **now)
    elif what in ("charge", "waive"):
        action = {"charge": loans.charge, "waive": loans.waive}[what]
        action(loan_id=loan.pk, kind=dice.choice(["FEE", "PENALTY"]), amount=amount, note="dice", **now)
    elif what == "reverse":
        last = loan.transactions.exclude(type="REVERSAL").order_by("-pk").first()
        assert last is not None
        loans.reverse(transaction_id=last.pk, note="dice", **now)
    elif what == "settle" and dice.random() < 0.2:
        loans.settle(loan_id=loan.pk, **now)


def test_after_any_life_every_report_balances(life: date) -> None:
    assert Transaction.objects.filter(type="REVERSAL").exists() and Transaction.objects.count() > 20
    agrees()
    for day in (MONDAY, date(2026, 3, 20), date(2026, 4, 1), life, life + timedelta(days=1)):
        assert sum(row.closing for row in books.trial_balance(day)) == 0
        assert books.balance_sheet(day).balanced
    sheet, (income, expense) = books.balance_sheet(life), books.profit_and_loss(MONDAY, life)
    assert sheet.profit == sum(a for _x, a in income) - sum(a for _x, a in expense) > 0
    assert books.offenders(life + timedelta(days=1)) == []
    closes = ControlBalance.objects.filter(date__range=(MONDAY, life))
    assert closes.filter(role="ACCRUED_INTEREST").count() > 20
    assert not closes.exclude(books=F("loans")).exists()


def test_kept_sums_are_the_lines(life: date) -> None:
    """The sums of days, whatever was kept when, say what the lines say."""
    kept = AccountDay.objects.order_by("-date").first()
    assert kept.date == life - timedelta(days=1)
    whole = {row.account.pk: row.closing for row in books.trial_balance()}
    assert {code: amount for code, amount in whole.items() if amount} == {
        code: amount
        for code in Account.objects.values_list("pk", flat=True)
        if (amount := sum(JournalLine.objects.filter(account=code).values_list("amount", flat=True)))
    }
    # An entry dated back takes the sums from its day on away, and is in every report at once.
    day = date(2026, 3, 20)
    before = books.sums(until=day)["1002"].debit
    ledger.post([ledger.Booking("by-hand", "late", day, day, [("BANK", D(5)), ("CAPITAL", D(-5))])])
    assert books.kept_until() < day
    assert books.sums(until=day)["1002"].debit == before + 5
    assert books.sums(until=day - timedelta(days=1)).get("4001") is None


def test_the_tie_out_finds_a_planted_difference(life: date) -> None:
    loan = Loan.objects.filter(state__in=Loan.OWING, product__code="cash-loan").first()
    Loan.objects.filter(pk=loan.pk).update(principal=F("principal") + D("0.01"))
    assert [(row.role, row.difference) for row in books.tie_out() if row.difference] == [
        ("PRINCIPAL", D("-0.01"))
    ]
    by_product = [row for row in books.tie_out_by_product() if row.difference]
    assert [(row.role, row.product_id) for row in by_product] == [("PRINCIPAL", loan.product_id)]
    today = life + timedelta(days=1)
    assert [row.loan_id for row in books.offenders(today)] == [loan.pk]
    assert books.offenders(today, loan.product_id + 999) == []
    # Interest that no instalment explains is found too, though the books hold it in sums only.
    Loan.objects.filter(pk=loan.pk).update(principal=loan.principal, interest=F("interest") + 1)
    assert [(row.loan_id, row.owed - row.owed_by_instalments) for row in books.offenders(today)] == [
        (loan.pk, D("1.00"))
    ]
    client = desk("accountant")
    tie = client.get(reverse("admin:lending_account_tie_out"))
    assert "Offenders" in words(tie) and f"product={loan.product_id}" in tie.content.decode()
    found = client.get(reverse("admin:lending_account_offenders"), {"product": loan.product_id})
    assert str(loan) in words(found) and page(loan) in found.content.decode()


def test_a_hand_made_entry_on_a_control_account_shows(life: date) -> None:
    product = Loan.objects.first().product_id
    today = life + timedelta(days=1)
    entry = ledger.Booking("oops", "oops", today, today, [("PRINCIPAL", D(7)), ("BANK", D(-7))])
    entry.product_id = product
    ledger.post([entry])
    assert [(row.role, row.difference) for row in books.tie_out() if row.difference] == [("PRINCIPAL", D(7))]


def test_a_statement_runs_from_its_opening_to_its_closing_balance(life: date) -> None:
    asked = {"since": date(2026, 3, 20), "until": date(2026, 4, 5)}
    for code in ("1002", "1303", "6011"):
        opening, lines = books.statement(code, **asked)
        assert opening == books.trial_balance(date(2026, 3, 19))[[*codes()].index(code)].closing
        running = opening
        for line in lines:
            running += line.amount
            assert line.balance == running
        assert running == books.trial_balance(date(2026, 4, 5))[[*codes()].index(code)].closing
    loan = Loan.objects.filter(product__code="cash-loan").first()
    opening, lines = books.statement("1303", loan_id=loan.pk, since=date(2026, 3, 3))
    assert opening == loan.principal_amount
    assert opening + sum(line.amount for line in lines) == loan.principal


def codes() -> list[str]:
    return list(Account.objects.values_list("pk", flat=True))


REPORTS = [
    "trial_balance",
    "statement",
    "day_book",
    "balance_sheet",
    "profit_and_loss",
    "tie_out",
    "offenders",
]


@pytest.mark.parametrize("name", REPORTS)
def test_each_report_is_a_page_a_print_and_two_files(
    name: str, make_loan: Callable[..., Loan], run_to: Callable[[date], datetime]
) -> None:
    make_loan("1200", 3)
    run_to(date(2026, 3, 13))
    client, url = desk("accountant"), reverse(f"admin:lending_account_{name}")
    asked = {"account": "1303", "since": "2026-03-01", "until": "2026-03-31", "on": "2026-03-12"}
    shown = client.get(url, asked)
    assert shown.status_code == 200 and shown.context["form"].errors == {}
    printed = client.get(url, asked | {"format": "print"})
    assert "<nav" not in printed.content.decode()
    rows = [[cell["text"] for cell in row] for row, _sum in shown.context["rows"]]
    assert [[cell["text"] for cell in row] for row, _sum in printed.context["rows"]] == rows
    as_csv = client.get(url, asked | {"format": "csv"})
    text = b"".join(as_csv.streaming_content).decode("utf-8-sig")
    table = list(csv.reader(io.StringIO(text)))
    totals = 1 if shown.context["totals"] else 0
    assert len(table) == 1 + len(rows) + totals
    sheet = load_workbook(io.BytesIO(b"".join(client.get(url, asked | {"format": "xlsx"}).streaming_content)))
    read = [
        ["" if value is None else str(getattr(value, "date", lambda v=value: v)()) for value in row]
        for row in sheet.active.iter_rows(values_only=True)
    ]
    assert [row[0] for row in read] == [row[0] for row in table]
    for bad in (
        {"since": "x"},
        {"on": "2026-02-31"},
        {"account": "nope"},
        {"product": "nope"},
        {"sort": "99"},
    ):
        assert client.get(url, asked | bad).status_code == 200
    for role in ("collector", "credit_officer"):
        assert desk(role).get(url).status_code == 403


def test_a_period_that_ends_before_it_begins_is_said_to(books: Any) -> None:
    url = reverse("admin:lending_account_day_book")
    answer = desk("accountant").get(url, {"since": "2026-03-05", "until": "2026-03-01"})
    assert "ends before it begins" in words(answer)


def test_reports_sort_page_and_lead_to_what_is_behind(make_loan: Callable[..., Loan], at: datetime) -> None:
    loan = make_loan("1200", 3)
    for number in range(60):
        loans.repay(loan_id=loan.pk, amount=D(1), key=f"r{number}", by=None, at=at, on=MONDAY)
    client, url = desk("accountant"), reverse("admin:lending_account_day_book")
    first = client.get(url)
    assert "Page 1 of 2, 122 rows" in words(first)
    second = client.get(url, {"page": 2})
    assert len(second.context["rows"]) == 22
    largest = client.get(url, {"sort": "-7"}).context["rows"][0][0]
    assert largest[7]["text"] == "1,200.00"
    page_ = largest[6]["text"] + largest[2]["text"] + largest[5]["text"]
    assert "account=1303" in page_ and "/journalentry/" in page_ and f"/loan/{loan.pk}/" in page_
    trial = client.get(reverse("admin:lending_account_trial_balance"), {"sort": "3"})
    debits = [row[3]["text"] for row, _sum in trial.context["rows"]]
    assert debits == sorted(debits, key=lambda text: D(text.replace(",", "")))


def test_a_file_never_holds_a_formula() -> None:
    text = "".join(sheets.csv_lines(["=1+1"], [["+cmd", "@x", D("-5"), date(2026, 3, 2), None]]))
    assert text == "\ufeff'=1+1\r\n'+cmd,'@x,-5,2026-03-02,\r\n"
    file = io.BytesIO()
    sheets.write_xlsx(file, "x", ["a"], [["=1+1"], [D("1.10")]])
    values = [row[0] for row in load_workbook(file).active.iter_rows(values_only=True)]
    assert values == ["a", "'=1+1", 1.1]


def test_a_long_table_goes_on_on_another_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "SHEET_ROWS", 3)
    file = io.BytesIO()
    sheets.write_xlsx(file, "rows", ["n"], [[n] for n in range(5)])
    book = load_workbook(file)
    assert [sheet.max_row for sheet in book] == [3, 3, 2]
    assert [sheet["A1"].value for sheet in book] == ["n"] * 3


def test_the_months_of_the_books_are_listed(life: date) -> None:
    assert [str(row) for row in AccountingPeriod.objects.order_by("month")] == ["2026-03", "2026-04"]
    assert moment(life)
