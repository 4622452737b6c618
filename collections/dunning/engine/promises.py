"""Promises to pay are judged by payments, never by clerks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

OPEN, KEPT, BROKEN, PARTLY = "OPEN", "KEPT", "BROKEN", "PARTLY"


@dataclass(frozen=True)
class Promise:
    """`amount` promised on `made_on` for `due_on`; `grace_days` more are waited for the money to arrive."""

    amount: Decimal
    made_on: date
    due_on: date
    grace_days: int = 0

    def __post_init__(self) -> None:
        if self.amount <= 0:
            raise ValueError("a promise needs an amount above zero")
        if self.due_on < self.made_on or self.grace_days < 0:
            raise ValueError("a promise falls due on the day it is made or later; grace is not negative")

    @property
    def last_day(self) -> date:
        return self.due_on + timedelta(days=self.grace_days)


def received(promise: Promise, payments: Iterable[tuple[date, Decimal]]) -> Decimal:
    """What was paid from the day of the promise to its last day; reversals are negative payments."""
    return sum((amount for day, amount in payments if promise.made_on <= day <= promise.last_day), Decimal(0))


def judge(promise: Promise, payments: Iterable[tuple[date, Decimal]], today: date) -> str:
    """KEPT as soon as the whole amount is in; after the last day PARTLY with some of it, BROKEN with none."""
    paid = received(promise, (p for p in payments if p[0] <= today))
    if paid >= promise.amount:
        return KEPT
    if today <= promise.last_day:
        return OPEN
    return PARTLY if paid > 0 else BROKEN
