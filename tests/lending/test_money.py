"""Money moves: each transaction is one balanced entry, and the loans tie to the books on every day."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from lending import engine
from lending.errors import Refused
from lending.models import CreditLine, JournalEntry, JournalLine, Loan, Transaction
from lending.selectors.ledger import tie_out, trial_balance
from lending.services import ledger, loans, posting, purchases

from .conftest import MONDAY
from .ledger_support import roles_of, standing

D = Decimal


def books_agree(on: date) -> None:
    assert sum(account.balance for account in trial_balance()) == 0
    assert [row.difference for row in tie_out()] == [0] * 5
    for loan in Loan.objects.all():
        assert_folded(loan, on)


def assert_folded(loan: Loan, on: date) -> None:
    """The rows are the fold of the transactions, to the cent."""
    history = list(loan.transactions.order_by("pk"))
    state = engine.replay(engine.Terms.from_json(loan.terms), posting.as_events(history), on)
    position = state.position
    assert {part: getattr(loan, part) for part in posting.ACCOUNTS} == {
        part: getattr(position, part) for part in posting.ACCOUNTS
    }
    stored = [(row.number, row.due_on, row.total, row.outstanding) for row in loan.instalments.all()]
    assert stored == [(row.number, row.due_on, row.total, row.outstanding) for row in state.rows]


def test_a_purchase_becomes_a_loan_and_uses_the_line(make_loan: Callable[..., Loan]) -> None:
    loan = make_loan("1200", 3)
    line = loan.line
    assert (line.used, line.held, line.free(MONDAY)) == (D("1200.00"), D("0.00"), D("8800.00"))
    assert [str(row.total) for row in loan.instalments.all()] == ["406.00", "406.00", "406.00"]
    assert [row.due_on for row in loan.instalments.all()][0] == date(2026, 3, 11)
    entry = JournalEntry.objects.get(transaction__loan=loan)
    assert roles_of(entry) == {
        ledger.PRINCIPAL: D("1200.00"),
        ledger.MERCHANTS: D("-1200.00"),
    }
    books_agree(MONDAY)


def test_time_bills_instalments_and_penalties_as_the_engine_does(
    make_loan: Callable[..., Loan], run_to: Callable[[date], datetime]
) -> None:
    loan = make_loan("1200", 3)
    for day in (date(2026, 3, 11), date(2026, 3, 12), date(2026, 4, 20)):
        run_to(day)
        loan.refresh_from_db()
        books_agree(day)
    assert loan.days_past_due(date(2026, 4, 20)) == 40
    assert loan.penalty > 0


def test_payments_in_part_and_late_keep_books_and_loans_together(
    make_loan: Callable[..., Loan], run_to: Callable[[date], datetime]
) -> None:
    loan = make_loan("1000", 6)
    for day, amount in ((date(2026, 3, 20), "50.01"), (date(2026, 5, 1), "333.33"), (date(2026, 5, 2), "9")):
        at = run_to(day)
        loans.repay(loan_id=loan.pk, amount=D(amount), key=f"r{day}", by=None, at=at, on=day)
        books_agree(day)
    day = date(2026, 6, 1)
    at = run_to(day)
    loans.settle(loan_id=loan.pk, key="settle", by=None, at=at, on=day)
    loan.refresh_from_db()
    assert (loan.state, loan.principal, loan.line.used) == ("SETTLED", D("0.00"), D("0.00"))
    run_to(date(2026, 7, 15))
    books_agree(date(2026, 7, 15))


def test_a_backdated_payment_takes_back_the_penalty_and_books_the_difference_today(
    make_loan: Callable[..., Loan], run_to: Callable[[date], datetime]
) -> None:
    loan = make_loan("1200", 3)
    day = date(2026, 4, 1)
    at = run_to(day)
    loan.refresh_from_db()
    assert loan.penalty > 0
    paid = loans.repay(
        loan_id=loan.pk, amount=D("406"), key="late", by=None, at=at, on=day, value_on=date(2026, 3, 11)
    )
    loan.refresh_from_db()
    assert (loan.penalty, loan.penalty_earned, loan.oldest_due_on) == (D(0), D(0), date(2026, 4, 11))
    assert paid.entry.booked_on == day and paid.entry.value_on == date(2026, 3, 11)
    books_agree(day)


def test_a_reversal_restores_the_loan(make_loan: Callable[..., Loan], at: datetime) -> None:
    loan = make_loan("1200", 3)
    before = {part: getattr(loan, part) for part in posting.ACCOUNTS}
    paid = loans.repay(loan_id=loan.pk, amount=D("1300"), key="r", by=None, at=at, on=MONDAY)
    loan.refresh_from_db()
    assert (loan.state, loan.credit) == ("SETTLED", D("82.00"))
    loans.reverse(transaction_id=paid.pk, key="rev", note="wrong customer", by=None, at=at, on=MONDAY)
    loan.refresh_from_db()
    assert loan.state == "ACTIVE"
    assert {part: getattr(loan, part) for part in posting.ACCOUNTS} == before
    books_agree(MONDAY)
    with pytest.raises(Refused, match="reversed already"):
        loans.reverse(transaction_id=paid.pk, key="rev2", note="again", by=None, at=at, on=MONDAY)


def test_a_payment_spreads_over_loans_oldest_first(
    make_loan: Callable[..., Loan], make_line: Callable[..., CreditLine], at: datetime
) -> None:
    line = make_line()
    first = make_loan("300", 3, line, "o-1")
    second = make_loan("600", 3, line, "o-2")
    posted = loans.pay(
        customer_id=line.customer_id, amount=D("304.50"), key="bill", by=None, at=at, on=MONDAY
    )
    assert {(row.loan_id, row.amount) for row in posted} == {
        (first.pk, D("101.50")),
        (second.pk, D("203.00")),
    }
    again = loans.pay(customer_id=line.customer_id, amount=D("304.50"), key="bill", by=None, at=at, on=MONDAY)
    assert [row.pk for row in again] == [row.pk for row in posted]
    books_agree(MONDAY)


def test_a_payment_for_nothing_owed_is_refused(make_line: Callable[..., CreditLine], at: datetime) -> None:
    line = make_line()
    with pytest.raises(Refused, match="Nothing is owed"):
        loans.pay(customer_id=line.customer_id, amount=D("1"), key="x", by=None, at=at, on=MONDAY)
    assert not Transaction.objects.exists()


def test_a_key_used_for_something_else_is_refused(make_loan: Callable[..., Loan], at: datetime) -> None:
    loan = make_loan()
    first = loans.repay(loan_id=loan.pk, amount=D("10"), key="k", by=None, at=at, on=MONDAY)
    assert loans.repay(loan_id=loan.pk, amount=D("10"), key="k", by=None, at=at, on=MONDAY).pk == first.pk
    with pytest.raises(Refused, match="another transaction"):
        loans.repay(loan_id=loan.pk, amount=D("11"), key="k", by=None, at=at, on=MONDAY)
    assert loan.transactions.filter(type="REPAYMENT").count() == 1


@pytest.mark.parametrize("amount", ["0", "-5", "1.234", "NaN"])
def test_impossible_amounts_are_refused(make_loan: Callable[..., Loan], at: datetime, amount: str) -> None:
    loan = make_loan()
    with pytest.raises(Refused) as refused:
        loans.repay(loan_id=loan.pk, amount=D(amount), key="k", by=None, at=at, on=MONDAY)
    assert refused.value.field == "amount"


@pytest.mark.parametrize("days", [-1, 1])
def test_dates_before_the_loan_or_in_the_future_are_refused(
    make_loan: Callable[..., Loan], at: datetime, days: int
) -> None:
    loan = make_loan()
    day = MONDAY + timedelta(days=days)
    with pytest.raises(Refused) as refused:
        loans.repay(loan_id=loan.pk, amount=D("5"), key="k", by=None, at=at, on=MONDAY, value_on=day)
    assert refused.value.field == "value_on"


def test_a_whole_refund_settles_the_loan_and_pays_back_what_was_paid(
    make_loan: Callable[..., Loan], run_to: Callable[[date], datetime]
) -> None:
    loan = make_loan("1200", 3)
    day = date(2026, 3, 12)
    at = run_to(day - timedelta(days=1))
    loans.repay(loan_id=loan.pk, amount=D("406"), key="r", by=None, at=at, on=day - timedelta(days=1))
    at = run_to(day)
    purchases.refund(purchase_id=loan.purchase.pk, amount=D("1200"), key="back", by=None, at=at, on=day)
    loan.refresh_from_db()
    # The fee of the instalment that fell due stays; the later ones never will.
    assert (loan.state, loan.credit, loan.line.used) == ("SETTLED", D("400.00"), D("0.00"))
    assert loan.purchase.state == "REFUNDED"
    books_agree(day)
    again = purchases.refund(
        purchase_id=loan.purchase.pk, amount=D("1200"), key="back", by=None, at=at, on=day
    )
    assert again.refunded == D("1200")


def test_a_refund_in_part_restores_the_line(make_loan: Callable[..., Loan], at: datetime) -> None:
    loan = make_loan("1200", 3)
    purchases.refund(purchase_id=loan.purchase.pk, amount=D("300"), key="p", by=None, at=at, on=MONDAY)
    loan.line.refresh_from_db()
    assert loan.line.used < D("1200")
    books_agree(MONDAY)
    with pytest.raises(Refused, match="left to refund"):
        purchases.refund(purchase_id=loan.purchase.pk, amount=D("901"), key="q", by=None, at=at, on=MONDAY)


def test_write_off_and_recovery(make_loan: Callable[..., Loan], run_to: Callable[[date], datetime]) -> None:
    loan = make_loan("1200", 3)
    day = date(2026, 9, 1)
    at = run_to(day)
    loans.write_off(loan_id=loan.pk, key="w", note="uncollectable", by=None, at=at, on=day)
    loan.refresh_from_db()
    assert (loan.state, loan.principal, loan.penalty) == ("WRITTEN_OFF", D(0), D(0))
    books_agree(day)
    loans.recover(loan_id=loan.pk, amount=D("100"), key="rec", by=None, at=at, on=day)
    books_agree(day)
    assert standing(ledger.RECOVERIES) == D("-100.00")
    run_to(date(2026, 9, 20))
    books_agree(date(2026, 9, 20))


@pytest.mark.parametrize("model", [JournalEntry, JournalLine, Transaction])
def test_history_cannot_be_changed_or_deleted(make_loan: Callable[..., Loan], model: type) -> None:
    make_loan()
    row = model.objects.first()
    for act in (row.delete, row.save):
        with pytest.raises(Exception, match="Cannot (delete|update)"), transaction.atomic():
            act()


def test_an_entry_that_does_not_balance_is_refused_by_the_database(make_loan: Callable[..., Loan]) -> None:
    make_loan()
    entry = JournalEntry.objects.create(key="x", memo="x", booked_on=MONDAY, value_on=MONDAY)
    with pytest.raises(IntegrityError, match="does not sum to zero"), transaction.atomic():
        JournalLine.objects.create(entry=entry, account_id="1002", amount=D("1"))
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_the_ledger_refuses_what_does_not_balance() -> None:
    lopsided = ledger.Booking("k", "m", MONDAY, MONDAY, [(ledger.BANK, D("1"))])
    with pytest.raises(ValueError, match="does not balance"):
        ledger.post([lopsided])
