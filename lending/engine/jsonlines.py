"""One JSON object a line in, one a line out: quotes, replays and annual rates for other systems to check by.

A line that cannot be answered gives {"id", "error"} and the rest go on. Money and rates are decimal strings.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from lending.engine.cost import EFFECTIVE, annual_cost, apr
from lending.engine.replay import replay
from lending.engine.schedule import Row, schedule
from lending.engine.state import Event, InstalmentState
from lending.engine.terms import Terms, read_date, read_decimal

Answer = dict[str, Any]

_SUMS = ("principal", "interest", "fee", "total")
_STATE = ("principal", "interest", "fee", "penalty", "total", "paid", "outstanding")
_PERCENT = Decimal("1e-6")


def answer_lines(
    lines: Iterable[str | bytes], answer: Callable[[Mapping[str, Any]], Answer]
) -> Iterator[str]:
    """The answer to every line that is not blank, in order."""
    for line in lines:
        if line.strip():
            yield json.dumps(_answer_line(line, answer), ensure_ascii=False)


def _answer_line(line: str | bytes, answer: Callable[[Mapping[str, Any]], Answer]) -> Answer:
    ref = None
    try:
        case = json.loads(line)
        if not isinstance(case, dict):
            raise ValueError("a line must be one JSON object")
        ref = case.get("id")
        return {"id": ref, **answer(case)}
    except KeyError as error:
        return {"id": ref, "error": f"{error.args[0]}: is missing"}
    except InvalidOperation:
        return {"id": ref, "error": "a number cannot be read or is out of range"}
    except Exception as error:  # whatever is wrong with one line, the others are answered
        return {"id": ref, "error": str(error) or type(error).__name__}


def quote(case: Mapping[str, Any]) -> Answer:
    """{"terms"} -> {"rows", "totals", "annual_cost"}; the annual cost as yearly fractions."""
    terms = Terms.from_json(case["terms"])
    rows = schedule(terms)
    cost = annual_cost(terms, rows)
    return {
        "rows": [_row(row) for row in rows],
        "totals": {name: _text(sum(getattr(row, name) for row in rows)) for name in _SUMS},
        "annual_cost": {"nominal": _text(cost.nominal), "effective": _text(cost.effective)},
    }


def replay_case(case: Mapping[str, Any]) -> Answer:
    """{"terms", "events", "as_of"} -> {"rows", "status", "outstanding", "overpaid"}."""
    terms = Terms.from_json(case["terms"])
    as_of = _named("as_of", read_date, case["as_of"])
    events = case["events"]
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise ValueError("events: must be a list of objects")
    state = replay(terms, [read_event(event, as_of) for event in events], as_of)
    return {
        "rows": [_state(row) for row in state.rows],
        "status": state.status,
        "outstanding": _text(state.outstanding),
        "overpaid": _text(state.overpaid),
    }


def apr_case(case: Mapping[str, Any]) -> Answer:
    """{"basis", "flows": [{"t_years", "amount"}]} -> {"percent"} with six decimals."""
    flows = case["flows"]
    if not isinstance(flows, list) or not all(isinstance(flow, dict) for flow in flows):
        raise ValueError("flows: must be a list of objects")
    dated = [
        (_named("t_years", _fraction, flow["t_years"]), _named("amount", read_decimal, flow["amount"]))
        for flow in flows
    ]
    per_year = case.get("periods_per_year")
    periods = None if per_year is None else _named("periods_per_year", _fraction, per_year)
    return {"percent": _text(apr(dated, case.get("basis", EFFECTIVE), periods).quantize(_PERCENT))}


def read_event(data: Mapping[str, Any], as_of: date) -> Event:
    """An event from plain JSON values; a reversal without a day happens on ``as_of``."""
    reverses = data["type"] == "REVERSAL"
    return Event(
        ref=str(data["ref"]),
        type=str(data["type"]),
        on=as_of if reverses and not data.get("on") else _named("on", read_date, data["on"]),
        amount=_named("amount", read_decimal, data.get("amount", "0")),
        kind=data.get("kind"),
        of=data.get("of"),
        details=data.get("details"),
    )


def _fraction(value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"not an exact fraction: {value!r}")
    return Fraction(value)


def _named(name: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except (ValueError, TypeError, ArithmeticError):
        raise ValueError(f"{name}: cannot be read: {value!r}") from None


def _row(row: Row) -> Answer:
    return {
        "due_on": row.due_on.isoformat(),
        **{name: _text(getattr(row, name)) for name in (*_SUMS, "balance")},
    }


def _state(row: InstalmentState) -> Answer:
    return {"due_on": row.due_on.isoformat(), **{name: _text(getattr(row, name)) for name in _STATE}}


def _text(number: Any) -> str:
    return f"{number:f}"
