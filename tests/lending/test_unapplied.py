"""Money that cannot be placed lies in suspense, is used or paid back once, and the books agree at every step."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lending.errors import Refused
from lending.models import (
    ApprovalRequest,
    BusinessDate,
    JournalEntry,
    Loan,
    Notice,
    Transaction,
    UnappliedMoney,
)
from lending.selectors.ledger import tie_out, trial_balance
from lending.services import approvals, close, ledger, loans, unapplied

from .conftest import MONDAY, moment
from .ledger_support import standing

D = Decimal
Make = Callable[..., Any]


@pytest.fixture
def hold(at: datetime) -> Make:
    def make(amount: str = "100", key: str = "k1", **values: Any) -> UnappliedMoney:
        defaults = {"received_on": MONDAY, "by": None, "at": at, "on": MONDAY}
        return unapplied.hold(amount=D(amount), key=key, **(defaults | values))

    return make


def books_agree() -> None:
    assert sum(account.balance for account in trial_balance()) == 0
    assert {row.difference for row in tie_out()} == {D(0)}
    held = sum(UnappliedMoney.objects.values_list("left", flat=True), D(0))
    assert standing(ledger.SUSPENSE) == -held


def test_money_of_nobody_is_held_and_owed(hold: Make) -> None:
    money = hold("88.80", reason="UNKNOWN_PAYER", payer="王五")
    assert (money.state, money.left, money.customer) == ("HELD", D("88.80"), None)
    lines = JournalEntry.objects.get(key=f"unapplied:{money.pk}").lines
    assert dict(lines.values_list("account_id", "amount")) == {"1002": D("88.80"), "2245": D("-88.80")}
    books_agree()


def test_the_same_key_holds_once_and_another_body_is_refused(hold: Make) -> None:
    assert hold("10").pk == hold("10").pk
    with pytest.raises(Refused) as refused:
        hold("11")
    assert refused.value.code == "key_reused"
    assert UnappliedMoney.objects.count() == 1
    books_agree()


@pytest.mark.parametrize("amount", ["0", "-5", "1.005"])
def test_bad_amounts_are_refused(hold: Make, amount: str) -> None:
    with pytest.raises(Refused):
        hold(amount)
    assert not JournalEntry.objects.exists()


def test_a_receipt_of_tomorrow_is_refused(hold: Make) -> None:
    with pytest.raises(Refused, match="future"):
        hold(received_on=MONDAY + timedelta(days=1))


def test_a_payment_dated_ahead_waits_for_its_day_and_is_posted_once(make_loan: Make, at: datetime) -> None:
    loan = make_loan("1200", 3)
    stamp = {"by": None, "at": at, "on": MONDAY}
    day = MONDAY + timedelta(days=2)
    asked = {"loan_id": loan.pk, "amount": D("300"), "key": "later", "value_on": day}
    money = unapplied.repay(**asked, **stamp)
    assert unapplied.repay(**asked, **stamp) == money
    with pytest.raises(Refused, match="another transaction"):
        unapplied.repay(**asked | {"amount": D("301")}, **stamp)
    with pytest.raises(Refused, match="year ahead"):
        unapplied.repay(**asked | {"key": "never", "value_on": MONDAY + timedelta(days=400)}, **stamp)
    with pytest.raises(Refused, match="future"):
        unapplied.apply(unapplied_id=money.pk, loan_id=loan.pk, amount=D("300"), key="soon", **stamp)
    paid = Transaction.objects.filter(loan=loan, type="REPAYMENT")
    assert (money.left, money.reason, paid.exists()) == (D("300"), "AHEAD", False)
    for _day in range(2):
        close.close_day(at=moment(BusinessDate.current(), 23))
    assert not paid.exists()
    for _day in range(2):
        close.close_day(at=moment(BusinessDate.current(), 23))
    assert [(one.amount, one.value_on, one.booked_on) for one in paid] == [(D("300.00"), day, day)]
    money.refresh_from_db()
    assert (money.state, money.left) == ("APPLIED", D(0))
    books_agree()


def test_a_payment_dated_ahead_of_a_loan_that_is_settled_by_then_stays_held(
    make_loan: Make, at: datetime
) -> None:
    loan = make_loan("1200", 3)
    stamp = {"by": None, "at": at, "on": MONDAY}
    day = MONDAY + timedelta(days=1)
    money = unapplied.repay(loan_id=loan.pk, amount=D("300"), key="later", value_on=day, **stamp)
    loans.settle(loan_id=loan.pk, key="all", channel="bank", **stamp)
    with pytest.raises(Refused, match="takes no payments"):
        unapplied.repay(loan_id=loan.pk, amount=D("1"), key="more", value_on=day, **stamp)
    for _day in range(2):
        close.close_day(at=moment(BusinessDate.current(), 23))
    money.refresh_from_db()
    assert (money.state, money.left) == ("HELD", D("300.00"))
    books_agree()


def test_it_is_applied_to_a_loan_without_touching_the_bank_again(
    hold: Make, make_loan: Make, at: datetime
) -> None:
    loan, money = make_loan("1200", 3), hold("500")
    bank = standing(ledger.BANK)
    money = unapplied.apply(
        unapplied_id=money.pk, loan_id=loan.pk, amount=D("400"), key="a", by=None, at=at, on=MONDAY
    )
    assert (money.state, money.left, money.customer_id) == ("HELD", D("100.00"), loan.customer_id)
    assert standing(ledger.BANK) == bank
    paid = Transaction.objects.get(loan=loan, type="REPAYMENT")
    assert (paid.amount, paid.kind, paid.payment_key) == (D("400.00"), "SUSPENSE", "a")
    books_agree()
    money = unapplied.apply(
        unapplied_id=money.pk,
        customer_id=loan.customer_id,
        amount=D("100"),
        key="b",
        by=None,
        at=at,
        on=MONDAY,
    )
    assert (money.state, money.left) == ("APPLIED", D(0))
    books_agree()


def test_no_more_is_applied_than_is_held(hold: Make, make_loan: Make, at: datetime) -> None:
    loan, money = make_loan(), hold("50")
    stamp = {"by": None, "at": at, "on": MONDAY}
    with pytest.raises(Refused) as refused:
        unapplied.apply(unapplied_id=money.pk, loan_id=loan.pk, amount=D("50.01"), key="a", **stamp)
    assert refused.value.code == "too_much"
    once = {"unapplied_id": money.pk, "loan_id": loan.pk, "key": "b"}
    unapplied.apply(amount=D("30"), **once, **stamp)
    assert unapplied.apply(amount=D("30"), **once, **stamp).left == D("20.00")
    with pytest.raises(Refused) as refused:
        unapplied.apply(amount=D("10"), **once, **stamp)
    assert refused.value.code == "key_reused"


def test_a_reversed_payment_puts_the_money_back_and_the_clock_leaves_it(
    hold: Make, make_loan: Make, at: datetime, run_to: Callable[[date], datetime]
) -> None:
    loan, money = make_loan("1200", 3), hold("406")
    stamp = {"by": None, "at": at, "on": MONDAY}
    unapplied.apply(unapplied_id=money.pk, loan_id=loan.pk, amount=D("406"), key="a", **stamp)
    paid = Transaction.objects.get(type="REPAYMENT")
    loans.reverse(transaction_id=paid.pk, key="r", note="wrong loan", **stamp)
    loans.reverse(transaction_id=paid.pk, key="r", note="wrong loan", **stamp)
    money.refresh_from_db()
    assert (money.state, money.left, money.automatic) == ("HELD", D("406.00"), False)
    books_agree()
    run_to(loan.instalments.first().due_on + timedelta(days=2))
    money.refresh_from_db()
    assert money.left == D("406.00")


def test_a_payment_on_the_wrong_loan_is_set_aside(make_loan: Make, at: datetime) -> None:
    loan = make_loan("1200", 3)
    stamp = {"by": None, "at": at, "on": MONDAY}
    paid = loans.repay(loan_id=loan.pk, amount=D("200"), key="p", **stamp)
    money = unapplied.set_aside(transaction_id=paid.pk, key="s", note="of somebody else", **stamp)
    assert (money.amount, money.customer, money.automatic) == (D("200.00"), None, False)
    assert standing(ledger.BANK) == D("200.00")
    books_agree()


def test_a_written_off_loan_takes_it_as_a_recovery(hold: Make, make_loan: Make, at: datetime) -> None:
    loan, money = make_loan(), hold("60")
    stamp = {"by": None, "at": at, "on": MONDAY}
    loans.write_off(loan_id=loan.pk, key="w", note="lost", **stamp)
    unapplied.apply(unapplied_id=money.pk, loan_id=loan.pk, amount=D("60"), key="a", **stamp)
    assert standing(ledger.RECOVERIES) == D("-60.00")
    assert standing(ledger.SUSPENSE) == 0


def test_the_close_uses_it_for_what_falls_due(
    hold: Make, make_loan: Make, run_to: Callable[[date], datetime]
) -> None:
    loan = make_loan("1200", 3)
    money = hold("1000", customer_id=loan.customer_id, reason="NOTHING_OWED")
    first, second = loan.instalments.all()[:2]
    run_to(first.due_on)
    money.refresh_from_db()
    assert money.left == D("1000.00"), "not before the day"
    run_to(first.due_on + timedelta(days=1))
    money.refresh_from_db()
    first.refresh_from_db()
    assert (money.left, first.outstanding) == (D("594.00"), 0)
    run_to(second.due_on + timedelta(days=1))
    money.refresh_from_db()
    loan.refresh_from_db()
    assert (money.left, loan.oldest_due_on) == (D("188.00"), loan.instalments.last().due_on)
    assert loan.penalty_earned == 0
    books_agree()


def test_the_close_leaves_alone_what_a_second_person_is_asked_to_pay_back(
    hold: Make, make_loan: Make, staff: Make, at: datetime, run_to: Callable[[date], datetime]
) -> None:
    loan, maker, checker = make_loan("1200", 3), staff("maker"), staff("checker")
    money = hold("100", customer_id=loan.customer_id)
    request = unapplied.ask_refund(
        unapplied_id=money.pk, amount=D("100"), key="f", reason="asked for it", by=maker, at=at, on=MONDAY
    )
    due_on = loan.instalments.first().due_on
    day = due_on + timedelta(days=1)
    then = run_to(day)
    money.refresh_from_db()
    assert money.left == D("100.00")
    with pytest.raises(Refused) as refused:
        approvals.approve(request_id=request.pk, by=maker, at=then, on=day)
    assert refused.value.code == "same_person"
    approvals.approve(request_id=request.pk, by=checker, at=then, on=day)
    money.refresh_from_db()
    assert (money.state, money.left, standing(ledger.BANK)) == ("REFUNDED", D(0), D(0))
    assert Notice.objects.filter(template__code="money_returned").exists()
    books_agree()


def test_a_refund_is_asked_for_once_and_never_above_what_is_held(
    hold: Make, staff: Make, at: datetime
) -> None:
    money, maker = hold("100"), staff("maker")
    ask = {"unapplied_id": money.pk, "reason": "x", "by": maker, "at": at, "on": MONDAY}
    with pytest.raises(Refused) as refused:
        unapplied.ask_refund(amount=D("100.01"), key="a", **ask)
    assert refused.value.code == "too_much"
    unapplied.ask_refund(amount=D("40"), key="b", **ask)
    with pytest.raises(Refused) as refused:
        unapplied.ask_refund(amount=D("40"), key="c", **ask)
    assert refused.value.code == "asked_already"
    assert ApprovalRequest.objects.count() == 1


def test_a_loan_without_debts_refuses_and_nothing_moves(hold: Make, make_loan: Make, at: datetime) -> None:
    loan, money = make_loan(), hold("60")
    stamp = {"by": None, "at": at, "on": MONDAY}
    loans.settle(loan_id=loan.pk, key="s", **stamp)
    with pytest.raises(Refused) as refused:
        unapplied.apply(unapplied_id=money.pk, loan_id=loan.pk, amount=D("60"), key="a", **stamp)
    assert refused.value.code == "loan_closed"
    money.refresh_from_db()
    assert money.left == D("60.00")
    assert Loan.objects.get().credit == 0
    books_agree()
