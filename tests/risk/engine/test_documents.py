"""What docs/algorithms says with figures is what the engines do."""

import json
import math
from datetime import date, timedelta
from decimal import Decimal

import pytest

from risk.engine import controls
from risk.engine.controls import ControlSpec, DaySums, State, evaluate
from risk.engine.policy import decide
from risk.engine.rules import Unanswerable, answer
from risk.engine.scorecard import BANDS, NUMERIC, Bin, Feature, Result, Scorecard, cuts, score_of
from tests.figures import cases

TODAY = date(2026, 6, 30)


@pytest.mark.parametrize(("pd", "points", "grade"), cases("scorecard.md", "pd"))
def test_points_and_grade_of_a_pd(pd: str, points: str, grade: str) -> None:
    card = Scorecard(0.0, (), cuts(BANDS), rows=0, bad=0, seed=0)
    score = score_of(math.log(float(pd) / (1 - float(pd))))
    assert f"{score:.1f}" == points
    assert card.grade(score) == grade


def test_the_customer_of_the_example() -> None:
    """Log-odds of 1.2, 0.4 and -0.3 are 34.6 and 11.5 points lost and 8.7 won."""
    shown = cases("scorecard.md", "customer")
    share = (Bin(0.0, 9, 1, upper=0.3), Bin(1.2, 9, 3))
    steadiness = (Bin(-0.3, 9, 1, upper=0.5), Bin(0.3, 9, 3))
    features = (
        Feature("return_share", NUMERIC, 1, share, missing=Bin(0.4, 0, 0)),
        Feature("tenure_days", NUMERIC, -1, (Bin(0.0, 9, 1),), missing=Bin(0.4, 9, 1)),
        Feature("spend_steadiness", NUMERIC, 1, steadiness, missing=Bin(0.0, 0, 0)),
    )
    card = Scorecard((487.1229 - 548.0) / 28.8539, features, cuts(BANDS), rows=0, bad=0, seed=0)
    values = {name: float(value) if value else None for name, value, _, _ in shown}
    result = card.score(values)
    assert [f"{points:.1f}" for _, points in result.contributions] == [points for *_, points in shown]
    assert (f"{result.score:.1f}", f"{result.pd:.3f}", result.grade) == ("510.5", "0.308", "F")
    assert [reason.feature for reason in result.reasons()] == ["return_share", "tenure_days"]


@pytest.mark.parametrize(("rule", "facts", "expected"), cases("policy.md", "rules"))
def test_rules(rule: str, facts: str, expected: str) -> None:
    try:
        told = str(answer(rule, json.loads(facts))).lower()
    except Unanswerable as cause:
        told = str(cause)
    assert told == expected


@pytest.mark.parametrize(("row", "limit", "by"), cases("policy.md", "limits"))
def test_limits(row: str, limit: str, by: str) -> None:
    facts = {"monthly_income": Decimal("12345.00"), "monthly_spend": Decimal("3000.00")}
    decision = decide([], facts, Result(610.0, 0.014, "B", ()), {"B": json.loads(row)})
    assert (decision.limit, decision.trace[-1]["by"]) == (Decimal(limit), by)


@pytest.mark.parametrize(
    ("before", "known", "week", "usual", "figure", "verdict"), cases("controls.md", "surge")
)
def test_surges(before: str, known: str, week: str, usual: str, figure: str, verdict: str) -> None:
    control = ControlSpec("s", controls.SPENDING_SURGE, 7, 1, trip=Decimal(4), release=Decimal(2))
    days = [
        DaySums(TODAY - timedelta(days=10), orders=1, order_amount=Decimal(before)),
        DaySums(TODAY, orders=1, order_amount=Decimal(week)),
    ]
    found = evaluate(control, days, TODAY, State(), known_since=TODAY - timedelta(days=6 + int(known)))
    shown = [found.explanation["usual"], found.figure]
    assert [("" if value is None else str(value)) for value in shown] == [usual, figure]
    assert found.state == verdict


@pytest.mark.parametrize(
    ("orders", "ordered", "returned", "before", "verdict"), cases("controls.md", "returns")
)
def test_returns(orders: str, ordered: str, returned: str, before: str, verdict: str) -> None:
    control = ControlSpec(
        "r", controls.RETURN_SHARE, 30, 5, trip=Decimal("0.5"), release=Decimal("0.3"), cooldown_days=14
    )
    days_ago = int(before.split()[1]) if before.startswith("tripped") else 5
    state = State() if before == "clear" else State(before == "active", TODAY - timedelta(days=days_ago))
    day = DaySums(
        TODAY - timedelta(days=20), int(orders), Decimal(ordered), returns=1, return_amount=Decimal(returned)
    )
    assert evaluate(control, [day], TODAY, state).state == verdict
