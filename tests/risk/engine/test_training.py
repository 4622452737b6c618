"""Trained cards: exactly the model, monotone as told, as good as their rivals, the same for the same seed."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from risk.engine import metrics
from risk.engine.binning import binning
from risk.engine.scorecard import CATEGORY, FACTOR, OFFSET, FeatureSpec, Scorecard
from risk.engine.training import Model, export, fit, train

DATA = Path(__file__).parents[4] / "shared" / "datasets"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real data sets are not at {DATA}")
SPECS = [
    FeatureSpec("share", 1),
    FeatureSpec("tenure", -1),
    FeatureSpec("noise"),
    FeatureSpec("city", 0, CATEGORY),
    FeatureSpec("wrong_way", -1),
    FeatureSpec("constant"),
]


def made(rows: int, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """Customers whose true log-odds rise with `share`, `wrong_way` and in one city and fall with `tenure`."""
    rng = np.random.default_rng(seed)
    share, tenure, wrong = rng.random(rows), rng.integers(0, 60, rows), rng.normal(size=rows)
    city = rng.choice(["north", "south", "west", "rare"], rows, p=[0.5, 0.3, 0.198, 0.002])
    log_odds = -2.2 + 2.5 * share - 0.04 * tenure + 0.8 * (city == "west") + 0.5 * wrong
    bad = (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(int)
    hidden = np.where(rng.random(rows) < 0.1, np.nan, share)
    table = {
        "share": hidden, "tenure": tenure, "noise": rng.normal(size=rows), "city": city.astype(object),
        "wrong_way": wrong, "constant": np.ones(rows),
    }  # fmt: skip
    return table, bad


def row_of(table: dict[str, Any], at: int) -> dict[str, Any]:
    return {name: column[at] for name, column in table.items()}


@pytest.fixture(scope="module")
def trained() -> tuple[Model, Scorecard, dict[str, Any], np.ndarray]:
    table, bad = made(2500, seed=1)
    model = fit(table, bad, SPECS, seed=3)
    return model, export(model, table, bad, seed=3), table, bad


def strange(rows: int) -> dict[str, Any]:
    """Values that training never saw: beyond every bound, missing everywhere, new categories."""
    rng = np.random.default_rng(9)
    numbers = {
        name: rng.normal(scale=50, size=rows)
        for name in ("share", "tenure", "noise", "wrong_way", "constant")
    }
    for column in numbers.values():
        column[rng.random(rows) < 0.3] = np.nan
    return {**numbers, "city": rng.choice(np.array(["north", "rare", "moon", None], dtype=object), rows)}


def test_the_table_is_the_model(trained: tuple[Model, Scorecard, dict[str, Any], np.ndarray]) -> None:
    model, card, table, _ = trained
    for rows in (table, strange(2000)):
        served = (OFFSET - card.score_many(rows)) / FACTOR
        assert np.max(np.abs(served - model.log_odds(rows))) < 1e-9
        one = card.score(row_of(rows, 0))
        assert (OFFSET - one.score) / FACTOR == pytest.approx(model.log_odds(rows)[0], abs=1e-9)


def test_risk_moves_only_the_way_that_was_expected(trained: Any) -> None:
    by_name = {f.name: [b.log_odds for b in f.bins] for f in trained[1].features}
    assert by_name["share"] == sorted(by_name["share"])
    assert by_name["share"][-1] - by_name["share"][0] > 1.5
    assert by_name["tenure"] == sorted(by_name["tenure"], reverse=True)
    assert "wrong_way" not in by_name  # it moves against what was expected, so it says nothing
    assert "constant" not in by_name


def test_points_are_centred_on_the_average_customer(trained: Any) -> None:
    _, card, table, _ = trained
    for feature in card.features:
        rows = (*feature.bins, feature.missing)
        assert sum(b.log_odds * b.count for b in rows) == pytest.approx(0, abs=1e-6)
        assert sum(b.count for b in rows) == card.rows == len(table["share"])
        assert sum(b.bad for b in rows) == card.bad


def test_bins_of_equal_points_are_one(trained: Any) -> None:
    for feature in trained[1].features:
        for left, right in zip(feature.bins, feature.bins[1:], strict=False):
            assert left.log_odds != right.log_odds


def test_categories_are_grouped_and_rare_ones_left_out(trained: Any) -> None:
    city = next(f for f in trained[1].features if f.name == "city")
    assert "rare" not in city.by_member
    assert city.bin_of("rare") is city.missing
    assert city.bin_of("west").log_odds > city.bin_of("north").log_odds


def test_it_ranks_and_its_level_is_true_on_rows_it_has_not_seen(trained: Any) -> None:
    table, bad = made(20_000, seed=2)
    unseen = {**table}
    pds = 1 / (1 + np.exp((trained[1].score_many(unseen) - OFFSET) / FACTOR))
    slope, intercept = metrics.calibration(bad, metrics.log_odds(pds))
    assert metrics.auc(bad, pds) > 0.70
    assert slope == pytest.approx(1, abs=0.15)
    assert float(pds.mean()) == pytest.approx(bad.mean(), abs=0.02)


def test_the_same_seed_gives_the_same_card() -> None:
    table, bad = made(200, seed=4)
    cards = [train(table, bad, SPECS[:2], seed=seed) for seed in (5, 5, 6)]
    assert cards[0].sha256 == cards[1].sha256 != cards[2].sha256


def test_a_set_of_noise_gives_a_card_that_says_next_to_nothing() -> None:
    rng = np.random.default_rng(0)
    table = {f"n{i}": rng.normal(size=600) for i in range(8)}
    bad = (rng.random(600) < 0.2).astype(int)
    card = train(table, bad, [FeatureSpec(name) for name in table], seed=1)
    assert np.std(card.score_many(table)) < 6


def test_a_ratio_is_found_where_two_numbers_matter_together() -> None:
    rng = np.random.default_rng(3)
    debt, income = rng.lognormal(3, 1, 3000), rng.lognormal(3, 1, 3000)
    table = {"debt": debt, "income": income, "noise": rng.normal(size=3000)}
    bad = (rng.random(3000) < np.where(debt / income > 1.5, 0.4, 0.05)).astype(int)
    specs = [FeatureSpec(name) for name in table]
    model = fit(table, bad, specs, seed=1, ratios=1)
    card = export(model, table, bad)
    assert [f.ratio for f in card.features if f.ratio] == [("debt", "income")]
    assert np.max(np.abs((OFFSET - card.score_many(table)) / FACTOR - model.log_odds(table))) < 1e-9
    assert Scorecard.from_json(card.to_json()) == card


def crossed(rows: int, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """Neither `a` nor `shop` says anything alone; together they say much. `town` has 150 members, each with a rate."""
    rng = np.random.default_rng(seed)
    a, shop = rng.normal(size=rows), rng.choice(["x", "y"], rows)
    number = rng.integers(0, 150, rows)
    town = np.array([f"t{n}" for n in number], dtype=object)
    log_odds = -1 + 1.6 * np.sign(a) * np.where(shop == "x", 1, -1) + 1.2 * np.sin(number)
    bad = (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(int)
    return {"a": a, "shop": shop.astype(object), "town": town, "n": rng.normal(size=rows)}, bad


def test_pairs_and_towns_are_learned_and_the_table_is_still_the_model() -> None:
    table, bad = crossed(4000, 1)
    specs = [FeatureSpec(name, 0, "category" if name in ("shop", "town") else "numeric") for name in table]
    model = fit(table, bad, specs, seed=1, pairs=5)
    card = export(model, table, bad)
    assert [f.inputs for f in card.features if f.axes] == [("a", "shop")]
    later, end = crossed(3000, 2)
    later["town"][:50], later["a"][25:75], later["shop"][60:80] = "elsewhere", np.nan, None
    for rows in (table, later):
        assert np.max(np.abs((OFFSET - card.score_many(rows)) / FACTOR - model.log_odds(rows))) < 1e-9
    one = card.score(row_of(later, 62))
    assert one.score == pytest.approx(card.score_many(later)[62], abs=1e-9)
    assert metrics.auc(end, -card.score_many(later)) > 0.80  # without pairs it is about 0.68
    again = Scorecard.from_json(card.to_json())
    assert again == card
    assert again.sha256 == card.sha256


def test_no_pair_is_made_up_where_there_is_none() -> None:
    table, bad = made(1500, seed=6)
    assert fit(table, bad, SPECS[:4], seed=1, pairs=10).pairs == ()


def test_groups_stay_together() -> None:
    """Forty people copied four times over, nothing true to learn: without groups the scores differ by hundreds."""
    rng = np.random.default_rng(8)
    person = np.repeat(np.arange(40), 4)
    table = {f"n{i}": rng.normal(size=40)[person] for i in range(4)}
    bad = (rng.random(40) < 0.3).astype(int)[person]
    card = train(table, bad, [FeatureSpec(name) for name in table], seed=1, groups=person)
    assert np.std(card.score_many(table)) < 20


def test_what_only_misleads_is_left_out() -> None:
    """Every value is good in one half of the rows and bad in the other: all that is learned is wrong elsewhere."""
    table = {"x": np.arange(200) % 100, "nothing": [None] * 200}
    bad = (np.arange(200) // 100 == np.arange(200) % 2).astype(int)
    card = train(table, bad, [FeatureSpec("x"), FeatureSpec("nothing")], seed=1)
    assert "nothing" not in card.inputs
    assert np.std(card.score_many(table)) < 2
    assert card.score(dict.fromkeys(table)).pd == pytest.approx(0.5, abs=0.05)


def test_bad_rows_of_a_single_group_cannot_be_learned_from() -> None:
    with pytest.raises(ValueError, match="too few groups"):
        train(
            {"x": list(range(200))},
            [1] * 20 + [0] * 180,
            [FeatureSpec("x")],
            seed=1,
            groups=[0] * 20 + [*range(180)],
        )


@pytest.mark.parametrize(
    ("bad", "message"),
    [([0, 1, 2] * 50, "0 .good. or 1"), ([0] * 150, "10 good"), ([0] * 141 + [1] * 9, "10 bad")],
)
def test_targets_that_teach_nothing_are_refused(bad: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train({"x": list(range(150))}, bad, [FeatureSpec("x")], seed=1)


def test_text_in_a_column_of_numbers_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="x must be a number"):
        train({"x": ["a", "b"] * 50}, [0, 1] * 50, [FeatureSpec("x")], seed=1)


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        ([1, 2, 2, 3], (1.5, 2.5)),
        ([1, None, 1], ()),
        ([None, None], ()),
        ([0.1, np.nextafter(0.1, 1)], (0.1,)),
        ([-1e308, 1e308], (0.0,)),
    ],
)
def test_bounds_lie_between_values(values: list[float], bounds: tuple[float, ...]) -> None:
    assert binning(FeatureSpec("x"), values, 8).bounds == bounds


def test_many_values_are_cut_at_their_quantiles() -> None:
    one = binning(FeatureSpec("x"), np.arange(1000.0), 8)
    assert one.size == 8
    assert np.bincount(one.codes(np.arange(1000.0)).astype(int)).tolist() == pytest.approx([125] * 8, abs=2)


@needs_data
@pytest.mark.slow
def test_real_card_customers() -> None:
    """Table equal to the model, and at least as good as binned logistic regression is known to be there (.77)."""
    frame = pd.read_csv(DATA / "taiwan_credit_card_dev.csv.gz").iloc[:12_000]
    bad = frame.pop("default").to_numpy()
    categories = {"SEX", "EDUCATION", "MARRIAGE"}
    specs = [FeatureSpec(c, 0, CATEGORY if c in categories else "numeric") for c in frame.columns.drop("ID")]
    seen, unseen = frame.iloc[:9000], frame.iloc[9000:]
    model = fit(seen, bad[:9000], specs, seed=1)
    card = export(model, seen, bad[:9000])
    served = (OFFSET - card.score_many(unseen)) / FACTOR
    assert np.max(np.abs(served - model.log_odds(unseen))) < 1e-9
    assert metrics.auc(bad[9000:], served) > 0.76
