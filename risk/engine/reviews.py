"""Whether a limit is raised, kept or cut: pure, on plain values. Amounts are in the currency's unit."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

RAISE = "RAISE"
KEEP = "KEEP"
CUT = "CUT"
STEP = Decimal(100)  # limits are whole hundreds

OVERDUE = "REVIEW_OVERDUE"
SCORE = "REVIEW_SCORE"
FULL = "REVIEW_FULL"
GOOD = "REVIEW_GOOD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the house's parameters say. Shares are fractions; `cap` is the highest limit that is offered."""

    raise_pd: float
    raise_utilisation: Decimal
    raise_open_days: int
    raise_share: Decimal
    cap: Decimal
    cut_pd: float
    cut_full_pd: float
    cut_full_utilisation: Decimal
    cut_overdue_days: int
    cut_share: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A line at the end of a day. `pd` is None without a fresh score; `may_raise` and `may_cut` are False in a
    cool-down, or where something else forbids it."""

    limit: Decimal
    used: Decimal
    pd: float | None
    overdue_days: int
    open_days: int
    may_raise: bool
    may_cut: bool

    @property
    def utilisation(self) -> Decimal:
        return self.used / self.limit if self.limit else Decimal(1)


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: str
    to: Decimal
    reasons: tuple[str, ...] = ()


def judge(facts: Facts, policy: Policy) -> Verdict:
    """A cut comes before a raise; without a score there is no raise, and a cut for arrears alone."""
    if facts.may_cut and (reasons := _against(facts, policy)):
        to = _whole(facts.limit * (1 - policy.cut_share))
        if to < facts.limit:
            return Verdict(CUT, to, reasons)
    if facts.may_raise and _deserves_more(facts, policy):
        to = min(_whole(facts.limit * (1 + policy.raise_share)), policy.cap)
        if to > facts.limit:
            return Verdict(RAISE, to, (GOOD,))
    return Verdict(KEEP, facts.limit)


def _against(facts: Facts, policy: Policy) -> tuple[str, ...]:
    reasons = []
    if facts.overdue_days >= policy.cut_overdue_days:
        reasons.append(OVERDUE)
    if facts.pd is not None and facts.pd >= policy.cut_pd:
        reasons.append(SCORE)
    elif (
        facts.pd is not None
        and facts.pd >= policy.cut_full_pd
        and facts.utilisation >= policy.cut_full_utilisation
    ):
        reasons.append(FULL)
    return tuple(reasons)


def _deserves_more(facts: Facts, policy: Policy) -> bool:
    return (
        facts.pd is not None
        and facts.pd <= policy.raise_pd
        and not facts.overdue_days
        and facts.utilisation >= policy.raise_utilisation
        and facts.open_days >= policy.raise_open_days
    )


def _whole(amount: Decimal) -> Decimal:
    return (amount / STEP).to_integral_value(ROUND_DOWN) * STEP
