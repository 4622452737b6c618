"""Annual cost: published figures, the tables in the compliance facts, and another library's answers."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st

from lending.engine import AnnualCost, Method, annual_cost, apr, schedule
from lending.engine.cost import one_decimal
from tests.lending.engine.cases import D, terms


def _percent(rate: Decimal) -> Decimal:
    return (rate * 100).quantize(D("0.01"), "ROUND_HALF_UP")


def test_the_central_banks_example() -> None:
    """PBOC announcement [2021] No. 3: 100,000, fee 1,000 up front, 12 payments of 8,833.33."""
    loan = terms(
        principal=D("100000"),
        annual_rate=D(0),
        method="FLAT_FEE",
        instalments=12,
        fee_rate=D("0.005"),
        upfront_fee=D("1000"),
    )
    cost = annual_cost(loan)
    assert (_percent(cost.nominal), _percent(cost.effective)) == (D("12.80"), D("13.58"))


FLAT_FEES = {
    "0.005": "8.98/9.36 10.21/10.71 10.90/11.46 11.13/11.71",
    "0.008": "14.34/15.32 16.27/17.54 17.27/18.71 17.47/18.93",
    "0.010": "17.91/19.46 20.29/22.29 21.46/23.70 21.57/23.84",
    "0.012": "21.47/23.72 24.28/27.17 25.60/28.82 25.59/28.81",
}


@pytest.mark.parametrize(
    ("fee", "count", "nominal", "effective"),
    [
        (fee, count, *cell.split("/"))
        for fee, line in FLAT_FEES.items()
        for count, cell in zip((3, 6, 12, 24), line.split(), strict=True)
    ],
)
def test_flat_fees(fee: str, count: int, nominal: str, effective: str) -> None:
    cost = annual_cost(_flat_fee(fee, count))
    assert (str(_percent(cost.nominal)), str(_percent(cost.effective))) == (nominal, effective)


@pytest.mark.parametrize(
    ("basis", "cap", "fees"),
    [
        ("nominal", "0.24", "1.3421 1.1859 1.1226 1.1204"),
        ("effective", "0.24", "1.2130 1.0709 1.0119 1.0066"),
        ("nominal", "0.12", "0.6689 0.5882 0.5515 0.5407"),
    ],
)
def test_the_highest_fee_under_a_cap(basis: str, cap: str, fees: str) -> None:
    """The tables' maxima lie at the cap: a hair more is above it, a hair less is not."""
    for count, fee in zip((3, 6, 12, 24), fees.split(), strict=True):
        below, above = (
            getattr(annual_cost(_flat_fee(str(D(fee) / 100 + hair), count)), basis)
            for hair in (D("-0.000001"), D("0.000001"))
        )
        assert below < D(cap) < above


def _flat_fee(fee: str, count: int):
    return terms(
        principal=D("10000000"), annual_rate=D(0), method="FLAT_FEE", instalments=count, fee_rate=D(fee)
    )


def test_a_loan_without_fees_costs_its_rate() -> None:
    cost = annual_cost(terms(principal=D("1000000")))
    assert _percent(cost.nominal) == D("12.00")
    assert _percent(cost.effective) == D("12.68")


def test_a_free_loan_costs_nothing() -> None:
    assert annual_cost(terms(annual_rate=D(0))) == AnnualCost(D(0), D(0))


def test_rates_of_flows() -> None:
    flows = [(Fraction(0), D(-1000)), (Fraction(1), D(1100))]
    assert apr(flows) == pytest.approx(D(10))
    assert apr(flows, "NOMINAL", 12) == pytest.approx(D("9.5690"), abs=D("0.0001"))
    assert apr([(Fraction(0), D(-1000)), (Fraction(1), D(900))]) == pytest.approx(D(-10))


def test_european_law_shows_one_decimal_half_up() -> None:
    assert one_decimal(D("6.25")) == D("6.3")
    assert one_decimal(D("6.2499")) == D("6.2")


@pytest.mark.parametrize("flows", [[], [("0", "-5")], [("0", "0"), ("1", "3")], [("-1", "-5"), ("1", "6")]])
def test_flows_without_a_rate_are_refused(flows: list) -> None:
    with pytest.raises(ValueError, match="flows|times"):
        apr([(Fraction(t), D(amount)) for t, amount in flows])


def test_a_basis_is_named() -> None:
    with pytest.raises(ValueError, match="basis"):
        apr([(Fraction(0), D(-1)), (Fraction(1), D(1))], "SIMPLE")
    with pytest.raises(ValueError, match="periods_per_year"):
        apr([(Fraction(0), D(-1)), (Fraction(1), D(1))], "NOMINAL")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1_000, 10**7),
    st.integers(0, 6000),
    st.integers(1, 60),
    st.integers(0, 300),
    st.sampled_from([Method.EQUAL_INSTALMENT, Method.EQUAL_PRINCIPAL, Method.INTEREST_ONLY, Method.FLAT]),
)
def test_another_library_agrees(principal: int, rate: int, count: int, fee: int, method: Method) -> None:
    loan = terms(
        principal=D(principal),
        annual_rate=D(rate).scaleb(-4),
        method=method,
        instalments=count,
        upfront_fee=(D(principal) * fee).scaleb(-4).quantize(D("0.01")),
    )
    rows = schedule(loan)
    theirs = pyxirr.irr([float(loan.upfront_fee - loan.principal), *(float(row.total) for row in rows)])
    assert float(annual_cost(loan, rows).nominal) == pytest.approx(theirs * 12, abs=1e-6)


def test_another_library_agrees_on_days() -> None:
    loan = terms(unit="DAY", every=10, instalments=9, interest_period="DAILY", day_count="ACT/365")
    rows = schedule(loan)
    days = [loan.disbursed_on, *(row.due_on for row in rows)]
    theirs = pyxirr.xirr(days, [-1200.0, *(float(row.total) for row in rows)])
    assert float(annual_cost(loan, rows).effective) == pytest.approx(theirs, abs=1e-8)


def test_odd_days_of_a_broken_first_period_count_over_365() -> None:
    loan = terms(first_due_on=date(2024, 3, 10), interest_period="DAILY", day_count="ACT/365")
    rows = schedule(loan)
    flows = [(Fraction(0), -loan.principal)]
    odd = Fraction((date(2024, 2, 10) - date(2024, 1, 31)).days, 365)
    flows += [(Fraction(number, 12) + odd, row.total) for number, row in enumerate(rows, 1)]
    assert annual_cost(loan, rows).effective * 100 == pytest.approx(apr(flows), abs=D("1e-7"))
