"""What a validator needs to see: how a card does on rows it has not learned from, and what looks wrong."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedKFold

from risk.engine import leakage, metrics
from risk.engine.challengers import CHALLENGERS
from risk.engine.metrics import Array
from risk.engine.scorecard import FACTOR, OFFSET, Feature, FeatureSpec, Scorecard, column_of
from risk.engine.training import Table, train

Split = tuple[np.ndarray, np.ndarray]


def pds_of(scores: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp((np.asarray(scores) - OFFSET) / FACTOR))


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
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Scorecard, binned logistic and unrestricted boosting on the same unseen rows.

    With `time` the last 30% are the test, with `groups` no group stands on both sides, else `folds` folds.
    AUC, KS and Gini are means over the folds; Brier and calibration are over all unseen rows together.
    """
    columns = {name: np.asarray(table[name]) for name in _inputs(features)}
    target = np.asarray(y).astype(int)
    splits = list(_splits(target, groups, time, folds, seed))
    report: dict[str, Any] = {
        "split": "time" if time is not None else "group" if groups is not None else "folds"
    }
    for name, learn in _contenders(ratios, groups).items():
        progress(name)
        report[name] = _measured([_unseen(learn, columns, target, features, seed, s) for s in splits])
    shares = [leakage.repeated_rows(_take(columns, a), _take(columns, b)) for a, b in splits]
    report["repeated_rows"] = float(np.mean(shares))
    report["warnings"] = leakage.warnings(columns, target, features, model_auc=report["scorecard"]["auc"])
    return report


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
        order = np.argsort(np.asarray(time), kind="stable")
        cut = int(len(order) * 0.7)
        return [(order[:cut], order[cut:])]
    if groups is not None:
        return list(GroupKFold(folds, shuffle=True, random_state=seed).split(y, y, np.asarray(groups)))
    return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(y, y))


def _contenders(ratios: int, groups: Array | None) -> dict[str, Callable[..., Any]]:
    all_groups = None if groups is None else np.asarray(groups)

    def scorecard(
        table: Table, y: Any, features: Sequence[FeatureSpec], *, seed: int, rows: np.ndarray
    ) -> Any:
        mine = None if all_groups is None else all_groups[rows]
        card = train(table, y, features, seed=seed, groups=mine, ratios=ratios)
        return lambda unseen: pds_of(card.score_many(unseen))

    def plain(learn: Callable[..., Any]) -> Callable[..., Any]:
        return lambda table, y, features, *, seed, rows: learn(table, y, features, seed=seed)

    return {"scorecard": scorecard, **{name: plain(learn) for name, learn in CHALLENGERS.items()}}


def _unseen(
    learn: Callable[..., Any],
    columns: Table,
    y: np.ndarray,
    features: Sequence[FeatureSpec],
    seed: int,
    split: Split,
) -> tuple[np.ndarray, np.ndarray]:
    seen, unseen = split
    predict = learn(_take(columns, seen), y[seen], features, seed=seed, rows=seen)
    return y[unseen], predict(_take(columns, unseen))


def _take(columns: Table, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: column[rows] for name, column in columns.items()}


def _measured(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Ranking per fold, level over all: a fold's ranking must not profit from levels that differ between folds."""
    together = metrics.summary(np.concatenate([y for y, _ in parts]), np.concatenate([pd for _, pd in parts]))
    for name in ("auc", "ks", "gini"):
        together[name] = float(np.mean([getattr(metrics, name)(y, pd) for y, pd in parts]))
    return together
