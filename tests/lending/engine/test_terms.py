import json
from datetime import date
from typing import Any

import pytest

from lending.engine import Method, Terms, TermsError, Unit
from tests.lending.engine.cases import D, rules, terms

PLAIN = {
    "principal": "1200.00",
    "annual_rate": "0.12",
    "method": "EQUAL_INSTALMENT",
    "instalments": 3,
    "disbursed_on": "2024-01-31",
}


def test_reading_and_defaults() -> None:
    got = Terms.from_json(PLAIN)
    assert (got.principal, got.method, got.unit, got.every) == (
        D("1200.00"),
        Method.EQUAL_INSTALMENT,
        Unit.MONTH,
        1,
    )
    assert (got.day_count, got.interest_period, got.rounding, got.residue) == (
        "30/360",
        "PERIOD",
        "HALF_EVEN",
        "LAST",
    )


@pytest.mark.parametrize(
    "agreed",
    [
        terms(),
        terms(allocation=rules("VERTICAL", "LAST", GOODWILL="REAMORTISE")),
        terms(
            penalty_rate=D("0.18"),
            penalty_cap=D("100.00"),
            penalty_grace_days=3,
            first_due_on=date(2024, 3, 5),
        ),
        terms(
            method="CUSTOM", custom_principal=(D("200"), D("400"), D("600")), instalment_multiple_of=D("1")
        ),
        terms(due_dates=(date(2024, 3, 1), date(2024, 4, 1), date(2024, 5, 6)), unit="WEEK", every=4),
    ],
)
def test_json_round_trip_is_exact(agreed: Terms) -> None:
    assert Terms.from_json(json.loads(json.dumps(agreed.to_json()))) == agreed


WRONG: list[tuple[str, Any]] = [
    ("principal", 1200.5),
    ("principal", "0"),
    ("principal", "-1"),
    ("principal", "1.005"),
    ("principal", "NaN"),
    ("principal", "1e16"),
    ("annual_rate", "twelve"),
    ("annual_rate", "-0.01"),
    ("annual_rate", "101"),
    ("method", "MAGIC"),
    ("instalments", 0),
    ("instalments", "3.5"),
    ("instalments", 1201),
    ("instalments", True),
    ("every", 0),
    ("unit", "FORTNIGHT"),
    ("disbursed_on", "31.01.2024"),
    ("first_due_on", "2024-01-31"),
    ("day_count", "30/366"),
    ("interest_period", "WEEKLY"),
    ("rounding", "SOMEHOW"),
    ("decimals", 7),
    ("residue", "FIRST"),
    ("instalment_multiple_of", "0"),
    ("down_payment_rate", "1"),
    ("upfront_fee", "1200"),
    ("grace_principal_instalments", 3),
    ("grace_interest_instalments", 3),
    ("interest_free_days", -1),
    ("allocation", "NEWEST_FIRST"),
    ("allocation", {"processing": "DIAGONAL", "rules": {}}),
    ("allocation", {"processing": "VERTICAL", "rules": {"DEFAULT": {"order": ["DUE_FEE"]}}}),
    ("due_dates", ["2024-02-29"]),
    ("due_dates", ["2024-02-29", "2024-02-28", "2024-03-01"]),
    ("custom_principal", ["1200"]),
    ("day_count_penalty", 300),
    ("settlement_fee", "DOUBLE"),
    ("colour", "red"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_terms_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(TermsError) as refused:
        Terms.from_json({**PLAIN, name: value})
    assert refused.value.field == name


@pytest.mark.parametrize("name", PLAIN)
def test_a_missing_term_is_named(name: str) -> None:
    with pytest.raises(TermsError, match=name):
        Terms.from_json({key: value for key, value in PLAIN.items() if key != name})


def test_a_flat_fee_bears_no_interest() -> None:
    with pytest.raises(TermsError, match="annual_rate"):
        terms(method="FLAT_FEE")


def test_custom_principal_sums_to_the_principal() -> None:
    with pytest.raises(TermsError, match="sum"):
        terms(method="CUSTOM", custom_principal=(D("200"), D("400"), D("500")))
