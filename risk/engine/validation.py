"""What a validator needs to see: how a card does on rows it has not learned from, and what looks wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.model_selection import GroupKFold, StratifiedKFold

from risk.engine import leakage, metrics
from risk.engine.binning import Table
from risk.engine.challengers import CHALLENGERS
from risk.engine.metrics import Array
from risk.engine.scorecard import FACTOR, OFFSET, Feature, FeatureSpec, Scorecard, column_of
from risk.engine.training import train

Split = tuple[np.ndarray, np.ndarray]
Part = tuple[np.ndarray, np.ndarray, np.ndarray]  # unseen: target and PD; PD of the rows learned from

TRAIN_SHARE = 0.7
SIDE_BY_SIDE = 20_000  # rows from which a process of its own for a split is worth its start


def pds_of(scores: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp((np.asarray(scores) - OFFSET) / FACTOR))


def scores_of(pds: np.ndarray) -> np.ndarray:
    return OFFSET - FACTOR * metrics.log_odds(pds)


def validate(card: Scorecard, learned: Table, later: Table, y_later: Array) -> dict[str, Any]:
    """Ranking, level per grade and stability of a card on later rows."""
    before, after = card.score_many(learned), card.score_many(later)
    return {
        "metrics": metrics.summary(y_later, pds_of(after)),
        "auc_interval": metrics.auc_interval(y_later, pds_of(after)),
        "grades": grade_calibration(card, after, y_later),
        "psi": metrics.psi(before, after),
        "feature_psi": {f.name: _feature_psi(f, learned, later) for f in card.features},
    }


def grade_calibration(card: Scorecard, scores: np.ndarray, y: Array) -> list[dict[str, Any]]:
    """Per grade: rows, bad, mean PD, true rate with its 95% Jeffreys interval, and whether the PD lies in it."""
    grades = np.array([card.grade(score) for score in scores])
    target, pds = np.asarray(y), pds_of(scores)
    return [_grade(code, target[grades == code], pds[grades == code]) for code, _ in card.grades]


@dataclass(frozen=True)
class Measured:
    """A model on rows it has not seen: `mean` over the folds, each fold, and every such row with its PD."""

    mean: dict[str, float]
    folds: tuple[dict[str, float], ...]
    y: np.ndarray
    pd: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """The scorecard and its rivals on the same unseen rows, and what looks like a leak."""

    split: str
    models: dict[str, Measured]
    warnings: list[dict[str, Any]]


def compare(
    table: Table,
    y: Array,
    features: Sequence[FeatureSpec],
    *,
    seed: int,
    groups: Array | None = None,
    time: Array | None = None,
    folds: int = 5,
    ratios: int = 0,
    pairs: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Scorecard, binned logistic and unrestricted boosting on the same unseen rows.

    With `time` the last 30% are the test, with `groups` no group stands on both sides, else `folds` folds.
    AUC, KS, Gini and PSI are means over the folds; Brier and calibration are over all unseen rows together.
    Raises ValueError when a part has only good or only bad rows.
    """
    columns = {name: np.asarray(table[name]) for name in _inputs(features)}
    target = np.asarray(y).astype(int)
    splits = list(_splits(target, groups, time, folds, seed))
    models = {}
    for name, learn in _contenders(ratios, pairs, groups).items():
        progress(name)
        models[name] = _measured(_parts(learn, columns, target, features, seed, splits))
    seen, unseen = splits[0]
    found = leakage.warnings(columns, target, features, model_auc=models["scorecard"].mean["auc"])
    found += leakage.across(_take(columns, seen), _take(columns, unseen))
    split = "time" if time is not None else "group" if groups is not None else "folds"
    return Comparison(split, models, found)


def _grade(code: str, target: np.ndarray, pds: np.ndarray) -> dict[str, Any]:
    count, bad = len(target), int(target.sum())
    low, high = metrics.jeffreys(bad, count)
    mean = float(pds.mean()) if count else None
    return {
        "grade": code,
        "rows": count,
        "bad": bad,
        "mean_pd": mean,
        "bad_rate": bad / count if count else None,
        "low": low,
        "high": high,
        "fits": None if mean is None else low <= mean <= high,
    }


def _feature_psi(feature: Feature, learned: Table, later: Table) -> dict[str, Any]:
    return metrics.psi_of_bins(*(feature.index_many(column_of(feature, rows)) for rows in (learned, later)))


def _inputs(features: Sequence[FeatureSpec]) -> list[str]:
    return list(dict.fromkeys(name for f in features for name in (f.ratio or (f.name,))))


def _splits(
    y: np.ndarray, groups: Array | None, time: Array | None, folds: int, seed: int
) -> Sequence[Split]:
    if time is not None:
        return [_by_time(np.asarray(time), None if groups is None else np.asarray(groups))]
    if groups is not None:
        found = GroupKFold(folds, shuffle=True, random_state=seed).split(y, y, np.asarray(groups))
    else:
        found = StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y)
    return list(found)


def _by_time(time: np.ndarray, groups: np.ndarray | None) -> Split:
    """The last 30% are the test; rows of one moment stay together, and a group that was seen is not tested on."""
    moments, counts = np.unique(time, return_counts=True)
    if len(moments) < 2:
        raise ValueError("all rows are of one moment")
    before = np.cumsum(counts)[:-1]
    cut = moments[int(np.argmin(np.abs(before - TRAIN_SHARE * len(time))))]
    seen, unseen = np.flatnonzero(time <= cut), np.flatnonzero(time > cut)
    if groups is not None:
        unseen = unseen[~np.isin(groups[unseen], groups[seen])]
    return seen, unseen


def _contenders(ratios: int, pairs: int, groups: Array | None) -> dict[str, Callable[..., Any]]:
    all_groups = None if groups is None else np.asarray(groups)

    def scorecard(
        table: Table, y: Any, features: Sequence[FeatureSpec], *, seed: int, rows: np.ndarray
    ) -> Any:
        mine = None if all_groups is None else all_groups[rows]
        card = train(table, y, features, seed=seed, groups=mine, ratios=ratios, pairs=pairs)
        return lambda unseen: pds_of(card.score_many(unseen))

    def plain(learn: Callable[..., Any]) -> Callable[..., Any]:
        return lambda table, y, features, *, seed, rows: learn(table, y, features, seed=seed).pds

    return {"scorecard": scorecard, **{name: plain(learn) for name, learn in CHALLENGERS.items()}}


def _parts(
    learn: Callable[..., Any],
    columns: Table,
    y: np.ndarray,
    features: Sequence[FeatureSpec],
    seed: int,
    splits: Sequence[Split],
) -> list[Part]:
    """One split after the other, or side by side in a large table: a fit keeps one core busy most of its time."""
    cores = -1 if len(y) >= SIDE_BY_SIDE and len(splits) > 1 else 1
    found: list[Part] = Parallel(n_jobs=cores)(
        delayed(_unseen)(learn, columns, y, features, seed, split) for split in splits
    )
    return found


def _unseen(
    learn: Callable[..., Any],
    columns: Table,
    y: np.ndarray,
    features: Sequence[FeatureSpec],
    seed: int,
    split: Split,
) -> Part:
    seen, unseen = split
    if len(np.unique(y[seen])) < 2 or len(np.unique(y[unseen])) < 2:
        raise ValueError("a part of the split has only good or only bad rows")
    mine = _take(columns, seen)
    predict = learn(mine, y[seen], features, seed=seed, rows=seen)
    return y[unseen], predict(_take(columns, unseen)), predict(mine)


def _take(columns: Table, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: column[rows] for name, column in columns.items()}


def _measured(parts: Sequence[Part]) -> Measured:
    """Ranking per fold, level over all: a fold's ranking must not profit from levels that differ between folds."""
    folds = tuple(metrics.summary(y, pd) | {"psi": metrics.psi(before, pd)["psi"]} for y, pd, before in parts)
    y, pd = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    together = metrics.summary(y, pd)
    for name in ("auc", "ks", "gini", "psi"):
        together[name] = float(np.mean([fold[name] for fold in folds]))
    return Measured(together, folds, y, pd)
