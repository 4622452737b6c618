"""How well a score ranks and how true its level is, on plain arrays. `y` is 1 for bad, `pd` a probability."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

Array = Sequence[Any] | np.ndarray


def auc(y: Array, risk: Array) -> float:
    """Chance that a bad one is ranked riskier than a good one; ties count half. Raises ValueError on one class."""
    target, ranks = _both(y), _ranks(np.asarray(risk, dtype=float))
    bad = int(target.sum())
    good = len(target) - bad
    return float((ranks[target].sum() - bad * (bad + 1) / 2) / (bad * good))


def gini(y: Array, risk: Array) -> float:
    return 2 * auc(y, risk) - 1


def ks(y: Array, risk: Array) -> float:
    """Largest gap between the shares of bad and of good at or above a level of risk."""
    target, values = _both(y), np.asarray(risk, dtype=float)
    order = np.argsort(-values, kind="stable")
    bad = np.cumsum(target[order]) / target.sum()
    good = np.cumsum(~target[order]) / (~target).sum()
    ends = np.append(np.diff(values[order]) != 0, True)
    return float(np.max(np.abs(bad - good)[ends]))


def brier(y: Array, pd: Array) -> float:
    return float(np.mean((np.asarray(pd, dtype=float) - np.asarray(y, dtype=float)) ** 2))


def log_odds(pd: Array) -> np.ndarray:
    p: np.ndarray = np.clip(np.asarray(pd, dtype=float), 1e-12, 1 - 1e-12)
    odds: np.ndarray = np.log(p / (1 - p))
    return odds


def calibration(y: Array, odds: Array) -> tuple[float, float]:
    """Slope and intercept of the logistic regression of `y` on the log-odds `odds`; a true level gives 1 and 0."""
    target, x = np.asarray(y, dtype=float), np.asarray(odds, dtype=float)
    design = np.column_stack([x, np.ones(len(x))])
    weights = np.array([1.0, 0.0])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -700, 700)))
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (target - p))
        weights = weights + np.clip(step, -2, 2)
        if np.max(np.abs(step)) < 1e-10:
            break
    return float(weights[0]), float(weights[1])


def intercept(y: Array, odds: Array) -> float:
    """What must be added to the log-odds so that the mean PD is the bad rate; zero when the level is true."""
    x, rate = np.asarray(odds, dtype=float), float(np.mean(np.asarray(y, dtype=float)))
    low, high = -50.0, 50.0
    for _ in range(100):
        middle = (low + high) / 2
        too_low = float(np.mean(1 / (1 + np.exp(-np.clip(x + middle, -700, 700))))) < rate
        low, high = (middle, high) if too_low else (low, middle)
    return middle


def auc_interval(y: Array, risk: Array, level: float = 0.95) -> tuple[float, float]:
    """Interval of the AUC by the placements of DeLong, DeLong and Clarke-Pearson (1988)."""
    target, values = _both(y), np.asarray(risk, dtype=float)
    bad, good = values[target], values[~target]
    of_bad = (_ranks(values)[target] - _ranks(bad)) / len(good)
    of_good = 1 - (_ranks(values)[~target] - _ranks(good)) / len(bad)
    variance = of_bad.var(ddof=1) / len(bad) + of_good.var(ddof=1) / len(good)
    middle, half = float(of_bad.mean()), NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance)
    return max(0.0, middle - half), min(1.0, middle + half)


def psi(expected: Array, actual: Array, bins: int = 10) -> dict[str, Any]:
    """Population stability index of numbers over quantile bins of `expected`, missing being one more."""
    old, new = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)
    known = old[~np.isnan(old)]
    edges = np.unique(np.quantile(known, np.arange(1, bins) / bins)) if len(known) else np.array([])
    return psi_of_bins(_binned(old, edges), _binned(new, edges))


def psi_of_bins(expected: np.ndarray, actual: np.ndarray) -> dict[str, Any]:
    """The index of two columns of bin numbers, with its noise level; half a row stands in for an empty bin.

    Without any drift its expected value is about (bins - 1)(1/N + 1/M) (Yurdakul 2018), so a small
    sample alone may pass 0.10: `alarm` is "watch" above 0.10 and "act" above 0.25, both only when
    that is also above three times the noise.
    """
    size = int(max(expected.max(initial=0), actual.max(initial=0))) + 1
    return psi_of_counts(np.bincount(expected, minlength=size), np.bincount(actual, minlength=size))


def psi_of_counts(expected: np.ndarray, actual: np.ndarray) -> dict[str, Any]:
    """The same of the rows in each bin; without any row of either there is no drift to speak of."""
    total, now = float(expected.sum()), float(actual.sum())
    if not total or not now:
        return {"psi": 0.0, "noise": 0.0, "alarm": "stable"}
    used = (expected > 0) | (actual > 0)
    a = np.maximum(expected[used], 0.5) / total
    b = np.maximum(actual[used], 0.5) / now
    value = float(np.sum((b - a) * np.log(b / a)))
    noise = (int(used.sum()) - 1) * (1 / total + 1 / now)
    return {"psi": value, "noise": noise, "alarm": _alarm(value, noise)}


def iv(y: Array, groups: Array) -> float:
    """Information value of a column of bin numbers; half a row stands in for an empty cell."""
    target, rows = _both(y), np.unique(np.asarray(groups), return_inverse=True)[1]
    bad = np.maximum(np.bincount(rows, weights=target), 0.5) / target.sum()
    good = np.maximum(np.bincount(rows, weights=~target), 0.5) / (~target).sum()
    return float(np.sum((good - bad) * np.log(good / bad)))


def jeffreys(bad: int, count: int, level: float = 0.95) -> tuple[float, float]:
    """Interval for a default rate: the beta(bad + 1/2, good + 1/2) quantiles; (0, 1) without any row."""
    from scipy.stats import beta

    if not count:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low, high = beta.ppf([tail, 1 - tail], bad + 0.5, count - bad + 0.5)
    return (0.0 if bad == 0 else float(low)), (1.0 if bad == count else float(high))


def summary(y: Array, pd: Array) -> dict[str, float]:
    """The figures of one model on one set of rows."""
    slope, intercept = calibration(y, log_odds(pd))
    target = np.asarray(y, dtype=float)
    return {
        "rows": len(target),
        "bad_rate": float(target.mean()),
        "auc": auc(y, pd),
        "ks": ks(y, pd),
        "gini": gini(y, pd),
        "brier": brier(y, pd),
        "calibration_slope": slope,
        "calibration_intercept": intercept,
        "mean_pd": float(np.mean(np.asarray(pd, dtype=float))),
    }


def _both(y: Array) -> np.ndarray:
    target = np.asarray(y).astype(bool)
    if target.all() or not target.any():
        raise ValueError("both good and bad rows are needed")
    return target


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def _binned(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="left"))


def _alarm(value: float, noise: float) -> str:
    if value <= max(0.10, 3 * noise):
        return "stable"
    return "act" if value > 0.25 else "watch"
