"""From kept inputs to a decision: pure, so that what was decided once replays to the same answer.

The inputs are plain JSON: `features` by name, `facts` that the rules see besides them, and the `bounds` of the
amount as text: what was `asked` for, the `smallest` amount sold and the `largest` that law leaves room for. Where
lending would not make the offer, `not_offerable` is the code of its refusal.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from risk import features
from risk.engine import policy
from risk.engine.policy import Rule
from risk.engine.scorecard import Result, Scorecard

NOT_OFFERABLE = "NOT_OFFERABLE"

# What rules may ask besides the features of the segment, score, PD and grade.
FACTS: Mapping[str, type] = {
    "asked": float,
    "exposure": float,
    "monthly_income": float,
    "monthly_spend": float,
    "monthly_due": float,
    "affordability": float,
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
    """A decision with its score; `limit` is None unless it approves, a price that is None is the product's own."""

    result: Result | None
    outcome: str
    reasons: tuple[str, ...]
    limit: Decimal | None
    trace: tuple[Mapping[str, Any], ...]
    annual_rate: Decimal | None = None
    fee_rate: Decimal | None = None

    @property
    def content(self) -> dict[str, Any]:
        """Everything that was decided, as plain JSON."""
        return {
            "outcome": self.outcome,
            "reasons": list(self.reasons),
            "limit": _text(self.limit),
            "annual_rate": _text(self.annual_rate),
            "fee_rate": _text(self.fee_rate),
            "score": self.result.score if self.result else None,
            "pd": self.result.pd if self.result else None,
            "grade": self.result.grade if self.result else "",
            "trace": list(self.trace),
        }


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
        unruled = ({"rule": None, "note": "no live policy"},)
        return Judgment(result, policy.REFER, ("NO_POLICY",), None, unruled)
    facts = {**inputs["features"], **inputs["facts"]}
    decided = policy.decide(rules, facts, result, matrix)
    found = _bounded(result, decided, inputs["bounds"], trouble)
    if found.outcome != policy.APPROVE or "not_offerable" not in inputs:
        return found
    trace = (*found.trace, {"rule": "offer", "error": inputs["not_offerable"]})
    return Judgment(result, policy.REFER, (NOT_OFFERABLE,), None, trace)


def canonical(value: Any) -> str:
    """The one text of a plain value: the same before and after it was kept in the database. Numbers are floats
    there as here, so that 1 and 1.0 are one number."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def fingerprint(value: Any) -> str:
    """The SHA-256 of the canonical text."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) + 0.0  # and no minus zero, which the database does not know
    return value if value is None or isinstance(value, str | bool) else str(value)


def _text(value: Decimal | None) -> str | None:
    """Without trailing zeros, which depend on the column that a number was kept in."""
    return None if value is None else f"{value.normalize():f}"


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
    price = {"annual_rate": decided.annual_rate, "fee_rate": decided.fee_rate}
    return Judgment(result, decided.outcome, decided.reasons, limit, trace, **price)
