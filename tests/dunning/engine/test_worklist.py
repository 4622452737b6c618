from dataclasses import replace
from decimal import Decimal

import pytest

from dunning.engine.worklist import HIGHEST, LOWEST, Item, appraise, rank

CASE = Item("a", Decimal(1000), days_past_due=40)


@pytest.mark.parametrize(
    ("changes", "probability", "expected"),
    [
        ({}, "0.4500", "450.00"),
        ({"days_past_due": 10}, "0.8500", "850.00"),
        ({"promises_kept": 2}, "0.5175", "517.50"),
        ({"promises_broken": 1}, "0.3600", "360.00"),
        ({"promises_broken": 9}, "0.2304", "230.40"),
        ({"pd": Decimal("0.50")}, "0.3600", "360.00"),
        ({"reachable": True}, "0.4950", "495.00"),
        ({"reachable": False, "promises_broken": 1, "pd": Decimal("0.30")}, "0.1987", "198.70"),
    ],
)
def test_worked_figures(changes: dict[str, object], probability: str, expected: str) -> None:
    ranked = appraise(replace(CASE, **changes))  # type: ignore[arg-type]
    assert (ranked.probability, ranked.expected) == (Decimal(probability), Decimal(expected))


def test_the_parts_explain_the_probability() -> None:
    ranked = appraise(replace(CASE, promises_kept=1, reachable=False))
    assert ranked.parts == (
        ("base", Decimal("0.45")),
        ("promises_kept", Decimal("1.15")),
        ("reachable", Decimal("0.60")),
    )


def test_nothing_is_certain() -> None:
    sure = replace(CASE, days_past_due=0, promises_kept=1, reachable=True, pd=Decimal(0))
    hopeless = replace(CASE, days_past_due=400, promises_broken=3, reachable=False, pd=Decimal(1))
    assert (appraise(sure).probability, appraise(hopeless).probability) == (HIGHEST, Decimal("0.0184"))
    assert appraise(hopeless, {"M3+": Decimal("0.01")}).probability == LOWEST


def test_the_largest_expected_recovery_comes_first_and_ties_go_by_key() -> None:
    old_and_large = Item("large", Decimal(2000), days_past_due=200)
    young = Item("young", Decimal(600), days_past_due=5)
    assert [r.key for r in rank([old_and_large, replace(CASE, key="b"), CASE, young])] == [
        "young",
        "a",
        "b",
        "large",
    ]
