from datetime import date
from decimal import Decimal

import pytest

from dunning.engine.promises import BROKEN, KEPT, OPEN, PARTLY, Promise, judge

PROMISE = Promise(Decimal(500), made_on=date(2026, 3, 1), due_on=date(2026, 3, 10), grace_days=2)


def paid(*amounts: tuple[int, str]) -> list[tuple[date, Decimal]]:
    return [(date(2026, 3, day), Decimal(amount)) for day, amount in amounts]


@pytest.mark.parametrize(
    ("payments", "today", "expected"),
    [
        ([], 1, OPEN),
        ([], 12, OPEN),
        ([], 13, BROKEN),
        ([(5, "500")], 5, KEPT),
        ([(5, "499.99")], 12, OPEN),
        ([(5, "499.99")], 13, PARTLY),
        ([(5, "200"), (12, "300")], 12, KEPT),
        ([(5, "200"), (13, "300")], 13, PARTLY),
        ([(13, "500")], 13, BROKEN),
        ([(5, "500"), (6, "-500")], 13, BROKEN),
        ([(12, "500")], 11, OPEN),
    ],
)
def test_payments_judge(payments: list[tuple[int, str]], today: int, expected: str) -> None:
    assert judge(PROMISE, paid(*payments), date(2026, 3, today)) == expected


def test_what_was_paid_before_the_promise_does_not_keep_it() -> None:
    assert judge(PROMISE, [(date(2026, 2, 28), Decimal(500))], date(2026, 3, 13)) == BROKEN


@pytest.mark.parametrize(
    ("amount", "due_on", "grace"),
    [
        (0, date(2026, 3, 2), 0),
        (-1, date(2026, 3, 2), 0),
        (1, date(2026, 2, 28), 0),
        (1, date(2026, 3, 2), -1),
    ],
)
def test_promises_that_are_none(amount: int, due_on: date, grace: int) -> None:
    with pytest.raises(ValueError, match="promise"):
        Promise(Decimal(amount), date(2026, 3, 1), due_on, grace)
