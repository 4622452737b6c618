"""How far a card in use has moved from the rows it was made from, on plain arrays.

Levels (docs/algorithms/scorecard.md): PSI is watched above 0.10 and acted on above 0.25, both only above three times
what sampling alone brings; AUC is watched when it fell by more than 0.05, acted on by more than 0.10, both only when
the whole 95% interval lies below the former AUC; the level is watched when the mean PD leaves the 95% Jeffreys
interval of the bad rate, acted on when it is off by a factor of two besides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from risk.engine import metrics
from risk.engine.scorecard import CATEGORY, FACTOR, OFFSET, Feature, Scorecard, column_of

STABLE, WATCH, ACT = "STABLE", "WATCH", "ACT"
LEVELS = (STABLE, WATCH, ACT)
FROM_PSI = {"stable": STABLE, "watch": WATCH, "act": ACT}
PARTS = 10  # of the rows of development, in which a figure is compared
FEWEST = 6  # good ones and bad ones, below which ranking and level say nothing
AUC_WATCH, AUC_ACT = 0.05, 0.10
FACTOR_ACT = 2.0


def baseline(scores: np.ndarray) -> dict[str, list[float]]:
    """The tenths of the scores of development: bounds (each belongs to the lower part) and rows in each."""
    bounds = np.unique(np.round(np.quantile(scores, np.arange(1, PARTS) / PARTS), 3))
    counts = np.bincount(np.searchsorted(bounds, scores, side="left"), minlength=len(bounds) + 1)
    return {"bounds": bounds.tolist(), "counts": counts.tolist()}


def score_drift(base: Mapping[str, Sequence[float]], scores: np.ndarray) -> dict[str, Any]:
    """PSI of the scores against a `baseline`, and the shares of both."""
    now = np.bincount(
        np.searchsorted(np.asarray(base["bounds"]), scores, side="left"), minlength=len(base["counts"])
    )
    return _drift(np.asarray(base["counts"], dtype=float), now)


def feature_drift(feature: Feature, table: Mapping[str, Any]) -> dict[str, Any]:
    """PSI of one feature against the rows of its own table of points, in parts of a tenth of them or more."""
    then = np.array([found.count for found in (*feature.bins, feature.missing)], dtype=float)
    rows = feature.index_many(column_of(feature, table))
    now = np.bincount(rows, minlength=len(then))
    parts = _parts(feature, then)
    return _drift(np.bincount(parts, weights=then), np.bincount(parts, weights=now))


def _parts(feature: Feature, then: np.ndarray) -> np.ndarray:
    """The part of each row of a table: neighbours together until they hold a tenth; what is missing stays alone."""
    if feature.kind == CATEGORY:
        return np.arange(len(then))
    parts, held, part = [], 0.0, 0
    for count in then[:-1]:
        if held >= then[:-1].sum() / PARTS:
            part, held = part + 1, 0.0
        parts.append(part)
        held += count
    return np.array([*parts, part + 1])


def _drift(then: np.ndarray, now: np.ndarray) -> dict[str, Any]:
    found = metrics.psi_of_counts(then, now)
    return {
        "psi": found["psi"],
        "noise": found["noise"],
        "level": FROM_PSI[found["alarm"]],
        "then": (then / max(then.sum(), 1)).tolist(),
        "now": (now / max(now.sum(), 1)).tolist(),
    }


def ranking(bad: np.ndarray, pds: np.ndarray, former_auc: float | None) -> dict[str, Any] | None:
    """AUC, KS and calibration on known ends, with the level of the AUC; None on too few of either kind."""
    if min(bad.sum(), len(bad) - bad.sum()) < FEWEST:
        return None
    low, high = metrics.auc_interval(bad, pds)
    found: dict[str, Any] = metrics.summary(bad, pds) | {"auc_low": low, "auc_high": high}
    fell = (former_auc or 0.0) - found["auc"]
    sure = former_auc is not None and high < former_auc
    return found | {"former_auc": former_auc, "level": _level(sure and fell > AUC_WATCH, fell > AUC_ACT)}


def level(bad: np.ndarray, pds: np.ndarray) -> dict[str, Any] | None:
    """Mean PD against the bad rate with its interval, and what to think of it; None without any row."""
    if not len(bad):
        return None
    rate, predicted = float(bad.mean()), float(pds.mean())
    low, high = metrics.jeffreys(int(bad.sum()), len(bad))
    off = not low <= predicted <= high
    far = not rate / FACTOR_ACT <= predicted <= rate * FACTOR_ACT
    return {
        "rows": len(bad),
        "bad_rate": rate,
        "predicted": predicted,
        "low": low,
        "high": high,
        "level": _level(off, far),
    }


def by_grade(card: Scorecard, scores: np.ndarray, bad: np.ndarray) -> list[dict[str, Any]]:
    """`level` of each grade that holds any row."""
    grades, pds = np.array([card.grade(score) for score in scores]), pds_of(scores)
    found = ((code, level(bad[grades == code], pds[grades == code])) for code, _above in card.grades)
    return [{"grade": code, **row} for code, row in found if row]


def pds_of(scores: np.ndarray) -> np.ndarray:
    found: np.ndarray = 1 / (1 + np.exp((scores - OFFSET) / FACTOR))
    return found


def worst(levels: Sequence[str]) -> str:
    return max(levels, key=LEVELS.index, default=STABLE)


def _level(off: bool, far: bool) -> str:
    return STABLE if not off else ACT if far else WATCH
