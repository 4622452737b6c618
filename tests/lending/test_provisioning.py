"""Provisions at a month end: both figures of each loan, the higher booked per product, once."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lending.models import (
    Application,
    Collateral,
    Customer,
    DefaultRate,
    Event,
    JournalEntry,
    Loan,
    LoanProvision,
    Product,
    ProvisionMonth,
    RollMonth,
    RuleParameter,
)
from lending.selectors import provisions as selectors
from lending.selectors.rules import MissingRule
from lending.services import classes, history, provisioning, reclassification
from lending.services.steps import Shard

from .conftest import MONDAY, moment
from .ledger_support import standing

D = Decimal
MARCH, APRIL = date(2026, 3, 31), date(2026, 4, 30)


@pytest.fixture(autouse=True)
def no_scorecard(settings: Any) -> None:
    settings.GRADE_DEFAULT_RATES = ""


def close_of(on: date, *shards: Shard) -> int:
    """The steps of a month end that lead to its provisions; returns the entries booked."""
    stamp = {"on": on, "at": moment(on)}
    for action in (classes.measure, classes.classify):
        action(**stamp)
    history.prepare(**stamp)
    history.snapshot(**stamp)
    history.summarise(**stamp)
    provisioning.observe(**stamp)
    for shard in shards or [Shard()]:
        provisioning.measure(**stamp, shard=shard)
    return provisioning.book(**stamp)


def late(loan: Loan, on: date, days: int, **values: Any) -> Loan:
    Loan.objects.filter(pk=loan.pk).update(oldest_due_on=on - timedelta(days=days), **values)
    return loan


def of(loan: Loan, on: date = MARCH) -> LoanProvision:
    return LoanProvision.objects.get(loan=loan, date=on)


@pytest.mark.parametrize(
    ("days", "tier", "stage", "floor", "expected"),
    [
        (0, 1, 1, "100.00", "130.00"),  # 10,000 x 2% x 65%
        (30, 2, 1, "200.00", "975.00"),  # M1: 15%
        (31, 2, 2, "200.00", "4439.85"),  # M2: 45% in 12 months, over 702 days 1 - 0.55^(702/365.25)
        (90, 2, 2, "200.00", None),
        (91, 3, 3, "2500.00", "6500.00"),
        (271, 4, 3, "5000.00", "6500.00"),
        (361, 5, 3, "10000.00", "6500.00"),
    ],
)
def test_a_loan_has_a_floor_by_its_class_and_a_loss_by_its_stage(
    make_customer: Callable[..., Customer],
    lend: Callable[..., Loan],
    days: int,
    tier: int,
    stage: int,
    floor: str,
    expected: str | None,
) -> None:
    loan = late(lend(make_customer()), MARCH, days)
    close_of(MARCH)
    row = of(loan)
    assert (row.asset_class, row.stage, row.floor) == (tier, stage, D(floor))
    if expected:
        assert row.expected == D(expected)
    assert row.expected == round(row.exposure * row.pd * row.lgd, 2)


def test_the_higher_sum_of_each_product_is_booked_once_and_given_back(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    person, firm = make_customer(), make_customer("某公司", kind="COMPANY")
    good = lend(person)
    lost = late(lend(firm, "50000"), MARCH, 361)
    assert close_of(MARCH) == 2
    rows = {row.product_id: row for row in selectors.by_product(MARCH)}
    assert rows[good.product_id].required == rows[good.product_id].expected == D("130.00")
    assert rows[lost.product_id].required == rows[lost.product_id].floor == D("50000.00")
    assert selectors.booked(MARCH) == {good.product_id: D("130.00"), lost.product_id: D("50000.00")}
    entries, sums = (
        JournalEntry.objects.count(),
        list(ProvisionMonth.objects.values_list("floor", "expected")),
    )
    assert close_of(MARCH) == 0
    assert (JournalEntry.objects.count(), LoanProvision.objects.count()) == (entries, 2)
    assert list(ProvisionMonth.objects.values_list("floor", "expected")) == sums
    Loan.objects.filter(pk=lost.pk).update(principal=0, state="SETTLED", settled_on=APRIL, oldest_due_on=None)
    assert close_of(APRIL) == 1
    assert selectors.booked(APRIL) == {good.product_id: D("130.00")}
    assert selectors.booked(MARCH)[lost.product_id] == D("50000.00")


def test_shards_come_to_the_same_as_one(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    loans = [late(lend(make_customer(f"客户{n}")), MARCH, 40 * n) for n in range(4)]
    middle = loans[2].pk
    close_of(MARCH, Shard(0, middle - 1), Shard(middle))
    apart = list(LoanProvision.objects.values_list("loan_id", "floor", "expected").order_by("loan_id"))
    LoanProvision.objects.all().delete()
    close_of(MARCH)
    assert apart == list(
        LoanProvision.objects.values_list("loan_id", "floor", "expected").order_by("loan_id")
    )
    assert len(apart) == 4


def test_collateral_lowers_the_loss_by_how_far_it_covers_the_debt(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    def secured(name: str, value: str, **more: Any) -> Loan:
        customer = make_customer(name)
        values = {"kind": "PROPERTY", "description": "x", "haircut": D("0.5"), "valued_on": MONDAY}
        Collateral.objects.create(customer=customer, value=D(value), state="PLEDGED", **values | more)
        return lend(customer)

    loans = [secured("甲", "9999.99"), secured("乙", "10000"), secured("丙", "20000")]
    gone = secured("丁", "20000", expires_on=MARCH - timedelta(days=1))
    close_of(MARCH)
    assert [(of(loan).coverage, of(loan).lgd) for loan in loans] == [
        (D("0.5000"), D("0.65")),
        (D("0.5000"), D("0.4")),
        (D("1.0000"), D("0.2")),
    ]
    assert (of(gone).coverage, of(gone).lgd) == (0, D("0.65"))


def test_chances_are_those_of_the_roll_rates_where_enough_was_seen(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    loan = lend(make_customer())
    seen = {"product": loan.product, "date": MARCH - timedelta(days=31), "from_class": 1, "to_class": 1}

    def rolled(before: int, after: int, loans: int, state: str = "ACTIVE") -> None:
        RollMonth.objects.create(**seen, from_bucket=before, to_bucket=after, loans=loans, to_state=state)

    rolled(0, 0, 90)
    rolled(0, 0, 10, "SETTLED")
    rolled(3, 4, 99)  # one too few
    rolled(2, 2, 50)
    rolled(2, 2, 50, "WRITTEN_OFF")
    close_of(MARCH)
    found = {row.bucket: row for row in selectors.rates(MARCH)}
    assert (found[0].rate, found[0].source, found[0].loans) == (0, "OBSERVED", 100)
    assert found[2].rate == D("0.99975586")  # 1 - 0.5^12
    assert (found[3].rate, found[3].source) == (D("0.7"), "HOUSE")
    assert (found[4].rate, of(loan).expected) == (1, 0)


def test_the_scorecard_speaks_for_grades_of_loans_that_are_not_late(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan], settings: Any
) -> None:
    settings.GRADE_DEFAULT_RATES = "tests.lending.test_provisioning.two_grades"

    def graded(name: str, grade: str) -> Loan:
        customer = make_customer(name)
        asked = Application.objects.create(
            customer=customer,
            product=Product.objects.get(code="cash-loan"),
            amount=10000,
            created_at=moment(MONDAY),
            grade=grade,
            state="ACCEPTED",
        )
        return lend(customer, application=asked)

    first, other, late_one = graded("甲", "A"), graded("乙", "C"), late(graded("丙", "A"), MARCH, 10)
    close_of(MARCH)
    assert (of(first).pd, of(other).pd, of(late_one).pd) == (D("0.005"), D("0.02"), D("0.15"))
    assert DefaultRate.objects.get(grade="A").source == "SCORECARD"


def two_grades(on: date) -> dict[str, tuple[Decimal, int]]:
    return {"A": (D("0.005"), 12), "B": (D("0.01"), 3)}


def test_a_watched_or_downgraded_loan_is_in_the_second_stage_and_suspended_charges_are_no_exposure(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    watched = lend(make_customer(), watch_until=date(2027, 1, 1), interest=D("50"))
    bad = late(lend(make_customer("王芳"), interest=D("50")), MARCH, 100)
    close_of(MARCH)
    assert (of(watched).stage, of(watched).exposure) == (2, D("10050.00"))
    assert (of(bad).stage, of(bad).exposure) == (3, D("10000.00"))


def test_a_day_that_is_no_month_end_computes_nothing(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    lend(make_customer())
    assert close_of(MARCH - timedelta(days=1)) == 0
    assert not LoanProvision.objects.exists() and not DefaultRate.objects.exists()


def test_without_a_floor_for_a_class_nothing_is_booked(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    lend(make_customer())
    RuleParameter.objects.filter(code="PROVISION_FLOOR_LOSS").delete()
    with pytest.raises(MissingRule, match="PROVISION_FLOOR_LOSS"):
        close_of(MARCH)


def test_principal_is_reclassified_when_the_class_moves(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    on = MARCH - timedelta(days=5)
    first, second = lend(make_customer()), lend(make_customer("王芳"), "4000")

    def follow(day: date) -> int:
        classes.measure(on=day, at=moment(day))
        classes.classify(on=day, at=moment(day))
        return reclassification.follow(on=day, at=moment(day))

    assert follow(on) == 0
    late(first, on, 10)
    late(second, on, 200)
    assert follow(on) == 2
    assert (standing("OVERDUE"), standing("NON_PERFORMING"), standing("RECLASSIFIED")) == (
        10000,
        4000,
        -14000,
    )
    assert follow(on) == 0
    day = on + timedelta(days=1)
    late(first, day, 91)
    Loan.objects.filter(pk=second.pk).update(oldest_due_on=None)
    assert follow(day) == 2
    assert (standing("OVERDUE"), standing("NON_PERFORMING"), standing("RECLASSIFIED")) == (0, 10000, -10000)
    assert Event.objects.filter(kind="loan.reclassified").exists()
