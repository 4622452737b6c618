"""Late interest. 396.03 of principal fall due on 29 February 2024; at 18.25 % a year a day costs 0.05 %."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lending.engine import Event, LoanState, replay
from tests.lending.engine.cases import D, cents, charge, out, pays, terms

DUE = date(2024, 2, 29)
RATE = D("0.1825")


def _state(days: int, *events: Event, **changes: Any) -> LoanState:
    loan = terms(**{"penalty_rate": RATE, **changes})
    return replay(loan, [out(loan), *events], DUE + timedelta(days=days))


@pytest.mark.parametrize(
    ("days", "penalty"),
    [(0, "0.00"), (1, "0.20"), (2, "0.40"), (10, "1.98"), (31, "6.14")],
)
def test_it_grows_by_the_day_after_the_due_date(days: int, penalty: str) -> None:
    """396.03 x 0.0005 = 0.198015 a day, rounded half up when read and never before."""
    assert cents(_state(days).rows[0].penalty) == penalty


def test_days_of_grace_cost_nothing_even_later() -> None:
    assert (
        cents(*(_state(days, penalty_grace_days=3).rows[0].penalty for days in (3, 4, 13)))
        == "0.00 0.20 1.98"
    )


def test_a_part_payment_lowers_it_from_the_next_day() -> None:
    """Ten days on 396.03; the payment takes the penalty, the interest and 300.00 of the principal."""
    pay = pays("p", DUE + timedelta(days=10), "313.98")
    state = _state(20, pay)
    assert cents(state.rows[0].principal_outstanding, state.rows[0].penalty) == "96.03 2.46"
    assert state.rows[0].principal_days == D("396.03") * 10 + D("96.03") * 10


def test_every_overdue_instalment_counts_its_own_principal() -> None:
    state = _state(41)
    assert [cents(row.penalty) for row in state.rows] == ["8.12", "2.00", "0.00"]


def test_late_interest_bears_none() -> None:
    """A year later the penalty is the rate on the three principals for their days, and nothing on itself."""
    state = _state(365 + 31)
    days = [(row.principal, (state.as_of - row.due_on).days) for row in state.rows]
    assert sum(row.penalty for row in state.rows) == sum(
        (principal * RATE * count / 365).quantize(D("0.01"), "ROUND_HALF_UP") for principal, count in days
    )


def test_it_stops_at_the_cap_on_the_very_day() -> None:
    assert cents(_state(15, penalty_cap=D("3.00")).rows[0].penalty) == "2.97"
    assert cents(_state(16, penalty_cap=D("3.00")).rows[0].penalty) == "3.00"
    later = _state(400, penalty_cap=D("3.00"))
    assert [cents(row.penalty) for row in later.rows] == ["3.00", "0.00", "0.00"]


def test_older_instalments_take_the_last_room_under_the_cap() -> None:
    # On day 41 there are 8.12 and 2.00; day 42 would bring 0.20 and 0.20.
    assert [cents(row.penalty) for row in _state(42, penalty_cap=D("10.25")).rows] == ["8.25", "2.00", "0.00"]


def test_charged_penalties_count_towards_the_cap() -> None:
    charged = charge("c", DUE, "2.00", "PENALTY")
    assert cents(_state(100, charged, penalty_cap=D("3.00")).rows[0].penalty) == "3.00"


def test_what_was_waived_does_not_come_back() -> None:
    waive = Event("w", "WAIVER", DUE + timedelta(days=10), D("1.98"), kind="PENALTY")
    row = _state(20, waive).rows[0]
    assert cents(row.penalty, row.penalty_waived, row.penalty_outstanding) == "3.96 1.98 1.98"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 120), max_size=8), st.sampled_from([None, "1.00", "3.33", "25.00"]))
def test_looking_on_the_way_changes_nothing(stops: list[int], cap: str | None) -> None:
    """Waivers of one cent of interest are stops at which the fold reckons; the penalty must not notice."""
    cap_amount = None if cap is None else D(cap)
    events = [
        Event(f"w{n}", "WAIVER", DUE + timedelta(days=stop), D("0.01"), kind="INTEREST")
        for n, stop in enumerate(stops)
    ]
    with_stops = _state(120, *events, penalty_cap=cap_amount)
    without = _state(120, penalty_cap=cap_amount)
    assert [row.penalty for row in with_stops.rows] == [row.penalty for row in without.rows]
    if cap_amount is not None:
        assert sum(row.penalty for row in without.rows) <= cap_amount
