"""Worked figures that nobody here made; skipped where the folder beside the repository is absent."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from lending.engine import jsonlines

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "oracles"


def _cases(name: str) -> list:
    path = FOLDER / f"{name}.jsonl"
    if not path.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no worked figures at {path}"))]
    return [pytest.param(case, id=case["id"]) for case in map(json.loads, path.open())]


def _answer(answer: Callable, case: dict) -> dict:
    (line,) = jsonlines.answer_lines([json.dumps(case)], answer)
    return json.loads(line)


def _only(row: dict, like: dict) -> dict:
    return {name: row[name] for name in like}


@pytest.mark.parametrize("case", _cases("quote"))
def test_quote(case: dict) -> None:
    rows = _answer(jsonlines.quote, case)["rows"]
    expected = case["expected"]["rows"]
    assert [_only(row, like) for row, like in zip(rows, expected, strict=True)] == expected


@pytest.mark.parametrize("case", _cases("replay"))
def test_replay(case: dict) -> None:
    rows = _answer(jsonlines.replay_case, case)["rows"]
    expected = case["expected"]["rows"]
    assert [_only(row, like) for row, like in zip(rows, expected, strict=True)] == expected


@pytest.mark.parametrize("case", _cases("apr"))
def test_apr(case: dict) -> None:
    got = Decimal(_answer(jsonlines.apr_case, case)["percent"])
    published = Decimal(case["expected"]["percent"])
    if published.as_tuple().exponent == -1:
        assert got.quantize(Decimal("0.1"), "ROUND_HALF_UP") == published
    else:
        assert abs(got - published) <= Decimal("0.0001")
