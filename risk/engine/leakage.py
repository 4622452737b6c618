"""Signs that a column knows the answer, or is not what it seems. Warnings for a person, never a verdict."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from risk.engine import metrics
from risk.engine.binning import Table, binning
from risk.engine.metrics import Array
from risk.engine.scorecard import CATEGORY, FeatureSpec, column_of, numbers

MAX_AUC = 0.95
MAX_IV = 0.5
MAX_APPLICATION_AUC = 0.90
BINS = 20
SENTINEL_SHARE = 0.005
SENTINEL_GAP = 3.0  # times the width of all other values
REPEATED, NEARLY = 0.01, 0.05  # shares of rows on both sides of a split
MIN_COLUMNS, BLOCKS = 5, 5
SENTINELS = frozenset(
    {-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, 9999999.0, 99999999.0}
)
TARGET_WORDS = re.compile(
    r"(?i)charge[ds]?.?off|chg.?off|write.?off|written.?off|default|delinq|overdue|past.?due|dpd|recover|"
    r"collection|bankrupt|outcome|target|label|(^|_)bad($|_)|(^|_)status$|loss(_|$)|paid.?off|clos(ed|ing).?date"
)


def warnings(
    table: Table, y: Array, features: Sequence[FeatureSpec], *, model_auc: float | None = None
) -> list[dict[str, Any]]:
    """Everything suspicious, as `{"kind", "feature", ...figures}`; `model_auc` is that of an application score."""
    found: list[dict[str, Any]] = []
    for spec in features:
        found += [{"feature": spec.name, **sign} for sign in of_column(spec, column_of(spec, table), y)]
    if model_auc is not None and model_auc > MAX_APPLICATION_AUC:
        found.append({"kind": "MODEL_TOO_GOOD", "feature": None, "auc": model_auc})
    return found


def of_column(spec: FeatureSpec, column: Array, y: Array) -> list[dict[str, Any]]:
    """The signs of one column."""
    found: list[dict[str, Any]] = []
    one = binning(spec, column, BINS)
    codes = np.nan_to_num(one.codes(column), nan=one.size).astype(int)
    auc, information, noise = strength(codes, y)
    if auc > MAX_AUC:
        found.append({"kind": "SINGLE_AUC", "auc": auc})
    if information > MAX_IV + noise:
        found.append({"kind": "SINGLE_IV", "iv": information})
    if TARGET_WORDS.search(spec.name):
        found.append({"kind": "TARGET_LIKE_NAME"})
    if spec.kind != CATEGORY:
        found += [{"kind": "SENTINEL", **sign} for sign in sentinels(numbers(column, spec.name))]
    return found


def strength(codes: np.ndarray, y: Array) -> tuple[float, float, float]:
    """AUC, information value and its noise level of one column of bin numbers on its own."""
    target = np.asarray(y, dtype=float)
    counts = np.bincount(codes)
    rates = (np.bincount(codes, weights=target) + target.mean()) / (counts + 1)  # one average row each
    bad = target.sum()
    noise = (np.count_nonzero(counts) - 1) * (1 / bad + 1 / (len(target) - bad))
    return metrics.auc(y, rates[codes]), metrics.iv(y, codes), float(noise)


def sentinels(values: np.ndarray) -> list[dict[str, float]]:
    """Extreme values that stand alone and come often: 9999, or a date of 1900, meaning something else."""
    known = values[~np.isnan(values)]
    distinct, counts = np.unique(known, return_counts=True)
    found = []
    for at in (0, -1):
        rest, often = distinct, counts
        while len(rest) >= 5 and (sign := _sentinel(rest, often, at, len(known))):  # 99 may hide behind 999
            found.append(sign)
            rest, often = (rest[1:], often[1:]) if at == 0 else (rest[:-1], often[:-1])
    return found


def _sentinel(distinct: np.ndarray, counts: np.ndarray, at: int, rows: int) -> dict[str, float] | None:
    gap = distinct[1] - distinct[0] if at == 0 else distinct[-1] - distinct[-2]
    often = counts[at] >= max(SENTINEL_SHARE * rows, 5)
    lonely = gap > SENTINEL_GAP * (distinct[-2] - distinct[1])
    coded = distinct[at] in SENTINELS and _out_of_line(distinct, at)
    return (
        {"value": float(distinct[at]), "share": float(counts[at] / rows)}
        if often and (lonely or coded)
        else None
    )


def across(seen: Table, unseen: Table) -> list[dict[str, Any]]:
    """Rows that stand on both sides of a split, or nearly: then the test is one of memory."""
    same = repeated_rows(seen, unseen)
    if same > REPEATED:
        return [{"kind": "REPEATED_ROWS", "feature": None, "share": same}]
    near = near_rows(seen, unseen)
    return [{"kind": "NEAR_ROWS", "feature": None, "share": near}] if near > NEARLY else []


def near_rows(seen: Table, unseen: Table) -> float:
    """The share of unseen rows that agree with a seen one in all but a fifth of the columns, numbers to three
    digits; less what agrees by chance, taken from unseen rows whose columns are shuffled."""
    if len(seen) < MIN_COLUMNS:
        return 0.0
    names = list(seen)
    codes = np.column_stack([_coarse(np.concatenate([seen[name], unseen[name]])) for name in names])
    mine, theirs = codes[: len(seen[names[0]])], codes[len(seen[names[0]]) :]
    rng = np.random.default_rng(0)
    shuffled = np.column_stack([rng.permutation(theirs[:, column]) for column in range(theirs.shape[1])])
    return max(0.0, _agree(mine, theirs) - _agree(mine, shuffled))


def _coarse(column: np.ndarray) -> np.ndarray:
    """Equal numbers for equal values; numbers to three digits."""
    if column.dtype.kind in "biuf":
        values = np.nan_to_num(column.astype(float), nan=-1e300)
        digits = np.floor(np.log10(np.maximum(np.abs(values), 1e-300))) - 2
        column = np.round(values / 10.0**digits) + 1e4 * digits
    else:
        column = np.array([str(value) for value in column])
    return np.unique(column, return_inverse=True)[1]


def _agree(seen: np.ndarray, unseen: np.ndarray) -> float:
    drawn = np.random.default_rng(1).integers(1, 2**62, size=(seen.shape[1],))
    weights: np.ndarray = drawn.astype(np.uint64)
    matched = np.zeros(len(unseen), dtype=bool)
    for left_out in range(BLOCKS):
        kept = np.arange(seen.shape[1]) % BLOCKS != left_out
        a, b = ((part[:, kept].astype(np.uint64) * weights[kept]).sum(axis=1) for part in (seen, unseen))
        matched |= np.isin(b, a)
    return float(matched.mean()) if len(matched) else 0.0


def repeated_rows(train: Table, test: Table) -> float:
    """The share of test rows that stand, alike in every column, among the training rows too."""
    seen = set(zip(*(map(str, column) for column in train.values()), strict=True))
    rows = list(zip(*(map(str, test[name]) for name in train), strict=True))
    return sum(row in seen for row in rows) / len(rows) if rows else 0.0


def _out_of_line(distinct: np.ndarray, at: int) -> bool:
    """A code below zero among values that are not, or one of nines further from the rest than they from each other."""
    if at == 0:
        return bool(distinct[0] < 0 <= distinct[1] and len(distinct) > 20)
    return bool(distinct[-1] - distinct[-2] > 2 * np.max(np.diff(distinct[:-1])))
