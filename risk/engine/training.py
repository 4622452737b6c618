"""Training: an additive, monotone, boosted model from scikit-learn, exported exactly as a table of points.

Every column is cut into bins first, so the model sees bin numbers and cannot know more than the
table will say. With `no_interactions` each tree looks at one feature, so the model is a sum of
one-feature functions; probing it one feature at a time therefore reads off the whole table.

The model is the average of several fits, one per fold, each stopped early on the fold it has not
seen: small sets do not overfit, and every row has a prediction by a fit that never saw it, which
then corrects the level (slope and intercept of the log-odds).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from risk.engine.binning import (
    FOLDS,
    MAX_BINS,
    Binning,
    Table,
    binning,
    encode,
    looked_up,
    rates,
    rates_elsewhere,
)
from risk.engine.metrics import Array, calibration, intercept
from risk.engine.pairs import Pair, find_pairs, find_ratios, fit_grids, purified
from risk.engine.scorecard import BANDS, CATEGORY, PAIR, Bin, Feature, FeatureSpec, Scorecard, column_of, cuts

MAX_SLOPE = 2.0  # a larger one is chance in a small set
MAX_REPEATS = 3
LARGE = 10_000  # from here on larger steps cost nothing in ranking and halve the time
VERY_LARGE, FEW_FOLDS = 50_000, 3  # from here on a fit sees enough with a third held out
FEW_MEMBERS = 64  # a category of more is learned through the smoothed rates of its members
BAD_PER_PAIR = 50  # it takes so many bad (or good) ones to learn a pair from
SURE = 2.0  # standard errors of what pairs must gain
SAME = 1e-12  # neighbouring bins closer than this are one bin


@dataclass(frozen=True)
class Fit:
    """One fit: trees, the log-odds that stand for members of large categories, and a grid for each pair.

    `parts` are the trees as tables: a level for each bin of each column, missing last, to be added to `base`.
    """

    trees: HistGradientBoostingClassifier
    encoders: Mapping[int, np.ndarray]
    parts: tuple[np.ndarray, ...] = ()
    base: float = 0.0
    grids: tuple[np.ndarray, ...] = ()

    def looked_up(self, codes: np.ndarray) -> np.ndarray:
        """The same as `log_odds`, but for rounding, and in a fraction of the time that the trees take."""
        found = np.full(len(codes), self.base)
        for column, part in enumerate(self.parts):
            known = codes[:, column]
            found += part[np.where(np.isnan(known), len(part) - 1, known).astype(np.intp)]
        return found

    def log_odds(self, codes: np.ndarray) -> np.ndarray:
        """Of rows of bin numbers, without the pairs."""
        found: np.ndarray = self.trees.decision_function(self.encoded(codes))
        return found

    def encoded(self, codes: np.ndarray) -> np.ndarray:
        if not self.encoders:
            return codes
        found = codes.copy()
        for column, values in self.encoders.items():
            found[:, column] = looked_up(values, codes[:, column])
        return found


@dataclass(frozen=True)
class Model:
    """The fitted model: `log_odds` is what the exported table must equal."""

    binnings: tuple[Binning, ...]
    pairs: tuple[Pair, ...]
    fits: tuple[Fit, ...]
    slope: float
    intercept: float

    def log_odds(self, table: Table) -> np.ndarray:
        codes = encode(self.binnings, table)
        found = self._of_codes(codes)
        for pair, grid in zip(self.pairs, self.grids, strict=True):
            found = found + grid.ravel()[pair.cells(codes)]
        return found

    @property
    def grids(self) -> list[np.ndarray]:
        """The log-odds of each pair's cells."""
        return [
            self.slope * np.mean(grids, axis=0) for grids in zip(*(f.grids for f in self.fits), strict=True)
        ]

    def _of_codes(self, codes: np.ndarray) -> np.ndarray:
        raw = np.mean([fit.log_odds(codes) for fit in self.fits], axis=0)
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
    pairs: int = 0,
    bands: Mapping[str, float] = BANDS,
    max_bins: int = MAX_BINS,
) -> Scorecard:
    """Trains and exports in one go; see `fit` and `export`."""
    model = fit(table, y, features, seed=seed, groups=groups, ratios=ratios, pairs=pairs, max_bins=max_bins)
    return export(model, table, y, bands, seed)


def fit(
    table: Table,
    y: Array,
    features: Sequence[FeatureSpec],
    *,
    seed: int,
    groups: Array | None = None,
    ratios: int = 0,
    pairs: int = 0,
    max_bins: int = MAX_BINS,
) -> Model:
    """Fits the model on columns by name (a pandas frame will do). `y` is 1 for bad.

    Rows of one group never stand on both sides of a fold. Up to `ratios` ratios of two numbers and up to
    `pairs` grids of two columns are added where two columns matter together: a sum of one-feature functions
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
    fits = [_fit_one(binnings, codes, target, held_out, seed + i) for i, held_out in enumerate(folds)]
    parts = _parts(len(target))
    unseen = _unseen(fits, [], codes, folds)
    slope, constant = _level(target, unseen)
    pds = 1 / (1 + np.exp(-(constant + slope * unseen)))
    grids: list[Pair] = []
    limit = min(pairs, int(min(target.sum(), len(target) - target.sum())) // BAD_PER_PAIR)
    if limit and _pairs_help(binnings, fits[:parts], codes, target, pds, folds[:parts], limit, groups):
        grids = find_pairs(binnings, codes, target, pds, limit)
        fits = [_with_grids(one, grids, codes, target, held) for one, held in zip(fits, folds, strict=True)]
        slope, constant = _level(target, _unseen(fits, grids, codes, folds))
    return Model(tuple(binnings), tuple(grids), tuple(fits), slope, constant)


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
    parts, base = _probed(model.binnings, model._of_codes)
    grids = [_purify(*both, parts, codes) for both in zip(model.pairs, model.grids, strict=True)]
    features = []
    for column, (one, part) in enumerate(zip(model.binnings, parts, strict=True)):
        rows = np.where(np.isnan(codes[:, column]), one.size, codes[:, column]).astype(int)
        part, mean, counts, bads = _centred(part, rows, target)
        base += mean
        features.append(_feature(one, part, counts, bads))
    for pair, grid in zip(model.pairs, grids, strict=True):
        part, mean, counts, bads = _centred(grid.ravel(), pair.cells(codes), target)
        base += mean
        features.append(_pair(pair, part, counts, bads))
    used = tuple(f for f in features if any(b.log_odds for b in (*f.bins, f.missing)))
    return Scorecard(float(base), used, cuts(bands), len(target), int(target.sum()), seed)


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


def _unseen(
    fits: Sequence[Fit], pairs: Sequence[Pair], codes: np.ndarray, folds: Sequence[np.ndarray]
) -> np.ndarray:
    """The log-odds of each row by the fits that have not seen it."""
    found = np.zeros(len(codes))
    for held_out, one in zip(folds, fits, strict=True):
        found[held_out] += _whole(one, pairs, codes[held_out])
    return found / (sum(map(len, folds)) / len(codes))


def _whole(one: Fit, pairs: Sequence[Pair], codes: np.ndarray) -> np.ndarray:
    """The log-odds of one fit with its pairs."""
    found = one.looked_up(codes)
    for pair, grid in zip(pairs, one.grids, strict=True):
        found = found + grid.ravel()[pair.cells(codes)]
    return found


def _pairs_help(
    binnings: Sequence[Binning],
    fits: Sequence[Fit],
    codes: np.ndarray,
    y: np.ndarray,
    pds: np.ndarray,
    folds: Sequence[np.ndarray],
    limit: int,
    groups: Array | None,
) -> bool:
    """Whether pairs found and fitted without a row tell more about that row, over all rows and beyond chance."""
    gains = np.zeros(len(y))
    for one, held in zip(fits, folds, strict=True):
        seen = np.setdiff1d(np.arange(len(y)), held)
        pairs = find_pairs(binnings, codes[seen], y[seen], pds[seen], limit)
        before = one.looked_up(codes[held])
        after = _whole(_with_grids(one, pairs, codes, y, held), pairs, codes[held])
        gains[held] = np.logaddexp(0, before) - np.logaddexp(0, after) + y[held] * (after - before)
    off = gains - gains.mean()
    if groups is not None:  # rows of one group are no witnesses independent of each other
        off = np.bincount(np.unique(np.asarray(groups), return_inverse=True)[1], weights=off)
    return bool(gains.mean() > SURE * math.sqrt(float(np.sum(off**2))) / len(y))


def _with_grids(
    one: Fit, pairs: Sequence[Pair], codes: np.ndarray, y: np.ndarray, held_out: np.ndarray
) -> Fit:
    seen = np.setdiff1d(np.arange(len(y)), held_out)
    grids = fit_grids(pairs, codes, y, one.looked_up(codes), seen, held_out)
    return replace(one, grids=tuple(grids))


def _folds(codes: np.ndarray, y: np.ndarray, groups: Array | None, seed: int) -> list[np.ndarray]:
    """The rows held out by each fit; small sets are split several times over, which steadies the average."""
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    repeats = min(MAX_REPEATS, 1 + LARGE // len(y))
    splitters = (kind(_parts(len(y)), shuffle=True, random_state=seed + i) for i in range(repeats))
    return [held_out for splitter in splitters for _, held_out in splitter.split(codes, y, groups)]


def _parts(rows: int) -> int:
    """How many folds one split has."""
    return FOLDS if rows < VERY_LARGE else FEW_FOLDS


def _fit_one(
    binnings: Sequence[Binning], codes: np.ndarray, y: np.ndarray, held_out: np.ndarray, seed: int
) -> Fit:
    seen = np.setdiff1d(np.arange(len(y)), held_out)
    if len(np.unique(y[seen])) < 2:
        raise ValueError("the good or the bad rows stand in too few groups")
    model = _trees(binnings, len(y), seed)
    encoders = {
        column: rates(codes[seen, column], y[seen], one.size)
        for column, one in enumerate(binnings)
        if one.spec.kind == CATEGORY and one.size > FEW_MEMBERS
    }
    known = codes[seen]
    for column, one in enumerate(binnings):
        if column in encoders:
            known[:, column] = rates_elsewhere(known[:, column], y[seen], one.size, seed)
    known[:, np.isnan(known).all(axis=0)] = 0  # scikit-learn cannot cut a column without any value
    found = Fit(model, encoders)
    model.fit(known, y[seen], X_val=found.encoded(codes[held_out]), y_val=y[held_out])
    parts, base = _probed(binnings, found.log_odds)
    return replace(found, parts=tuple(parts), base=base)


def _trees(binnings: Sequence[Binning], rows: int, seed: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        interaction_cst="no_interactions",
        monotonic_cst=[0 if b.spec.kind == CATEGORY else b.spec.sign for b in binnings],
        categorical_features=[b.spec.kind == CATEGORY and b.size <= FEW_MEMBERS for b in binnings],
        learning_rate=0.1 if rows < LARGE else 0.2,
        max_iter=1000,
        max_leaf_nodes=3,
        min_samples_leaf=20,
        l2_regularization=1.0,
        early_stopping=True,
        n_iter_no_change=20,
        tol=1e-4,  # a smaller gain over so many trees is noise
        random_state=seed,
    )


def _probed(
    binnings: Sequence[Binning], log_odds: Callable[[np.ndarray], np.ndarray]
) -> tuple[list[np.ndarray], float]:
    """Moves one feature at a time through its bins (missing last), all others at their first bin."""
    blocks = []
    for column, one in enumerate(binnings):
        block = np.zeros((one.size + 1, len(binnings)))
        block[:, column] = [*range(one.size), np.nan]
        blocks.append(block)
    origin = float(log_odds(np.zeros((1, len(binnings))))[0])
    levels = log_odds(np.vstack(blocks)) - origin
    return np.split(levels, np.cumsum([len(b) for b in blocks])[:-1]), origin


def _purify(pair: Pair, grid: np.ndarray, parts: list[np.ndarray], codes: np.ndarray) -> np.ndarray:
    """The grid without what belongs to one of its columns, which goes to the part of that column."""
    counts = np.bincount(pair.cells(codes), minlength=grid.size).reshape(grid.shape)
    rest, *sides = purified(grid, counts)
    for one, more in zip(pair.sides, sides, strict=True):
        parts[one.column] = parts[one.column] + more[one.rows]
    return rest


def _centred(
    part: np.ndarray, rows: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """A part less its mean over the rows, that mean, and how many rows and bad ones stand in each bin."""
    counts = np.bincount(rows, minlength=len(part))
    bads = np.bincount(rows, weights=target, minlength=len(part)).astype(int)
    mean = math.fsum(part * counts) / len(target)
    return part - mean, mean, counts, bads


def _pair(pair: Pair, part: np.ndarray, counts: np.ndarray, bads: np.ndarray) -> Feature:
    cells = tuple(Bin(float(p), int(n), int(b)) for p, n, b in zip(part, counts, bads, strict=True))
    axes = tuple(one.axis for one in pair.sides)
    return Feature(" × ".join(axis.name for axis in axes), PAIR, 0, cells, Bin(0.0, 0, 0), axes=axes)


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
