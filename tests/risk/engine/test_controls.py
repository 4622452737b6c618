from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.engine import controls
from risk.engine.controls import ControlSpec, DaySums, State, evaluate

TODAY = date(2026, 6, 30)
NEW = State()
RETURNS = ControlSpec(
    "returns", controls.RETURN_SHARE, window_days=30, minimum_count=5, trip=Decimal("0.5"), release=Decimal("0.3"),
    action=controls.CUT, cut_share=Decimal("0.5"), cooldown_days=14,
)  # fmt: skip
SURGE = ControlSpec(
    "surge", controls.SPENDING_SURGE, window_days=7, minimum_count=1, trip=Decimal(4), release=Decimal(2),
    action=controls.SUSPEND, cooldown_days=14,
)  # fmt: skip


def ago(days: int, **sums: Any) -> DaySums:
    amounts = {name: Decimal(value) if name.endswith("amount") else value for name, value in sums.items()}
    return DaySums(TODAY - timedelta(days=days), **amounts)


def orders(count: int, ordered: int, returned: int, days: int = 3) -> list[DaySums]:
    return [ago(days, orders=count, order_amount=ordered, return_amount=returned)]


@pytest.mark.parametrize(
    ("count", "returned", "state", "figure"),
    [
        (5, 500, controls.TRIPPED, "0.5"),
        (5, 499, controls.CLEAR, "0.499"),
        (4, 900, controls.CLEAR, "0.9"),
    ],
)
def test_it_trips_at_the_level_with_enough_orders(count: int, returned: int, state: str, figure: str) -> None:
    verdict = evaluate(RETURNS, orders(count, 1000, returned), TODAY, NEW)
    assert (verdict.state, verdict.figure) == (state, Decimal(figure))
    assert verdict.explanation == {
        "kind": controls.RETURN_SHARE, "from": date(2026, 6, 1), "to": TODAY, "orders": count, "minimum_count": 5,
        "ordered": Decimal(1000), "return_amount": Decimal(returned), "trip": RETURNS.trip, "release": RETURNS.release,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("days", "state"),
    [(0, controls.TRIPPED), (29, controls.TRIPPED), (30, controls.CLEAR), (-1, controls.CLEAR)],
)
def test_the_window_has_its_days_and_no_more(days: int, state: str) -> None:
    assert evaluate(RETURNS, orders(9, 1000, 900, days), TODAY, NEW).state == state


@pytest.mark.parametrize(
    ("returned", "state"),
    [(400, controls.STILL_TRIPPED), (300, controls.STILL_TRIPPED), (299, controls.RELEASED)],
)
def test_it_lets_go_only_below_the_release_level(returned: int, state: str) -> None:
    active = State(active=True, tripped_on=TODAY - timedelta(days=5))
    assert evaluate(RETURNS, orders(9, 1000, returned), TODAY, active).state == state


def test_an_active_control_does_not_let_go_because_orders_are_few() -> None:
    active = State(active=True, tripped_on=TODAY - timedelta(days=5))
    assert evaluate(RETURNS, orders(1, 100, 100), TODAY, active).state == controls.STILL_TRIPPED
    assert evaluate(RETURNS, [], TODAY, active).state == controls.RELEASED


def test_while_it_cools_the_same_facts_do_not_trip_it_again() -> None:
    old = orders(9, 1000, 900, days=5)
    tripped = State(active=False, tripped_on=TODAY - timedelta(days=5))
    cooling = evaluate(RETURNS, old, TODAY, tripped)
    assert (cooling.state, cooling.explanation["cools_until"]) == (
        controls.COOLING,
        TODAY + timedelta(days=9),
    )
    assert evaluate(RETURNS, old + orders(4, 10, 10, days=1), TODAY, tripped).state == controls.COOLING
    again = evaluate(RETURNS, old + orders(5, 100, 60, days=1), TODAY, tripped)
    assert (again.state, again.figure) == (controls.TRIPPED, Decimal("0.6"))
    assert again.explanation["after"] == tripped.tripped_on


@pytest.mark.parametrize(("days", "state"), [(13, controls.COOLING), (14, controls.TRIPPED)])
def test_it_has_cooled_after_its_days(days: int, state: str) -> None:
    before = State(active=False, tripped_on=TODAY - timedelta(days=days))
    assert evaluate(RETURNS, orders(9, 1000, 900, days), TODAY, before).state == state


def steady(daily: int, days: int) -> list[DaySums]:
    """The same spend each day of the baseline, which ends the day before the window of a week."""
    return [ago(n, orders=1, order_amount=daily) for n in range(7, 7 + days)]


@pytest.mark.parametrize(
    ("spend", "state", "figure"), [(2800, controls.TRIPPED, 4), (2799, controls.CLEAR, Decimal("3.9986"))]
)
def test_a_surge_is_measured_against_the_customers_own_habit(spend: int, state: str, figure: Any) -> None:
    """100 a day is 700 a week; four times that is 2,800."""
    verdict = evaluate(SURGE, [*steady(100, 90), ago(0, orders=1, order_amount=spend)], TODAY, NEW)
    assert (verdict.state, verdict.figure) == (state, Decimal(figure))
    assert (verdict.explanation["usual"], verdict.explanation["spend"]) == (Decimal("700.00"), Decimal(spend))


@pytest.mark.parametrize(
    ("known_days", "figure"), [(None, "8.9997"), (90, "8.9997"), (45, "4.5000"), (28, "2.8000"), (27, None)]
)
def test_a_new_customer_is_measured_by_the_days_that_are_known(
    known_days: int | None, figure: str | None
) -> None:
    days = [*steady(100, 20), ago(0, orders=1, order_amount=1400)]
    since = None if known_days is None else TODAY - timedelta(days=6 + known_days)
    verdict = evaluate(SURGE, days, TODAY, NEW, known_since=since)
    assert verdict.figure == (None if figure is None else Decimal(figure))
    assert verdict.state == (controls.TRIPPED if figure and Decimal(figure) >= 4 else controls.CLEAR)


def test_who_never_spent_has_no_surge_unless_a_floor_is_set() -> None:
    woken = [ago(0, orders=1, order_amount=5000)]
    assert evaluate(SURGE, woken, TODAY, NEW).figure is None
    floored = evaluate(replace(SURGE, usual_floor=Decimal(500)), woken, TODAY, NEW)
    assert (floored.state, floored.figure) == (controls.TRIPPED, Decimal(10))


@pytest.mark.parametrize(
    ("kind", "field", "trip", "seen", "figure"),
    [
        (controls.VELOCITY, "orders", 10, 10, "10"),
        (controls.ADDRESS_CHURN, "new_addresses", 3, 3, "3"),
        (controls.CASH_OUT, "risky_amount", Decimal("0.8"), 80, "0.8"),
    ],
)
def test_the_other_kinds(kind: str, field: str, trip: Any, seen: int, figure: str) -> None:
    control = ControlSpec(
        "x", kind, 7, minimum_count=1, trip=Decimal(trip), release=Decimal(0), cooldown_days=0
    )
    day = ago(1, **{"orders": 1, "order_amount": 100, field: seen})
    verdict = evaluate(control, [day], TODAY, NEW)
    assert (verdict.state, verdict.figure) == (controls.TRIPPED, Decimal(figure))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "MOOD"}, "kind"),
        ({"action": "SHOUT"}, "action"),
        ({"window_days": 0}, "window"),
        ({"cooldown_days": -1}, "cool-down"),
        ({"release": Decimal("0.5")}, "release"),
        ({"release": Decimal("-0.1")}, "release"),
        ({"cut_share": Decimal(0)}, "share"),
        ({"cut_share": Decimal("1.01")}, "share"),
    ],
)
def test_controls_that_make_no_sense(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(RETURNS, **change)


DAY = st.builds(
    DaySums, st.integers(0, 40).map(lambda n: TODAY - timedelta(days=n)), st.integers(0, 4),
    st.decimals(0, 1000, places=2), st.integers(0, 4), st.decimals(0, 1000, places=2),
)  # fmt: skip


@given(st.lists(DAY, max_size=12), st.booleans(), st.integers(0, 40))
def test_no_flapping(days: list[DaySums], active: bool, tripped_ago: int) -> None:
    """What has just been released on these facts is not tripped by them, and what has just tripped is not released."""
    state = State(active, TODAY - timedelta(days=tripped_ago))
    verdict = evaluate(RETURNS, days, TODAY, state)
    if verdict.state == controls.TRIPPED:
        assert evaluate(RETURNS, days, TODAY, State(True, TODAY)).state in (
            controls.STILL_TRIPPED,
            controls.RELEASED,
        )
        if "after" not in verdict.explanation:
            assert evaluate(RETURNS, days, TODAY, State(True, TODAY)).state == controls.STILL_TRIPPED
    if verdict.state == controls.RELEASED:
        assert evaluate(RETURNS, days, TODAY, State(False, state.tripped_on)).state == controls.CLEAR
