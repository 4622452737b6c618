"""Two connections at once: whatever the order, money moves once and limits hold."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from lending import reference
from lending.errors import Refused
from lending.models import BusinessDate, CreditLine, DayClose, Loan, Product, Transaction
from lending.selectors.ledger import tie_out
from lending.services import accrual, billed_ahead, close, customers, lines, loans, purchases, refold, steps

from .conftest import MONDAY, moment
from .race_support import at_once, waiting_for

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal
AT = moment(MONDAY)


@pytest.fixture
def line(transactional_db: None) -> CreditLine:
    reference.install()
    close.open_books(on=MONDAY)
    reference.starter_products()
    customer = customers.register(kind="PERSON", name="韩梅梅", registered_on=MONDAY, by=None, at=AT)
    product = Product.objects.get(code="pay-later")
    return lines.open_line(
        customer_id=customer.pk, product_id=product.pk, limit=D("1000"), by=None, at=AT, on=MONDAY
    )


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    return at_once


def authorise(line: CreditLine, ref: str, amount: str = "600") -> Any:
    return purchases.authorise(
        line_id=line.pk, order_ref=ref, amount=D(amount), tenor=3, by=None, at=AT, on=MONDAY
    )


def bought(line: CreditLine, amount: str = "600") -> Loan:
    purchase = authorise(line, "o-1", amount)
    loan = purchases.capture(purchase_id=purchase.pk, by=None, at=AT, on=MONDAY).loan
    assert loan
    return loan


def test_two_purchases_cannot_share_what_is_free(line: CreditLine, together: Callable[..., list]) -> None:
    results = together(lambda: authorise(line, "a"), lambda: authorise(line, "b"))
    assert sorted(isinstance(result, Refused) for result in results) == [False, True]
    line.refresh_from_db()
    assert line.held == D("600.00")


def test_the_same_order_twice_at_once_holds_once(line: CreditLine, together: Callable[..., list]) -> None:
    first, second = together(lambda: authorise(line, "a"), lambda: authorise(line, "a"))
    line.refresh_from_db()
    assert (first.pk == second.pk, line.held) == (True, D("600.00"))


def test_a_capture_twice_at_once_makes_one_loan(line: CreditLine, together: Callable[..., list]) -> None:
    purchase = authorise(line, "a")
    act = lambda: purchases.capture(purchase_id=purchase.pk, by=None, at=AT, on=MONDAY)  # noqa: E731
    first, second = together(act, act)
    line.refresh_from_db()
    assert (first.loan_id == second.loan_id, Loan.objects.count(), line.used, line.held) == (
        True,
        1,
        D("600.00"),
        D("0.00"),
    )


def test_the_same_payment_twice_at_once_posts_once(line: CreditLine, together: Callable[..., list]) -> None:
    bought(line)
    act = lambda: loans.pay(  # noqa: E731
        customer_id=line.customer_id, amount=D("203"), key="p", by=None, at=AT, on=MONDAY
    )
    first, second = together(act, act)
    assert [row.pk for row in first] == [row.pk for row in second]
    assert Transaction.objects.filter(type="REPAYMENT").count() == 1


def test_many_payments_and_purchases_at_once_keep_the_books(
    line: CreditLine, together: Callable[..., list]
) -> None:
    loan = bought(line, "300")

    def pay(number: int) -> Any:
        return loans.repay(loan_id=loan.pk, amount=D("10.01"), key=f"p{number}", by=None, at=AT, on=MONDAY)

    def buy(number: int) -> Any:
        purchase = authorise(line, f"b{number}", "50")
        return purchases.capture(purchase_id=purchase.pk, by=None, at=AT, on=MONDAY)

    calls = [lambda n=n: pay(n) for n in range(4)] + [lambda n=n: buy(n) for n in range(4)]
    results = together(*calls)
    assert not [result for result in results if isinstance(result, Refused)]
    line.refresh_from_db()
    owed = sum((row.principal for row in Loan.objects.all()), D(0))
    assert (line.used, line.held) == (owed, D("0.00"))
    assert [row.difference for row in tie_out()] == [0] * 5


def test_a_day_closed_twice_at_once_is_closed_once(line: CreditLine, together: Callable[..., list]) -> None:
    loan = bought(line)
    for _day in range(9):
        close.close_day(at=moment(BusinessDate.current()))
    day = BusinessDate.current()
    act = lambda: close.close_day(at=moment(day))  # noqa: E731
    together(act, act)
    loan.refresh_from_db()
    assert loan.fee_earned == D("3.00")
    assert DayClose.objects.filter(date=day).count() == len(set(_steps()))
    assert (BusinessDate.current() - day).days in (1, 2)


def _steps() -> list[str]:
    from django.conf import settings

    return settings.CLOSE_STEPS


@pytest.mark.parametrize("hurried", [False, True])
def test_where_one_lane_is_taken_the_other_is_done_and_the_next_stage_waits(
    line: CreditLine, hurried: bool
) -> None:
    bought(line)
    day = close.begin(at=moment(MONDAY, 23))
    before, (taken, free), after = steps.stages()[:3]
    rows = DayClose.objects.filter(date=MONDAY)
    with waiting_for(
        rows.filter(step__in=[step.path for step in taken]), lambda: close.work(day=day, hurried=hurried)
    ):
        done = set(rows.filter(state="DONE").values_list("step", flat=True))
        assert done == {step.path for lane in [*before, free] for step in lane}
    assert not rows.exclude(state="DONE").exists()
    assert rows.count() == len(_steps()) and len(after[0]) > 1


def test_a_payment_waits_for_the_bill_of_its_shard(line: CreditLine) -> None:
    """Else it would fold the loan on one day while the close bills it on the other."""
    loan = bought(line)
    while BusinessDate.current() < loan.instalments.get(number=1).due_on + timedelta(days=3):
        close.close_day(at=moment(BusinessDate.current()))
    day = BusinessDate.current()
    close.begin(at=moment(day))
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            row = DayClose.objects.select_for_update().get(date=day, step=billed_ahead.OPEN_DAY)
            row.start(at=moment(day))
            paid = pool.submit(
                at_once, lambda: loans.settle(loan_id=loan.pk, key="p", by=None, at=AT, on=day)
            )
            with pytest.raises(TimeoutError):
                paid.result(timeout=0.3)
            accrual.open_day(on=day, at=moment(day))
            row.finish(rows=1, at=moment(day))
            row.save()
        paid.result(timeout=20)
    close.close_day(at=moment(day))
    assert not refold.behind(loan_ids=[loan.pk], on=BusinessDate.current())
    assert [row.difference for row in tie_out()] == [0] * 5


def test_a_close_that_dies_between_two_steps_goes_on_where_it_stood(line: CreditLine, settings: Any) -> None:
    loan = bought(line)
    for _day in range(8):
        close.close_day(at=moment(BusinessDate.current()))
    day, steps = BusinessDate.current(), list(settings.CLOSE_STEPS)
    settings.CLOSE_STEPS = [*steps, "tests.lending.test_races.power_cut"]
    with pytest.raises(PowerCut):
        close.close_day(at=moment(day))
    loan.refresh_from_db()
    assert (BusinessDate.current(), loan.fee_earned) == (day, D("3.00"))
    settings.CLOSE_STEPS = steps
    close.close_day(at=moment(day))
    loan.refresh_from_db()
    assert (BusinessDate.current() - day).days == 1
    assert loan.fee_earned == D("3.00")
    assert [row.difference for row in tie_out()] == [0] * 5


class PowerCut(Exception):
    pass


def power_cut(*, on: Any, at: datetime) -> int:
    raise PowerCut
