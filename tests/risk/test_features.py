"""Features: what they say, that they only know the past, and that the unknown is never zero."""

from datetime import timedelta
from decimal import Decimal

import pytest

from lending.accounts import FIGURES
from lending.models import Product
from lending.services import applications, customers, lines, loans
from risk import features
from risk.selectors.features import Moment, vectors, vectors_at
from risk.services import filings
from tests.lending.conftest import MONDAY, moment
from tests.risk.conftest import days_ago, row


@pytest.fixture
def alice(at):
    return customers.register(
        kind="PERSON",
        name="爱丽丝",
        platform_ref="alice",
        registered_on=MONDAY - timedelta(days=400),
        monthly_income=Decimal("9000"),
        by=None,
        at=at,
    )


def vector(customer, as_of):
    return vectors([customer.pk], as_of)[customer.pk]


def test_nothing_known_is_none_and_never_zero(alice, at):
    found = vector(alice, at)
    assert list(found) == features.names("PERSON")
    known = {name: value for name, value in found.items() if value is not None}
    assert known == {"tenure_days": 400, "income": 9000}


def test_no_orders_lately_is_zero_once_there_is_a_history(alice, tell, at):
    tell(row("alice", at=days_ago(200)))
    found = vector(alice, at)
    assert (found["orders_90d"], found["spend_90d"], found["days_since_order"]) == (0, 0, 200)
    assert found["return_share_180d"] is None  # nothing ordered, so no share


def test_shares_and_averages(alice, tell, at):
    tell(
        row("alice", at=days_ago(10), amount="300", data={"risky": True}),
        row("alice", at=days_ago(40), amount="500"),
        row("alice", "RETURN", at=days_ago(5), amount="200"),
        row("alice", "CANCEL", at=days_ago(5), amount="1"),
        row("alice", "DELIVERY", at=days_ago(9), data={"late": True}),
        row("alice", "DELIVERY", at=days_ago(39)),
        row("alice", "DISPUTE", at=days_ago(8)),
        row("alice", "ADDRESS_CHANGE", at=days_ago(8)),
    )
    found = vector(alice, at)
    expected = {
        "orders_90d": 2,
        "spend_90d": 800,
        "average_order_180d": 400,
        "days_since_order": 10,
        "return_share_180d": 0.25,
        "risky_share_180d": 0.375,
        "cancel_share_180d": 0.5,
        "late_delivery_share_180d": 0.5,
        "disputes_180d": 1,
        "address_changes_180d": 1,
    }
    assert {name: found[name] for name in expected} == expected


def test_windows_end_with_their_last_day(alice, tell, at):
    tell(row("alice", at=days_ago(90)), row("alice", at=days_ago(91)))
    assert vector(alice, at)["orders_90d"] == 1


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [((100, 100, 100, 100, 100, 100), 0.0), ((600, 0, 0, 0, 0, 0), 5**0.5), ((200, 0, 200, 0, 200, 0), 1.0)],
)
def test_unevenness_is_deviation_over_mean_of_six_months(alice, tell, at, amounts, expected):
    tell(*(row("alice", at=days_ago(30 * n + 15), amount=str(a)) for n, a in enumerate(amounts) if a))
    assert vector(alice, at)["spend_cv_180d"] == pytest.approx(expected)


def test_unevenness_counts_only_months_on_the_platform(at, tell):
    new = customers.register(
        kind="PERSON",
        name="新",
        platform_ref="new",
        registered_on=MONDAY - timedelta(days=95),
        by=None,
        at=at,
    )
    tell(*(row("new", at=days_ago(30 * n + 15), amount="100") for n in range(3)))
    assert vector(new, at)["spend_cv_180d"] == 0
    assert vector(new, days_ago(10))["spend_cv_180d"] is None  # two whole months are too few


def test_hours_of_the_same_day_count_up_to_the_moment(alice, tell):
    tell(
        row("alice", at=moment(MONDAY, 9)),
        row("alice", at=moment(MONDAY, 11)),
        row("alice", at=moment(MONDAY, 15)),
        now=moment(MONDAY, 20),
    )
    orders = [vector(alice, moment(MONDAY, hour))["orders_90d"] for hour in (9, 10, 12, 16)]
    assert orders == [None, 1, 2, 3]


def test_what_comes_later_changes_no_past_vector(alice, tell, make_loan, make_line, at):
    """Everything that can change in place is changed, and the past reads as before."""
    tell(row("alice", at=days_ago(20)), row("alice", at=days_ago(70), amount="50"))
    line = make_line(customer=alice)
    loan = make_loan(line=line, amount="1200")
    ask(alice, "2000", at)
    later = moment(MONDAY + timedelta(days=60))
    past = later - timedelta(days=1)
    before = vector(alice, past)
    assert before["utilisation"] is not None
    assert before["income_to_asked"] == 4.5
    tell(row("alice", at=later), row("alice", "RETURN", at=later), now=later)
    loans.repay(loan_id=loan.pk, amount=Decimal("500"), key="r", by=None, at=later, on=later.date())
    lines.cut(line_id=line.pk, to=Decimal("5000"), cause="x", by=None, at=later)
    customers.update_details(customer_id=alice.pk, monthly_income=Decimal("1"), by=None, at=later)
    customers.update_details(customer_id=alice.pk, monthly_income=Decimal("2"), by=None, at=later)
    assert vector(alice, past) == before
    now = vector(alice, later + timedelta(days=1))
    assert now["utilisation"] != before["utilisation"]
    assert now["income_to_asked"] < before["income_to_asked"]
    assert now["orders_90d"] != before["orders_90d"]


def ask(customer, amount, at, answers=None, code="cash-loan", tenor=3):
    application = applications.start(
        customer_id=customer.pk,
        product_id=Product.objects.get(code=code).pk,
        amount=Decimal(amount),
        tenor=tenor,
        answers=answers,
        by=None,
        at=at,
    )
    return applications.submit(application_id=application.pk, by=None, at=at)


def test_payment_behaviour(alice, make_line, make_loan, at):
    line = make_line(customer=alice)
    loan = make_loan(line=line, amount="1200", tenor=3)
    assert vector(alice, at)["on_time_share_365d"] is None
    first, second, _third = loan.instalments.order_by("number")
    on_time = moment(first.due_on)
    loans.repay(loan_id=loan.pk, amount=first.total, key="1", by=None, at=on_time, on=first.due_on)
    assert vector(alice, on_time)["on_time_share_365d"] is None  # due today is not yet past
    assert vector(alice, on_time + timedelta(days=1))["on_time_share_365d"] == 1
    assert vector(alice, on_time + timedelta(days=1))["worst_dpd_180d"] == 0
    late = moment(second.due_on + timedelta(days=12))
    assert vector(alice, late)["on_time_share_365d"] == 0.5
    assert vector(alice, late)["worst_dpd_180d"] == 12
    loans.repay(loan_id=loan.pk, amount=Decimal("420"), key="2", by=None, at=late, on=late.date())
    much_later = late + timedelta(days=3)
    assert vector(alice, much_later)["worst_dpd_180d"] == 12


def test_utilisation_is_read_from_the_books(alice, make_line, make_loan, at):
    make_loan(line=make_line(limit="6000", customer=alice), amount="1500")
    assert vector(alice, at)["utilisation"] is None  # the line was opened at that very moment
    assert vector(alice, at + timedelta(hours=1))["utilisation"] == 0.25


@pytest.fixture
def firm(at):
    return customers.register(
        kind="COMPANY",
        name="博远商贸有限公司",
        platform_ref="firm",
        registered_on=MONDAY - timedelta(days=1000),
        industry_id="F",
        by=None,
        at=at,
    )


def file(firm, year, at, **figures):
    return filings.file_statement(company_id=firm.pk, year=year, figures=figures, by=None, at=at)


def test_ratios_of_the_newest_accounts(firm, at):
    file(firm, 2024, days_ago(400), revenue="800000", total_assets="1")
    file(
        firm,
        2025,
        days_ago(10),
        revenue="1000000",
        net_profit="-50000",
        ebit="30000",
        interest_expense="10000",
        total_assets="1000000",
        current_assets="300000",
        total_liabilities="700000",
        current_liabilities="200000",
    )
    found = vector(firm, at)
    expected = {
        "liquidity": 1.5,
        "leverage": 0.7,
        "coverage": 3,
        "margin": -0.05,
        "growth": 0.25,
        "size": 6,
        "tenure_days": 1000,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert vector(firm, days_ago(11))["leverage"] is None  # the older year did not report debts
    assert vector(firm, days_ago(11))["size"] == 0


def test_a_correction_holds_from_its_filing_on(firm, at):
    file(firm, 2025, days_ago(10), total_liabilities="50", total_assets="100")
    file(firm, 2025, days_ago(5), total_liabilities="90", total_assets="100")
    assert vector(firm, days_ago(6))["leverage"] == 0.5
    assert vector(firm, at)["leverage"] == 0.9


def test_a_year_that_was_skipped_gives_no_growth(firm, at):
    file(firm, 2023, days_ago(500), revenue="100")
    file(firm, 2025, days_ago(5), revenue="200")
    assert vector(firm, at)["growth"] is None


def test_figures_of_zero_give_no_ratio(firm, at):
    file(firm, 2025, days_ago(5), **dict.fromkeys(FIGURES, "0"))
    found = vector(firm, at)
    assert {found[name] for name in ("liquidity", "leverage", "coverage", "margin", "size")} == {None}


def test_suppliers_invoices(firm, tell, at):
    tell(
        row("firm", "INVOICE", at=days_ago(20), amount="1000"),
        row("firm", "INVOICE", at=days_ago(100), amount="3000"),
        row("firm", "INVOICE_PAID", at=days_ago(2), amount="2000"),
    )
    found = vector(firm, at)
    assert (found["invoice_amount_90d"], found["invoice_paid_share_180d"]) == (1000, 0.5)


def test_an_industry_has_a_rate_once_enough_customers_owe(make_line, make_loan, at, firm):
    for n in range(20):
        one = customers.register(
            kind="COMPANY", name=f"公司{n}", registered_on=MONDAY, industry_id="F", by=None, at=at
        )
        loan = make_loan(
            line=make_line(limit="50000", code="purchase-line", customer=one),
            amount="12000",
            tenor=3,
            ref=f"i{n}",
        )
        if n >= 5:
            loans.settle(loan_id=loan.pk, key=f"i{n}", by=None, at=at, on=MONDAY)
    later = moment(MONDAY + timedelta(days=100))
    assert vector(firm, at)["industry_default_rate"] is None
    assert vector(firm, later)["industry_default_rate"] == 0.25


def test_each_moment_gets_its_own_answer_in_order(alice, tell):
    tell(row("alice", at=days_ago(10)), row("alice", at=days_ago(5)))
    moments = [Moment(alice.pk, days_ago(n)) for n in (1, 20, 7)]
    assert [v["orders_90d"] for v in vectors_at("PERSON", moments)] == [2, None, 1]
    assert vectors_at("PERSON", []) == []


def test_each_customer_gets_the_features_of_its_segment(alice, firm, at):
    found = vectors([alice.pk, firm.pk, 10**9], at)
    assert {pk: set(v) for pk, v in found.items()} == {
        alice.pk: set(features.names("PERSON")),
        firm.pk: set(features.names("COMPANY")),
    }
