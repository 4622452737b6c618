"""Nobody waits in a circle: customer, line, loan are locked in this order by whatever touches a loan, and what a commit
checks (that the customer of a notice exists) waits for nobody who works for that customer."""

from collections.abc import Callable
from typing import Any

import pytest

from lending.errors import Refused
from lending.models import CreditLine, Loan
from lending.services import adjust, loans, restructure

from .conftest import MONDAY, moment
from .race_support import in_turn, waiting_for
from .test_races import D, bought, line  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)
STAMP: dict[str, Any] = {"by": None, "at": moment(MONDAY), "on": MONDAY}


def paid(loan: Loan, key: str = "paid", amount: str = "100") -> Any:
    return loans.pay(customer_id=loan.customer_id, amount=D(amount), key=key, **STAMP)


def taken_back(loan: Loan, service: Callable[..., Any]) -> Any:
    repaid = loan.transactions.get(type="REPAYMENT")
    return service(transaction_id=repaid.pk, key="back", note="x", **STAMP)


SERVICES: dict[str, Callable[[Loan], Any]] = {
    "pay": lambda loan: paid(loan, "again"),
    "repay": lambda loan: loans.repay(loan_id=loan.pk, amount=D("50"), key="k", **STAMP),
    "prepay": lambda loan: adjust.prepay(loan_id=loan.pk, amount=D("50"), kind="LOWER", key="k", **STAMP),
    "settle": lambda loan: loans.settle(loan_id=loan.pk, key="k", **STAMP),
    "charge": lambda loan: loans.charge(
        loan_id=loan.pk, kind="FEE", amount=D("5"), key="k", note="x", **STAMP
    ),
    "goodwill": lambda loan: adjust.refund(
        loan_id=loan.pk, kind="GOODWILL", amount=D("5"), key="k", note="x", **STAMP
    ),
    "accelerate": lambda loan: adjust.accelerate(loan_id=loan.pk, key="k", note="x", **STAMP),
    "write off": lambda loan: loans.write_off(loan_id=loan.pk, key="k", note="x", **STAMP),
    "reschedule": lambda loan: restructure.restructure(
        loan_id=loan.pk, kind="RESCHEDULE", details={"instalments": 9}, key="k", note="x", **STAMP
    ),
    "charge back": lambda loan: taken_back(loan, adjust.charge_back),
    "reverse": lambda loan: taken_back(loan, loans.reverse),
}


@pytest.fixture
def owing(line: CreditLine) -> Loan:  # noqa: F811
    loan = bought(line)
    loans.repay(loan_id=loan.pk, amount=D("20"), key="first", **STAMP)
    return loan


@pytest.mark.parametrize("name", SERVICES)
def test_who_waits_for_the_line_holds_no_loan(owing: Loan, name: str) -> None:
    loan = Loan.objects.filter(pk=owing.pk)
    with waiting_for(CreditLine.objects.filter(pk=owing.line_id), lambda: SERVICES[name](owing)):
        assert loan.select_for_update(nowait=True).exists()


@pytest.mark.parametrize("name", SERVICES)
def test_a_payment_of_the_customer_that_waits_holds_up_no_commit(owing: Loan, name: str) -> None:
    first, second = in_turn(
        CreditLine.objects.filter(pk=owing.line_id), lambda: SERVICES[name](owing), lambda: paid(owing)
    )
    assert not isinstance(first, Refused)
    assert isinstance(second, Refused) == (name in ("settle", "write off"))  # then nothing is owed
