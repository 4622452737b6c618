"""Dynamic controls: watch one customer's daily sums and say when to alert, cut or suspend.

A control trips at `trip` and is released only below `release` (hysteresis), so it does not flap.
After a release it cools down: facts up to the day it tripped may not trip it again within
`cooldown_days`; only what happened since can.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

RETURN_SHARE = "RETURN_SHARE"
SPENDING_SURGE = "SPENDING_SURGE"
VELOCITY = "VELOCITY"
ADDRESS_CHURN = "ADDRESS_CHURN"
CASH_OUT = "CASH_OUT"
ALERT, CUT, SUSPEND = "ALERT", "CUT", "SUSPEND"
CLEAR = "CLEAR"
TRIPPED = "TRIPPED"
STILL_TRIPPED = "STILL_TRIPPED"
RELEASED = "RELEASED"
COOLING = "COOLING"
BASELINE_DAYS = 90
ZERO = Decimal(0)


@dataclass(frozen=True)
class DaySums:
    """One customer's day: counts, and amounts in the currency's unit. `risky_amount` is what can be turned into cash."""

    day: date
    orders: int = 0
    order_amount: Decimal = ZERO
    returns: int = 0
    return_amount: Decimal = ZERO
    new_addresses: int = 0
    risky_amount: Decimal = ZERO


@dataclass(frozen=True)
class ControlSpec:
    """`minimum_count` orders in the window are needed before anything trips. `cut_share` of the limit goes on CUT."""

    code: str
    kind: str
    window_days: int
    minimum_count: int
    trip: Decimal
    release: Decimal
    action: str = ALERT
    cut_share: Decimal = ZERO
    cooldown_days: int = 30

    def __post_init__(self) -> None:
        if self.kind not in FIGURES:
            raise ValueError(f"unknown kind of control: {self.kind}")
        if self.action not in (ALERT, CUT, SUSPEND):
            raise ValueError(f"unknown action: {self.action}")
        if self.window_days < 1 or self.minimum_count < 0 or self.cooldown_days < 0:
            raise ValueError("a window has at least one day; counts and cool-down are not negative")
        if not ZERO <= self.release < self.trip:
            raise ValueError("the release level must lie below the trip level, and not below zero")
        if self.action == CUT and not ZERO < self.cut_share <= 1:
            raise ValueError("a cut needs a share above 0 and up to 1")


@dataclass(frozen=True)
class State:
    """What is known from before: whether the control is active, and the day it last tripped."""

    active: bool = False
    tripped_on: date | None = None


@dataclass(frozen=True)
class Verdict:
    """`figure` is None when there is too little to judge; `explanation` holds what a person needs to check it."""

    state: str
    figure: Decimal | None
    explanation: Mapping[str, Any]


def evaluate(control: ControlSpec, days: Sequence[DaySums], today: date, state: State) -> Verdict:
    """Judges one control on the days up to and including `today`.

    An active control stays active while it cannot be judged: silence is no proof of health
    until the window has emptied, then it is released.
    """
    figure, explanation = measure(control, days, today)
    told = {**explanation, "kind": control.kind, "trip": control.trip, "release": control.release}
    if state.active:
        over = figure is not None and figure >= control.release
        return Verdict(STILL_TRIPPED if over else RELEASED, figure, told)
    if figure is None or figure < control.trip:
        return Verdict(CLEAR, figure, told)
    if not _cooling(control, today, state):
        return Verdict(TRIPPED, figure, told)
    fresh = [d for d in days if state.tripped_on is not None and d.day > state.tripped_on]
    again, _ = measure(control, fresh, today, baseline=days)
    if again is not None and again >= control.trip:
        return Verdict(TRIPPED, again, {**told, "since": state.tripped_on})
    return Verdict(COOLING, figure, told)


def measure(
    control: ControlSpec, days: Sequence[DaySums], today: date, baseline: Sequence[DaySums] | None = None
) -> tuple[Decimal | None, dict[str, Any]]:
    """The figure of a control and what it was made from; None when the window holds too few orders."""
    since = today - timedelta(days=control.window_days - 1)
    window = [d for d in days if since <= d.day <= today]
    orders = sum(d.orders for d in window)
    told: dict[str, Any] = {"from": since, "to": today, "orders": orders}
    earlier = _baseline(days if baseline is None else baseline, since)
    figure, parts = FIGURES[control.kind](window, earlier, control.window_days)
    enough = orders >= control.minimum_count
    return (figure if enough else None), {**told, **parts, "enough": enough}


Figure = tuple[Decimal | None, dict[str, Any]]


def _return_share(window: Sequence[DaySums], _: Sequence[DaySums], __: int) -> Figure:
    ordered = sum((d.order_amount for d in window), ZERO)
    returned = sum((d.return_amount for d in window), ZERO)
    return _ratio(returned, ordered), {"ordered": ordered, "returned": returned}


def _spending_surge(window: Sequence[DaySums], earlier: Sequence[DaySums], window_days: int) -> Figure:
    """Spend in the window over what a window of that length usually brings."""
    spend = sum((d.order_amount for d in window), ZERO)
    before = sum((d.order_amount for d in earlier), ZERO)
    usual = (before * window_days / BASELINE_DAYS).quantize(Decimal("0.01"))
    return _ratio(spend, usual), {"spend": spend, "usual": usual}


def _velocity(window: Sequence[DaySums], _: Sequence[DaySums], __: int) -> Figure:
    return Decimal(sum(d.orders for d in window)), {}


def _address_churn(window: Sequence[DaySums], _: Sequence[DaySums], __: int) -> Figure:
    return Decimal(sum(d.new_addresses for d in window)), {}


def _cash_out(window: Sequence[DaySums], _: Sequence[DaySums], __: int) -> Figure:
    ordered = sum((d.order_amount for d in window), ZERO)
    risky = sum((d.risky_amount for d in window), ZERO)
    return _ratio(risky, ordered), {"ordered": ordered, "risky": risky}


FIGURES: Mapping[str, Callable[[Sequence[DaySums], Sequence[DaySums], int], Figure]] = {
    RETURN_SHARE: _return_share,
    SPENDING_SURGE: _spending_surge,
    VELOCITY: _velocity,
    ADDRESS_CHURN: _address_churn,
    CASH_OUT: _cash_out,
}


def _ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    return (part / whole).quantize(Decimal("0.0001")) if whole > 0 else None


def _baseline(days: Sequence[DaySums], before: date) -> list[DaySums]:
    since = before - timedelta(days=BASELINE_DAYS)
    return [d for d in days if since <= d.day < before]


def _cooling(control: ControlSpec, today: date, state: State) -> bool:
    if state.tripped_on is None:
        return False
    return today < state.tripped_on + timedelta(days=control.cooldown_days)
