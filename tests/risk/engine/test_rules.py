from decimal import Decimal
from typing import Any

import pytest

from risk.engine.rules import MISFIT, Unanswerable, answer, faults

KNOWN = {"age": float, "student": bool, "purpose": str, "income": float, "debt": float, "tags": list,
         "app.amount": float, "app.purpose": str}  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "facts", "expected"),
    [
        ("age < 18", {"age": 17}, True),
        ("age < 18", {"age": Decimal(18)}, False),
        ("debt * 2 > income", {"debt": 51, "income": Decimal("100")}, True),
        ("income * 0.3 < debt + 1", {"debt": 30, "income": 100}, True),
        ("debt / income > 0.5", {"debt": 1, "income": 0}, True),
        ("purpose in ['SHARES', 'HOUSING']", {"purpose": "HOUSING"}, True),
        ("debt > .5 && debt > -5 && debt < 1e3", {"debt": 1}, True),
        ("purpose == '18'", {"purpose": "18"}, True),
        ("age in [17, 18]", {"age": 18}, True),
        ("tags.exists(t, t == 'x') && size(tags) > 1", {"tags": ["x", "y"]}, True),
        ("tags[1] == 'y'", {"tags": ["x", "y"]}, True),
        ("app.amount > 1 && app.purpose.startsWith('CAR')", {"app": {"amount": 2, "purpose": "CARS"}}, True),
        ("student || age > 60", {"student": True, "age": None}, True),
        ("student && age > 60", {"student": False, "age": None}, False),
        ("income == null", {"income": None}, True),
        ("income == null || income < 5", {}, True),
        ("null != income && income < 5", {"income": 4}, True),
        ("app.amount == null", {"app": {}}, True),
        ("app.amount == null", {}, True),
        ("has(app.amount)", {"app": {"amount": None}}, False),
    ],
)
def test_answers(expression: str, facts: dict[str, Any], expected: bool) -> None:
    assert answer(expression, facts) is expected


@pytest.mark.parametrize(
    ("expression", "facts", "cause"),
    [
        ("age < 18", {}, "unknown: age"),
        ("age < 18", {"age": None}, "unknown: age"),
        ("age < 18", {"age": float("nan")}, "unknown: age"),
        ("purpose == 'SHARES'", {"purpose": None}, "unknown: purpose"),
        ("!(purpose == 'SHARES')", {"purpose": None}, "unknown: purpose"),
        ("purpose == null || app.purpose == 'X'", {"purpose": "x", "app": {"purpose": None}}, "unknown: app.purpose"),
        ("student || age > 60", {"student": False, "age": None}, "unknown: age"),
        ("tags[0] == 'x'", {"tags": []}, "unknown: element or function"),
        ("shout(age)", {"age": 3}, "unknown: element or function"),
        ("age < 18", {"age": "17"}, MISFIT),
        ("debt / income > 0.5", {"debt": 0, "income": 0}, MISFIT),
        ("age + 1", {"age": 3}, "not true or false"),
        ("purpose", {"purpose": "true"}, "not true or false"),
        ("age <", {"age": 3}, "syntax"),
        ("", {}, "syntax"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_says_why(expression: str, facts: dict[str, Any], cause: str) -> None:
    with pytest.raises(Unanswerable) as told:
        answer(expression, facts)
    assert str(told.value) == cause


@pytest.mark.parametrize(
    "expression",
    [
        "age < 18", "student", "purpose == null || purpose == 'SHARES'", "debt / income > 0.5",
        "app.purpose.startsWith('a')", "has(app.amount) && app.amount > 2", "tags[0] == 'a'",
        "tags.exists(t, t.startsWith('a'))", "size(purpose) > 3", "student ? age < 20 : age < 18", "1 == 1",
    ],
)  # fmt: skip
def test_rules_that_may_be_used(expression: str) -> None:
    assert faults(expression, KNOWN) == []


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("age <", ["syntax"]),
        ("", ["syntax"]),
        ("agee < 18 && incom > 2", ["unknown name: agee", "unknown name: incom"]),
        ("app.amout > 1", ["unknown name: app.amout"]),
        ("app == null", ["unknown name: app"]),
        ("shout(age) > 1", ["unknown function: shout"]),
        ("age + 1", ["not true or false"]),
        ("student ? age : 1", ["not true or false"]),
        ("purpose > 3", [MISFIT]),
        ("student || age + 'x' > 2", [MISFIT]),
        ("purpose == 'SHARES' && income > 'x'", [MISFIT]),
        ("timestamp('2026-01-01T00:00:00Z').getFullYear() > age",
         ["unknown function: getFullYear", "unknown function: timestamp"]),
    ],
)  # fmt: skip
def test_faults_are_found_before_a_rule_is_used(expression: str, expected: list[str]) -> None:
    assert faults(expression, KNOWN) == expected
