"""The tables of docs/algorithms are computed, not typed. `GOLDEN=write pytest ...` writes them anew.

A table stands under a comment that says what it shows: `<!-- quote {terms} -->` or `<!-- replay {case} -->`.
"""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from lending.engine import Event, Terms, annual_cost, payoff, replay, schedule
from lending.engine.terms import read_date
from tests.lending.engine.cases import D, cents, out, rules

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "algorithms"
TABLE = re.compile(r"(<!-- (quote|replay|payoff|cost) (\{.*?\}) -->\n)((?:\|[^\n]*\n)*)", re.DOTALL)
USUAL = {"method": "EQUAL_INSTALMENT", "annual_rate": "0.12", "disbursed_on": "2024-01-31"}


def _table(head: str, rows: list[list[str]]) -> str:
    names = head.split()
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _terms(case: dict) -> Terms:
    """Terms with the usual ones filled in; "VERTICAL LAST" stands for rules in the usual order."""
    words = case.get("allocation", "").split()
    terms = Terms.from_json({**USUAL, **{name: case[name] for name in case if name != "allocation"}})
    return replace(terms, allocation=rules(*words) if len(words) == 2 else words[0]) if words else terms


def _events(terms: Terms, lines: list[str]) -> list[Event]:
    """The disbursement and lines like "2024-02-15 CHARGE FEE 5", or with details instead of an amount."""
    return [out(terms), *(_event(f"e{number}", line) for number, line in enumerate(lines))]


def _event(ref: str, line: str) -> Event:
    day, type_, rest = line.split(maxsplit=2)
    if rest.startswith("{"):
        return Event(ref, type_, read_date(day), details=json.loads(rest))
    *part, amount = rest.split()
    named = {"of" if type_ == "CHARGEBACK" else "kind": part[0]} if part else {}
    return Event(ref, type_, read_date(day), D(amount), **named)


def _quote(case: dict) -> str:
    rows = [
        [row.due_on.isoformat(), *cents(row.principal, row.interest, row.fee, row.total, row.balance).split()]
        for row in schedule(_terms(case))
    ]
    return _table("due principal interest fee total balance", rows)


def _replay(case: dict) -> str:
    terms = _terms(case["terms"])
    state = replay(terms, _events(terms, case["events"]), read_date(case["as_of"]))
    rows = [
        [
            row.due_on.isoformat(),
            *cents(row.principal, row.interest, row.fee, row.penalty).split(),
            *cents(row.principal_paid, row.interest_paid, row.fee_paid, row.penalty_paid).split(),
            cents(row.outstanding),
        ]
        for row in state.rows
    ]
    return _table("due principal interest fee penalty →principal →interest →fee →penalty left", rows)


def _payoff(case: dict) -> str:
    rows = []
    for name, agreed in case["terms"].items():
        terms = _terms(agreed)
        for day in case["on"]:
            figure = payoff(terms, _events(terms, []), read_date(day))
            parts = cents(figure.principal, figure.interest, figure.fee, figure.penalty, figure.total)
            rows.append([f"{name}, {day}", *parts.split()])
    return _table("settled principal interest fee penalty total", rows)


def _cost(case: dict) -> str:
    rows = []
    for name, terms in case.items():
        cost = annual_cost(_terms(terms))
        rows.append([name, *(f"{rate * 100:.2f} %" for rate in (cost.nominal, cost.effective))])
    return _table("loan nominal compounded", rows)


SHOWN = {"quote": _quote, "replay": _replay, "payoff": _payoff, "cost": _cost}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.md")), ids=lambda path: path.stem)
def test_tables(path: Path) -> None:
    text = path.read_text()
    computed = TABLE.sub(lambda found: found[1] + SHOWN[found[2]](json.loads(found[3])), text)
    if os.environ.get("GOLDEN") == "write":
        path.write_text(computed)
    assert computed == path.read_text()


def test_every_page_has_a_table() -> None:
    assert {path.stem for path in FOLDER.glob("*.md") if TABLE.search(path.read_text())} == {
        "allocation",
        "annual-cost",
        "billing",
        "day-counts",
        "penalty",
        "restructuring",
        "schedules",
        "settlement",
    }
