"""Rules in CEL: one true-or-false question about the facts of an application.

Every number a rule sees, and every whole number written in it, is a decimal number, so
`spend * 2 > limit` means what it says. A fact that is None, not a number or absent is unknown,
and a rule that needs it cannot be answered. A rule may ask `income == null` itself: then the
unknown is an answer. `a || b` is true when either is, even if the other is unknown.
"""

import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import islice, product
from typing import Any

import cel

FUNCTIONS = frozenset({"size", "contains", "startsWith", "endsWith", "matches", "string", "double", "int"})
MAX_SAMPLES = 512
MISFIT = "types or numbers do not fit"  # also zero over zero, which no number is above or below

_TOKEN = re.compile(
    r"""(?P<text>r?"(?:\\.|[^"\\])*"|r?'(?:\\.|[^'\\])*')"""
    r"""|(?P<name>[A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)"""
    r"""|(?P<index>(?<=[\w)\]])\[\s*\d+\s*\])"""
    r"""|(?P<number>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+)"""
    r"""|(?P<whole>\d+)"""
    r"""|(?P<equality>[=!]=)"""
    r"""|(?P<space>\s+)"""
    r"""|(?P<other>.)""",
    re.DOTALL,
)


class Unanswerable(Exception):
    """The rule cannot be answered on the facts given; the text is short and always the same for a cause."""


def answer(expression: str, facts: Mapping[str, Any]) -> bool:
    """Whether the rule holds. Raises Unanswerable."""
    try:
        program = _program(expression)
        found = program.execute(_plain(expression, program, facts))
    except (LookupError, RuntimeError) as error:
        raise Unanswerable(
            f"unknown: {_unknown_facts(expression, facts) or 'element or function'}"
        ) from error
    except TypeError as error:
        raise Unanswerable(MISFIT) from error
    except ArithmeticError as error:
        raise Unanswerable("arithmetic") from error
    except ValueError as error:
        raise Unanswerable("syntax") from error
    if not isinstance(found, bool):
        raise Unanswerable("not true or false")
    return found


def faults(expression: str, known: Mapping[str, type]) -> list[str]:
    """What is wrong with a rule before it is used, given the facts there are and their types.

    Types are float, str, bool and list; a dotted name is a fact of a group. Names and functions are
    checked by reading, types by trying the rule on every mix of typical values.
    """
    try:
        program = _program(expression)
    except ValueError:
        return ["syntax"]
    wrong = [f"unknown name: {name}" for name in _unknown_names(expression, program, known)]
    wrong += [f"unknown function: {f}" for f in program.functions() if f[0].isalpha() and f not in FUNCTIONS]
    return wrong or sorted(
        {cause for facts in _samples(expression, known) if (cause := _cause(expression, facts))}
    )


@lru_cache(maxsize=4096)
def _program(expression: str) -> cel.Program:
    return cel.compile("".join(f"{t}.0" if kind == "whole" else t for kind, t in _tokens(expression)))


@lru_cache(maxsize=4096)
def _tokens(expression: str) -> tuple[tuple[str, str], ...]:
    return tuple((m.lastgroup or "", m[0]) for m in _TOKEN.finditer(expression))


def _names(expression: str) -> list[str]:
    return [re.sub(r"\s", "", text) for kind, text in _tokens(expression) if kind == "name"]


@lru_cache(maxsize=4096)
def _asked_for_null(expression: str) -> frozenset[str]:
    """The names the rule itself compares with null."""
    tokens = [(kind, re.sub(r"\s", "", text)) for kind, text in _tokens(expression) if kind != "space"]
    asked = set()
    for (_, left), (middle, _), (_, right) in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if middle == "equality" and "null" in (left, right):
            asked.add(right if left == "null" else left)
    return frozenset(asked)


def _plain(expression: str, program: cel.Program, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that the rule names, as CEL wants them."""
    plain = {name: facts[name] for name in program.variables() if name in facts}
    known = _known(plain)
    for path in _asked_for_null(expression):
        *groups, name = path.split(".")
        group = known
        for part in groups:
            group = group.setdefault(part, {})
        group.setdefault(name, None)
    return known


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    values = ((name, _known(v) if isinstance(v, Mapping) else _value(v)) for name, v in facts.items())
    return {name: value for name, value in values if value is not None}


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_value(v) for v in value]
    return str(value)


def _look_up(facts: Any, path: str) -> Any:
    for part in path.split("."):
        facts = facts.get(part) if isinstance(facts, Mapping) else None
    return facts if isinstance(facts, Mapping) else _value(facts)


def _unknown_facts(expression: str, facts: Mapping[str, Any]) -> str:
    """The facts the rule names and nobody knows, for the trace."""
    roots = set(_program(expression).variables())
    named = (name for name in _names(expression) if name.split(".")[0] in roots)
    return ", ".join(dict.fromkeys(name for name in named if _look_up(facts, name) is None))


def _unknown_names(expression: str, program: cel.Program, known: Mapping[str, type]) -> list[str]:
    bound = set(re.findall(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*(\w+)\s*,", expression))
    roots = set(program.variables()) - bound
    used = dict.fromkeys(name for name in _names(expression) if name.split(".")[0] in roots)
    return [name for name in used if not any(f"{name}.".startswith(f"{k}.") for k in known)]


def _samples(expression: str, known: Mapping[str, type]) -> Iterator[dict[str, Any]]:
    """Facts for every mix of typical values; the texts written in the rule are typical too.

    Numbers differ from fact to fact and are never zero, so that none divides zero by zero.
    """
    written = [text[1:-1] for kind, text in _tokens(expression) if kind == "text" and text[0] in "'\""]
    typical: dict[type, list[Any]] = {bool: [True, False], str: ["", *written], list: [[], ["", *written]]}
    used = [k for k in known if any(f"{name}.".startswith(f"{k}.") for name in _names(expression))]
    choices = [typical.get(known[k], [i + 1.5, (i + 1) * 1e6]) for i, k in enumerate(used)]
    for values in islice(product(*choices), MAX_SAMPLES):
        facts: dict[str, Any] = {}
        for path, value in zip(used, values, strict=True):
            *groups, name = path.split(".")
            group = facts
            for part in groups:
                group = group.setdefault(part, {})
            group[name] = value
        yield facts


def _cause(expression: str, facts: Mapping[str, Any]) -> str | None:
    """What a try told: dividing by zero, or asking for an element that a list does not have, is no fault."""
    try:
        answer(expression, facts)
    except Unanswerable as cause:
        return str(cause) if str(cause) in (MISFIT, "not true or false", "syntax") else None
    return None
