from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.engine import policy, terms
from risk.engine.policy import APPROVE, DECLINE, KNOCK_OUT, REFER, Rule, compile_rules, decide
from risk.engine.scorecard import Result

MINOR = Rule("minor", KNOCK_OUT, "age < 18", "MINOR")
LARGE = Rule("large", REFER, "amount > 50000", "LARGE_AMOUNT")
RULES = [MINOR, LARGE]
FACTS: dict[str, Any] = {"age": 30, "amount": 8000, "monthly_income": Decimal("12345"), "monthly_spend": 3000}
LOST = (("returns", -30.0), ("tenure", -5.0), ("spend", 4.0), ("late", -9.0), ("age", -1.0), ("city", -2.0))
SCORE = Result(610.0, 0.014, "B", LOST)
MATRIX = {
    "A": {"max": 50000, "annual_rate": "0.10"},
    "B": {"share_of_income": "0.5", "multiple_of_spend": "3", "max": 20000, "fee_rate": "0.005"},
    "E": {"outcome": REFER},
    "F": {"outcome": DECLINE},
}


def test_a_good_customer_is_approved_with_limit_price_and_trace() -> None:
    decision = decide(RULES, FACTS, SCORE, MATRIX)
    assert decision == policy.Decision(
        APPROVE, (), Decimal(6100), None, Decimal("0.005"),
        (
            {"rule": "minor", "result": False},
            {"rule": "large", "result": False},
            {"rule": "grade", "result": "B"},
            {
                "rule": "limit", "result": "6100", "by": "share_of_income",
                "stricter_than": {"max": "20000", "multiple_of_spend": "9000"},
            },
            {"rule": "fee_rate", "result": "0.005", "by": "B"},
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "outcome", "reasons"),
    [
        ({"age": 17}, DECLINE, ("MINOR",)),
        ({"amount": 50001}, REFER, ("LARGE_AMOUNT",)),
        ({"age": 17, "amount": 50001}, DECLINE, ("MINOR",)),
        ({"age": None}, REFER, ("MINOR",)),
        ({"amount": None}, REFER, ("LARGE_AMOUNT",)),
        ({"age": "young"}, REFER, ("MINOR",)),
        ({"monthly_income": None}, REFER, (policy.LIMIT_UNKNOWN,)),
        ({"monthly_income": "much"}, REFER, (policy.LIMIT_UNKNOWN,)),
        ({"monthly_spend": 33}, REFER, (policy.LIMIT_TOO_SMALL,)),
        ({"monthly_income": 0}, REFER, (policy.LIMIT_TOO_SMALL,)),
    ],
)
def test_outcomes(facts: dict[str, Any], outcome: str, reasons: tuple[str, ...]) -> None:
    decision = decide(RULES, {**FACTS, **facts}, SCORE, MATRIX)
    assert (decision.outcome, decision.reasons) == (outcome, reasons)
    assert (decision.limit, decision.annual_rate, decision.fee_rate) == (None, None, None)


def test_a_knock_out_that_cannot_be_evaluated_declines_when_told_so() -> None:
    facts = {**FACTS, "age": None, "amount": None}
    strict = decide(RULES, facts, SCORE, MATRIX, broken_knock_out=DECLINE)
    assert (strict.outcome, strict.reasons) == (DECLINE, ("MINOR",))
    assert strict.trace[0] == {"rule": "minor", "error": "unknown: age"}
    with pytest.raises(ValueError, match="refers or declines"):
        decide(RULES, facts, SCORE, MATRIX, broken_knock_out=APPROVE)


def test_an_absent_fact_never_approves() -> None:
    for name in FACTS:
        facts = {key: value for key, value in FACTS.items() if key != name}
        assert decide(RULES, facts, SCORE, MATRIX).outcome == REFER


def test_no_score_refers() -> None:
    decision = decide(RULES, FACTS, None, MATRIX)
    assert (decision.outcome, decision.reasons) == (REFER, (policy.NO_SCORE,))
    assert decide([Rule("pd", KNOCK_OUT, "pd > 0.2", "RISK")], FACTS, None, MATRIX).reasons == (
        "RISK",
        policy.NO_SCORE,
    )


def test_no_rules_are_written_down() -> None:
    assert decide([], FACTS, SCORE, MATRIX).trace[0] == {"rule": None, "note": "no rules"}


def test_rules_see_score_pd_and_grade() -> None:
    rule = Rule("edge", REFER, "score < 620 && pd > 0.01 && grade in ['B', 'C']", "EDGE")
    assert decide([rule], FACTS, SCORE, MATRIX).reasons == ("EDGE",)


def test_a_fact_cannot_pass_itself_off_as_the_score() -> None:
    rule = Rule("risk", KNOCK_OUT, "pd > 0.01", "RISK")
    assert decide([rule], {**FACTS, "pd": 0.0}, SCORE, MATRIX).outcome == DECLINE


@pytest.mark.parametrize(("grade", "outcome"), [("E", REFER), ("F", DECLINE)])
def test_a_grade_that_is_turned_down_names_what_lost_the_points(grade: str, outcome: str) -> None:
    decision = decide(RULES, FACTS, replace(SCORE, grade=grade), MATRIX)
    assert (decision.outcome, decision.reasons) == (outcome, ("returns", "late", "tenure", "city"))
    nothing_lost = replace(SCORE, grade=grade, contributions=())
    assert decide(RULES, FACTS, nothing_lost, MATRIX).reasons == (f"GRADE_{grade}",)


def test_rules_come_before_points_and_four_reasons_are_enough() -> None:
    decision = decide(RULES, {**FACTS, "age": 17}, replace(SCORE, grade="F"), MATRIX)
    assert decision.reasons == ("MINOR", "returns", "late", "tenure")


def test_a_reason_is_named_once() -> None:
    again = Rule("minor-2", KNOCK_OUT, "age < 16", "MINOR")
    assert decide([MINOR, again], {**FACTS, "age": 12}, SCORE, MATRIX).reasons == ("MINOR",)


def test_a_grade_without_a_row_refers() -> None:
    assert decide(RULES, FACTS, replace(SCORE, grade="C"), MATRIX).reasons == (policy.NO_LIMIT_FOR_GRADE,)


@pytest.mark.parametrize(
    ("row", "limit", "by"),
    [
        ({"max": 20000}, "20000", "max"),
        ({"max": "19999.99"}, "19900", "max"),
        ({"max": 20000, "share_of_income": "0.1"}, "1200", "share_of_income"),
        ({"max": 20000, "share_of_income": "0.9", "multiple_of_spend": "2.5"}, "7500", "multiple_of_spend"),
        ({"max": 100}, "100", "max"),
    ],
)
def test_the_lowest_bound_holds_and_says_so(row: dict[str, Any], limit: str, by: str) -> None:
    decision = decide([], FACTS, SCORE, {"B": row})
    assert decision.limit == Decimal(limit)
    step = decision.trace[-1]
    assert (step["rule"], step["result"], step["by"]) == ("limit", limit, by)


def test_faults_of_rules_are_told_by_code() -> None:
    bad = [
        MINOR,
        Rule("minor", REFER, "age < 18", "MINOR"),
        Rule("typo", KNOCK_OUT, "agee < 18", "X"),
        Rule("kind", "SHRUG", "age < 18", "X"),
        Rule("graded", REFER, "grade == 'E' && pd > 0.1", "X"),
    ]
    assert compile_rules(bad, {"age": float}) == {
        "minor": ["code used twice"],
        "typo": ["unknown name: agee"],
        "kind": ["unknown kind: SHRUG"],
    }


def test_faults_of_a_matrix_are_told_by_grade() -> None:
    matrix = {
        "A": {"max": 0}, "B": {"max": "x", "share_of_incom": 1}, "C": {"outcome": "MAYBE"}, "D": {"outcome": REFER},
        "E": {"max": 5, "share_of_income": "-1"}, "Z": {"max": 100},
    }  # fmt: skip
    assert terms.faults(matrix, ["A", "B", "C", "D", "E", "F"]) == {
        "A": ["max must be an amount above zero"],
        "B": ["unknown word: share_of_incom", "max must be an amount above zero"],
        "C": ["unknown outcome: MAYBE"],
        "E": ["share_of_income must be an amount above zero"],
        "F": ["no row"],
        "Z": ["no such grade"],
    }


def limited(rows: list[dict[str, Any]], **facts: Any) -> policy.Decision:
    return decide(
        [], {**FACTS, "product": "card", "exposure": 0, "affordability": 2000} | facts, SCORE, {"B": rows}
    )


BY_CELL = [
    {"product": "card", "exposure_below": 5000, "max": 9000, "annual_rate": "0.12"},
    {"product": ["card", "loan"], "exposure_from": 5000, "max": 4000, "annual_rate": "0.18"},
    {"affordability_below": 1000, "max": 2000},
    {"affordability_below": 0, "outcome": DECLINE},
]


@pytest.mark.parametrize(
    ("facts", "limit", "rate"),
    [
        ({}, 9000, "0.12"),
        ({"exposure": 4999.99}, 9000, "0.12"),
        ({"exposure": 5000}, 4000, "0.18"),
        ({"exposure": 5000, "product": "loan"}, 4000, "0.18"),
        ({"affordability": 999}, 2000, "0.12"),
    ],
)
def test_a_cell_holds_for_its_product_exposure_and_affordability(facts: Any, limit: int, rate: str) -> None:
    decision = limited(BY_CELL, **facts)
    assert (decision.limit, decision.annual_rate) == (limit, Decimal(rate))


def test_of_two_rows_on_one_term_the_stricter_holds_and_the_trace_says_over_which() -> None:
    decision = limited([{"max": 9000, "annual_rate": "0.12"}, {"max": 4000, "annual_rate": "0.15"}])
    assert (decision.limit, decision.annual_rate) == (4000, Decimal("0.15"))
    assert decision.trace[1:] == (
        {"rule": "grade", "result": "B", "rows": ["B.1", "B.2"]},
        {"rule": "limit", "result": "4000", "by": "B.2 max", "stricter_than": {"B.1 max": "9000"}},
        {"rule": "annual_rate", "result": "0.15", "by": "B.2", "stricter_than": {"B.1": "0.12"}},
    )


def test_of_two_rules_the_stricter_holds_and_the_trace_says_over_which() -> None:
    decision = decide(RULES, {**FACTS, "age": 17, "amount": 50001}, SCORE, MATRIX)
    assert decision.trace[-1] == {
        "rule": "outcome", "result": DECLINE, "by": "minor", "stricter_than": {"large": REFER},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        ({"affordability": None}, (policy.LIMIT_UNKNOWN,)),
        ({"exposure": "much"}, (policy.LIMIT_UNKNOWN,)),
        ({"product": None}, (policy.LIMIT_UNKNOWN,)),
        ({"product": "other"}, (policy.LIMIT_UNKNOWN,)),  # what is left, the last rows, sets no limit
    ],
)
def test_a_row_that_cannot_be_told_refers(facts: dict[str, Any], reasons: tuple[str, ...]) -> None:
    decision = limited([*BY_CELL[:3], {"affordability_from": 1, "annual_rate": "0.2"}], **facts)
    assert (decision.outcome, decision.reasons) == (REFER, reasons)


def test_where_no_row_applies_a_person_decides() -> None:
    assert limited([{"product": "loan", "max": 1000}]).reasons == (policy.NO_LIMIT_FOR_GRADE,)


def test_a_row_that_turns_a_cell_down_names_what_lost_the_points() -> None:
    decision = limited(BY_CELL, affordability=-1)
    assert (decision.outcome, decision.reasons) == (DECLINE, ("returns", "late", "tenure", "city"))


def test_faults_of_cells_are_told_by_row() -> None:
    rows: list[dict[str, Any]] = [
        {"max": 5, "annual_rate": "12"},
        {"max": 5, "exposure_from": 5, "exposure_below": 5},
        {"outcome": REFER, "max": 5},
        {"max": 5, "product": [], "affordability_from": "much"},
        {"product": "card", "fee_rate": "0.01"},
    ]
    assert terms.faults({"A": rows}, ["A"]) == {
        "A.1": ["annual_rate must be a fraction from 0 to 1, of at most 8 places"],
        "A.2": ["exposure ends before it begins"],
        "A.3": ["a row with an outcome sets neither limit nor price"],
        "A.4": ["product must be a code or a list of codes", "affordability must be a number"],
    }


UNKNOWN = st.sampled_from([None, float("nan"), "x", "absent"])


@given(
    st.dictionaries(st.sampled_from(sorted(FACTS)), UNKNOWN, min_size=1),
    st.sampled_from(["A", "B", "E", "F"]),
)
def test_whatever_is_unknown_nothing_it_bears_on_is_approved(unknown: dict[str, Any], grade: str) -> None:
    facts = {k: v for k, v in {**FACTS, **unknown}.items() if v != "absent"}
    decision = decide(RULES, facts, replace(SCORE, grade=grade), MATRIX)
    needed = {"age", "amount"} | ({"monthly_income", "monthly_spend"} if grade == "B" else set())
    if needed & set(unknown):
        assert decision.outcome != APPROVE
    assert decide(RULES, facts, replace(SCORE, grade=grade), MATRIX) == decision
