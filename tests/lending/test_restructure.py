"""Every verb of a loan through its service: shown before it is done, done, taken back, and refused in words."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lending.errors import Refused
from lending.models import (
    ApprovalRequest,
    Event,
    JournalEntry,
    JournalLine,
    Loan,
    Notice,
    ReliefRequest,
    RuleParameter,
    Statement,
    Transaction,
    User,
)
from lending.services import accrual, adjust, approvals, desk, ledger, loans, preview, restructure, statements

from .conftest import MONDAY, moment
from .ledger_support import roles_of
from .test_money import books_agree

D = Decimal
Make = Callable[..., Loan]
RunTo = Callable[[date], datetime]
LATE = date(2026, 4, 20)


def entry_of(posted: Transaction) -> dict[str, Decimal]:
    return roles_of(JournalEntry.objects.get(transaction=posted))


def relief(loan: Loan, kind: str, at: datetime, on: date, key: str = "relief", **details: Any) -> Transaction:
    loan_id = loan.pk
    posted = restructure.restructure(
        loan_id=loan_id, kind=kind, details=details, key=key, note="Illness", by=None, at=at, on=on
    )
    loan.refresh_from_db()
    return posted


@pytest.fixture
def run_to(books: date) -> RunTo:
    """Bring the loans to a day: of the close only what moves them, so that months take no time."""
    stands = [books]

    def run(day: date) -> datetime:
        while stands[0] < day:
            accrual.open_day(on=stands[0], at=moment(stands[0], 23))
            stands[0] += timedelta(days=1)
        return moment(day)

    return run


# --- previews ----------------------------------------------------------------------------------------------------


def test_a_preview_shows_what_is_done_then_and_writes_nothing(make_loan: Make, run_to: RunTo) -> None:
    loan = make_loan("1200", 6)
    at = run_to(LATE)
    counts = [model.objects.count() for model in (Transaction, JournalEntry, JournalLine, Event, Notice)]
    act = lambda: relief(loan, "RESCHEDULE", at, LATE, instalments=12)  # noqa: E731
    shown = preview.try_out(loan.pk, act)
    assert counts == [
        model.objects.count() for model in (Transaction, JournalEntry, JournalLine, Event, Notice)
    ]
    loan.refresh_from_db()
    assert (loan.watch_until, loan.oldest_due_on) == (None, date(2026, 3, 11))
    act()
    done = [(row.due_on, row.total, row.outstanding) for row in loan.instalments.order_by("due_on", "number")]
    assert [(p.after.due_on, p.after.total, p.after.outstanding) for p in shown.pairs if p.after] == done
    booked = JournalLine.objects.filter(entry__transaction__key="relief")
    assert {account.pk: amount for account, amount in shown.lines} == dict(
        booked.values_list("account_id", "amount")
    )
    assert any(pair.changed and pair.before is None for pair in shown.pairs)
    assert shown.after.principal == loan.principal


def test_a_preview_of_what_is_refused_is_refused_in_the_same_words(make_loan: Make, at: datetime) -> None:
    loan = make_loan()
    with pytest.raises(Refused, match="above the credit balance"):
        preview.try_out(
            loan.pk,
            lambda: adjust.refund_credit(
                loan_id=loan.pk, amount=D("1"), key="k", note="x", by=None, at=at, on=MONDAY
            ),
        )
    assert not Transaction.objects.filter(key="k").exists()


# --- prepay, charge back, refund, call in ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["SHORTEN", "LOWER"])
def test_a_part_prepaid_keeps_books_and_loan_together(kind: str, make_loan: Make, run_to: RunTo) -> None:
    loan = make_loan("1200", 6)
    day = date(2026, 4, 1)
    at = run_to(day)
    before = loan.matures_on
    posted = adjust.prepay(loan_id=loan.pk, amount=D("700"), kind=kind, key="p", by=None, at=at, on=day)
    loan.refresh_from_db()
    assert entry_of(posted)[ledger.BANK] == D("700.00")
    assert posted.principal + posted.interest + posted.fee + posted.penalty == D("700.00")
    assert (loan.matures_on < before) == (kind == "SHORTEN")
    assert loan.line.used == loan.principal
    books_agree(day)
    later = date(2026, 4, 12)
    run_to(later)
    books_agree(later)


def test_a_bill_stays_with_its_due_date_when_the_numbers_move(make_loan: Make, run_to: RunTo) -> None:
    loan = make_loan("1200", 6)
    day = date(2026, 4, 3)  # the bill of 2 April is due on the 11th
    at = run_to(day)
    loans.repay(
        loan_id=loan.pk, amount=D("220"), key="first", by=None, at=at, on=day, value_on=date(2026, 3, 11)
    )
    statements.issue(on=date(2026, 4, 2), at=at)
    bill = Statement.objects.get(due_on=date(2026, 4, 11))
    assert [row.due_on for row in bill.instalments.all()] == [date(2026, 4, 11)]
    adjust.prepay(loan_id=loan.pk, amount=D("500"), kind="LOWER", key="p", by=None, at=at, on=day)
    assert [row.due_on for row in bill.instalments.all()] == [date(2026, 4, 11)]


def test_a_chargeback_owes_again_and_can_be_taken_back(make_loan: Make, run_to: RunTo) -> None:
    loan = make_loan("1200", 3)
    day = date(2026, 3, 11)
    at = run_to(day)
    paid = loans.repay(loan_id=loan.pk, amount=D("406"), key="r", by=None, at=at, on=day)
    later = date(2026, 3, 20)
    at = run_to(later)
    back = adjust.charge_back(transaction_id=paid.pk, key="back", note="No funds", by=None, at=at, on=later)
    loan.refresh_from_db()
    assert entry_of(back) == {
        ledger.BANK: D("-406.00"),
        ledger.PRINCIPAL: D("400.00"),
        ledger.FEE_RECEIVABLE: D("6.00"),
    }
    assert (loan.oldest_due_on, loan.principal, loan.penalty) == (later, D("1200.00"), D("0.00"))
    books_agree(later)
    with pytest.raises(Refused, match="reverse the chargeback first"):
        loans.reverse(transaction_id=paid.pk, key="x", note="x", by=None, at=at, on=later)
    with pytest.raises(Refused, match="Nothing of this transaction"):
        adjust.charge_back(transaction_id=paid.pk, key="again", note="x", by=None, at=at, on=later)
    loans.reverse(transaction_id=back.pk, key="undo", note="The bank erred", by=None, at=at, on=later)
    loan.refresh_from_db()
    assert (loan.oldest_due_on, loan.principal) == (date(2026, 4, 11), D("800.00"))
    books_agree(later)


def test_a_chargeback_reopens_a_settled_loan(make_loan: Make, at: datetime) -> None:
    loan = make_loan("1200", 3)
    paid = loans.repay(loan_id=loan.pk, amount=D("1300"), key="r", by=None, at=at, on=MONDAY)
    adjust.charge_back(transaction_id=paid.pk, amount=D("100"), key="b", note="x", by=None, at=at, on=MONDAY)
    loan.refresh_from_db()
    assert (loan.state, loan.credit) == ("ACTIVE", D("0.00"))
    assert sum(row.outstanding for row in loan.instalments.all()) == D("18.00")
    books_agree(MONDAY)


def test_money_back_of_all_kinds(make_loan: Make, at: datetime) -> None:
    loan = make_loan("1200", 3)
    one = {"loan_id": loan.pk, "by": None, "at": at, "on": MONDAY}
    gift = adjust.refund(kind="GOODWILL", amount=D("10"), key="g", note="Sorry", **one)
    payout = adjust.refund(kind="PAYOUT_REFUND", amount=D("1300"), key="p", note="Came back", **one)
    assert entry_of(gift)[ledger.GOODWILL] == D("10.00")
    assert entry_of(payout)[ledger.MERCHANTS] == D("1300.00")
    loan.refresh_from_db()
    credit = loan.credit
    assert credit > 0
    out = adjust.refund_credit(amount=credit, key="c", note="By transfer", **one)
    assert entry_of(out) == {ledger.CREDIT_BALANCES: credit, ledger.BANK: -credit}
    books_agree(MONDAY)
    with pytest.raises(Refused, match="above the credit balance"):
        adjust.refund_credit(amount=D("0.01"), key="c2", note="x", **one)
    with pytest.raises(Refused, match="Refund the purchase"):
        adjust.refund(kind="MERCHANT_REFUND", amount=D("1"), key="m", note="x", **one)


def test_a_loan_is_called_in_and_let_go_again(make_loan: Make, run_to: RunTo) -> None:
    loan = make_loan("1200", 3)
    at = run_to(LATE)
    posted = adjust.accelerate(loan_id=loan.pk, key="a", note="Broke its terms", by=None, at=at, on=LATE)
    loan.refresh_from_db()
    assert (loan.state, loan.instalments.filter(due_on__gt=LATE).count()) == ("ACCELERATED", 0)
    books_agree(LATE)
    later = LATE + timedelta(days=5)
    at = run_to(later)
    books_agree(later)
    loans.reverse(transaction_id=posted.pk, key="r", note="Agreed", by=None, at=at, on=later)
    loan.refresh_from_db()
    assert (loan.state, loan.matures_on) == ("ACTIVE", date(2026, 5, 11))
    books_agree(later)


def test_a_write_off_and_a_recovery_can_be_taken_back(make_loan: Make, run_to: RunTo) -> None:
    loan = make_loan("1200", 3)
    at = run_to(LATE)
    day = {"by": None, "at": at, "on": LATE}
    off = loans.write_off(loan_id=loan.pk, key="w", note="Gone", **day)
    got = loans.recover(loan_id=loan.pk, amount=D("50"), key="got", **day)
    undo = loans.reverse(transaction_id=got.pk, key="u1", note="Not ours", **day)
    assert entry_of(undo) == {ledger.BANK: D("-50.00"), ledger.RECOVERIES: D("50.00")}
    loans.reverse(transaction_id=off.pk, key="u2", note="Found", **day)
    loan.refresh_from_db()
    assert (loan.state, loan.principal) == ("ACTIVE", D("1200.00"))
    books_agree(LATE)


# --- restructuring -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("RESCHEDULE", {"instalments": 12}),
        ("RESCHEDULE", {"first_due_on": "2026-05-12", "overdue": {"fee": "CAPITALISE", "penalty": "WAIVE"}}),
        ("HARDSHIP", {"instalments": 9, "skip": 2, "overdue": {"fee": "WAIVE", "penalty": "WAIVE"}}),
        ("HOLIDAY", {"instalments": 2}),
        ("REAMORTISE", {}),
        ("REAGE", {"instalments": 3}),
    ],
)
def test_relief_is_given_because_the_loan_is_overdue(
    kind: str, details: dict[str, Any], make_loan: Make, run_to: RunTo
) -> None:
    loan = make_loan("1200", 6)
    at = run_to(LATE)
    loan.refresh_from_db()
    assert loan.days_past_due(LATE) > 30
    posted = relief(loan, kind, at, LATE, **details)
    assert loan.watch_until == date(2027, 4, 20)
    assert loan.days_past_due(LATE) == (40 if kind == "HOLIDAY" else 0)
    assert Notice.objects.filter(key__startswith="loan-restructured:relief").exists()
    assert (posted.note, posted.details) == ("Illness", details)
    books_agree(LATE)
    later = date(2026, 5, 13)
    at = run_to(later)
    books_agree(later)
    loans.reverse(transaction_id=posted.pk, key="undo", note="Wrong", by=None, at=at, on=later)
    loan.refresh_from_db()
    assert (loan.watch_until, loan.oldest_due_on) == (None, date(2026, 3, 11))
    books_agree(later)


def test_a_payment_dated_before_a_restructuring_is_counted_before_it(make_loan: Make, run_to: RunTo) -> None:
    loan = make_loan("1200", 6)
    at = run_to(LATE)
    relief(loan, "RESCHEDULE", at, LATE, instalments=6)
    later = date(2026, 4, 22)
    at = run_to(later)
    loans.repay(
        loan_id=loan.pk, amount=D("1500"), key="old", by=None, at=at, on=later, value_on=date(2026, 3, 11)
    )
    loan.refresh_from_db()
    assert (loan.state, loan.principal) == ("SETTLED", D("0.00"))
    books_agree(later)


def test_how_often_is_the_products_word(make_loan: Make, run_to: RunTo) -> None:
    loan = make_loan("1200", 6)
    at = run_to(LATE)
    relief(loan, "RESCHEDULE", at, LATE, "one", instalments=8)
    second = relief(loan, "RESCHEDULE", at, LATE, "two", instalments=9)
    with pytest.raises(Refused, match="allows 2 restructurings in 24 months, and there were 2"):
        relief(loan, "RESCHEDULE", at, LATE, "three", instalments=10)
    loans.reverse(transaction_id=second.pk, key="undo", note="x", by=None, at=at, on=LATE)
    relief(loan, "RESCHEDULE", at, LATE, "three", instalments=10)


def test_what_changes_nothing_is_not_done(make_loan: Make, at: datetime) -> None:
    loan = make_loan("1200", 6)
    for kind in ("REAGE", "REAMORTISE"):
        with pytest.raises(Refused, match="would change nothing"):
            relief(loan, kind, at, MONDAY)
    loan.refresh_from_db()
    assert (loan.watch_until, loan.transactions.count()) == (None, 1)


def test_two_people_stand_behind_a_restructuring(
    make_loan: Make, staff: Callable[[str], User], run_to: RunTo
) -> None:
    loan, maker, checker = make_loan("1200", 6), staff("maker"), staff("checker")
    at = run_to(LATE)
    asked = desk.ask_restructuring(
        loan_id=loan.pk,
        kind="HOLIDAY",
        details={"instalments": 2},
        key="k",
        reason="Flood",
        by=maker,
        at=at,
        on=LATE,
    )
    assert not loan.transactions.filter(type="HOLIDAY").exists()
    with pytest.raises(Refused, match="second person"):
        approvals.approve(request_id=asked.pk, by=maker, at=at, on=LATE)
    approvals.approve(request_id=asked.pk, by=checker, at=at, on=LATE)
    assert loan.transactions.get(type="HOLIDAY").by == checker
    call = desk.ask_acceleration(loan_id=loan.pk, key="a", reason="x", by=maker, at=at, on=LATE)
    approvals.approve(request_id=call.pk, by=checker, at=at, on=LATE)
    loan.refresh_from_db()
    assert loan.state == "ACCELERATED"


def test_a_small_waiver_may_need_no_second_person(
    make_loan: Make, staff: Callable[[str], User], run_to: RunTo
) -> None:
    loan, maker = make_loan("1200", 6), staff("maker")
    at = run_to(LATE)
    RuleParameter.objects.filter(code="WAIVE_ALONE_UP_TO").update(value=5)
    ask = {"loan_id": loan.pk, "kind": "PENALTY", "reason": "Illness", "by": maker, "at": at, "on": LATE}
    assert isinstance(desk.waive(amount=D("5"), key="small", **ask), Transaction)
    assert isinstance(desk.waive(amount=D("5.01"), key="large", **ask), ApprovalRequest)


# --- a customer asks -----------------------------------------------------------------------------------------------


def test_a_customer_asks_once_and_gets_an_answer(make_loan: Make, run_to: RunTo) -> None:
    loan = make_loan("1200", 6)
    at = run_to(LATE)
    ask = {"loan_id": loan.pk, "reason": "ILLNESS", "wish": "PAUSE", "words": "", "by": None, "at": at}
    first = restructure.ask_relief(**ask)
    with pytest.raises(Refused, match="asked already"):
        restructure.ask_relief(**ask)
    with pytest.raises(Refused, match="Say why"):
        restructure.decline_relief(request_id=first.pk, answer=" ", by=None, at=at)
    restructure.decline_relief(request_id=first.pk, answer="Too early", by=None, at=at)
    assert Notice.objects.filter(key__startswith=f"relief-declined:{first.pk}").exists()
    second = restructure.ask_relief(**ask)
    relief(loan, "HOLIDAY", at, LATE, instalments=1)
    second.refresh_from_db()
    assert (second.state, second.answer) == (ReliefRequest.State.GRANTED, "Illness")
    with pytest.raises(Refused, match="answered already"):
        restructure.withdraw_relief(request_id=second.pk, by=None, at=at)


# --- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["0", "-1", "1.001", "NaN", "Infinity", "1000000000000.01"])
def test_no_such_amounts(amount: str, make_loan: Make, at: datetime) -> None:
    loan = make_loan()
    one = {"loan_id": loan.pk, "amount": D(amount), "key": "k", "by": None, "at": at, "on": MONDAY}
    for call in (
        lambda: adjust.prepay(kind="LOWER", **one),
        lambda: adjust.disburse(**one),
        lambda: adjust.refund_credit(note="x", **one),
        lambda: adjust.refund(kind="GOODWILL", note="x", **one),
    ):
        with pytest.raises(Refused) as caught:
            call()
        assert caught.value.field == "amount"
    assert loan.transactions.count() == 1


def test_no_such_days_states_keys_or_kinds(make_loan: Make, run_to: RunTo) -> None:
    loan = make_loan("1200", 3)
    day = date(2026, 3, 20)
    at = run_to(day)
    one: dict[str, Any] = {"loan_id": loan.pk, "amount": D("10"), "by": None, "at": at, "on": day}

    def refused(code: str, call: Callable[[], Any]) -> None:
        before = Transaction.objects.count()
        with pytest.raises(Refused) as caught:
            call()
        assert (caught.value.code, Transaction.objects.count()) == (code, before)

    refused(
        "before_disbursement", lambda: adjust.prepay(kind="LOWER", key="a", value_on=date(2026, 3, 1), **one)
    )
    refused("future", lambda: adjust.prepay(kind="LOWER", key="a", value_on=date(2026, 3, 21), **one))
    refused("kind", lambda: adjust.prepay(kind="FASTER", key="a", **one))
    refused("kind", lambda: adjust.refund(kind="REPAYMENT", key="a", note="x", **one))
    refused("note", lambda: adjust.refund(kind="GOODWILL", key="a", note=" ", **one))
    refused("above_agreed", lambda: adjust.disburse(key="a", **one))
    adjust.prepay(kind="LOWER", key="a", **one)
    refused("key_reused", lambda: adjust.prepay(kind="SHORTEN", key="a", **one))
    refused("key_reused", lambda: adjust.prepay(kind="LOWER", key="a", **one | {"amount": D("11")}))
    bad = {"loan_id": loan.pk, "note": "x", "by": None, "at": at, "on": day}
    for details in (
        {"annual_rate": "-1"},
        {"instalments": 0},
        {"instalments": 5000},
        {"first_due_on": "2026-03-20"},
        {"overdue": {"penalty": "CAPITALISE"}},
        {"method": "MAGIC"},
        {"unknown": 1},
    ):
        refused(
            "impossible",
            lambda d=details: restructure.restructure(kind="RESCHEDULE", details=d, key="b", **bad),
        )
    refused("kind", lambda: restructure.restructure(kind="REPAYMENT", details={}, key="b", **bad))
    loans.settle(loan_id=loan.pk, key="s", by=None, at=at, on=day)
    refused("loan_closed", lambda: adjust.prepay(kind="LOWER", key="c", **one))
    refused(
        "loan_closed", lambda: adjust.accelerate(loan_id=loan.pk, key="c", note="x", by=None, at=at, on=day)
    )
    refused("loan_closed", lambda: restructure.restructure(kind="RESCHEDULE", details={}, key="c", **bad))


def test_the_same_restructuring_twice_is_done_once(make_loan: Make, run_to: RunTo) -> None:
    loan = make_loan("1200", 6)
    at = run_to(LATE)
    first = relief(loan, "RESCHEDULE", at, LATE, instalments=8)
    assert relief(loan, "RESCHEDULE", at, LATE, instalments=8) == first
    with pytest.raises(Refused, match="another transaction"):
        relief(loan, "RESCHEDULE", at, LATE, instalments=9)


def test_the_bill_of_a_restructured_loan_asks_for_what_is_due_now(make_loan: Make, run_to: RunTo) -> None:
    loan = make_loan("1200", 6)
    at = run_to(LATE)
    relief(loan, "RESCHEDULE", at, LATE, first_due_on="2026-05-11", instalments=12)
    at = run_to(date(2026, 5, 2))
    statements.issue(on=date(2026, 5, 2), at=at)
    bill = Statement.objects.get(due_on=date(2026, 5, 11))
    assert [row.due_on for row in bill.instalments.all()] == [date(2026, 5, 11)]
