"""The tables of docs/algorithms are computed, not typed. `GOLDEN=write pytest ...` writes them anew.

A table stands under a comment that says what it shows: `<!-- quote {terms} -->` or `<!-- replay {case} -->`.
"""

import json
import os
import re
from pathlib import Path

import pytest

from lending.engine import Terms, annual_cost, payoff, replay, schedule
from lending.engine.jsonlines import read_event
from lending.engine.terms import read_date
from tests.lending.engine.cases import cents

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "algorithms"
TABLE = re.compile(r"(<!-- (quote|replay|payoff|cost) (\{.*?\}) -->\n)((?:\|.*\n)*)", re.DOTALL)
USUAL = {"method": "EQUAL_INSTALMENT", "annual_rate": "0.12", "disbursed_on": "2024-01-31"}


def _table(head: str, rows: list[list[str]]) -> str:
    names = head.split()
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _quote(case: dict) -> str:
    terms = Terms.from_json({**USUAL, **case})
    rows = [
        [row.due_on.isoformat(), *cents(row.principal, row.interest, row.fee, row.total, row.balance).split()]
        for row in schedule(terms)
    ]
    return _table("due principal interest fee total balance", rows)


def _replay(case: dict) -> str:
    terms = Terms.from_json({**USUAL, **case["terms"]})
    as_of = read_date(case["as_of"])
    state = replay(terms, [read_event(event, as_of) for event in case["events"]], as_of)
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
    for name, terms in case["terms"].items():
        agreed = Terms.from_json({**USUAL, **terms})
        for day in case["on"]:
            on = read_date(day)
            figure = payoff(agreed, [read_event(event, on) for event in case["events"]], on)
            parts = cents(figure.principal, figure.interest, figure.fee, figure.penalty, figure.total)
            rows.append([f"{name}, {day}", *parts.split()])
    return _table("settled_on principal interest fee penalty total", rows)


def _cost(case: dict) -> str:
    rows = []
    for name, terms in case.items():
        cost = annual_cost(Terms.from_json({**USUAL, **terms}))
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
        "schedules",
        "settlement",
    }
