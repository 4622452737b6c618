"""What another decision would have cost or saved, given what became of the one that was made. Plain values."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

ZERO, CENT = Decimal(0), Decimal("0.01")
NOT_TAKEN, RUNNING, GOOD, BAD = "NOT_TAKEN", "RUNNING", "GOOD", "BAD"


@dataclass(frozen=True)
class Outcome:
    """What became of the money of one application, in the currency's unit.

    `lost` is principal given up or more than 90 days late, less what came back; `earned` is interest, fees and
    penalties paid.
    """

    fate: str = NOT_TAKEN
    lent: Decimal = ZERO
    lost: Decimal = ZERO
    earned: Decimal = ZERO


def effect(then: Decimal | None, now: Decimal | None, outcome: Outcome) -> Decimal | None:
    """What lending `now` instead of `then` would have saved (above zero) or cost (below); the limits are None where
    nothing was approved.

    Lending less scales what came of it; where nothing came of it yet, or more would have been lent than was, nobody
    knows: None.
    """
    before, after = then or ZERO, now or ZERO
    if after == before:
        return ZERO
    if after > before:
        return None
    if outcome.fate == NOT_TAKEN:
        return ZERO
    if outcome.fate == RUNNING:
        return None
    share = (before - after) / before
    return (share * (outcome.lost - outcome.earned)).quantize(CENT, ROUND_HALF_UP)
