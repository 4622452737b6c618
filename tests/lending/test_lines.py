"""Lines and purchases: what is free is what may be bought, and every change of a limit is told and kept."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django_fsm import TransitionNotAllowed

from lending.errors import Refused
from lending.models import CreditLine, Customer, LimitChange, Notice, Purchase
from lending.services import lines, purchases

from .conftest import MONDAY

D = Decimal


def authorise(
    line: CreditLine, at: datetime, amount: str = "100", ref: str = "o-1", tenor: int = 3
) -> Purchase:
    return purchases.authorise(
        line_id=line.pk, order_ref=ref, amount=D(amount), tenor=tenor, by=None, at=at, on=MONDAY
    )


def test_a_hold_and_its_release(make_line: Callable[..., CreditLine], at: datetime) -> None:
    line = make_line("1000")
    purchase = authorise(line, at, "600")
    line.refresh_from_db()
    assert (line.held, line.free(MONDAY)) == (D("600.00"), D("400.00"))
    with pytest.raises(Refused, match="above what is free"):
        authorise(line, at, "400.01", "o-2")
    purchases.void(purchase_id=purchase.pk, by=None, at=at)
    purchases.void(purchase_id=purchase.pk, by=None, at=at)
    line.refresh_from_db()
    assert (line.held, line.used) == (D("0.00"), D("0.00"))
    with pytest.raises(TransitionNotAllowed):
        purchases.capture(purchase_id=purchase.pk, by=None, at=at, on=MONDAY)


def test_a_capture_of_less_releases_the_rest(make_line: Callable[..., CreditLine], at: datetime) -> None:
    line = make_line("1000")
    purchase = authorise(line, at, "600")
    purchases.capture(purchase_id=purchase.pk, amount=D("450"), by=None, at=at, on=MONDAY)
    again = purchases.capture(purchase_id=purchase.pk, amount=D("450"), by=None, at=at, on=MONDAY)
    line.refresh_from_db()
    assert (line.held, line.used, again.captured) == (D("0.00"), D("450.00"), D("450.00"))
    assert line.loans.count() == 1


def test_a_capture_of_more_is_refused(make_line: Callable[..., CreditLine], at: datetime) -> None:
    purchase = authorise(make_line("1000"), at, "600")
    with pytest.raises(Refused, match="above what was authorised"):
        purchases.capture(purchase_id=purchase.pk, amount=D("600.01"), by=None, at=at, on=MONDAY)


def test_the_same_order_again_is_the_same_purchase(
    make_line: Callable[..., CreditLine], at: datetime
) -> None:
    line = make_line("1000")
    first = authorise(line, at)
    assert authorise(line, at).pk == first.pk
    with pytest.raises(Refused, match="other terms"):
        authorise(line, at, "101")
    line.refresh_from_db()
    assert line.held == D("100.00")


@pytest.mark.parametrize("amount", ["0", "-1", "0.001"])
def test_bad_amounts_are_refused(make_line: Callable[..., CreditLine], at: datetime, amount: str) -> None:
    with pytest.raises(Refused) as refused:
        authorise(make_line(), at, amount)
    assert refused.value.field == "amount"


def test_an_unknown_tenor_is_refused(make_line: Callable[..., CreditLine], at: datetime) -> None:
    with pytest.raises(Refused) as refused:
        authorise(make_line(), at, tenor=7)
    assert refused.value.field == "tenor"


def test_any_open_hold_keeps_the_line_suspended(make_line: Callable[..., CreditLine], at: datetime) -> None:
    line = make_line()
    lines.place_hold(line_id=line.pk, cause="STAFF", note="checking", by=None, at=at)
    lines.place_hold(line_id=line.pk, cause="CONTROL", note="returns", by=None, at=at)
    lines.place_hold(line_id=line.pk, cause="CONTROL", note="returns", by=None, at=at)
    assert line.holds.count() == 2
    with pytest.raises(Refused, match="suspended"):
        authorise(line, at)
    assert lines.lift_hold(line_id=line.pk, cause="STAFF", by=None, at=at).state == "SUSPENDED"
    assert lines.lift_hold(line_id=line.pk, cause="CONTROL", by=None, at=at).state == "ACTIVE"
    assert authorise(line, at).state == "AUTHORISED"


def test_after_a_cut_nothing_new_but_the_schedule_stands(
    make_line: Callable[..., CreditLine], at: datetime
) -> None:
    line = make_line("1000")
    purchase = authorise(line, at, "800")
    purchase = purchases.capture(purchase_id=purchase.pk, by=None, at=at, on=MONDAY)
    assert purchase.loan
    before = list(purchase.loan.instalments.values_list("due_on", "total"))
    lines.cut(line_id=line.pk, to=D("500"), cause="returns", by=None, at=at)
    line.refresh_from_db()
    assert line.free(MONDAY) == D("0.00")
    with pytest.raises(Refused, match="above what is free"):
        authorise(line, at, "0.01", "o-2")
    assert list(purchase.loan.instalments.values_list("due_on", "total")) == before
    lines.restore(line_id=line.pk, to=D("1000"), cause="appeal", by=None, at=at)
    changes = LimitChange.objects.filter(line=line).order_by("pk").values_list("kind", "before", "after")
    assert list(changes) == [
        ("OPENED", D("0.00"), D("1000.00")),
        ("CUT", D("1000.00"), D("500.00")),
        ("RESTORED", D("500.00"), D("1000.00")),
    ]
    assert Notice.objects.filter(customer=line.customer, template__code="line_cut").exists()


def test_limits_move_only_in_the_direction_named_and_within_the_law(
    make_line: Callable[..., CreditLine], at: datetime
) -> None:
    line = make_line("1000")
    for act, to in ((lines.cut, "1001"), (lines.raise_limit, "999"), (lines.raise_limit, "200000.01")):
        with pytest.raises(Refused):
            act(line_id=line.pk, to=D(to), cause="x", by=None, at=at)
    assert lines.raise_limit(line_id=line.pk, to=D("200000"), cause="x", by=None, at=at).base_limit == 200000


def test_a_temporary_limit_ends(make_line: Callable[..., CreditLine], at: datetime) -> None:
    line = make_line("1000")
    week = timedelta(days=7)
    lines.add_temporary_limit(
        line_id=line.pk,
        amount=D("500"),
        starts_on=MONDAY,
        ends_on=MONDAY + week,
        reason="618",
        by=None,
        at=at,
    )
    assert line.limit(MONDAY + week) == D("1500.00")
    assert line.limit(MONDAY + week + timedelta(days=1)) == D("1000.00")


def test_an_authorisation_runs_out(
    make_line: Callable[..., CreditLine], at: datetime, run_to: Callable[[date], datetime]
) -> None:
    line = make_line("1000")
    purchase = authorise(line, at)
    run_to(MONDAY + timedelta(days=8))
    line.refresh_from_db()
    assert line.held == D("100.00")
    run_to(MONDAY + timedelta(days=9))
    line.refresh_from_db()
    purchase.refresh_from_db()
    assert (line.held, purchase.state) == (D("0.00"), "EXPIRED")


def test_arrears_hold_the_line_and_payment_frees_it(
    make_loan: Callable, run_to: Callable[[date], datetime]
) -> None:
    from lending.services import loans

    loan = make_loan("1200", 3)
    due = date(2026, 3, 11)
    run_to(due + timedelta(days=9))
    loan.line.refresh_from_db()
    assert loan.line.state == "SUSPENDED"
    day = due + timedelta(days=10)
    at = run_to(day)
    loan.refresh_from_db()
    overdue = loan.instalments.get(number=1).outstanding
    loans.repay(loan_id=loan.pk, amount=overdue, key="r", by=None, at=at, on=day)
    run_to(day + timedelta(days=1))
    loan.line.refresh_from_db()
    assert loan.line.state == "ACTIVE"


def test_a_bill_gathers_what_falls_due(make_loan: Callable, run_to: Callable[[date], datetime]) -> None:
    loan = make_loan("1200", 3)
    run_to(date(2026, 3, 3))
    assert loan.line.statements.get().amount == D("406.00")
    run_to(date(2026, 4, 3))
    bills = list(loan.line.statements.order_by("statement_on"))
    assert [(bill.statement_on, bill.due_on) for bill in bills] == [
        (date(2026, 3, 2), date(2026, 3, 11)),
        (date(2026, 4, 2), date(2026, 4, 11)),
    ]
    assert bills[1].amount == D("406.00")


def test_one_open_line_per_customer(
    make_line: Callable[..., CreditLine], make_customer: Callable[..., Customer]
) -> None:
    customer = make_customer()
    make_line(customer=customer)
    with pytest.raises(IntegrityError, match="line_one_open_per_customer"), transaction.atomic():
        make_line(customer=customer)
