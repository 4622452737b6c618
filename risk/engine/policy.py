"""Credit policy: rules in CEL, a decision with reasons, a limit and a price from a matrix by grade.

Every number a rule sees, and every whole number written in it, is a decimal number, so
`spend * 2 > limit` means what it says. A fact that is None or absent is unknown: a rule that
needs it cannot be evaluated, and then refers (or declines), but never passes. A rule may ask
`income == null` itself; then the unknown is an answer.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from itertools import product
from typing import Any

import cel

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
BASES = {"share_of_income": "monthly_income", "multiple_of_spend": "monthly_spend"}


@dataclass(frozen=True)
class Rule:
    """A rule fires when `expression` is true: a KNOCK_OUT declines, a REFER asks a person. `reason` names why."""

    code: str
    kind: str
    expression: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """`limit` is in the currency's unit and None unless approved; `trace` tells every rule's answer in order."""

    outcome: str
    reasons: tuple[str, ...]
    limit: Decimal | None
    price: str | None
    trace: tuple[Mapping[str, Any], ...] = field(default_factory=tuple)


class Unanswerable(Exception):
    """A rule that cannot be evaluated on the facts given."""


def decide(
    rules: Sequence[Rule],
    facts: Mapping[str, Any],
    score: Result | None,
    matrix: Mapping[str, Mapping[str, Any]],
    *,
    broken_knock_out: str = REFER,
) -> Decision:
    """Approve, refer or decline. The strictest answer wins; nothing unknown ever approves.

    `matrix` maps a grade to `share_of_income` and / or `multiple_of_spend` (of the facts `monthly_income`
    and `monthly_spend`), `max`, `price`, or to `outcome` DECLINE or REFER. `broken_knock_out` is what a
    knock-out does when it cannot be evaluated: REFER or DECLINE.
    """
    trace: list[dict[str, Any]] = []
    found = list(_fired(rules, facts, broken_knock_out, trace))
    if not rules:
        trace.append({"rule": None, "note": "no rules"})
    limit, price, graded = _priced(score, facts, matrix, trace)
    found += graded
    outcomes = {outcome for outcome, _ in found}
    outcome = next((o for o in (DECLINE, REFER) if o in outcomes), APPROVE)
    reasons = tuple(dict.fromkeys(code for o, code in found if o == outcome))[:MAX_REASONS]
    if outcome != APPROVE:
        limit = price = None
    return Decision(outcome, reasons, limit, price, tuple(trace))


def compile_rules(rules: Sequence[Rule], known: Mapping[str, type]) -> dict[str, list[str]]:
    """What is wrong with each rule, by its code; an empty answer means that all may go live.

    `known` names the facts and their type (float, str, bool or list); dotted names are facts of a group.
    """
    faults = {rule.code: _faults(rule, known) for rule in rules}
    for code in {r.code for r in rules if [x.code for x in rules].count(r.code) > 1}:
        faults[code].append("duplicate code")
    return {code: found for code, found in faults.items() if found}


def evaluate(expression: str, facts: Mapping[str, Any]) -> bool:
    """The answer of one rule. Raises Unanswerable with a short stable cause."""
    try:
        answer = _program(expression).execute(_plain(facts, keep=_null_checked(expression)))
    except (KeyError, RuntimeError) as error:
        raise Unanswerable(f"unknown: {_missing_name(expression, facts) or 'a fact'}") from error
    except TypeError as error:
        raise Unanswerable("types do not fit") from error
    except ArithmeticError as error:
        raise Unanswerable("arithmetic") from error
    except ValueError as error:
        raise Unanswerable("not an expression") from error
    if not isinstance(answer, bool):
        raise Unanswerable("not true or false")
    return answer


def _fired(
    rules: Sequence[Rule], facts: Mapping[str, Any], broken: str, trace: list[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    for rule in rules:
        outcome = DECLINE if rule.kind == KNOCK_OUT else REFER
        try:
            answer = evaluate(rule.expression, facts)
        except Unanswerable as cause:
            trace.append({"rule": rule.code, "error": str(cause)})
            yield (broken if rule.kind == KNOCK_OUT else REFER), rule.reason
        else:
            trace.append({"rule": rule.code, "result": answer})
            if answer:
                yield outcome, rule.reason


def _priced(
    score: Result | None, facts: Mapping[str, Any], matrix: Mapping[str, Mapping[str, Any]], trace: list[dict[str, Any]]
) -> tuple[Decimal | None, str | None, list[tuple[str, str]]]:
    if score is None:
        trace.append({"rule": "score", "error": "no score"})
        return None, None, [(REFER, NO_SCORE)]
    trace.append({"rule": "score", "result": score.grade})
    row = matrix.get(score.grade)
    if row is None:
        return None, None, [(REFER, NO_LIMIT_FOR_GRADE)]
    if row.get("outcome") in (DECLINE, REFER):
        named = [reason.feature for reason in score.reasons(MAX_REASONS)]
        return None, None, [(row["outcome"], code) for code in named or [f"GRADE_{score.grade}"]]
    return _limit(row, facts, trace)


def _limit(
    row: Mapping[str, Any], facts: Mapping[str, Any], trace: list[dict[str, Any]]
) -> tuple[Decimal | None, str | None, list[tuple[str, str]]]:
    """The lowest of all bounds of the row, rounded down to a full hundred; the trace says which one held."""
    bounds = {"max": row.get("max")}
    for share, fact in BASES.items():
        if share in row:
            amount = _amount(facts.get(fact))
            bounds[share] = None if amount is None else _amount(row[share]) * amount  # type: ignore[operator]
    unknown = [name for name, bound in bounds.items() if bound is None]
    if unknown:
        trace.append({"rule": "limit", "error": f"unknown: {', '.join(unknown)}"})
        return None, None, [(REFER, LIMIT_UNKNOWN)]
    held = min(bounds, key=lambda name: (_amount(bounds[name]), name))
    limit = (_amount(bounds[held]) / STEP).to_integral_value(ROUND_DOWN) * STEP  # type: ignore[operator]
    trace.append({"rule": "limit", "result": str(limit), "by": held})
    if limit < STEP:
        return None, None, [(REFER, LIMIT_TOO_SMALL)]
    return limit, row.get("price"), []


def _amount(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    amount = Decimal(str(value))
    return amount if amount.is_finite() else None


# --- CEL -----------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""(?P<text>r?"(?:\\.|[^"\\])*"|r?'(?:\\.|[^'\\])*')"""
    r"""|(?P<name>[A-Za-z_][A-Za-z_0-9]*(?:\s*\.\s*[A-Za-z_][A-Za-z_0-9]*)*)"""
    r"""|(?P<decimal>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|0x[0-9a-fA-F]+|\d+u)"""
    r"""|(?P<whole>\d+)"""
    r"""|(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)


@lru_cache(maxsize=4096)
def _program(expression: str) -> cel.Program:
    return cel.compile("".join(_decimal(m) for m in _TOKEN.finditer(expression)))


def _decimal(token: re.Match[str]) -> str:
    return f"{token[0]}.0" if token.lastgroup == "whole" else token[0]


@lru_cache(maxsize=4096)
def _null_checked(expression: str) -> frozenset[str]:
    """The names that the rule itself compares with null: for these, unknown is an answer."""
    tokens = [m[0] for m in _TOKEN.finditer(expression) if not m[0].isspace()]
    text = " ".join(tokens)
    pairs = re.findall(r"([\w.]+) (?:= =|! =) null\b|\bnull (?:= =|! =) ([\w.]+)", text)
    return frozenset(left or right for left, right in pairs)


def _plain(facts: Mapping[str, Any], keep: frozenset[str], prefix: str = "") -> dict[str, Any]:
    """The facts as CEL wants them: numbers as floats, unknown ones left out unless the rule asks for them."""
    plain = {}
    for name, value in facts.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            plain[name] = _plain(value, keep, f"{path}.")
        elif (known := _value(value)) is not None or path in keep:
            plain[name] = known
    for path in keep:
        if prefix == "" and "." not in path:
            plain.setdefault(path, None)
    return plain


def _value(value: Any) -> Any:
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(v) for v in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return str(value)


def _missing_name(expression: str, facts: Mapping[str, Any]) -> str:
    """The names the rule uses that have no known value, for the trace."""
    used = [re.sub(r"\s", "", m[0]) for m in _TOKEN.finditer(expression) if m.lastgroup == "name"]
    roots = set(_program(expression).variables())
    unknown = (name for name in used if name.split(".")[0] in roots and _look_up(facts, name) is None)
    return ", ".join(dict.fromkeys(unknown))


def _look_up(facts: Any, path: str) -> Any:
    for part in path.split("."):
        facts = facts.get(part) if isinstance(facts, Mapping) else None
    return _value(facts) if not isinstance(facts, Mapping) else facts


def _faults(rule: Rule, known: Mapping[str, type]) -> list[str]:
    if rule.kind not in (KNOCK_OUT, REFER):
        return [f"unknown kind: {rule.kind}"]
    try:
        program = _program(rule.expression)
    except ValueError:
        return ["syntax"]
    unknown = sorted(_unknown_names(rule.expression, program, known))
    if unknown:
        return [f"unknown name: {name}" for name in unknown]
    return sorted({cause for facts in _samples(known) if (cause := _cause(rule.expression, facts))})


def _unknown_names(expression: str, program: cel.Program, known: Mapping[str, type]) -> set[str]:
    roots = {name.split(".")[0] for name in known}
    used = {m[0] for m in _TOKEN.finditer(expression) if m.lastgroup == "name"}
    bound = set(re.findall(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*(\w+)\s*,", expression))
    dotted = {re.sub(r"\s", "", name) for name in used}
    wrong = {v for v in program.variables() if v not in roots and v not in bound}
    return wrong | {n for n in dotted if n.split(".")[0] in roots - set(known) and n not in known and "." in n}


def _samples(known: Mapping[str, type]) -> Iterator[dict[str, Any]]:
    """Facts of every type, with all the usual edges, so that a type error shows on one of them."""
    edges: dict[type, tuple[Any, ...]] = {
        float: (0.0, 1.0, 1e6), str: ("", "a", "A"), bool: (True, False, True), list: ([], ["a"], ["a"])
    }  # fmt: skip
    for at, flag in product(range(3), (True, False)):
        facts: dict[str, Any] = {}
        for path, kind in known.items():
            *parents, name = path.split(".")
            group = facts
            for parent in parents:
                group = group.setdefault(parent, {})
            group[name] = flag if kind is bool else edges[kind][at]
        yield facts


def _cause(expression: str, facts: Mapping[str, Any]) -> str | None:
    try:
        evaluate(expression, facts)
    except Unanswerable as cause:
        return None if str(cause) == "arithmetic" else str(cause)
    return None
