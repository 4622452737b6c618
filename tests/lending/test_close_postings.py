"""Money that moves while the day is being closed, after the next day has been billed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lending.models import BusinessDate, Instalment, Loan, Transaction
from lending.services import loans

from .conftest import moment
from .test_close import OPEN_DAY, as_folded, close_days, the_books_agree

D = Decimal


def stamp() -> dict[str, Any]:
    on = BusinessDate.current()
    return {"by": None, "at": moment(on, 23), "on": on}


@pytest.fixture
def billed(
    make_loan: Callable[..., Loan], run_to: Callable[..., datetime], settings: Any
) -> Callable[..., Loan]:
    """A loan so many days after its first due date, less one, with the next day billed and the date not turned yet."""
    steps = ["lending.services.arrears.hold", OPEN_DAY, "lending.services.interest.follow_billing"]

    def make(days_late: int) -> Loan:
        settings.CLOSE_STEPS = steps
        loan = make_loan("1200")
        due = min(Instalment.objects.filter(loan=loan).values_list("due_on", flat=True))
        run_to(due + timedelta(days=days_late - 1))
        if days_late > 1:
            loans.repay(loan_id=loan.pk, amount=D("50"), key="before", **stamp())
        settings.CLOSE_STEPS = [*steps[:2], "tests.lending.test_close.fails", steps[2]]
        with pytest.raises(ZeroDivisionError):
            close_days(1)
        settings.CLOSE_STEPS = steps
        return loan

    return make


def repay(loan: Loan) -> None:
    loans.repay(loan_id=loan.pk, amount=D("100"), key="during", **stamp())


def settle(loan: Loan) -> None:
    loans.settle(loan_id=loan.pk, key="during", **stamp())


def reverse(loan: Loan) -> None:
    before = Transaction.objects.get(key="before")
    loans.reverse(transaction_id=before.pk, key="during", note="bounced", **stamp())


@pytest.mark.parametrize(
    ("days_late", "act"), [(0, repay), (0, settle), (5, repay), (5, reverse), (5, settle)]
)
def test_what_is_posted_after_the_next_day_is_billed_does_not_undo_the_bill(
    billed: Callable[..., Loan], days_late: int, act: Callable[[Loan], None]
) -> None:
    loan, on = billed(days_late), BusinessDate.current()
    act(loan)
    assert Transaction.objects.get(key="during").booked_on == on
    close_days(1)
    assert BusinessDate.current() == on + timedelta(days=1)
    as_folded(loan)
    the_books_agree()
    close_days(2)
    as_folded(loan)
    the_books_agree()
