"""What runs out, and the loans that the close folds again."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest

from lending.errors import Refused
from lending.models import CloseException, Collateral, CreditLine, Customer, Event, Loan, User
from lending.services import close, collateral, exceptions, lines, sample

from .conftest import MONDAY, moment

D = Decimal


@pytest.mark.parametrize(
    ("days", "state"), [(-1, "LAPSED"), (0, "PLEDGED"), (1, "PLEDGED"), (None, "PLEDGED")]
)
@pytest.mark.parametrize("kind", ["DEPOSIT", "GUARANTOR", "INSURANCE"])
def test_what_secures_a_debt_lapses_after_its_last_day(
    make_customer: Callable[..., Customer], kind: str, days: int | None, state: str
) -> None:
    item = collateral.propose(
        customer_id=make_customer().pk,
        kind=kind,
        description="x",
        value=D(100),
        haircut=D(0),
        valued_on=MONDAY,
        by=None,
        at=moment(MONDAY),
        on=MONDAY,
        expires_on=None if days is None else MONDAY + timedelta(days=days),
    )
    for move in ("verify", "pledge"):
        collateral.move(collateral_id=item.pk, step=move, note="", by=None, at=moment(MONDAY))
    assert collateral.lapse(on=MONDAY, at=moment(MONDAY)) == (state == "LAPSED")
    assert collateral.lapse(on=MONDAY, at=moment(MONDAY)) == 0
    assert Collateral.objects.get().state == state
    assert Event.objects.filter(kind="collateral.lapsed").count() == (state == "LAPSED")


def test_a_temporary_limit_leaves_a_word_on_its_last_day(make_line: Callable[..., CreditLine]) -> None:
    line, last = make_line(), MONDAY + timedelta(days=3)
    lines.add_temporary_limit(
        line_id=line.pk,
        amount=D(500),
        starts_on=MONDAY,
        ends_on=last,
        reason="Holiday",
        by=None,
        at=moment(MONDAY),
    )
    days = [last - timedelta(days=1), last, last + timedelta(days=1)]
    assert [lines.end_temporary_limits(on=day, at=moment(day)) for day in days] == [0, 1, 0]
    assert Event.objects.get(kind="line.temporary_limit_ended").data["amount"] == "500.00"
    assert [line.limit(day) for day in days] == [10500, 10500, 10000]


def test_the_same_day_draws_the_same_loans_and_other_days_others(make_loan: Callable[..., Loan]) -> None:
    assert sample.drawn(MONDAY) == []
    loans = {make_loan(ref=f"o-{number}").pk for number in range(12)}
    assert sample.drawn(MONDAY) == sample.drawn(MONDAY)
    draws = [set(sample.drawn(MONDAY + timedelta(days=number))) for number in range(30)]
    assert set.union(*draws) == loans
    assert all(0 < len(draw) <= sample.LOANS for draw in draws)


def test_a_loan_that_differs_is_set_aside_once_and_taken_in_when_mended(
    make_loan: Callable[..., Loan], staff: Callable[[str], User]
) -> None:
    loan = make_loan()
    assert sample.compare(on=MONDAY, at=moment(MONDAY)) == 1
    assert not CloseException.objects.exists()
    Loan.objects.filter(pk=loan.pk).update(principal=loan.principal - D("0.01"))
    assert sample.compare(on=MONDAY, at=moment(MONDAY)) == 1
    row = CloseException.objects.get()
    assert (row.loan, row.step, row.date) == (loan, sample.PATH, MONDAY)
    assert "differs from what its transactions come to" in row.reason
    assert sample.compare(on=MONDAY, at=moment(MONDAY)) == 0
    again = {"exception_id": row.pk, "by": staff("accountant"), "at": moment(MONDAY), "on": MONDAY}
    with pytest.raises(Refused, match="still fails"):
        exceptions.retry(**again)
    Loan.objects.filter(pk=loan.pk).update(principal=loan.principal)
    exceptions.retry(**again)
    row.refresh_from_db()
    assert row.state == "RESOLVED"


def test_the_close_of_healthy_loans_sets_nobody_aside(
    make_loan: Callable[..., Loan], run_to: Callable[[date], object]
) -> None:
    make_loan()
    run_to(MONDAY + timedelta(days=45))
    assert not CloseException.objects.exists()
    assert close.begin(at=moment(MONDAY)).date == MONDAY + timedelta(days=45)
