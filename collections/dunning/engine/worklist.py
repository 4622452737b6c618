"""The collector's list, ranked by what an hour of work is expected to bring in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from dunning.engine.strategy import M0, M1, M2, M3, M3_PLUS, bucket

# Share of the overdue amount still recovered, by bucket: a start, to be replaced by the lender's own history.
BASE_RATES: Mapping[str, Decimal] = {
    M0: Decimal("0.97"),
    M1: Decimal("0.85"),
    M2: Decimal("0.45"),
    M3: Decimal("0.30"),
    M3_PLUS: Decimal("0.12"),
}
LOWEST, HIGHEST = Decimal("0.01"), Decimal("0.99")


@dataclass(frozen=True)
class Item:
    """A case as the list sees it. `pd` is the probability of default, `reachable` None when never tried."""

    key: str
    overdue_amount: Decimal
    days_past_due: int
    promises_kept: int = 0
    promises_broken: int = 0
    pd: Decimal | None = None
    reachable: bool | None = None


@dataclass(frozen=True)
class Ranked:
    """`parts` are the factors, the first the base rate; their product, held in bounds, is `probability`."""

    key: str
    expected: Decimal
    probability: Decimal
    parts: tuple[tuple[str, Decimal], ...] = field(default_factory=tuple)


def rank(items: Iterable[Item], base_rates: Mapping[str, Decimal] = BASE_RATES) -> list[Ranked]:
    """All items, the highest expected recovery first; equal ones by key, so the order never changes by itself."""
    return sorted((appraise(i, base_rates) for i in items), key=lambda r: (-r.expected, r.key))


def appraise(item: Item, base_rates: Mapping[str, Decimal] = BASE_RATES) -> Ranked:
    """Expected recovery of one case, in cents: overdue amount times probability."""
    parts = [("base", base_rates[bucket(item.days_past_due)]), *_adjustments(item)]
    product = Decimal(1)
    for _, factor in parts:
        product *= factor
    probability = min(max(product, LOWEST), HIGHEST).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    expected = (item.overdue_amount * probability).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return Ranked(item.key, expected, probability, tuple(parts))


def _adjustments(item: Item) -> Iterable[tuple[str, Decimal]]:
    """Factors for what is known; what is not known changes nothing."""
    if item.promises_kept:
        yield "promises_kept", Decimal("1.15")
    if item.promises_broken:
        yield "promises_broken", Decimal("0.80") ** min(item.promises_broken, 3)
    if item.pd is not None:
        yield "pd", (Decimal("1.10") - Decimal("0.60") * item.pd).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    if item.reachable is not None:
        yield "reachable", Decimal("1.10") if item.reachable else Decimal("0.60")
