"""Signs that a column knows the answer, or is not what it seems. Warnings for a person, never a verdict."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from risk.engine import metrics
from risk.engine.metrics import Array
from risk.engine.scorecard import CATEGORY, FeatureSpec, column_of, numbers
from risk.engine.training import Table, binning

MAX_AUC = 0.95
MAX_IV = 0.5
MAX_APPLICATION_AUC = 0.90
BINS = 20
SENTINEL_SHARE = 0.005
SENTINEL_GAP = 3.0  # times the width of all other values
SENTINELS = frozenset({-1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, 9999999.0})
TARGET_WORDS = re.compile(
    r"(?i)charge.?off|chg.?off|write.?off|written.?off|default|delinq|overdue|past.?due|dpd|recover|"
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
    if len(distinct) < 5:
        return []
    width = distinct[-2] - distinct[1]
    found = []
    for at, gap in ((0, distinct[1] - distinct[0]), (-1, distinct[-1] - distinct[-2])):
        often = counts[at] >= max(SENTINEL_SHARE * len(known), 5)
        lonely = gap > SENTINEL_GAP * width
        coded = distinct[at] in SENTINELS and _out_of_line(distinct, at)
        if often and (lonely or coded):
            found.append({"value": float(distinct[at]), "share": float(counts[at] / len(known))})
    return found


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
