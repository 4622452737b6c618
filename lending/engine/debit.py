"""Whether to take money from a customer's account today, how much, and when to try again. Plain values only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

CLOSED, CURRENT, NO_AMOUNT = "CLOSED", "CURRENT", "NO_AMOUNT"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at the moment of a debit. `due` is what the bill still asks for, `payoff` all that is owed."""

    owing: bool
    due: Decimal
    limit: Decimal
    payoff: Decimal


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much to take; nothing, when `stop` says why there is nothing to take any more."""

    amount: Decimal
    stop: str = ""


def judge(facts: Facts) -> Verdict:
    """The checks in their order: is anything open at all, is anything due, how much, and never above the payoff."""
    if not facts.owing:
        return Verdict(Decimal(0), CLOSED)
    if facts.due <= 0:
        return Verdict(Decimal(0), CURRENT)
    amount = min(facts.due, facts.limit)
    if amount <= 0:
        return Verdict(Decimal(0), NO_AMOUNT)
    return Verdict(min(amount, facts.payoff))


def next_try(due_on: date, on: date, days: Sequence[int]) -> date | None:
    """The next day to try after `on`, from days counted from the due day; None when they are used up."""
    ahead = [day for day in (due_on + timedelta(days=number) for number in sorted(days)) if day > on]
    return ahead[0] if ahead else None
