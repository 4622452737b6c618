"""Are groups treated alike? Rates with Wilson intervals, and the four-fifths rule of thumb (29 CFR 1607.4(D)).

A flag asks a person to look; it decides nothing by itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Z = 1.959963984540054  # two-sided 95 %
FOUR_FIFTHS = 0.8
FEWEST = 30  # decisions in a group, below which its rate says nothing


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % interval; None where nothing was counted."""

    count: int
    hits: int

    @property
    def share(self) -> float | None:
        return self.hits / self.count if self.count else None

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.hits, self.count)


@dataclass(frozen=True, slots=True)
class Group:
    """One group's decisions: approved of all decided, and bad of those that have matured. `ratio` is its approval rate
    over that of the group with the highest; `flagged` that it lies below four fifths, with enough decisions to say
    so; `surely` that even the upper end of the interval does."""

    name: str
    approved: Rate
    bad: Rate
    ratio: float | None
    flagged: bool
    surely: bool


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval for a share (Wilson 1927); (0, 1) when nothing was counted."""
    if not count:
        return 0.0, 1.0
    share, square = hits / count, Z * Z / count
    middle = share + square / 2
    spread = Z * math.sqrt(share * (1 - share) / count + square / (4 * count))
    low, high = (middle - spread) / (1 + square), (middle + spread) / (1 + square)
    return (0.0 if hits == 0 else low), (1.0 if hits == count else high)


def compare(counts: Mapping[str, tuple[int, int, int, int]]) -> Sequence[Group]:
    """Groups by name, each with how many were decided, approved, matured and bad; the largest comes first."""
    rates = {name: (Rate(all_, yes), Rate(ripe, bad)) for name, (all_, yes, ripe, bad) in counts.items()}
    judged = [
        approved.share for approved, _bad in rates.values() if approved.count >= FEWEST and approved.share
    ]
    best = max(judged, default=None)
    found = []
    for name, (approved, bad) in rates.items():
        known = best is not None and approved.share is not None and approved.count >= FEWEST
        ratio = approved.share / best if known and best and approved.share is not None else None
        flagged = ratio is not None and ratio < FOUR_FIFTHS
        surely = flagged and best is not None and approved.interval[1] / best < FOUR_FIFTHS
        found.append(Group(name, approved, bad, ratio, flagged, surely))
    return sorted(found, key=lambda group: (-group.approved.count, group.name))
