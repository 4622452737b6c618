"""Planted leaks are named, honest columns are not, and a card is measured on rows it has not seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from risk.engine import leakage
from risk.engine.scorecard import CATEGORY, FeatureSpec, score_of
from risk.engine.training import train
from risk.engine.validation import compare, grade_calibration, validate

DATA = Path(__file__).parents[4] / "shared" / "datasets"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real data sets are not at {DATA}")


def made(rows: int, seed: int = 0, worse: float = 0.0) -> tuple[dict[str, Any], np.ndarray]:
    rng = np.random.default_rng(seed)
    table = {"honest": rng.normal(size=rows), "other": rng.normal(size=rows)}
    log_odds = -1.5 + 0.8 * table["honest"] + 0.4 * table["other"] + worse
    return table, (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(int)


def signs(column: Any, bad: np.ndarray, name: str = "x", kind: str = "numeric") -> set[str]:
    return {sign["kind"] for sign in leakage.of_column(FeatureSpec(name, 0, kind), column, bad)}


def test_an_honest_column_raises_no_warning() -> None:
    table, bad = made(2000)
    assert signs(table["other"], bad) == set()


def test_a_column_that_knows_the_answer_is_named() -> None:
    table, bad = made(2000)
    assert {"SINGLE_AUC", "SINGLE_IV"} <= signs(bad + 0.3 * table["other"], bad)
    assert "SINGLE_IV" in signs(np.where(bad == 1, "late", "fine"), bad, kind=CATEGORY)
    assert "SINGLE_IV" in signs(np.where((bad == 1) & (table["other"] > -1), np.nan, table["other"]), bad)


def test_a_category_of_a_hundred_values_is_not_called_a_leak_for_its_noise() -> None:
    rng = np.random.default_rng(1)
    _, bad = made(1500)
    assert signs(rng.integers(0, 100, 1500).astype(str), bad, kind=CATEGORY) == set()


@pytest.mark.parametrize(
    "name", ["ChgOffDate", "charge_off", "is_default", "recovered_amount", "final_status", "dpd_90"]
)
def test_names_that_sound_like_the_target(name: str) -> None:
    table, bad = made(500)
    assert signs(table["other"], bad, name) == {"TARGET_LIKE_NAME"}


@pytest.mark.parametrize("name", ["income", "statutory_rate", "badge_count", "tenure_days", "marital"])
def test_names_that_do_not(name: str) -> None:
    assert not leakage.TARGET_WORDS.search(name)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([*range(20, 70), *[999] * 5], [999]),
        ([*range(100, 200), *[-1] * 5], [-1]),
        ([734000, 734010, 734020, 734030, *[726000] * 5], [726000]),
        ([*range(100)] * 2, []),
        ([*range(-30, 70), -1, -1, -1, -1, -1], []),
        ([1, 2, 3, 4, 99], []),
        ([0] * 50 + [*range(1, 60)], []),
    ],
)
def test_sentinels(values: list[float], found: list[float]) -> None:
    assert [s["value"] for s in leakage.sentinels(np.array(values, dtype=float))] == found


def test_rows_that_stand_on_both_sides_are_counted() -> None:
    train_rows = {"a": [1, 2, 3], "b": ["x", "y", "z"]}
    assert leakage.repeated_rows(train_rows, {"b": ["x", "y", "q", "z"], "a": [1, 9, 1, 3]}) == 0.5


def test_rows_that_nearly_stand_on_both_sides_are_counted() -> None:
    rng = np.random.default_rng(3)
    names = [f"c{n}" for n in range(6)]
    seen = {name: rng.normal(size=200) for name in names}
    unseen = {name: np.concatenate([seen[name][:30], rng.normal(size=70)]) for name in names}
    unseen["c2"][:30] += 1.0  # one column of a repeated row is another one
    assert leakage.repeated_rows(seen, unseen) == 0
    assert leakage.near_rows(seen, unseen) == pytest.approx(0.3, abs=0.01)
    assert [sign["kind"] for sign in leakage.across(seen, unseen)] == ["NEAR_ROWS"]


def test_a_code_behind_a_code_is_found_too() -> None:
    values = np.array([*range(20, 70), *[999] * 6, *[9999] * 6], dtype=float)
    assert [sign["value"] for sign in leakage.sentinels(values)] == [9999, 999]


def test_moments_are_not_torn_apart_and_no_group_is_tested_that_was_seen() -> None:
    table, bad = made(600)
    when, who = np.repeat(np.arange(6), 100), np.arange(600) % 150
    report = compare(table, bad, [FeatureSpec("honest", 1)], seed=1, time=when)
    assert report.models["scorecard"].mean["rows"] == 200
    with pytest.raises(ValueError, match="only good or only bad"):  # all of them were seen before
        compare(table, bad, [FeatureSpec("honest", 1)], seed=1, time=when, groups=who)


@pytest.fixture(scope="module")
def card() -> Any:
    table, bad = made(1500)
    return train(table, bad, [FeatureSpec("honest", 1), FeatureSpec("other", 1)], seed=1)


def test_a_card_is_true_per_grade_on_later_rows_and_a_worse_year_shows(card: Any) -> None:
    learned, _ = made(1500)
    calm = validate(card, learned, *made(4000, seed=5))
    crisis = validate(card, learned, *made(4000, seed=6, worse=0.9))
    assert calm["auc_interval"][0] < calm["metrics"]["auc"] < calm["auc_interval"][1]
    assert calm["psi"]["alarm"] == "stable"
    assert {name: psi["alarm"] for name, psi in calm["feature_psi"].items()} == {
        "honest": "stable",
        "other": "stable",
    }
    assert calm["metrics"]["calibration_intercept"] == pytest.approx(0, abs=0.3)
    assert crisis["metrics"]["calibration_intercept"] == pytest.approx(0.9, abs=0.3)
    busy = [g for g in crisis["grades"] if g["rows"] > 100]
    assert busy
    assert all(g["bad_rate"] > g["mean_pd"] and not g["fits"] for g in busy)


def test_grades_without_rows_say_nothing(card: Any) -> None:
    only_f = grade_calibration(card, np.full(50, score_of(0.0)), [1, 0] * 25)
    assert [(g["grade"], g["rows"], g["fits"]) for g in only_f][-2:] == [("E", 0, None), ("F", 50, True)]
    assert (only_f[-1]["low"], only_f[-1]["high"]) == pytest.approx((0.364, 0.636), abs=2e-3)


def test_three_models_are_compared_on_rows_none_has_seen() -> None:
    table, bad = made(700)
    specs = [FeatureSpec("honest", 1), FeatureSpec("other", 1)]
    told: list[str] = []
    report = compare(table, bad, specs, seed=1, folds=2, progress=told.append)
    assert told == ["scorecard", "binned_logistic", "boosting"]
    assert report.split == "folds"
    means = [report.models[name].mean for name in told]
    assert all(mean["rows"] == 700 and 0.6 < mean["auc"] < 0.85 for mean in means)
    assert [[fold["rows"] for fold in report.models[name].folds] for name in told] == [[350, 350]] * 3
    assert [(w["feature"], w["kind"]) for w in report.warnings] == [("honest", "SINGLE_IV")]


def test_the_split_by_time_tests_on_the_last_rows() -> None:
    table, bad = made(600)
    when = np.arange(600)[::-1]
    report = compare(table, bad, [FeatureSpec("honest", 1)], seed=1, time=when)
    card = report.models["scorecard"].mean
    assert (report.split, card["rows"]) == ("time", 180)
    assert card["bad_rate"] == pytest.approx(bad[:180].mean())


def test_too_good_to_be_true_is_said() -> None:
    table, bad = made(400)
    found = leakage.warnings(table, bad, [FeatureSpec("honest")], model_auc=0.91)
    assert [w["kind"] for w in found] == ["MODEL_TOO_GOOD"]


@needs_data
@pytest.mark.slow
def test_the_leaks_of_the_small_business_loans_are_named() -> None:
    frame = pd.read_csv(DATA / "sba_loans_fy_le_2004.csv.gz")
    bad = frame["default"].to_numpy()
    charged_off_on = pd.to_datetime(frame["ChgOffDate"]).map(lambda d: d.toordinal() if pd.notna(d) else None)
    table = {
        **{name: frame[name] for name in ("Term", "ChgOffPrinGr", "NoEmp", "GrAppv")},
        "ChgOffDate": charged_off_on,
    }
    found = leakage.warnings(table, bad, [FeatureSpec(name) for name in table])
    assert {w["feature"] for w in found} == {"Term", "ChgOffPrinGr", "ChgOffDate"}
