"""From kept inputs to a decision: pure, so that what was decided once replays to the same answer.

The inputs are plain JSON: `features` by name, `facts` that the rules see besides them, and the `bounds` of the
amount as text: what was `asked` for, the `smallest` amount sold and the `largest` that law leaves room for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from risk import features
from risk.engine import policy
from risk.engine.policy import Rule
from risk.engine.scorecard import Result, Scorecard

# What rules may ask besides the features of the segment, score, PD and grade.
FACTS: Mapping[str, type] = {
    "asked": float,
    "exposure": float,
    "monthly_income": float,
    "monthly_spend": float,
    "overdue_days": float,
    "blocked": bool,
    "consented": bool,
    "lender_type": str,
    "product": str,
    "region": str,
    "industry": str,
    "industry_standing": str,
    "age": float,
    "minimum_age": float,
    "is_student": bool,
}


@dataclass(frozen=True)
class Judgment:
    """A decision with its score; `limit` is None unless it approves."""

    result: Result | None
    outcome: str
    reasons: tuple[str, ...]
    limit: Decimal | None
    trace: tuple[Mapping[str, Any], ...]


def known_facts(segment: str) -> dict[str, type]:
    """Every name that a rule of the segment may use, with its type."""
    return dict.fromkeys(features.names(segment), float) | dict(FACTS)


def judge(
    card: Scorecard | None,
    rules: Sequence[Rule] | None,
    matrix: Mapping[str, Any],
    inputs: Mapping[str, Any],
) -> Judgment:
    """Score and decide. Without a card there is no score, without rules (None) no policy: both refer."""
    result, trouble = _score(card, inputs["features"])
    if rules is None:
        trace = ({"rule": None, "note": "no live policy"},)
        return Judgment(result, policy.REFER, ("NO_POLICY",), None, trace)
    facts = {**inputs["features"], **inputs["facts"]}
    decided = policy.decide(rules, facts, result, matrix)
    return _bounded(result, decided, inputs["bounds"], trouble)


def _score(card: Scorecard | None, vector: Mapping[str, Any]) -> tuple[Result | None, tuple[dict, ...]]:
    """A card that asks for a feature which is no longer made gives no score, and says so."""
    if card is None:
        return None, ()
    try:
        return card.score(vector), ()
    except ValueError as fault:
        return None, ({"rule": "score", "error": str(fault)},)


def _bounded(
    result: Result | None, decided: policy.Decision, bounds: Mapping[str, Any], trouble: tuple[dict, ...]
) -> Judgment:
    """Never more than was asked for or than the law leaves room for; less than is sold goes to a person."""
    trace = (*trouble, *decided.trace)
    if decided.limit is None:
        return Judgment(result, decided.outcome, decided.reasons, None, trace)
    if bounds["largest"] is None:
        trace += ({"rule": "bounds", "error": "no legal cap known"},)
        return Judgment(result, policy.REFER, (policy.LIMIT_UNKNOWN,), None, trace)
    limit = min(decided.limit, Decimal(bounds["asked"]), Decimal(bounds["largest"]))
    trace += ({"rule": "bounds", "result": str(limit), **bounds},)
    if limit < Decimal(bounds["smallest"]):
        return Judgment(result, policy.REFER, (policy.LIMIT_TOO_SMALL,), None, trace)
    return Judgment(result, decided.outcome, decided.reasons, limit, trace)
