"""The three commands: one answer a line, in order, whatever the line."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

TERMS = {
    "principal": "1200",
    "annual_rate": "0.12",
    "method": "EQUAL_INSTALMENT",
    "instalments": 3,
    "disbursed_on": "2024-01-31",
}
OUT = {"ref": "a", "type": "DISBURSEMENT", "on": "2024-01-31", "amount": "1200"}
PAY = {"ref": "b", "type": "REPAYMENT", "on": "2024-02-29", "amount": "1300"}
FLOWS = [{"t_years": "0", "amount": "-1000"}, {"t_years": "1/2", "amount": "1050"}]
ROOT = Path(__file__).resolve().parents[3]


def _run(command: str, *lines: object, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    text = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    out = io.StringIO()
    call_command(command, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_quote(monkeypatch: pytest.MonkeyPatch) -> None:
    (answer,) = _run("quote", {"id": "q", "terms": TERMS}, monkeypatch=monkeypatch)
    assert answer["id"] == "q"
    assert answer["rows"][0] == {
        "due_on": "2024-02-29",
        "principal": "396.03",
        "interest": "12.00",
        "fee": "0.00",
        "total": "408.03",
        "balance": "803.97",
    }
    assert answer["totals"] == {
        "principal": "1200.00",
        "interest": "24.08",
        "fee": "0.00",
        "total": "1224.08",
    }
    assert set(answer["annual_cost"]) == {"nominal", "effective"}


def test_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    case = {"id": 7, "terms": TERMS, "events": [OUT, PAY], "as_of": "2024-03-01"}
    undone = {**case, "events": [OUT, PAY, {"ref": "c", "type": "REVERSAL", "of": "b"}]}
    paid, open_again = _run("replay", case, undone, monkeypatch=monkeypatch)
    assert (paid["status"], paid["outstanding"], paid["overpaid"]) == ("OVERPAID", "0.00", "75.92")
    assert (open_again["status"], open_again["outstanding"]) == ("ACTIVE", "1224.08")
    assert paid["rows"][0] == {
        "due_on": "2024-02-29",
        "principal": "396.03",
        "interest": "12.00",
        "fee": "0.00",
        "penalty": "0.00",
        "total": "408.03",
        "paid": "408.03",
        "outstanding": "0.00",
    }


def test_apr(monkeypatch: pytest.MonkeyPatch) -> None:
    effective = {"id": 1, "basis": "EFFECTIVE", "flows": FLOWS}
    nominal = {"id": 2, "basis": "NOMINAL", "flows": FLOWS, "periods_per_year": 2}
    assert _run("apr", effective, nominal, monkeypatch=monkeypatch) == [
        {"id": 1, "percent": "10.250000"},
        {"id": 2, "percent": "10.000000"},
    ]


BAD = [
    ("quote", b"not json", None, "Expecting value"),
    ("quote", b'{"id": "\xff"}', None, "decode"),
    ("quote", [1, 2], None, "object"),
    ("quote", {"id": 1}, 1, "terms: is missing"),
    ("quote", {"id": 1, "terms": [TERMS]}, 1, "terms: must be an object"),
    ("quote", {"id": 1, "terms": {**TERMS, "principal": 1.5}}, 1, "principal"),
    ("quote", {"id": 1, "terms": {**TERMS, "instalments": 1200, "every": 3000}}, 1, "year"),
    ("replay", {"id": 1, "terms": TERMS, "events": [], "as_of": "soon"}, 1, "as_of"),
    ("replay", {"id": 1, "terms": TERMS, "events": {}, "as_of": "2024-03-01"}, 1, "events"),
    (
        "replay",
        {"id": 1, "terms": TERMS, "events": [{"ref": "x"}], "as_of": "2024-03-01"},
        1,
        "type: is missing",
    ),
    (
        "replay",
        {"id": 1, "terms": TERMS, "events": [OUT, OUT], "as_of": "2024-03-01"},
        1,
        "event a: ref is used twice",
    ),
    ("apr", {"id": 1, "basis": "EFFECTIVE", "flows": [{"t_years": 0.5, "amount": "1"}]}, 1, "t_years"),
    ("apr", {"id": 1, "basis": "EFFECTIVE", "flows": [{"t_years": "1/0", "amount": "1"}]}, 1, "t_years"),
    ("apr", {"id": 1, "basis": "EFFECTIVE", "flows": []}, 1, "both ways"),
    ("apr", {"id": 1, "basis": "MAGIC", "flows": FLOWS}, 1, "basis"),
]


@pytest.mark.parametrize(("command", "line", "ref", "says"), BAD)
def test_a_bad_line_is_answered_and_the_rest_go_on(
    command: str, line: object, ref: object, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = {
        "quote": {"id": "good", "terms": TERMS},
        "replay": {"id": "good", "terms": TERMS, "events": [OUT], "as_of": "2024-03-01"},
        "apr": {"id": "good", "basis": "EFFECTIVE", "flows": FLOWS},
    }[command]
    first, bad, blank_skipped = _run(command, good, line, b"", good, monkeypatch=monkeypatch)
    assert "error" not in first
    assert "error" not in blank_skipped
    assert bad["id"] == ref
    assert says in bad["error"]


def test_the_commands_need_no_database() -> None:
    answer = subprocess.run(
        [sys.executable, "manage.py", "apr"],
        input=json.dumps({"id": 1, "basis": "EFFECTIVE", "flows": FLOWS}),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:9/nothing"},
        check=True,
        timeout=60,
    )
    assert json.loads(answer.stdout)["percent"] == "10.250000"
