"""Lines of bank statements: sure ones post themselves, the rest waits with reasons, and none posts twice."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django_fsm import TransitionNotAllowed

from lending.errors import Refused
from lending.models import BankLine, BankStatement, Customer, Loan, Transaction, UnappliedMoney
from lending.selectors import payin
from lending.services import bank, loans
from tests.lending.admin_support import button, desk, page, words

from .conftest import MONDAY

D = Decimal
Make = Callable[..., Any]
HEAD = "date,amount,currency,payer,payer account,reference,bank reference\n"


@pytest.fixture
def take(at: datetime) -> Make:
    def make(text: str, head: str = HEAD, name: str = "s.csv") -> list[BankLine]:
        content = (head + text).encode()
        statement = bank.take_in(name=name, content=content, account="main", by=None, at=at)
        bank.match_lines(at=at, on=MONDAY)
        return list(statement.lines.order_by("number"))

    return make


def paid(loan: Loan) -> list[Decimal]:
    return list(loan.transactions.filter(type="REPAYMENT").values_list("amount", flat=True))


def best(line: BankLine) -> tuple[int, set[str]]:
    first = (line.suggestions or [{"score": 0, "reasons": []}])[0]
    return first["score"], set(first["reasons"])


def test_a_line_that_names_its_loan_posts_itself(make_loan: Make, take: Make) -> None:
    loan = make_loan("1200", 3)
    (line,) = take(f"2026-03-02,100.00,CNY,王五,,还款 {loan} 谢谢,r1\n")
    assert (line.state, line.score, line.customer_id, paid(loan)) == (
        "POSTED",
        90,
        loan.customer_id,
        [D(100)],
    )


def test_the_bill_and_the_customer_s_own_reference_are_known_too(make_loan: Make, take: Make) -> None:
    loan = make_loan("1200", 3)
    ref = loan.customer.platform_ref
    due, odd = take(f"2026-03-02,406,,,,{ref},r1\n2026-03-02,55,,,,{ref},r2\n")
    assert (due.state, odd.state, best(odd)) == ("POSTED", "OPEN", (80, {"CUSTOMER_REFERENCE"}))


def test_a_name_and_an_amount_are_a_suggestion_and_no_more(make_loan: Make, take: Make) -> None:
    loan = make_loan("1200", 3)
    (line,) = take("2026-03-02,406.00,CNY,李雷,6222020000001234,,r1\n")
    assert (line.state, best(line), paid(loan)) == ("OPEN", (70, {"SAME_NAME", "AMOUNT_NEXT"}), [])


def test_an_account_that_paid_before_and_the_right_amount_are_sure(
    make_loan: Make, take: Make, at: datetime
) -> None:
    loan = make_loan("1200", 3)
    (first,) = take("2026-03-02,400.00,CNY,他人,6222020000001234,,r1\n")
    bank.assign(line_id=first.pk, loan_id=loan.pk, by=None, at=at, on=MONDAY)
    (second,) = take("2026-03-02,6.00,CNY,他人,6222020000001234,,r2\n", name="t.csv")
    assert (second.state, second.score, paid(loan)) == ("POSTED", 90, [D("400.00"), D("6.00")])
    assert "6222020000001234" not in str(BankLine.objects.values_list("payer_account", flat=True).query)
    assert first.masked_account == "6222********1234"


def test_two_loans_in_one_text_are_left_to_a_person(make_loan: Make, take: Make) -> None:
    one, two = make_loan(ref="a"), make_loan(ref="b")
    (line,) = take(f"2026-03-02,100,,,,{one} {two},r1\n")
    assert (line.state, len(line.suggestions)) == ("OPEN", 2)


def test_more_than_is_owed_and_closed_loans_are_left_to_a_person(
    make_loan: Make, take: Make, at: datetime
) -> None:
    loan, closed = make_loan("300", 3, ref="a"), make_loan("300", 3, ref="b")
    loans.settle(loan_id=closed.pk, key="s", by=None, at=at, on=MONDAY)
    rich, late = take(f"2026-03-02,9000,,,,{loan},r1\n2026-03-02,10,,,,{closed},r2\n")
    assert (rich.state, best(rich)) == ("OPEN", (50, {"LOAN_NUMBER", "ABOVE_OWED"}))
    assert (late.state, best(late)) == ("OPEN", (20, {"LOAN_NUMBER", "NOTHING_OWED"}))
    with pytest.raises(Refused) as refused:
        bank.accept(line_id=late.pk, choice=0, by=None, at=at, on=MONDAY)
    assert refused.value.code == "loan_closed"
    late.refresh_from_db()
    assert late.state == "OPEN"


def test_a_line_before_the_loan_was_paid_out_waits_with_the_reason(make_loan: Make, take: Make) -> None:
    (line,) = take(f"2026-03-01,100,,,,{make_loan()},r1\n")
    assert (line.state, line.note) == ("OPEN", "The date is before the loan was paid out.")


def test_money_out_and_other_currencies_are_listed_and_never_posted(
    make_loan: Make, take: Make, at: datetime
) -> None:
    loan = make_loan()
    out, foreign = take(f"2026-03-02,-5,,,,{loan},r1\n2026-03-02,5,USD,,,{loan},r2\n")
    assert (out.state, foreign.state) == ("OUTGOING", "FOREIGN")
    with pytest.raises(Refused, match="USD"):
        bank.assign(line_id=foreign.pk, loan_id=loan.pk, by=None, at=at, on=MONDAY)
    with pytest.raises(TransitionNotAllowed):
        bank.assign(line_id=out.pk, loan_id=loan.pk, by=None, at=at, on=MONDAY)
    assert paid(loan) == []


def test_two_columns_for_in_and_out(make_loan: Make, take: Make) -> None:
    loan = make_loan()
    rows = take(f'2026-03-02,7.50,,{loan},a\n2026-03-02,,"1,000.00",,b\n', "交易日期,收入,支出,附言,流水号\n")
    assert [(row.amount, row.state) for row in rows] == [(D("7.50"), "POSTED"), (D("-1000.00"), "OUTGOING")]


def test_a_line_comes_in_once_by_its_bank_reference(make_loan: Make, take: Make) -> None:
    loan = make_loan()
    take(f"2026-03-02,5,,,,{loan},r1\n")
    again = take(f"2026-03-02,5,,,,{loan},r1\n2026-03-02,6,,,,{loan},r2\n", name="overlap.csv")
    assert [line.bank_reference for line in again] == ["r2"]
    assert BankStatement.objects.latest("pk").known == 1
    assert paid(loan) == [D("5.00"), D("6.00")]


def test_without_a_reference_of_the_bank_twins_are_told_apart_and_come_in_once(
    make_loan: Make, take: Make
) -> None:
    loan = make_loan()
    head, row = "date,amount,reference\n", f"2026-03-02,5,{loan}\n"
    assert len(take(row * 2, head)) == 2
    assert len(take(row * 3, head, name="longer.csv")) == 1
    assert paid(loan) == [D("5.00")] * 3


def test_the_same_file_again_is_refused(take: Make, books: object) -> None:
    take("2026-03-02,5,,,,x,r1\n")
    with pytest.raises(Refused) as refused:
        take("2026-03-02,5,,,,x,r1\n")
    assert refused.value.code == "same_file"


def test_lines_that_cannot_be_read_are_named(take: Make, books: object) -> None:
    take("soon,5,,,,,r1\n2026-03-02,x,,,,,r2\n2026-03-02,1.005,,,,,r3\n2026-03-02,0,,,,,r4\n")
    assert [(number, code) for number, code, _d in BankStatement.objects.get().problems] == [
        (2, "no_date"),
        (3, "no_amount"),
        (4, "decimals"),
    ]
    assert BankLine.objects.get().state == "OUTGOING"


def test_a_line_is_split_and_the_rest_is_held(make_loan: Make, take: Make, at: datetime) -> None:
    one, two = make_loan(ref="a"), make_loan(ref="b")
    (line,) = take("2026-03-02,100,,某人,,,r1\n")
    split = {"line_id": line.pk, "by": None, "at": at, "on": MONDAY}
    with pytest.raises(Refused) as refused:
        bank.split(shares=[(one.pk, D(60)), (two.pk, D(41))], **split)
    assert refused.value.code == "too_much"
    with pytest.raises(Refused):
        bank.split(shares=[(one.pk, D(0))], **split)
    bank.split(shares=[(one.pk, D(60)), (two.pk, D("15.50"))], **split)
    assert (paid(one), paid(two), UnappliedMoney.objects.get().left) == ([D(60)], [D("15.50")], D("24.50"))
    assert payin.suspense_difference() == 0
    with pytest.raises(TransitionNotAllowed):
        bank.split(shares=[(one.pk, D(1))], **split)


def test_a_line_is_held_ignored_and_put_back(make_customer: Make, take: Make, at: datetime) -> None:
    owner = make_customer("韩梅梅")
    held, silly = take("2026-03-02,100,,某人,,,r1\n2026-03-02,3,,利息,,,r2\n")
    bank.set_aside(line_id=held.pk, customer_id=owner.pk, by=None, at=at, on=MONDAY)
    assert UnappliedMoney.objects.get().customer == owner
    with pytest.raises(Refused):
        bank.ignore(line_id=silly.pk, reason=" ", by=None, at=at)
    bank.ignore(line_id=silly.pk, reason="interest of the bank", by=None, at=at)
    bank.reopen(line_id=silly.pk, by=None, at=at)
    silly.refresh_from_db()
    assert silly.state == "OPEN"


def test_a_recovery_comes_in_by_the_bank(make_loan: Make, take: Make, at: datetime) -> None:
    loan = make_loan()
    loans.write_off(loan_id=loan.pk, key="w", note="lost", by=None, at=at, on=MONDAY)
    (line,) = take(f"2026-03-02,30,,,,{loan},r1\n")
    assert line.state == "OPEN"
    bank.assign(line_id=line.pk, loan_id=loan.pk, by=None, at=at, on=MONDAY)
    assert Transaction.objects.latest("pk").type == "RECOVERY"


def test_many_lines_are_looked_at_in_few_statements(
    make_loan: Make, at: datetime, django_assert_max_num_queries: Make
) -> None:
    make_loan()
    text = "".join(f"2026-03-02,{n}.17,,李雷,,ref-{n},r{n}\n" for n in range(1, 61))
    bank.take_in(name="s", content=(HEAD + text).encode(), account="main", by=None, at=at)
    with django_assert_max_num_queries(10 + 4 * 60):
        assert bank.match_lines(at=at, on=MONDAY) == 60


# --- at the desk ------------------------------------------------------------------------------------------------


@pytest.fixture
def upload(books: date) -> Make:
    def send(text: str, head: str = HEAD) -> Any:
        file = SimpleUploadedFile("s.csv", (head + text).encode())
        return desk("accountant").post(
            "/admin/lending/bankstatement/take_in/", {"file": file, "account": "main"}, follow=True
        )

    return send


def test_one_click_accepts_a_suggestion(make_loan: Make, upload: Make, at: datetime) -> None:
    loan = make_loan("1200", 3)
    assert "To be matched" in words(upload("2026-03-02,406,,李雷,,,r1\n"))
    bank.match_lines(at=at, on=MONDAY)
    line = BankLine.objects.get()
    queue = desk("accountant").get("/admin/lending/bankline/queue/")
    assert "exactly what comes next · same name" in words(queue)
    form = {"choice": "0", "queue": "1"}
    done = desk("accountant").post(button(line, "accept"), form, follow=True)
    assert "Every line has found its place." in words(done)
    again = desk("accountant").post(button(line, "accept"), form, follow=True)
    assert "has moved on" in words(again)
    assert paid(loan) == [D("406.00")]


def test_the_buttons_say_what_is_wrong(make_loan: Make, upload: Make, at: datetime) -> None:
    loan = make_loan()
    upload("2026-03-02,100,,某人,,,r1\n")
    bank.match_lines(at=at, on=MONDAY)
    line, client = BankLine.objects.get(), desk("accountant")
    assert "There is no customer nobody." in words(client.post(button(line, "assign"), {"target": "nobody"}))
    half = {"loan_1": str(loan), "amount_1": "50", "loan_2": "7"}
    assert "Give a loan and its amount together." in words(client.post(button(line, "split"), half))
    bad = {"loan_1": str(loan), "amount_1": "-50"}
    assert "above zero" in words(client.post(button(line, "split"), bad))
    client.post(button(line, "split"), {"loan_1": str(loan), "amount_1": "50"})
    assert "Posted" in words(client.get(page(line)))
    assert Customer.objects.get().unapplied.get().left == D("50.00")


@pytest.mark.parametrize("head", ["a,b,c\n", "date,payer\n"])
def test_a_file_without_dates_or_amounts_is_refused_in_words(upload: Make, head: str) -> None:
    assert "The file needs a column with the date" in words(upload("1,2,3\n", head))


def test_a_collector_sees_no_bank(books: date) -> None:
    assert desk("collector").get("/admin/lending/bankline/queue/").status_code == 403
