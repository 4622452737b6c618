from datetime import date
from fractions import Fraction

import pytest

from lending.engine import schedule
from lending.engine.daycount import has_leap_day, year_fraction
from tests.lending.engine.cases import D, cents, terms


@pytest.mark.parametrize(
    ("day_count", "start", "end", "expected"),
    [
        ("ACT/360", "2024-01-01", "2024-02-01", "31/360"),
        ("ACT/364", "2024-01-01", "2024-02-01", "31/364"),
        ("ACT/365", "2024-01-01", "2024-02-01", "31/365"),
        ("ACT/ACT", "2024-01-01", "2024-02-01", "31/366"),
        ("ACT/ACT", "2023-01-01", "2023-02-01", "31/365"),
        # 31 December is a day of the old year, whichever side of it the period starts.
        ("ACT/ACT", "2023-12-31", "2024-01-31", "31/366"),
        ("ACT/ACT", "2024-12-31", "2025-01-31", "31/365"),
        ("ACT/ACT", "2023-11-30", "2023-12-31", "31/365"),
        ("ACT/ACT-LEAP-PERIOD", "2024-01-31", "2024-02-29", "29/366"),
        ("ACT/ACT-LEAP-PERIOD", "2024-02-29", "2024-03-31", "31/365"),
        ("ACT/ACT-LEAP-PERIOD", "2024-01-01", "2024-02-01", "31/365"),
    ],
)
def test_year_fractions(day_count: str, start: str, end: str, expected: str) -> None:
    got = Fraction(*year_fraction(day_count, date.fromisoformat(start), date.fromisoformat(end)))
    assert got == Fraction(expected)


def test_a_period_across_new_year_is_split() -> None:
    got = Fraction(*year_fraction("ACT/ACT", date(2023, 12, 12), date(2024, 1, 12)))
    assert got == Fraction(19, 365) + Fraction(12, 366)


def test_a_period_of_years() -> None:
    got = Fraction(*year_fraction("ACT/ACT", date(2023, 6, 30), date(2026, 6, 30)))
    assert got == Fraction(184, 365) + 1 + 1 + Fraction(181, 365)


def test_the_leap_day_belongs_to_the_period_that_ends_on_it() -> None:
    assert has_leap_day(date(2024, 2, 28), date(2024, 2, 29))
    assert not has_leap_day(date(2024, 2, 29), date(2024, 3, 29))
    assert not has_leap_day(date(1900, 1, 1), date(1900, 12, 31))


FIRST_INTEREST = {
    "30/360": "10.00",
    "30/365": "9.86",
    "ACT/360": "9.67",
    "ACT/364": "9.56",
    "ACT/365": "9.53",
    "ACT/ACT": "9.51",
    "ACT/ACT-LEAP-PERIOD": "9.51",
}


@pytest.mark.parametrize(("day_count", "interest"), FIRST_INTEREST.items())
def test_interest_of_february_by_days(day_count: str, interest: str) -> None:
    """1,000.00 at 12 % from 31 January to 29 February 2024: 29 days, or a month of 30."""
    rows = schedule(terms(principal=D("1000"), day_count=day_count, interest_period="DAILY"))
    assert cents(rows[0].interest) == interest


@pytest.mark.parametrize("day_count", FIRST_INTEREST)
def test_interest_by_period_knows_no_days(day_count: str) -> None:
    rows = schedule(terms(principal=D("1000"), day_count=day_count, interest_period="PERIOD"))
    assert cents(rows[0].interest) == "10.00"
