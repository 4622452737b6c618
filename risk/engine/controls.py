"""Dynamic controls: watch one customer's daily sums and say when to alert, cut or suspend.

A control trips at `trip` and is released only below `release` (hysteresis), so it does not flap.
After a release it cools down: facts up to the day it tripped may not trip it again within
`cooldown_days`; only what happened since can.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
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
BASELINE_MINIMUM = 28
ZERO = Decimal(0)
CENT = Decimal("0.01")


@dataclass(frozen=True)
class DaySums:
    """One customer's day: counts, and amounts in the currency's unit.

    `risky_amount` is the part of the orders that is easily turned into cash (gift cards, gold, phones).
    """

    day: date
    orders: int = 0
    order_amount: Decimal = ZERO
    returns: int = 0
    return_amount: Decimal = ZERO
    new_addresses: int = 0
    risky_amount: Decimal = ZERO


@dataclass(frozen=True)
class ControlSpec:
    """What to watch, and what to do. Nothing trips on fewer than `minimum_count` orders in the window.

    `trip` and `release` are in the unit of the figure: a share, a multiple of the usual spend, or a
    count. `usual_floor` is the least that counts as usual spend. On CUT, `cut_share` of the limit goes.
    """

    code: str
    kind: str
    window_days: int
    minimum_count: int
    trip: Decimal
    release: Decimal
    action: str = ALERT
    cut_share: Decimal = ZERO
    cooldown_days: int = 30
    usual_floor: Decimal = ZERO

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
    """`figure` is None when there is nothing to judge; `explanation` holds what a person needs to check it."""

    state: str
    figure: Decimal | None
    explanation: Mapping[str, Any]


def evaluate(
    control: ControlSpec, days: Sequence[DaySums], today: date, state: State, known_since: date | None = None
) -> Verdict:
    """Judges one control on the days up to and including `today`; `known_since` is the customer's first day.

    An active control is released when its figure falls below the release level, however few orders
    are left: what tripped it counts until it has left the window.
    """
    seen = _measure(control, days, days, today, known_since)
    told = {**seen.told, "kind": control.kind, "trip": control.trip, "release": control.release}
    if state.active:
        over = seen.figure is not None and seen.figure >= control.release
        return Verdict(STILL_TRIPPED if over else RELEASED, seen.figure, told)
    if not seen.trips(control):
        return Verdict(CLEAR, seen.figure, told)
    tripped_on = state.tripped_on
    if tripped_on is None or today >= tripped_on + timedelta(days=control.cooldown_days):
        return Verdict(TRIPPED, seen.figure, told)
    fresh = _measure(control, [d for d in days if d.day > tripped_on], days, today, known_since)
    if fresh.trips(control):
        return Verdict(TRIPPED, fresh.figure, {**told, **fresh.told, "after": tripped_on})
    return Verdict(
        COOLING, seen.figure, {**told, "cools_until": tripped_on + timedelta(days=control.cooldown_days)}
    )


@dataclass(frozen=True)
class _Seen:
    figure: Decimal | None
    enough: bool
    told: dict[str, Any]

    def trips(self, control: ControlSpec) -> bool:
        return self.enough and self.figure is not None and self.figure >= control.trip


@dataclass(frozen=True)
class _Window:
    control: ControlSpec
    days: Sequence[DaySums]
    history: Sequence[DaySums]
    since: date
    known_since: date | None

    def sum(self, field: str) -> Decimal:
        return sum((Decimal(getattr(d, field)) for d in self.days), ZERO)


def _measure(
    control: ControlSpec,
    days: Sequence[DaySums],
    history: Sequence[DaySums],
    today: date,
    known_since: date | None,
) -> _Seen:
    """The figure on `days`, with `history` for what is usual."""
    since = today - timedelta(days=control.window_days - 1)
    window = _Window(control, [d for d in days if since <= d.day <= today], history, since, known_since)
    figure, parts = FIGURES[control.kind](window)
    orders = int(window.sum("orders"))
    told = {"from": since, "to": today, "orders": orders, "minimum_count": control.minimum_count, **parts}
    return _Seen(figure, orders >= control.minimum_count, told)


Figure = tuple[Decimal | None, dict[str, Any]]


def _share_of_orders(field: str) -> Callable[[_Window], Figure]:
    def figure(window: _Window) -> Figure:
        part, ordered = window.sum(field), window.sum("order_amount")
        return _ratio(part, ordered), {"ordered": ordered, field: part}

    return figure


def _count(field: str) -> Callable[[_Window], Figure]:
    def figure(window: _Window) -> Figure:
        return window.sum(field), {field: window.sum(field)}

    return figure


def _surge(window: _Window) -> Figure:
    """Spend in the window over what a window of that length usually brings, from the 90 days before it."""
    spend, usual = window.sum("order_amount"), _usual(window)
    return (None if usual is None else _ratio(spend, usual)), {"spend": spend, "usual": usual}


def _usual(window: _Window) -> Decimal | None:
    """Usual spend of a window, to the cent; None for a customer known for less than four weeks before it."""
    known = BASELINE_DAYS if window.known_since is None else (window.since - window.known_since).days
    length = min(BASELINE_DAYS, known)
    if length < BASELINE_MINIMUM:
        return None
    first = window.since - timedelta(days=length)
    spent = sum((d.order_amount for d in window.history if first <= d.day < window.since), ZERO)
    usual = (spent * window.control.window_days / length).quantize(CENT, ROUND_HALF_UP)
    return max(usual, window.control.usual_floor)


def _ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    return (part / whole).quantize(Decimal("0.0001"), ROUND_HALF_UP) if whole > 0 else None


FIGURES: Mapping[str, Callable[[_Window], Figure]] = {
    RETURN_SHARE: _share_of_orders("return_amount"),
    SPENDING_SURGE: _surge,
    VELOCITY: _count("orders"),
    ADDRESS_CHURN: _count("new_addresses"),
    CASH_OUT: _share_of_orders("risky_amount"),
}
