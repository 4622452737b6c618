"""How bad a debt is: days past due, the bucket they fall in, and the five-tier class (五级分类).

The days set a floor below which nobody may put a loan. What people know may make the class worse, never better; so
may the other loans of the same customer, and a restructuring while it is watched.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import IntEnum


class Tier(IntEnum):
    """The five classes, better ones first. From SUBSTANDARD on, a loan is non-performing (不良)."""

    NORMAL = 1
    SPECIAL_MENTION = 2
    SUBSTANDARD = 3
    DOUBTFUL = 4
    LOSS = 5


NON_PERFORMING = Tier.SUBSTANDARD


@dataclass(frozen=True, slots=True)
class Scale:
    """The first day past due of each class below NORMAL, in order."""

    special_mention: int
    substandard: int
    doubtful: int
    loss: int

    @property
    def starts(self) -> tuple[int, int, int, int]:
        return self.special_mention, self.substandard, self.doubtful, self.loss

    def floor(self, days: int) -> Tier:
        """The best class that so many days past due allow."""
        return Tier(1 + bisect_right(self.starts, days))


@dataclass(frozen=True, slots=True)
class Buckets:
    """The first day past due of bucket 1, 2 and so on; below the first is bucket 0."""

    starts: tuple[int, ...]

    def of(self, days: int, grace: int = 0) -> int:
        """The bucket. Days of grace do not count while they last; once they are over, all days do."""
        return 0 if days <= grace else bisect_right(self.starts, days)

    @property
    def names(self) -> list[str]:
        """M0, M1, M2, M3, and M3+ for whatever is later than the one before."""
        last = len(self.starts)
        return [f"M{number}" for number in range(last)] + [f"M{last - 1}+" if last > 1 else "M1"]


def days_past_due(oldest_due_on: date | None, on: date) -> int:
    """Days since the oldest unpaid due date; an instalment is not late on its due date itself."""
    return max(0, (on - oldest_due_on).days) if oldest_due_on else 0


def own_class(floor: Tier, *, by_hand: Tier = Tier.NORMAL, before: Tier, watched: bool) -> Tier:
    """The class of a loan by itself: its floor, what staff made of it, and no better than `before` while watched.

    A restructured loan that is watched is never NORMAL.
    """
    held = max(before, Tier.SPECIAL_MENTION) if watched else Tier.NORMAL
    return max(floor, by_hand, held)


def is_contagious(claims: Iterable[tuple[Decimal, Tier]], share: Decimal) -> bool:
    """Whether more than `share` of what a customer owes is non-performing, so that all of it is."""
    rows = list(claims)
    bad = sum((amount for amount, tier in rows if tier >= NON_PERFORMING), Decimal(0))
    return bad > share * sum((amount for amount, _tier in rows), Decimal(0))
