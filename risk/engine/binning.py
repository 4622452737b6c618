"""Columns become bin numbers: numbers between bounds, categories by member; and categories become rates."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold

from risk.engine.metrics import Array
from risk.engine.scorecard import CATEGORY, FeatureSpec, category_of, column_of, numbers

Table = Mapping[str, Any]

MAX_BINS = 64
MAX_MEMBERS = 1000
SMOOTHING = 20.0  # rows of the average that each member's rate is mixed with
MIN_CATEGORY = 10  # rarer categories are treated like unseen ones
FOLDS = 5


@dataclass(frozen=True)
class Binning:
    """How one column becomes bin numbers: `bounds` for numbers, `members` for categories; NaN is missing."""

    spec: FeatureSpec
    bounds: tuple[float, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return len(self.members) if self.spec.kind == CATEGORY else len(self.bounds) + 1

    def codes(self, column: Array) -> np.ndarray:
        if self.spec.kind == CATEGORY:
            rows = {m: i for i, m in enumerate(self.members)}
            return np.array([rows.get(category_of(v) or "", np.nan) for v in column], dtype=float)
        values = numbers(column, self.spec.name)
        return np.where(np.isnan(values), np.nan, np.searchsorted(self.bounds, values, side="left"))


def binning(
    spec: FeatureSpec, column: Array, max_bins: int = MAX_BINS, max_members: int = MAX_MEMBERS
) -> Binning:
    """Cuts a column at its quantiles, or between its values when they are few; keeps frequent categories."""
    if spec.kind == CATEGORY:
        counts = Counter(key for v in column if (key := category_of(v)) is not None)
        kept = [key for key, n in counts.most_common(max_members) if n >= MIN_CATEGORY]
        return Binning(spec, members=tuple(sorted(kept)))
    values = numbers(column, spec.name)
    known = np.sort(values[~np.isnan(values)])
    return Binning(spec, bounds=tuple(_bounds(known, max_bins)))


def encode(binnings: Sequence[Binning], table: Table) -> np.ndarray:
    return np.column_stack([b.codes(column_of(b.spec, table)) for b in binnings])


def _bounds(known: np.ndarray, max_bins: int) -> list[float]:
    distinct = np.unique(known)
    if len(distinct) <= max_bins:
        cut_at = distinct[:-1]
    else:
        cut_at = np.unique(np.quantile(known, np.arange(1, max_bins) / max_bins, method="lower"))
        cut_at = cut_at[cut_at < distinct[-1]]
    above = distinct[np.searchsorted(distinct, cut_at, side="right")]
    return [
        float(m) if low <= m < high else float(low)
        for low, high, m in zip(cut_at, above, (cut_at + above) / 2, strict=True)
    ]


def rates(members: np.ndarray, y: np.ndarray, size: int) -> np.ndarray:
    """The smoothed log-odds of being bad of each member of a category."""
    known = ~np.isnan(members)
    rows = members[known].astype(int)
    count = np.bincount(rows, minlength=size)
    bad = np.bincount(rows, weights=y[known], minlength=size)
    mean = float(y.mean())
    rate = (bad + SMOOTHING * mean) / (count + SMOOTHING)
    log_odds: np.ndarray = np.log(rate / (1 - rate))
    return log_odds


def rates_elsewhere(members: np.ndarray, y: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Each row with the rate of its member in the other folds: a row must not find its own end in its category."""
    found = np.full(len(members), np.nan)
    for seen, unseen in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(members, y):
        found[unseen] = looked_up(rates(members[seen], y[seen], size), members[unseen])
    return found


def looked_up(rates: np.ndarray, members: np.ndarray) -> np.ndarray:
    known = ~np.isnan(members)
    found = np.full(len(members), np.nan)
    found[known] = rates[members[known].astype(int)]
    return found
