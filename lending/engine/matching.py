"""Whose payment a line of a bank statement is: candidates, each with a score and the reasons for it.

Plain values in, plain values out. A score is a sum of points for what agrees, between 0 and 100; AUTOMATIC of them,
reached by one candidate alone, are enough to post without a person.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

AUTOMATIC = 90
POINTS = {
    "LOAN_NUMBER": 90,
    "PAYMENT_REFERENCE": 90,
    "BILL_NUMBER": 90,
    "CUSTOMER_REFERENCE": 80,
    "KNOWN_ACCOUNT": 50,
    "SAME_NAME": 30,
    "AMOUNT_DUE": 40,
    "AMOUNT_NEXT": 40,
    "AMOUNT_OF_ALL": 40,
    "ABOVE_OWED": -40,
    "NOTHING_OWED": -70,
}
LOAN = re.compile(r"(?<![A-Z0-9])L(\d{6,10})(?!\d)", re.IGNORECASE)
BILL = re.compile(r"(?<![A-Z0-9])B(\d{6,10})(?!\d)", re.IGNORECASE)
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{1,63}")


@dataclass(frozen=True, slots=True)
class References:
    """What the text of a line could name: numbers of loans and bills, and words that could be other references."""

    loans: tuple[int, ...]
    bills: tuple[int, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A customer, or one loan of theirs, with what is owed and how the line points there."""

    customer_id: int
    loan_id: int | None = None
    points_by: frozenset[str] = frozenset()
    due: Decimal = Decimal(0)
    coming: Decimal = Decimal(0)
    owed: Decimal = Decimal(0)
    payoff: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate as it is shown and kept."""

    customer_id: int
    loan_id: int | None
    score: int
    reasons: tuple[str, ...]


def references(text: str) -> References:
    """The numbers and words in a line's text, each once, in their order."""
    loans = dict.fromkeys(int(number) for number in LOAN.findall(text))
    bills = dict.fromkeys(int(number) for number in BILL.findall(text))
    words = dict.fromkeys(WORD.findall(text))
    return References(tuple(loans), tuple(bills), tuple(words))


def plain_name(name: str) -> str:
    """A name without what banks change in it: case, spaces, brackets and dots."""
    return re.sub(r"[\s()（）.．·•,，]+", "", name).upper()


def match(amount: Decimal, candidates: Iterable[Candidate], limit: int = 5) -> list[Match]:
    """The candidates worth showing, best first; equal ones in a fixed order."""
    found = [judge(amount, candidate) for candidate in candidates]
    worth = [one for one in found if one.score > 0]
    return sorted(worth, key=lambda one: (-one.score, one.customer_id, one.loan_id or 0))[:limit]


def judge(amount: Decimal, candidate: Candidate) -> Match:
    """The score of one candidate, and its reasons by weight."""
    reasons = set(candidate.points_by)
    if candidate.owed <= 0:
        reasons.add("NOTHING_OWED")
    elif amount == candidate.due:
        reasons.add("AMOUNT_DUE")
    elif amount == candidate.coming:
        reasons.add("AMOUNT_NEXT")
    elif amount in (candidate.owed, candidate.payoff):
        reasons.add("AMOUNT_OF_ALL")
    elif amount > candidate.owed:
        reasons.add("ABOVE_OWED")
    score = max(0, min(100, sum(POINTS[reason] for reason in reasons)))
    ordered = tuple(sorted(reasons, key=lambda reason: (-abs(POINTS[reason]), reason)))
    return Match(candidate.customer_id, candidate.loan_id, score, ordered)


def exact(matches: Sequence[Match], automatic: int = AUTOMATIC) -> Match | None:
    """The one match that may be posted without a person: sure enough, and the only one that is."""
    sure = [one for one in matches if one.score >= automatic]
    return sure[0] if len(sure) == 1 else None
