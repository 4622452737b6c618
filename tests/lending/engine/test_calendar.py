from datetime import date, timedelta

import pytest

from lending.engine.calendar import (
    add_months,
    first_due_on,
    months_on,
    next_statement_on,
    roll,
    roll_business_day,
    statement_due_on,
)


def test_month_ends_never_drift() -> None:
    days = months_on(date(2023, 9, 30), 1, 3) + months_on(date(2023, 10, 31), 1, 5)
    assert [day.isoformat() for day in days] == [
        "2023-10-30",
        "2023-11-30",
        "2023-12-30",
        "2023-11-30",
        "2023-12-31",
        "2024-01-31",
        "2024-02-29",
        "2024-03-31",
    ]


@pytest.mark.parametrize(
    "start", [date(2023, 1, 31), date(2024, 2, 29), date(2024, 12, 30), date(2025, 6, 1)]
)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 12, 30])
def test_many_months_are_each_rolled_from_the_start(start: date, step: int) -> None:
    assert months_on(start, step, 40) == [add_months(start, step * n) for n in range(1, 41)]


def test_units() -> None:
    start = date(2024, 2, 29)
    assert roll(start, "DAY", 3) == date(2024, 3, 3)
    assert roll(start, "WEEK", 2) == date(2024, 3, 14)
    assert roll(start, "YEAR", 1) == date(2025, 2, 28)
    assert roll(start, "YEAR", 4) == date(2028, 2, 29)


@pytest.mark.parametrize(
    ("statement", "due"),
    [
        ("2024-01-01", "2024-01-10"),
        ("2024-02-22", "2024-02-29"),
        ("2023-02-22", "2023-02-28"),
        ("2024-03-22", "2024-03-31"),
    ],
)
def test_a_bill_is_due_nine_days_later_within_its_month(statement: str, due: str) -> None:
    assert statement_due_on(date.fromisoformat(statement)) == date.fromisoformat(due)


def test_a_purchase_on_the_statement_day_is_still_in_that_statement() -> None:
    assert next_statement_on(date(2024, 5, 7), 7) == date(2024, 5, 7)
    assert next_statement_on(date(2024, 5, 8), 7) == date(2024, 6, 7)
    assert next_statement_on(date(2024, 12, 8), 7) == date(2025, 1, 7)
    assert first_due_on(date(2024, 5, 7), 7) == date(2024, 5, 16)
    assert first_due_on(date(2024, 5, 8), 7) == date(2024, 6, 16)


def test_the_free_time_is_at_most_forty_days() -> None:
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
    for statement_day in range(1, 23):
        assert max((first_due_on(day, statement_day) - day).days for day in days) <= 40


@pytest.mark.parametrize("day", [0, 29])
def test_a_statement_day_exists_in_every_month(day: int) -> None:
    with pytest.raises(ValueError, match="statement_day"):
        next_statement_on(date(2024, 1, 1), day)


def _weekday(day: date) -> bool:
    return day.weekday() < 5


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("NONE", "2024-08-31"),
        ("FOLLOWING", "2024-09-02"),
        ("MODIFIED_FOLLOWING", "2024-08-30"),
        ("PRECEDING", "2024-08-30"),
    ],
)
def test_business_days(rule: str, expected: str) -> None:
    assert roll_business_day(date(2024, 8, 31), _weekday, rule) == date.fromisoformat(expected)


def test_a_working_day_stays() -> None:
    assert roll_business_day(date(2024, 8, 30), _weekday, "MODIFIED_FOLLOWING") == date(2024, 8, 30)


def test_business_day_errors() -> None:
    with pytest.raises(ValueError, match="rule"):
        roll_business_day(date(2024, 8, 31), _weekday, "SOMEHOW")
    with pytest.raises(ValueError, match="no working day"):
        roll_business_day(date(2024, 8, 31), lambda day: False)
