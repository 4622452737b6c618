"""A small card written by hand: what it serves can be worked out on paper."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.engine.scorecard import (
    BANDS,
    CATEGORY,
    FACTOR,
    NUMERIC,
    OFFSET,
    Bin,
    Feature,
    Result,
    Scorecard,
    cuts,
    pd_of,
    score_of,
)

RETURNS = Feature(
    "return_share",
    NUMERIC,
    1,
    (Bin(-0.5, 600, 12, upper=0.1), Bin(0.0, 300, 15, upper=0.3), Bin(1.2, 100, 30)),
    Bin(0.4, 0, 0),
)
CITY = Feature(
    "city", CATEGORY, 0, (Bin(-0.2, 500, 20, members=("1", "harbour")), Bin(0.3, 400, 30, members=("hill",))),
    Bin(0.1, 100, 7),
)  # fmt: skip
DEBT = Feature("debt / income", NUMERIC, 1, (Bin(-0.3, 700, 20, upper=0.5), Bin(0.7, 250, 30)),
               Bin(0.2, 50, 7), ("debt", "income"))  # fmt: skip
CARD = Scorecard(math.log(57 / 943), (RETURNS, CITY, DEBT), cuts(BANDS), rows=1000, bad=57, seed=7)
GOOD: dict[str, Any] = {"return_share": 0.05, "city": "harbour", "debt": 100, "income": 1000}


def test_the_scale_is_600_at_50_to_1_and_20_points_double_the_odds() -> None:
    assert (round(FACTOR, 4), round(OFFSET, 4)) == (28.8539, 487.1229)
    assert score_of(-math.log(50)) == pytest.approx(600)
    assert score_of(-math.log(100)) == pytest.approx(620)


@pytest.mark.parametrize(("pd", "score"), [(0.01, 619.7), (0.02, 599.4), (0.05, 572.1), (0.10, 550.5)])
def test_published_points_of_a_pd(pd: float, score: float) -> None:
    assert score_of(math.log(pd / (1 - pd))) == pytest.approx(score, abs=0.05)
    assert pd_of(score) == pytest.approx(pd, abs=1e-3)


def test_the_score_is_the_sum_of_the_points() -> None:
    result = CARD.score(GOOD)
    assert result.score == pytest.approx(CARD.base_points + FACTOR * (0.5 + 0.2 + 0.3))
    assert result.score == pytest.approx(CARD.base_points + sum(points for _, points in result.contributions))
    assert result.pd == pytest.approx(1 / (1 + math.exp(-(CARD.base_log_odds - 1.0))))


@pytest.mark.parametrize(
    ("value", "log_odds"),
    [(-9, -0.5), (0.1, -0.5), (0.1000001, 0.0), (0.3, 0.0), (Decimal("0.31"), 1.2), (1e300, 1.2)],
)
def test_an_upper_bound_belongs_to_its_bin(value: Any, log_odds: float) -> None:
    assert RETURNS.bin_of(value).log_odds == log_odds


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, Decimal("NaN")])
def test_missing_has_a_bin_of_its_own(value: Any) -> None:
    assert RETURNS.bin_of(value).log_odds == 0.4


@pytest.mark.parametrize(
    ("value", "log_odds"),
    [("harbour", -0.2), (1, -0.2), (1.0, -0.2), ("1", -0.2), ("hill", 0.3), ("moon", 0.1), (None, 0.1),
     ("", 0.1), (math.nan, 0.1)],
)  # fmt: skip
def test_unseen_categories_are_missing(value: Any, log_odds: float) -> None:
    assert CITY.bin_of(value).log_odds == log_odds


@pytest.mark.parametrize(
    ("debt", "income", "log_odds"),
    [
        (50, 100, -0.3),
        (51, 100, 0.7),
        (0, 100, -0.3),
        (50, 0, 0.2),
        (None, 9, 0.2),
        (9, None, 0.2),
        (1e300, 1e-300, 0.2),
    ],
)
def test_a_ratio_is_missing_where_it_cannot_be_made(debt: Any, income: Any, log_odds: float) -> None:
    assert DEBT.bin_of(DEBT.value({"debt": debt, "income": income})).log_odds == log_odds


def test_an_absent_input_is_an_error_and_a_missing_value_is_not() -> None:
    assert CARD.inputs == ("return_share", "city", "debt", "income")
    with pytest.raises(ValueError, match="asks for: city, income"):
        CARD.score({"return_share": 0.1, "debt": 1})
    assert CARD.score(dict.fromkeys(CARD.inputs)).score < CARD.score(GOOD).score


def test_text_is_no_number() -> None:
    with pytest.raises(ValueError, match="return_share must be a number"):
        CARD.score({**GOOD, "return_share": "0.1"})


def test_reasons_are_the_features_that_lost_most_and_no_others() -> None:
    assert CARD.reasons(GOOD) == ()
    poor = {**GOOD, "return_share": 0.9, "city": "hill"}
    assert [r.feature for r in CARD.reasons(poor)] == ["return_share", "city"]
    assert CARD.reasons(poor)[0].points_lost == pytest.approx(1.2 * FACTOR)
    assert [r.feature for r in CARD.reasons(poor, limit=1)] == ["return_share"]


def test_reasons_do_not_depend_on_the_order_of_features_nor_name_what_prints_as_zero() -> None:
    parts = (("b", -10.0), ("a", -10.0), ("c", -0.04), ("d", 0.0), ("e", -3.0), ("f", -4.0), ("g", -5.0))
    expected = ["a", "b", "g", "f"]
    for order in (parts, parts[::-1]):
        assert [r.feature for r in Result(600.0, 0.02, "C", order).reasons()] == expected


@pytest.mark.parametrize(
    ("pd", "grade"),
    [
        (0.0099, "A"),
        (0.0101, "B"),
        (0.0199, "B"),
        (0.0499, "C"),
        (0.0999, "D"),
        (0.1999, "E"),
        (0.2001, "F"),
        (0.99, "F"),
    ],
)
def test_grades_follow_the_bands(pd: float, grade: str) -> None:
    assert CARD.grade(score_of(math.log(pd / (1 - pd)))) == grade


def test_a_pd_on_the_band_belongs_to_the_worse_grade() -> None:
    cut = CARD.grades[0][1]
    assert cut is not None
    assert (CARD.grade(cut), CARD.grade(math.nextafter(cut, 1e9))) == ("B", "A")


def test_other_bands_make_other_grades() -> None:
    two = CARD.with_bands({"yes": 0.5, "no": 1.0})
    assert two.grade(score_of(-0.01)) == "yes"
    assert two.grade(score_of(0.01)) == "no"
    for bands in ({}, {"A": 0.2, "B": 0.1}, {"A": 0.0, "B": 1.0}):
        with pytest.raises(ValueError, match="bands"):
            CARD.with_bands(bands)


def test_json_gives_the_same_card_to_the_last_bit() -> None:
    again = Scorecard.from_json(CARD.to_json())
    assert again == CARD
    assert again.to_json() == CARD.to_json()
    assert again.sha256 == CARD.sha256
    assert "Infinity" not in CARD.to_json()
    assert json.loads(CARD.to_json())["features"][0]["bins"][-1]["upper"] is None


def test_another_point_is_another_fingerprint() -> None:
    assert replace(CARD, base_log_odds=CARD.base_log_odds + 1e-15).sha256 != CARD.sha256


def test_recalibration_moves_the_level_and_keeps_the_order() -> None:
    moved = CARD.recalibrated(slope=2.0, intercept=0.5)
    for values in (GOOD, {**GOOD, "return_share": None}, {**GOOD, "city": "hill"}):
        before, after = CARD.score(values), moved.score(values)
        assert math.log(after.pd / (1 - after.pd)) == pytest.approx(
            0.5 + 2 * math.log(before.pd / (1 - before.pd))
        )
    with pytest.raises(ValueError, match="slope"):
        CARD.recalibrated(slope=0.0, intercept=0.0)


VALUES = st.one_of(st.none(), st.floats(-1, 2), st.sampled_from([0.1, 0.3, 0.5, math.nan, math.inf]))


@given(
    st.lists(
        st.tuples(VALUES, st.sampled_from(["harbour", "hill", "moon", 1, None]), VALUES, VALUES), min_size=1
    )
)
def test_many_at_once_score_as_one_by_one(rows: list[tuple[Any, ...]]) -> None:
    table = {name: [row[i] for row in rows] for i, name in enumerate(CARD.inputs)}
    one_by_one = [CARD.score(dict(zip(CARD.inputs, row, strict=True))).score for row in rows]
    assert CARD.score_many(table) == pytest.approx(one_by_one, abs=1e-9)


def test_a_matrix_of_numbers_is_read_in_the_order_of_inputs() -> None:
    card = replace(CARD, features=(RETURNS, DEBT))
    matrix = np.array([[0.05, 100.0, 1000.0], [np.nan, 900.0, 1000.0]])
    expected = [card.score(dict(zip(card.inputs, row, strict=True))).score for row in matrix.tolist()]
    assert card.score_many(matrix) == pytest.approx(expected)


def test_serving_loads_neither_numpy_nor_scikit_learn() -> None:
    code = (
        "import sys; from risk.engine.scorecard import Scorecard; "
        "Scorecard.from_json(sys.stdin.read()).score({'return_share': 1, 'city': 'hill', 'debt': 1, 'income': 2}); "
        "assert not {'numpy', 'sklearn', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], input=CARD.to_json(), text=True, check=True)
