"""Whole minor units inside, Decimal outside.

Inside the engine every amount is an ``int`` of minor units (cents) and every factor an exact ratio of two
integers, so that nothing is lost between the contract and the one rounding that the contract names.
"""

from collections.abc import Iterable
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
)

ROUNDINGS = {
    "HALF_EVEN": ROUND_HALF_EVEN,
    "HALF_UP": ROUND_HALF_UP,
    "HALF_DOWN": ROUND_HALF_DOWN,
    "UP": ROUND_UP,
    "DOWN": ROUND_DOWN,
    "CEILING": ROUND_CEILING,
    "FLOOR": ROUND_FLOOR,
}

# The caller's decimal context may have any precision; the engine never depends on it.
WIDE = Context(prec=40, rounding=ROUND_HALF_EVEN)
_UNITS = tuple(Decimal(1).scaleb(-places) for places in range(7))
_ZEROS = tuple(Decimal(0).scaleb(-places) for places in range(7))


def unit_of(decimals: int) -> Decimal:
    """The smallest amount of a currency with that many decimals: 0.01 for 2."""
    return _UNITS[decimals]


def to_minor(amount: Decimal, decimals: int) -> int:
    """``amount`` in whole minor units; raises ValueError when it has more decimals than the currency."""
    scaled = WIDE.scaleb(amount, decimals)
    if not scaled.is_finite():
        raise ValueError(f"{amount} is not a number")
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{amount} has more than {decimals} decimals")
    return whole


def from_minor(minor: int, decimals: int) -> Decimal:
    """Whole minor units as a Decimal that always shows its decimals."""
    return WIDE.multiply(minor, _UNITS[decimals]) if minor else _ZEROS[decimals]


def from_minors(minors: Iterable[int], decimals: int) -> list[Decimal]:
    """The same for many amounts at once."""
    multiply, unit, zero = WIDE.multiply, _UNITS[decimals], _ZEROS[decimals]
    return [multiply(minor, unit) if minor else zero for minor in minors]


def round_ratio(num: int, den: int, rounding: str = "HALF_EVEN") -> int:
    """``num / den`` (``den`` > 0) rounded to a whole number by the named mode, with no error before that."""
    whole, rest = divmod(num, den)
    if not rest:
        return whole
    if rounding == "HALF_EVEN":
        twice = 2 * rest
        return whole + (twice > den or (twice == den and whole & 1))
    return whole + _goes_up(num, den, rest, rounding)


def _goes_up(num: int, den: int, rest: int, rounding: str) -> bool:
    """Whether the floor of an inexact ratio moves up by one under a mode other than HALF_EVEN."""
    if rounding in ("HALF_UP", "HALF_DOWN"):
        away = rounding == "HALF_UP"
        return 2 * rest > den or (2 * rest == den and away == (num > 0))
    if rounding == "CEILING":
        return True
    if rounding == "FLOOR":
        return False
    return (rounding == "UP") == (num > 0)
