"""Credit policy: rules, a decision with reasons, and a limit and a price from a matrix by grade.

The strictest answer wins and nothing unknown ever approves: a rule that cannot be evaluated
refers (a knock-out may be set to decline), and so do a missing score, grade, or limit basis.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any

from risk.engine import rules as cel_rules
from risk.engine.scorecard import Result

KNOCK_OUT = "KNOCK_OUT"
REFER = "REFER"
DECLINE = "DECLINE"
APPROVE = "APPROVE"
MAX_REASONS = 4
STEP = Decimal(100)
NO_SCORE = "NO_SCORE"
NO_LIMIT_FOR_GRADE = "NO_LIMIT_FOR_GRADE"
LIMIT_UNKNOWN = "LIMIT_UNKNOWN"
LIMIT_TOO_SMALL = "LIMIT_TOO_SMALL"
OWN_REASONS = (NO_SCORE, NO_LIMIT_FOR_GRADE, LIMIT_UNKNOWN, LIMIT_TOO_SMALL)
BASES = {"share_of_income": "monthly_income", "multiple_of_spend": "monthly_spend"}
SCORE_FACTS: Mapping[str, type] = {"score": float, "pd": float, "grade": str}

Matrix = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Rule:
    """A rule fires when `expression` is true: KNOCK_OUT declines, REFER asks a person; `reason` says why."""

    code: str
    kind: str
    expression: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """`limit` in the currency's unit and `price`, both None unless approved; `trace` has every step, in order.

    `reasons` are at most four codes: the reasons of rules, then features that truly lost points, or
    one of OWN_REASONS.
    """

    outcome: str
    reasons: tuple[str, ...]
    limit: Decimal | None
    price: str | None
    trace: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class _Terms:
    limit: Decimal | None = None
    price: str | None = None
    against: tuple[tuple[str, str], ...] = ()


def decide(
    rules: Sequence[Rule],
    facts: Mapping[str, Any],
    score: Result | None,
    matrix: Matrix,
    *,
    broken_knock_out: str = REFER,
) -> Decision:
    """Approves, refers or declines.

    Rules also see the facts `score`, `pd` and `grade`. `matrix` gives a grade either
    `{"outcome": "DECLINE" | "REFER"}` or `{"max", "price"}` with, as wanted, `share_of_income` (of the fact
    `monthly_income`) and `multiple_of_spend` (of `monthly_spend`): the lowest bound holds, rounded
    down to a full hundred. `broken_knock_out` is what a knock-out that cannot be evaluated does.
    """
    if broken_knock_out not in (REFER, DECLINE):
        raise ValueError("a knock-out that cannot be evaluated refers or declines")
    trace: list[dict[str, Any]] = [] if rules else [{"rule": None, "note": "no rules"}]
    known = {**facts, **_score_facts(score)}
    against = list(_fired(rules, known, broken_knock_out, trace))
    terms = _terms(score, known, matrix, trace)
    against += terms.against
    outcome = next((o for o in (DECLINE, REFER) if any(o == found for found, _ in against)), APPROVE)
    reasons = tuple(dict.fromkeys(code for found, code in against if found == outcome))[:MAX_REASONS]
    if outcome != APPROVE:
        terms = _Terms()
    return Decision(outcome, reasons, terms.limit, terms.price, tuple(trace))


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


def matrix_faults(matrix: Matrix, grades: Sequence[str]) -> dict[str, list[str]]:
    """What is wrong with a limit matrix, by grade: grades without a row, unknown words, amounts that are none."""
    found = {grade: _row_faults(matrix[grade]) if grade in matrix else ["no row"] for grade in grades}
    found.update({grade: ["no such grade"] for grade in matrix if grade not in grades})
    return {grade: wrong for grade, wrong in found.items() if wrong}


def _score_facts(score: Result | None) -> dict[str, Any]:
    return {} if score is None else {"score": score.score, "pd": score.pd, "grade": score.grade}


def _fired(
    rules: Sequence[Rule], facts: Mapping[str, Any], broken: str, trace: list[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    for rule in rules:
        knock_out = rule.kind == KNOCK_OUT
        try:
            fired = cel_rules.answer(rule.expression, facts)
        except cel_rules.Unanswerable as cause:
            trace.append({"rule": rule.code, "error": str(cause)})
            yield broken if knock_out else REFER, rule.reason
        else:
            trace.append({"rule": rule.code, "result": fired})
            if fired:
                yield DECLINE if knock_out else REFER, rule.reason


def _terms(
    score: Result | None, facts: Mapping[str, Any], matrix: Matrix, trace: list[dict[str, Any]]
) -> _Terms:
    if score is None:
        trace.append({"rule": "grade", "error": "no score"})
        return _Terms(against=((REFER, NO_SCORE),))
    row = matrix.get(score.grade)
    if row is None:
        trace.append({"rule": "grade", "error": f"no row for {score.grade}"})
        return _Terms(against=((REFER, NO_LIMIT_FOR_GRADE),))
    trace.append({"rule": "grade", "result": score.grade})
    if row.get("outcome") in (DECLINE, REFER):
        lost = [reason.feature for reason in score.reasons(MAX_REASONS)] or [f"GRADE_{score.grade}"]
        return _Terms(against=tuple((row["outcome"], code) for code in lost))
    return _limited(row, facts, trace)


def _limited(row: Mapping[str, Any], facts: Mapping[str, Any], trace: list[dict[str, Any]]) -> _Terms:
    bounds = _bounds(row, facts)
    known = {name: bound for name, bound in bounds.items() if bound is not None}
    if len(known) < len(bounds):
        trace.append({"rule": "limit", "error": f"unknown: {', '.join(sorted(bounds.keys() - known))}"})
        return _Terms(against=((REFER, LIMIT_UNKNOWN),))
    held = min(known, key=lambda name: (known[name], name))
    limit = (known[held] / STEP).to_integral_value(ROUND_DOWN) * STEP
    trace.append({"rule": "limit", "result": str(limit), "by": held})
    if limit < STEP:
        return _Terms(against=((REFER, LIMIT_TOO_SMALL),))
    return _Terms(limit, row.get("price"))


def _bounds(row: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Decimal | None]:
    """Every bound of the limit; None where what it is made from is not known."""
    bounds = {"max": _amount(row.get("max"))}
    for share, fact in BASES.items():
        if share in row:
            rate, base = _amount(row[share]), _amount(facts.get(fact))
            bounds[share] = None if rate is None or base is None else rate * base
    return bounds


def _amount(value: Any) -> Decimal | None:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _row_faults(row: Mapping[str, Any]) -> list[str]:
    if "outcome" in row:
        return [] if row["outcome"] in (DECLINE, REFER) else [f"unknown outcome: {row['outcome']}"]
    wrong = [f"unknown word: {word}" for word in sorted(row.keys() - {"max", "price", *BASES})]
    for name in ("max", *(share for share in BASES if share in row)):
        amount = _amount(row.get(name))
        if amount is None or amount <= 0:
            wrong.append(f"{name} must be an amount above zero")
    return wrong
