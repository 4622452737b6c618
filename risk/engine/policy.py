"""Credit policy: rules, a decision with reasons, and a limit and a price from a matrix (`risk.engine.terms`).

The strictest answer wins and nothing unknown ever approves: a rule that cannot be evaluated
refers (a knock-out may be set to decline), and so do a missing score, grade, or limit basis.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from risk.engine import rules as cel_rules
from risk.engine import terms as engine_terms
from risk.engine.scorecard import Result
from risk.engine.terms import (
    DECLINE,
    LIMIT_TOO_SMALL,
    LIMIT_UNKNOWN,
    NO_LIMIT_FOR_GRADE,
    REFER,
    Against,
    Matrix,
    Terms,
)

KNOCK_OUT = "KNOCK_OUT"
APPROVE = "APPROVE"
MAX_REASONS = 4
NO_SCORE = "NO_SCORE"
OWN_REASONS = (NO_SCORE, NO_LIMIT_FOR_GRADE, LIMIT_UNKNOWN, LIMIT_TOO_SMALL)
SCORE_FACTS: Mapping[str, type] = {"score": float, "pd": float, "grade": str}


@dataclass(frozen=True)
class Rule:
    """A rule fires when `expression` is true: KNOCK_OUT declines, REFER asks a person; `reason` says why."""

    code: str
    kind: str
    expression: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """`limit` in the currency's unit and the price as fractions, None unless approved (a price that is None is the
    product's own); `trace` has every step, in order.

    `reasons` are at most four codes: the reasons of rules, then features that truly lost points, or
    one of OWN_REASONS.
    """

    outcome: str
    reasons: tuple[str, ...]
    limit: Decimal | None
    annual_rate: Decimal | None
    fee_rate: Decimal | None
    trace: tuple[Mapping[str, Any], ...]


def decide(
    rules: Sequence[Rule],
    facts: Mapping[str, Any],
    score: Result | None,
    matrix: Matrix,
    *,
    broken_knock_out: str = REFER,
) -> Decision:
    """Approves, refers or declines.

    Rules also see the facts `score`, `pd` and `grade`. `matrix` is that of `risk.engine.terms`: limit and price by
    grade, product, exposure and affordability. `broken_knock_out` is what a knock-out that cannot be evaluated does.
    """
    if broken_knock_out not in (REFER, DECLINE):
        raise ValueError("a knock-out that cannot be evaluated refers or declines")
    trace: list[dict[str, Any]] = [] if rules else [{"rule": None, "note": "no rules"}]
    known = {**facts, **_score_facts(score)}
    against = list(_fired(rules, known, broken_knock_out, trace))
    terms = _terms(score, known, matrix, trace)
    against += terms.against
    outcome = next((o for o in (DECLINE, REFER) if any(o == found for found, _, _ in against)), APPROVE)
    reasons = tuple(dict.fromkeys(code for found, code, _ in against if found == outcome))[:MAX_REASONS]
    if len({found for found, _, _ in against}) > 1:
        trace.append(_strictest(outcome, against))
    if outcome != APPROVE:
        terms = Terms()
    return Decision(outcome, reasons, terms.limit, terms.annual_rate, terms.fee_rate, tuple(trace))


def _strictest(outcome: str, against: Sequence[Against]) -> dict[str, Any]:
    """Rules that want different things: which holds, and over which."""
    by = sorted({rule for found, _, rule in against if found == outcome})
    over = {rule: found for found, _, rule in against if found != outcome and rule not in by}
    return {"rule": "outcome", "result": outcome, "by": ", ".join(by), "stricter_than": over}


def compile_rules(rules: Sequence[Rule], known: Mapping[str, type]) -> dict[str, list[str]]:
    """What is wrong with each rule, by its code; an empty answer means that all may go live.

    `known` names the facts and their types (float, str, bool, list), besides SCORE_FACTS.
    """
    codes = [rule.code for rule in rules]
    found: dict[str, list[str]] = {}
    for rule in rules:
        wrong = cel_rules.faults(rule.expression, {**known, **SCORE_FACTS})
        if rule.kind not in (KNOCK_OUT, REFER):
            wrong.append(f"unknown kind: {rule.kind}")
        if codes.count(rule.code) > 1:
            wrong.append("code used twice")
        if wrong:
            found[rule.code] = wrong
    return found


def _score_facts(score: Result | None) -> dict[str, Any]:
    return {} if score is None else {"score": score.score, "pd": score.pd, "grade": score.grade}


def _fired(
    rules: Sequence[Rule], facts: Mapping[str, Any], broken: str, trace: list[dict[str, Any]]
) -> Iterator[Against]:
    for rule in rules:
        knock_out = rule.kind == KNOCK_OUT
        try:
            fired = cel_rules.answer(rule.expression, facts)
        except cel_rules.Unanswerable as cause:
            trace.append({"rule": rule.code, "error": str(cause)})
            yield broken if knock_out else REFER, rule.reason, rule.code
        else:
            trace.append({"rule": rule.code, "result": fired})
            if fired:
                yield DECLINE if knock_out else REFER, rule.reason, rule.code


def _terms(
    score: Result | None, facts: Mapping[str, Any], matrix: Matrix, trace: list[dict[str, Any]]
) -> Terms:
    if score is None:
        trace.append({"rule": "grade", "error": "no score"})
        return Terms(against=((REFER, NO_SCORE, "grade"),))
    lost = [reason.feature for reason in score.reasons(MAX_REASONS)]
    return engine_terms.find(matrix, score.grade, lost, facts, trace)
