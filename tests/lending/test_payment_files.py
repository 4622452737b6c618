"""A file of payments: read, looked at, posted once and in batches, whatever is in it and whatever dies."""

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from django.db import connection

from lending import tables
from lending.errors import Refused
from lending.models import Loan, PaymentFile, PaymentRow, Transaction, UnappliedMoney
from lending.selectors.ledger import tie_out
from lending.services import bulk_payments, loans, payment_rows
from lending.services.bulk_payments import Options

from .conftest import MONDAY

D = Decimal
Make = Callable[..., Any]
HEAD = "date,amount,currency,loan,customer,payment number,payer,note\n"


@pytest.fixture
def take(at: datetime) -> Make:
    def make(text: str | bytes, name: str = "payments.csv", **options: Any) -> PaymentFile:
        content = text if isinstance(text, bytes) else (HEAD + text).encode()
        return bulk_payments.upload(
            name=name, content=content, options=Options(**options), by=None, at=at, on=MONDAY
        )

    return make


@pytest.fixture
def post(at: datetime) -> Make:
    def run(file: PaymentFile, **options: Any) -> PaymentFile:
        bulk_payments.confirm(file_id=file.pk, by=None, at=at)
        bulk_payments.run(file.pk, at=at, on=MONDAY, **options)
        file.refresh_from_db()
        return file

    return run


def outcome(file: PaymentFile) -> list[tuple[int, str, str]]:
    return [(row.number, row.state, row.code) for row in file.rows.order_by("number")]


def paid(loan: Loan) -> list[Decimal]:
    return list(loan.transactions.filter(type="REPAYMENT").values_list("amount", flat=True))


def test_rows_are_posted_on_loans_and_for_customers(make_loan: Make, take: Make, post: Make) -> None:
    one, two = make_loan("1200", 3, ref="a"), make_loan("600", 3, ref="b")
    file = take(
        f"2026-03-02,100.00,CNY,{one},,n1,李雷,\n2026-03-02,50.5,,,{two.customer.platform_ref},n2,,\n"
    )
    assert outcome(file) == [(2, "READY", ""), (3, "READY", "")]
    assert not Transaction.objects.filter(type="REPAYMENT").exists(), "a preview posts nothing"
    post(file)
    assert (file.state, outcome(file)) == ("DONE", [(2, "POSTED", ""), (3, "POSTED", "")])
    assert (paid(one), paid(two)) == ([D("100.00")], [D("50.50")])
    assert {row.difference for row in tie_out()} == {D(0)}


BAD = [
    ("0", "", "not_positive"),
    ("-5", "", "not_positive"),
    ("1.005", "", "decimals"),
    ("", "", "no_amount"),
    ("1e3", "", "no_amount"),
    ("NaN", "", "no_amount"),
    ("9999999999999", "", "too_large"),
    ("5", "USD", "currency"),
]


@pytest.mark.parametrize(("amount", "currency", "code"), BAD)
def test_bad_amounts_are_named_and_the_others_go_on(
    make_loan: Make, take: Make, post: Make, amount: str, currency: str, code: str
) -> None:
    loan = make_loan()
    file = take(f"2026-03-02,{amount},{currency},{loan},,n1,,\n2026-03-02,7,,{loan},,n2,,\n")
    assert outcome(file) == [(2, "PROBLEM", code), (3, "READY", "")]
    assert payment_rows.words(file.rows.get(number=2))
    post(file)
    assert paid(loan) == [D("7.00")]


def test_bad_dates_and_targets_are_named(make_loan: Make, take: Make) -> None:
    loan = make_loan()
    ref = loan.customer.platform_ref
    file = take(
        f"2026-03-03,5,,{loan},,n1,,\nsoon,5,,{loan},,n2,,\n2026-03-01,5,,{loan},,n3,,\n"
        f"2026-03-02,5,,L99999999,,n4,,\n2026-03-02,5,,,nobody,n5,,\n2026-03-02,5,,,,n6,,\n"
        f"2026-03-02,5,,{loan},nobody,n7,,\n2026-03-02,5,,=1+1,,n8,,\n2026-03-02,5,,,{ref},n9,,\n"
    )
    codes = [code for _number, _state, code in outcome(file)]
    assert codes == [
        *("future", "no_date", "before_disbursement", "unknown_loan", "unknown_customer", "no_target"),
        *("other_customer", "unknown_loan", ""),
    ]


def test_closed_loans_are_refused_in_words(make_loan: Make, take: Make, at: datetime) -> None:
    settled, lost, called_off = make_loan(ref="a"), make_loan(ref="b"), make_loan(ref="c")
    stamp = {"by": None, "at": at, "on": MONDAY}
    loans.settle(loan_id=settled.pk, key="s", **stamp)
    loans.write_off(loan_id=lost.pk, key="w", note="lost", **stamp)
    Loan.objects.filter(pk=called_off.pk).update(state="CANCELLED")
    file = take(
        f"2026-03-02,5,,{settled},,1,,\n2026-03-02,5,,{lost},,2,,\n2026-03-02,5,,{called_off},,3,,\n"
        f"2026-03-02,5,,,{settled.customer.platform_ref},4,,\n"
    )
    words = [payment_rows.words(row) for row in file.rows.order_by("number")]
    assert words == [
        "The loan is closed: Settled.",
        "The loan is closed: Written off.",
        "The loan is closed: Cancelled.",
        "The customer owes nothing at present.",
    ]


def test_what_cannot_be_placed_is_held_when_the_file_says_so(
    make_loan: Make, make_customer: Make, take: Make, post: Make, at: datetime
) -> None:
    loan, idle = make_loan("300", 3), make_customer("闲人")
    file = take(
        f"2026-03-02,5,,L77777777,,n1,赵六,who knows\n2026-03-02,6,,,{idle.platform_ref},n2,,\n"
        f"2026-03-02,1000,,{loan},,n3,,\n2026-03-02,0,,,,n4,,\n",
        unplaced="HOLD",
        surplus="HOLD",
    )
    post(file)
    assert [state for _n, state, _c in outcome(file)] == ["HELD", "HELD", "POSTED", "PROBLEM"]
    held = {(row.reason, row.amount, row.customer_id) for row in UnappliedMoney.objects.all()}
    owed = sum(paid(loan))
    assert held == {
        ("UNKNOWN_PAYER", D("5.00"), None),
        ("NOTHING_OWED", D("6.00"), idle.pk),
        ("SURPLUS", D("1000.00") - owed, loan.customer_id),
    }
    loan.refresh_from_db()
    assert (loan.credit, loan.state) == (0, "SETTLED")


def test_surplus_is_a_credit_balance_unless_told_otherwise(make_loan: Make, take: Make, post: Make) -> None:
    loan = make_loan("300", 3)
    post(take(f"2026-03-02,1000,,{loan},,n1,,\n"))
    loan.refresh_from_db()
    assert (loan.state, loan.credit > 0, UnappliedMoney.objects.count()) == ("SETTLED", True, 0)


def test_twice_in_a_file_is_seen(make_loan: Make, take: Make) -> None:
    loan = make_loan()
    file = take(
        f"2026-03-02,5,,{loan},,n1,,\n2026-03-02,6,,{loan},,n1,,\n" + f"2026-03-02,9,,{loan},,,,\n" * 2
    )
    assert [(state, code) for _n, state, code in outcome(file)] == [
        ("READY", ""),
        ("DUPLICATE", "same_number"),
        ("READY", ""),
        ("DUPLICATE", "same_line"),
    ]


def test_a_payment_number_posts_once_over_all_files(make_loan: Make, take: Make, post: Make) -> None:
    loan = make_loan()
    late = take(f"2026-03-02,5,,{loan},,n1,,\n2026-03-02,1,,{loan},,n2,,\n", name="late.csv")
    post(take(f"2026-03-02,5,,{loan},,n1,,x\n"))
    read_again = take(f"2026-03-02,5,,{loan},,n1,,y\n2026-03-02,8,,{loan},,n1x,,\n")
    assert outcome(read_again)[0][1:] == ("DUPLICATE", "paid_before")
    other_body = take(f"2026-03-02,6,,{loan},,n1,,\n")
    assert outcome(other_body)[0][1:] == ("PROBLEM", "key_reused")
    post(late)
    assert [state for _n, state, _c in outcome(late)] == ["DUPLICATE", "POSTED"]
    assert sorted(paid(loan)) == [D("1.00"), D("5.00")]


def test_the_same_file_again_is_refused_unless_somebody_insists(
    make_loan: Make, take: Make, post: Make
) -> None:
    loan = make_loan()
    text = f"2026-03-02,5,,{loan},,,,\n"
    first = take(text)
    with pytest.raises(Refused) as refused:
        take(text)
    assert (refused.value.code, str(first) in str(refused.value)) == ("same_file", True)
    again = take(text, again=True)
    assert (again.repeat, again.rows.get().state) == (1, "READY")
    post(first), post(again)
    assert paid(loan) == [D("5.00"), D("5.00")]


def test_a_discarded_file_may_come_again(make_loan: Make, take: Make, at: datetime) -> None:
    text = f"2026-03-02,5,,{make_loan()},,,,\n"
    bulk_payments.discard(file_id=take(text).pk, by=None, at=at)
    assert take(text).repeat == 0


def test_one_bad_row_among_many_stops_nothing(make_loan: Make, take: Make, post: Make, at: datetime) -> None:
    good, bad = make_loan("9000", 3, ref="a"), make_loan("900", 3, ref="b")
    rows = [f"2026-03-02,{n}.01,,{bad if n in (5, 6) else good},,n{n},,\n" for n in range(1, 41)]
    file = take("".join(rows))
    # Between the preview and the posting the loan is settled.
    loans.settle(loan_id=bad.pk, key="s", by=None, at=at, on=MONDAY)
    post(file, size=16)
    states = [state for _n, state, _c in outcome(file)]
    assert (states.count("POSTED"), states.count("FAILED"), file.state) == (38, 2, "DONE")
    assert "closed" in payment_rows.words(file.rows.filter(state="FAILED").first())
    assert len(paid(good)) == 38
    assert Transaction.objects.filter(type="REPAYMENT").exclude(entry=None).count() == 38, "an entry each"


def test_it_goes_on_where_it_stood(make_loan: Make, take: Make, at: datetime) -> None:
    loan = make_loan("9000", 3)
    file = take("".join(f"2026-03-02,{n},,{loan},,n{n},,\n" for n in range(1, 31)))
    bulk_payments.confirm(file_id=file.pk, by=None, at=at)
    bulk_payments.post_batch(file_id=file.pk, at=at, on=MONDAY, size=10)
    assert bulk_payments.progress(file.pk).rows == {"POSTED": 10, "READY": 20}
    assert not bulk_payments.finish(file_id=file.pk, at=at)
    assert bulk_payments.waiting() == [file.pk]
    bulk_payments.run(file.pk, at=at, on=MONDAY, size=7)
    assert bulk_payments.progress(file.pk).rows == {"POSTED": 30}
    assert bulk_payments.run(file.pk, at=at, on=MONDAY) == 0
    assert len(paid(loan)) == 30


def test_nothing_ready_cannot_be_confirmed(take: Make, at: datetime, books: object) -> None:
    file = take("2026-03-02,5,,L99999999,,,,\n")
    with pytest.raises(Refused) as refused:
        bulk_payments.confirm(file_id=file.pk, by=None, at=at)
    assert refused.value.code == "nothing_ready"


def test_columns_are_known_by_their_words_in_both_languages(make_loan: Make, take: Make) -> None:
    loan = make_loan()
    text = f'交易日期,还款金额,借据号,流水号\n2026年3月2日,"1,234.50",{loan},a1\n'
    for encoding, name in (("gb18030", "a"), ("utf-8-sig", "b")):
        file = take(text.encode(encoding), name=name)
        row = file.rows.get()
        assert (row.amount, row.loan, row.key, row.state) == (D("1234.50"), loan, "in:a1", "READY")


def test_columns_can_be_named_by_hand(make_loan: Make, take: Make, at: datetime) -> None:
    loan = make_loan()
    file = take(f"x;y;z\n5;{loan};2026-03-02\n".encode())
    assert (bulk_payments.missing(file), file.rows.get().code) == (
        [("amount",), ("loan", "customer")],
        "no_amount",
    )
    bulk_payments.remap(
        file_id=file.pk, mapping={"amount": 0, "loan": 1, "date": 2, "payer": 99}, by=None, at=at, on=MONDAY
    )
    file.refresh_from_db()
    row = file.rows.get()
    assert (bulk_payments.missing(file), row.state, row.amount, row.loan) == ([], "READY", D("5.00"), loan)


def test_a_workbook_is_read_to_the_cent(make_loan: Make, take: Make) -> None:
    loan, book = make_loan(), openpyxl.Workbook()
    book.active.append(["Date", "Amount", "Loan"])
    book.active.append([datetime(2026, 3, 2), 0.1 + 0.2, str(loan)])
    book.active.append([datetime(2026, 3, 2), 10.005, loan.pk])
    content = io.BytesIO()
    book.save(content)
    rows = list(take(content.getvalue(), name="p.xlsx").rows.order_by("number"))
    assert [(row.amount, row.value_on, row.code) for row in rows] == [
        (D("0.30"), MONDAY, ""),
        (None, None, "decimals"),
    ]


@pytest.mark.parametrize(
    "content",
    [b"", b"date,amount,loan\n", b"\x89PNG\x00\x01", b"PK\x03\x04 no workbook", b"\xff\xfe\x00\xd8\x81"],
)
def test_what_is_no_table_is_refused_in_words(take: Make, books: object, content: bytes) -> None:
    with pytest.raises(Refused) as refused:
        take(content)
    assert refused.value.field == "file"
    assert not PaymentFile.objects.exists()


def test_cells_that_a_spreadsheet_would_run_are_made_harmless() -> None:
    content = tables.write(["a", "b"], [["=HYPERLINK(1)", "-5.00"]]).decode("utf-8-sig")
    assert next(csv.reader(io.StringIO(content.splitlines()[1]))) == ["'=HYPERLINK(1)", "-5.00"]


def test_a_big_batch_needs_few_statements(
    make_loan: Make, take: Make, at: datetime, django_assert_max_num_queries: Make
) -> None:
    loan = make_loan("9000", 3)
    file = take("".join(f"2026-03-02,1,,{loan},,n{n},,\n" for n in range(100)))
    bulk_payments.confirm(file_id=file.pk, by=None, at=at)
    with django_assert_max_num_queries(45):
        bulk_payments.post_batch(file_id=file.pk, at=at, on=MONDAY)
    assert connection.queries_log is not None
    assert PaymentRow.objects.filter(state="POSTED").count() == 100


def test_a_day_later_than_the_loan_only(make_loan: Make, take: Make, post: Make) -> None:
    loan = make_loan()
    file = take(f"{MONDAY - timedelta(days=1)},5,,,{loan.customer.platform_ref},n1,,\n")
    assert outcome(post(file)) == [(2, "FAILED", "before_disbursement")]
