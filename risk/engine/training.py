"""Training: an additive, monotone, boosted model from scikit-learn, exported exactly as a table of points.

Every column is cut into bins first, so the model sees bin numbers and cannot know more than the
table will say. With `no_interactions` each tree looks at one feature, so the model is a sum of
one-feature functions; probing it one feature at a time therefore reads off the whole table.

The model is the average of several fits, one per fold, each stopped early on the fold it has not
seen: small sets do not overfit, and every row has a prediction by a fit that never saw it, which
then corrects the level (slope and intercept of the log-odds).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from risk.engine.metrics import Array, calibration, intercept
from risk.engine.scorecard import (
    BANDS,
    CATEGORY,
    NUMERIC,
    Bin,
    Feature,
    FeatureSpec,
    Scorecard,
    category_of,
    column_of,
    cuts,
    numbers,
)

Table = Mapping[str, Any]

MAX_BINS = 64
FOLDS = 5
MAX_SLOPE = 2.0  # a larger one is chance in a small set
MAX_REPEATS = 3
LARGE = 10_000  # from here on larger steps cost nothing in ranking and halve the time
MIN_CATEGORY = 10  # rarer categories are treated like unseen ones
SAME = 1e-12  # neighbouring bins closer than this are one bin


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


@dataclass(frozen=True)
class Model:
    """The fitted model: `log_odds` is what the exported table must equal."""

    binnings: tuple[Binning, ...]
    fits: tuple[HistGradientBoostingClassifier, ...]
    slope: float
    intercept: float

    def log_odds(self, table: Table) -> np.ndarray:
        return self._of_codes(encode(self.binnings, table))

    def _of_codes(self, codes: np.ndarray) -> np.ndarray:
        raw = np.mean([fit.decision_function(codes) for fit in self.fits], axis=0)
        log_odds: np.ndarray = self.intercept + self.slope * raw
        return log_odds


def train(
    table: Table,
    y: Array,
    features: Sequence[FeatureSpec],
    *,
    seed: int,
    groups: Array | None = None,
    ratios: int = 0,
    bands: Mapping[str, float] = BANDS,
    max_bins: int = MAX_BINS,
) -> Scorecard:
    """Trains and exports in one go; see `fit` and `export`."""
    model = fit(table, y, features, seed=seed, groups=groups, ratios=ratios, max_bins=max_bins)
    return export(model, table, y, bands, seed)


def fit(
    table: Table,
    y: Array,
    features: Sequence[FeatureSpec],
    *,
    seed: int,
    groups: Array | None = None,
    ratios: int = 0,
    max_bins: int = MAX_BINS,
) -> Model:
    """Fits the model on columns by name (a pandas frame will do). `y` is 1 for bad.

    Rows of one group never stand on both sides of a fold. Up to `ratios` ratios of two numbers are
    added as features of their own, where the two matter together: a sum of one-feature functions
    cannot see that otherwise. Raises ValueError when the target is not 0 and 1 or too rare to learn.
    """
    target = _target(y)
    binnings = [binning(spec, column_of(spec, table), max_bins) for spec in features]
    codes = encode(binnings, table)
    found = [
        binning(s, column_of(s, table), max_bins) for s in find_ratios(binnings, codes, target, ratios, seed)
    ]
    if found:
        binnings, codes = [*binnings, *found], np.hstack([codes, encode(found, table)])
    folds = _folds(codes, target, groups, seed)
    fits = tuple(_fit_one(binnings, codes, target, held_out, seed + i) for i, held_out in enumerate(folds))
    unseen = np.zeros(len(target))
    for held_out, one in zip(folds, fits, strict=True):
        unseen[held_out] += one.decision_function(codes[held_out]) / (len(folds) / FOLDS)
    return Model(tuple(binnings), fits, *_level(target, unseen))


def find_ratios(
    binnings: Sequence[Binning], codes: np.ndarray, y: np.ndarray, limit: int, seed: int
) -> list[FeatureSpec]:
    """Ratios of the pairs of numbers that unrestricted trees most often split on one after the other."""
    if limit < 1:
        return []
    trees = HistGradientBoostingClassifier(
        categorical_features=[b.spec.kind == CATEGORY for b in binnings],
        max_iter=150,
        max_depth=3,
        max_leaf_nodes=8,
        early_stopping=False,
        random_state=seed,
    ).fit(codes, y)
    gains: Counter[tuple[int, int]] = Counter()
    for (tree,) in trees._predictors:  # no public name leads to the splits
        for parent in tree.nodes[tree.nodes["is_leaf"] == 0]:
            for child in tree.nodes[[parent["left"], parent["right"]]]:
                pair = sorted((int(parent["feature_idx"]), int(child["feature_idx"])))
                if not child["is_leaf"] and pair[0] != pair[1]:
                    gains[pair[0], pair[1]] += child["gain"]
    plain = [b.spec for b in binnings]
    pairs = [(plain[a], plain[b]) for (a, b), _ in gains.most_common()]
    usable = [
        (a.name, b.name) for a, b in pairs if {a.kind, b.kind} == {NUMERIC} and not (a.ratio or b.ratio)
    ]
    return [FeatureSpec(f"{a} / {b}", ratio=(a, b)) for a, b in usable[:limit]]


def export(
    model: Model,
    table: Table,
    y: Array,
    bands: Mapping[str, float] = BANDS,
    seed: int = 0,
) -> Scorecard:
    """The model as a table of points, centred on the rows given."""
    target = _target(y)
    codes = encode(model.binnings, table)
    parts, base = _probe(model)
    features = []
    for column, (one, part) in enumerate(zip(model.binnings, parts, strict=True)):
        rows = np.where(np.isnan(codes[:, column]), one.size, codes[:, column]).astype(int)
        counts = np.bincount(rows, minlength=one.size + 1)
        bads = np.bincount(rows, weights=target, minlength=one.size + 1).astype(int)
        mean = math.fsum(part * counts) / len(target)
        base += mean
        features.append(_feature(one, part - mean, counts, bads))
    used = tuple(f for f in features if any(b.log_odds for b in (*f.bins, f.missing)))
    return Scorecard(float(base), used, cuts(bands), len(target), int(target.sum()), seed)


def binning(spec: FeatureSpec, column: Array, max_bins: int = MAX_BINS) -> Binning:
    """Cuts a column at its quantiles, or between its values when they are few; keeps frequent categories."""
    if spec.kind == CATEGORY:
        counts = Counter(key for v in column if (key := category_of(v)) is not None)
        kept = [key for key, n in counts.most_common(max_bins) if n >= MIN_CATEGORY]
        return Binning(spec, members=tuple(sorted(kept)))
    values = numbers(column, spec.name)
    known = np.sort(values[~np.isnan(values)])
    return Binning(spec, bounds=tuple(_bounds(known, max_bins)))


def encode(binnings: Sequence[Binning], table: Table) -> np.ndarray:
    return np.column_stack([b.codes(column_of(b.spec, table)) for b in binnings])


def _target(y: Array) -> np.ndarray:
    target = np.asarray(y)
    if not np.isin(target, (0, 1)).all():
        raise ValueError("the target must be 0 (good) or 1 (bad) in every row")
    if min(target.sum(), len(target) - target.sum()) < 10:
        raise ValueError("at least 10 good and 10 bad rows are needed")
    return target.astype(int)


def _level(target: np.ndarray, unseen: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the log-odds; a slope below zero means that nothing was learned, so none is kept."""
    slope = min(max(calibration(target, unseen)[0], 0.0), MAX_SLOPE)
    return slope, intercept(target, slope * unseen)


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


def _folds(codes: np.ndarray, y: np.ndarray, groups: Array | None, seed: int) -> list[np.ndarray]:
    """The rows held out by each fit; small sets are split several times over, which steadies the average."""
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    repeats = min(MAX_REPEATS, 1 + LARGE // len(y))
    splitters = (kind(FOLDS, shuffle=True, random_state=seed + i) for i in range(repeats))
    return [held_out for splitter in splitters for _, held_out in splitter.split(codes, y, groups)]


def _fit_one(
    binnings: Sequence[Binning], codes: np.ndarray, y: np.ndarray, held_out: np.ndarray, seed: int
) -> HistGradientBoostingClassifier:
    seen = np.setdiff1d(np.arange(len(y)), held_out)
    if len(np.unique(y[seen])) < 2:
        raise ValueError("the good or the bad rows stand in too few groups")
    categories = [b.spec.kind == CATEGORY for b in binnings]
    model = HistGradientBoostingClassifier(
        interaction_cst="no_interactions",
        monotonic_cst=[0 if c else b.spec.sign for b, c in zip(binnings, categories, strict=True)],
        categorical_features=categories,
        learning_rate=0.1 if len(y) < LARGE else 0.2,
        max_iter=1000,
        max_leaf_nodes=3,
        min_samples_leaf=20,
        l2_regularization=1.0,
        early_stopping=True,
        n_iter_no_change=20,
        tol=1e-4,  # a smaller gain over so many trees is noise
        random_state=seed,
    )
    known = codes[seen]
    known[:, np.isnan(known).all(axis=0)] = 0  # scikit-learn cannot cut a column without any value
    return model.fit(known, y[seen], X_val=codes[held_out], y_val=y[held_out])


def _probe(model: Model) -> tuple[list[np.ndarray], float]:
    """Moves one feature at a time through its bins (missing last), all others at their first bin."""
    blocks = []
    for column, one in enumerate(model.binnings):
        block = np.zeros((one.size + 1, len(model.binnings)))
        block[:, column] = [*range(one.size), np.nan]
        blocks.append(block)
    origin = float(model._of_codes(np.zeros((1, len(model.binnings))))[0])
    levels = model._of_codes(np.vstack(blocks)) - origin
    return np.split(levels, np.cumsum([len(b) for b in blocks])[:-1]), origin


def _feature(one: Binning, part: np.ndarray, counts: np.ndarray, bads: np.ndarray) -> Feature:
    rows = [(float(p), int(n), int(b)) for p, n, b in zip(part, counts, bads, strict=True)]
    missing = Bin(*rows.pop())
    if one.spec.kind == CATEGORY:
        bins = [Bin(*row, members=(m,)) for row, m in zip(rows, one.members, strict=True)]
        bins.sort(key=lambda b: (b.log_odds, b.members))
    else:
        bins = [Bin(*row, upper=u) for row, u in zip(rows, (*one.bounds, None), strict=True)]
    return Feature(one.spec.name, one.spec.kind, one.spec.sign, tuple(_merged(bins)), missing, one.spec.ratio)


def _merged(bins: list[Bin]) -> list[Bin]:
    """Neighbours of equal value become one row."""
    merged: list[Bin] = []
    for b in bins:
        if merged and abs(merged[-1].log_odds - b.log_odds) < SAME:
            last = merged.pop()
            b = Bin(last.log_odds, last.count + b.count, last.bad + b.bad, b.upper, last.members + b.members)
        merged.append(b)
    return merged
