import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve

from risk.engine import metrics

RNG = np.random.default_rng(0)
BAD = (RNG.random(500) < 0.3).astype(int)
RISK = np.round(np.clip(0.3 + 0.2 * BAD + 0.2 * RNG.normal(size=500), 0.01, 0.99), 2)  # with ties


def test_auc_and_ks_agree_with_scikit_learn() -> None:
    assert metrics.auc(BAD, RISK) == pytest.approx(roc_auc_score(BAD, RISK))
    assert metrics.gini(BAD, RISK) == pytest.approx(2 * roc_auc_score(BAD, RISK) - 1)
    false, true, _ = roc_curve(BAD, RISK, drop_intermediate=False)
    assert metrics.ks(BAD, RISK) == pytest.approx(np.max(true - false))


@pytest.mark.parametrize(
    ("risk", "auc", "ks"), [([1, 2, 3, 4], 1.0, 1.0), ([4, 3, 2, 1], 0.0, 1.0), ([1, 1, 1, 1], 0.5, 0.0)]
)
def test_the_ends_of_the_scale(risk: list[float], auc: float, ks: float) -> None:
    assert (metrics.auc([0, 0, 1, 1], risk), metrics.ks([0, 0, 1, 1], risk)) == (auc, ks)


def test_one_class_alone_ranks_nothing() -> None:
    with pytest.raises(ValueError, match="both good and bad"):
        metrics.auc([0, 0], [0.1, 0.2])


def test_brier() -> None:
    assert metrics.brier([1, 0], [0.8, 0.4]) == pytest.approx((0.04 + 0.16) / 2)


def test_calibration_is_a_logistic_regression_on_the_log_odds() -> None:
    x = metrics.log_odds(RISK)
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(x[:, None], BAD)
    slope, intercept = metrics.calibration(BAD, x)
    assert slope == pytest.approx(reference.coef_[0, 0], abs=1e-4)
    assert intercept == pytest.approx(reference.intercept_[0], abs=1e-4)


def test_a_year_whose_bad_rate_doubles_shows_in_the_intercept() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(-2, 1, 50_000)
    calm = (rng.random(50_000) < 1 / (1 + np.exp(-x))).astype(int)
    crisis = (rng.random(50_000) < 1 / (1 + np.exp(-x - 0.9))).astype(int)
    assert metrics.calibration(calm, x) == pytest.approx((1, 0), abs=0.05)
    assert metrics.calibration(crisis, x) == pytest.approx((1, 0.9), abs=0.05)


def test_the_intercept_alone_puts_the_mean_right() -> None:
    x = metrics.log_odds(RISK)
    moved = x + metrics.intercept(BAD, x)
    assert float(np.mean(1 / (1 + np.exp(-moved)))) == pytest.approx(BAD.mean(), abs=1e-12)
    assert metrics.intercept(BAD, moved) == pytest.approx(0, abs=1e-9)


def test_calibration_of_a_score_that_separates_everything_ends() -> None:
    slope, _ = metrics.calibration([0, 0, 1, 1], [-2.0, -1.0, 1.0, 2.0])
    assert slope > 1
    assert np.isfinite(slope)


def test_psi_of_known_shares() -> None:
    old = np.repeat([0, 1], [5000, 5000])
    new = np.repeat([0, 1], [6000, 4000])
    found = metrics.psi_of_bins(old, new)
    assert found["psi"] == pytest.approx(0.1 * np.log(1.2) + -0.1 * np.log(0.8))
    assert found["noise"] == pytest.approx(1 * (1 / 10_000 + 1 / 10_000))


def test_psi_without_drift_is_about_its_noise() -> None:
    rng = np.random.default_rng(2)
    found = [metrics.psi(rng.normal(size=400), rng.normal(size=300)) for _ in range(200)]
    assert np.mean([f["psi"] for f in found]) == pytest.approx(found[0]["noise"], rel=0.35)
    assert sum(f["alarm"] != "stable" for f in found) < 10


@pytest.mark.parametrize(("shift", "alarm"), [(0.0, "stable"), (0.4, "watch"), (1.0, "act")])
def test_psi_alarms(shift: float, alarm: str) -> None:
    rng = np.random.default_rng(3)
    assert metrics.psi(rng.normal(size=5000), rng.normal(shift, size=5000))["alarm"] == alarm


def test_psi_sees_that_values_go_missing() -> None:
    values = np.random.default_rng(4).normal(size=2000)
    assert metrics.psi(values, np.where(np.arange(2000) < 800, np.nan, values))["alarm"] == "act"


def test_iv_of_a_worked_table() -> None:
    rows, bad = np.repeat([0, 0, 1, 1], [80, 20, 40, 60]), np.repeat([0, 1, 0, 1], [80, 20, 40, 60])
    expected = (80 / 120 - 20 / 80) * np.log((80 / 120) / (20 / 80)) + (40 / 120 - 60 / 80) * np.log(
        (40 / 120) / (60 / 80)
    )
    assert metrics.iv(bad, rows) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("bad", "count", "low", "high"),
    [(0, 0, 0.0, 1.0), (0, 10, 0.0, 0.2172), (10, 10, 0.7828, 1.0), (5, 100, 0.0193, 0.1061)],
)
def test_jeffreys_interval(bad: int, count: int, low: float, high: float) -> None:
    assert metrics.jeffreys(bad, count) == pytest.approx((low, high), abs=5e-4)


def test_the_interval_of_the_auc_holds_the_truth_most_of_the_time() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        bad = (rng.random(300) < 0.3).astype(int)
        low, high = metrics.auc_interval(bad, rng.normal(size=300) + bad)
        held += low <= 0.7602 <= high  # the normal distribution function at 1 / sqrt(2)
    assert 0.90 <= held / 200 <= 0.99
