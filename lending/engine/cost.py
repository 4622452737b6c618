"""What a loan costs in a year: the internal rate of return over what the borrower really gets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from lending.engine.calendar import roll
from lending.engine.money import round_ratio
from lending.engine.schedule import Row, schedule
from lending.engine.terms import Terms

_CTX = Context(prec=34)
_CLOSE = Decimal("1e-16")
_ZERO = Decimal(0)
_PER_YEAR = {"YEAR": Fraction(1), "MONTH": Fraction(12), "WEEK": Fraction(52), "DAY": Fraction(365)}
EFFECTIVE, NOMINAL = "EFFECTIVE", "NOMINAL"

Flow = tuple[Fraction, Decimal]


@dataclass(frozen=True, slots=True)
class AnnualCost:
    """Yearly fractions: ``nominal`` is the period's internal rate times the periods of a year, ``effective``
    the same compounded."""

    nominal: Decimal
    effective: Decimal


class Charge(NamedTuple):
    """What someone else collects for the credit, beside the loan: once on the first day, or with each instalment."""

    code: str
    amount: Decimal
    upfront: bool

    def times(self, terms: Terms) -> int:
        """How often it is due over the life of the loan."""
        return 1 if self.upfront else terms.instalments


def annual_cost(
    terms: Terms, rows: Sequence[Row] | None = None, charges: Sequence[Charge] = ()
) -> AnnualCost:
    """The all-in yearly cost over net proceeds (principal less upfront fee), every fee and charge counted.

    A charge of each instalment is paid with its row; a down payment bears none, and a bullet bears all of them at
    once. Time runs in periods of the loan; the odd days of a broken first period count over 365 (PBOC announcement
    [2021] No. 3; Directive 2008/48/EC annex I for the odd days). To ten decimals.
    """
    rows = schedule(terms) if rows is None else rows
    flows = [(Fraction(0), terms.upfront_fee - terms.principal)]
    flows += [(_time_of(terms, row), row.total) for row in rows]
    flows += [flow for charge in charges for flow in _flows_of(charge, terms, rows)]
    per_year = periods_per_year(terms)
    strength = _strength(flows)
    return AnnualCost(
        nominal=_tidy(_nominal(strength, per_year)),
        effective=_tidy(_CTX.subtract(strength.exp(_CTX), 1)),
    )


def _flows_of(charge: Charge, terms: Terms, rows: Sequence[Row]) -> list[Flow]:
    if charge.upfront:
        return [(Fraction(0), charge.amount)]
    regular = [row for row in rows if row.due_on > terms.disbursed_on]
    each = _CTX.divide(_CTX.multiply(charge.amount, terms.instalments), len(regular))
    return [(_time_of(terms, row), each) for row in regular]


def periods_per_year(terms: Terms) -> Fraction:
    """12 for monthly, 4 for quarterly, 52 for weekly, 365 / n for every n days."""
    return _PER_YEAR[terms.unit] / terms.every


def apr(
    flows: Iterable[Flow], basis: str = EFFECTIVE, periods_per_year: Fraction | int | None = None
) -> Decimal:
    """The yearly rate of dated flows as a percentage; a negative amount goes to the borrower.

    EFFECTIVE: the X with sum(amount / (1 + X) ** t) = 0. NOMINAL: the rate of one of ``periods_per_year``
    periods, times their number. Times are years, exact. Raises ValueError when no rate fits.
    """
    flows = [(Fraction(t), Decimal(amount)) for t, amount in flows]
    if basis not in (EFFECTIVE, NOMINAL):
        raise ValueError(f"basis must be {EFFECTIVE} or {NOMINAL}")
    if basis == NOMINAL and not (periods_per_year and periods_per_year > 0):
        raise ValueError("NOMINAL needs periods_per_year above zero")
    strength = _strength(flows)
    if basis == EFFECTIVE:
        rate = _CTX.subtract(strength.exp(_CTX), 1)
    else:
        assert periods_per_year is not None
        rate = _nominal(strength, Fraction(periods_per_year))
    return _CTX.multiply(rate, 100)


def one_decimal(percent: Decimal) -> Decimal:
    """A percentage as European law shows it: one decimal, half up."""
    num, den = percent.as_integer_ratio()
    return Decimal(round_ratio(num * 10, den, "HALF_UP")).scaleb(-1)


def _time_of(terms: Terms, row: Row) -> Fraction:
    """Years from disbursement: whole months counted back from the due date, then odd days over 365."""
    if terms.unit in ("DAY", "WEEK"):
        days = (row.due_on - terms.disbursed_on).days
        return Fraction(days, 7 * 52 if terms.unit == "WEEK" else 365)
    start = terms.disbursed_on
    months = (row.due_on.year - start.year) * 12 + row.due_on.month - start.month
    if roll(start, "MONTH", months) == row.due_on:
        return Fraction(months, 12)
    anchor = terms.first_due_on.day if terms.first_due_on else None
    cut = roll(row.due_on, "MONTH", -months, anchor)
    if cut < start:
        months -= 1
        cut = roll(row.due_on, "MONTH", -months, anchor)
    return Fraction(months, 12) + Fraction((cut - start).days, 365)


def _nominal(strength: Decimal, per_year: Fraction) -> Decimal:
    count = _CTX.divide(per_year.numerator, per_year.denominator)
    return _CTX.multiply(_CTX.subtract(_CTX.divide(strength, count).exp(_CTX), 1), count)


def _tidy(rate: Decimal) -> Decimal:
    return rate.quantize(Decimal("1e-10"), context=_CTX)


def _strength(flows: Sequence[Flow]) -> Decimal:
    """The force of interest ln(1 + X) at which the flows are worth nothing.

    Newton from nought: when money goes out first and more comes back, the worth falls and bends one way, so
    every step stays on one side of the answer. Other flows are first held between two bounds.
    """
    flows = [(t, amount) for t, amount in sorted(flows) if amount]
    if not any(a < 0 for _, a in flows) or not any(a > 0 for _, a in flows):
        raise ValueError("flows must go both ways")
    if flows[0][0] < 0:
        raise ValueError("times must not be negative")
    steps, grid = _on_grid(flows)
    guess = _ZERO
    low = high = None
    for _ in range(200):
        value, slope = _worth(steps, grid, guess)
        if not value:
            return guess
        if low is None and (value < 0 or slope >= 0):
            low, high = _bracket(steps, grid)
            guess = (low + high) / 2
            continue
        move = _CTX.divide(value, slope) if slope else _ZERO
        following = _CTX.subtract(guess, move)
        if low is not None and high is not None:
            low, high = (guess, high) if value > 0 else (low, guess)
            if not low < following < high:
                following = (low + high) / 2
        if abs(following - guess) < _CLOSE:
            return following
        guess = following
    raise ValueError("no rate found")


def _on_grid(flows: Sequence[Flow]) -> tuple[list[tuple[int, Decimal]], int]:
    """Times as whole steps of the largest common part of a year: (gap to the flow before, amount)."""
    grid = lcm(*(t.denominator for t, _ in flows))
    at = [int(t * grid) for t, _ in flows]
    return [(now - before, a) for now, before, (_, a) in zip(at, [0, *at], flows, strict=False)], grid


def _worth(steps: Sequence[tuple[int, Decimal]], grid: int, strength: Decimal) -> tuple[Decimal, Decimal]:
    """Present value of the flows at that force of interest, and its slope."""
    base = _CTX.divide(-strength, grid).exp(_CTX)
    powers: dict[int, Decimal] = {}
    factor, at = Decimal(1), 0
    value = slope = Decimal(0)
    for gap, amount in steps:
        if gap:
            if gap not in powers:
                powers[gap] = _CTX.power(base, gap)
            factor = _CTX.multiply(factor, powers[gap])
            at += gap
        worth = _CTX.multiply(amount, factor)
        value = _CTX.add(value, worth)
        slope = _CTX.fma(worth, -at, slope)
    return value, _CTX.divide(slope, grid)


def _bracket(steps: Sequence[tuple[int, Decimal]], grid: int) -> tuple[Decimal, Decimal]:
    """Two forces of interest between which the value falls from above zero to below."""
    low, high = Decimal("-0.5"), Decimal("0.5")
    for _ in range(12):
        if _worth(steps, grid, high)[0] < 0:
            break
        high *= 2
    for _ in range(12):
        if _worth(steps, grid, low)[0] > 0:
            break
        low *= 2
    if not _worth(steps, grid, low)[0] >= 0 >= _worth(steps, grid, high)[0]:
        raise ValueError("no rate makes these flows worth nothing")
    return low, high
