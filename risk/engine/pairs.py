"""Where two columns matter together: ratios of two numbers, and grids of two coarse columns.

A sum of one-feature functions cannot see such things. Both stay rows of a table that people can read.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from risk.engine.binning import Binning
from risk.engine.scorecard import CATEGORY, NUMERIC, Axis, FeatureSpec

COARSE = 8  # rows of a grid's axis of numbers
COARSE_MEMBERS = 12  # and of one of categories: the most frequent
CERTAIN = 4.0  # standard deviations above what chance gives to as many cells
STEP, DOUBT = 0.2, 5.0  # of a cell's surprise per round; the weight against which its own must stand
PATIENCE, TOLERANCE = 3, 1e-5
ROUNDS = 50  # of taking from a grid what belongs to its sides; they converge within a few


@dataclass(frozen=True)
class Side:
    """One axis of a grid: `rows` leads from each bin of the column (missing last) to the row of the axis."""

    column: int
    axis: Axis
    rows: np.ndarray

    @property
    def size(self) -> int:
        return self.axis.size

    def of(self, codes: np.ndarray) -> np.ndarray:
        """The axis' row of each row of bin numbers."""
        column = codes[:, self.column]
        found: np.ndarray = self.rows[np.where(np.isnan(column), len(self.rows) - 1, column).astype(int)]
        return found

    def codes(self, codes: np.ndarray) -> np.ndarray:
        """The same with NaN for the last row."""
        found = self.of(codes).astype(float)
        found[found == self.size] = np.nan
        return found


@dataclass(frozen=True)
class Pair:
    sides: tuple[Side, Side]

    @property
    def shape(self) -> tuple[int, int]:
        return self.sides[0].size + 1, self.sides[1].size + 1

    def cells(self, codes: np.ndarray) -> np.ndarray:
        cells: np.ndarray = self.sides[0].of(codes) * self.shape[1] + self.sides[1].of(codes)
        return cells


def find_pairs(
    binnings: Sequence[Binning], codes: np.ndarray, y: np.ndarray, pd: np.ndarray, limit: int
) -> list[Pair]:
    """The pairs whose grid explains most of what a model leaves over, if that is more than chance.

    `pd` are the model's predictions of rows it has not seen.
    """
    if limit < 1:
        return []
    sides = [side(one, column, codes) for column, one in enumerate(binnings) if one.spec.ratio is None]
    rows = [one.of(codes) for one in sides]
    surprise, weight = y - pd, pd * (1 - pd)
    alone = [_gain(rows[i], surprise, weight) for i in range(len(sides))]
    found = []
    for a, b in combinations(range(len(sides)), 2):
        both = _gain(rows[a] * (sides[b].size + 1) + rows[b], surprise, weight)
        freedom = max(both[1] - alone[a][1] - alone[b][1] + 1, 1)
        certainty = (both[0] - alone[a][0] - alone[b][0] - freedom) / np.sqrt(2 * freedom)
        found.append((certainty, both[0], Pair((sides[a], sides[b]))))
    found.sort(key=lambda item: -item[0])
    return [pair for certainty, _, pair in found[:limit] if certainty > CERTAIN]


def fit_grids(
    pairs: Sequence[Pair],
    codes: np.ndarray,
    y: np.ndarray,
    log_odds: np.ndarray,
    seen: np.ndarray,
    held_out: np.ndarray,
) -> list[np.ndarray]:
    """A grid of log-odds for each pair, on top of `log_odds`: small steps cell by cell on the rows seen, until
    those held out are told no better any more."""
    cells = [pair.cells(codes) for pair in pairs]
    level = log_odds.astype(float)
    grids = best = [np.zeros(math.prod(pair.shape)) for pair in pairs]
    least, since = _loss(y[held_out], level[held_out]), 0
    while since < PATIENCE:
        grids = [grid.copy() for grid in grids]
        for grid, cell in zip(grids, cells, strict=True):
            pd = 1 / (1 + np.exp(-level[seen]))
            surprise = np.bincount(cell[seen], weights=y[seen] - pd, minlength=len(grid))
            weight = np.bincount(cell[seen], weights=pd * (1 - pd), minlength=len(grid))
            step = STEP * surprise / (weight + DOUBT)
            grid += step
            level += step[cell]
        loss = _loss(y[held_out], level[held_out])
        since = 0 if loss < least - TOLERANCE else since + 1
        if loss < least:
            least, best = loss, grids
    return [grid.reshape(pair.shape) for grid, pair in zip(best, pairs, strict=True)]


def _loss(y: np.ndarray, log_odds: np.ndarray) -> float:
    return float(np.mean(np.logaddexp(0, log_odds) - y * log_odds))


def side(one: Binning, column: int, codes: np.ndarray) -> Side:
    """A column as an axis: its bins put together to few of about equal population, its rare members to one."""
    counts = np.bincount(codes[~np.isnan(codes[:, column]), column].astype(int), minlength=one.size)
    if one.spec.kind == CATEGORY:
        kept = sorted(np.argsort(-counts, kind="stable")[:COARSE_MEMBERS])
        rows = np.full(one.size + 1, len(kept))
        rows[kept] = np.arange(len(kept))
        return Side(column, Axis(one.spec.name, CATEGORY, members=tuple(one.members[m] for m in kept)), rows)
    before = (np.cumsum(counts) - counts / 2) / max(counts.sum(), 1)
    groups = np.unique(np.minimum((before * COARSE).astype(int), COARSE - 1), return_inverse=True)[1]
    ends = np.flatnonzero(np.diff(groups))
    axis = Axis(one.spec.name, NUMERIC, bounds=tuple(one.bounds[end] for end in ends))
    return Side(column, axis, np.append(groups, groups[-1] + 1))


def purified(grid: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grid without what belongs to its rows or columns alone, and these two parts; their sum is the grid."""
    rest, rows, columns = grid.copy(), np.zeros(grid.shape[0]), np.zeros(grid.shape[1])
    of_rows, of_columns = np.maximum(counts.sum(axis=1), 1), np.maximum(counts.sum(axis=0), 1)
    for _ in range(ROUNDS):
        more = (rest * counts).sum(axis=1) / of_rows
        rest, rows = rest - more[:, None], rows + more
        more = (rest * counts).sum(axis=0) / of_columns
        rest, columns = rest - more, columns + more
    return rest, rows, columns


def _gain(cells: np.ndarray, surprise: np.ndarray, weight: np.ndarray) -> tuple[float, int]:
    """What a constant per cell would explain, in units in which chance gives one per cell; and how many cells."""
    total, heavy = np.bincount(cells, weights=surprise), np.bincount(cells, weights=weight)
    used = heavy > 1
    return float(np.sum(total[used] ** 2 / heavy[used])), int(used.sum())


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
