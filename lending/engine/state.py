"""What a fold gives: the loan as it stands, in Decimals, for people and for the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from lending.engine.money import from_minor

ZERO = Decimal(0)


class Event(NamedTuple):
    """One thing that happened. ``kind``: FEE or PENALTY of a CHARGE; INTEREST, FEE or PENALTY of a WAIVER; SHORTEN
    or LOWER of a PREPAYMENT. ``of``: the ref that a REVERSAL or a CHARGEBACK takes back. ``on`` of a CHARGE is the
    day it falls due. ``details``: what was agreed in a restructuring, plain values as `lending.engine.relief` reads
    them."""

    ref: str
    type: str
    on: date
    amount: Decimal = ZERO
    kind: str | None = None
    of: str | None = None
    details: Mapping[str, Any] | None = None


class Split(NamedTuple):
    """Where the money of one event went; the parts sum to its amount (negative for a CREDIT_REFUND)."""

    principal: Decimal = ZERO
    interest: Decimal = ZERO
    fee: Decimal = ZERO
    penalty: Decimal = ZERO
    overpaid: Decimal = ZERO
    recovered: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.principal + self.interest + self.fee + self.penalty + self.overpaid + self.recovered


class InstalmentState(NamedTuple):
    """One instalment: what is due, paid, waived and written off of each component, and the last two of all."""

    number: int
    due_on: date
    principal: Decimal
    interest: Decimal
    fee: Decimal
    penalty: Decimal
    principal_paid: Decimal = ZERO
    interest_paid: Decimal = ZERO
    fee_paid: Decimal = ZERO
    penalty_paid: Decimal = ZERO
    interest_waived: Decimal = ZERO
    fee_waived: Decimal = ZERO
    penalty_waived: Decimal = ZERO
    principal_written_off: Decimal = ZERO
    interest_written_off: Decimal = ZERO
    fee_written_off: Decimal = ZERO
    penalty_written_off: Decimal = ZERO
    waived: Decimal = ZERO
    written_off: Decimal = ZERO
    paid_on: date | None = None
    is_down_payment: bool = False
    principal_days: Decimal = ZERO  # overdue principal summed over days, from which the penalty is read

    @property
    def total(self) -> Decimal:
        return self.principal + self.interest + self.fee + self.penalty

    @property
    def paid(self) -> Decimal:
        return self.principal_paid + self.interest_paid + self.fee_paid + self.penalty_paid

    @property
    def outstanding(self) -> Decimal:
        return self.total - self.paid - self.waived - self.written_off

    @property
    def principal_outstanding(self) -> Decimal:
        return self.principal - self.principal_paid - self.principal_written_off

    @property
    def interest_outstanding(self) -> Decimal:
        return self.interest - self.interest_paid - self.interest_waived - self.interest_written_off

    @property
    def fee_outstanding(self) -> Decimal:
        return self.fee - self.fee_paid - self.fee_waived - self.fee_written_off

    @property
    def penalty_outstanding(self) -> Decimal:
        return self.penalty - self.penalty_paid - self.penalty_waived - self.penalty_written_off


@dataclass(frozen=True, slots=True)
class Overdue:
    """What should have been paid before a day and was not."""

    principal: Decimal
    interest: Decimal
    fee: Decimal
    penalty: Decimal

    @property
    def total(self) -> Decimal:
        return self.principal + self.interest + self.fee + self.penalty


class Position(NamedTuple):
    """The loan as the ledger sees it on a day; the ledger books the difference of two positions.

    ``principal`` is outstanding; ``interest``, ``fee`` and ``penalty`` are billed less paid, waived and
    written off, below zero when paid before they were billed (a penalty counts at once, interest and fees when
    they fall due); ``credit`` is what the lender owes back;
    ``*_earned`` is billed so far less waived; ``disbursed``, ``received`` (all money in), ``refunded`` (money
    paid back out), ``written_off`` and ``recovered`` are totals since the beginning. Always holds:
    principal + interest + fee + penalty - credit
    = disbursed + refunded + interest_earned + fee_earned + penalty_earned - received - written_off.
    """

    principal: Decimal
    interest: Decimal
    fee: Decimal
    penalty: Decimal
    credit: Decimal
    interest_earned: Decimal
    fee_earned: Decimal
    penalty_earned: Decimal
    disbursed: Decimal
    received: Decimal
    refunded: Decimal
    principal_written_off: Decimal
    interest_written_off: Decimal
    fee_written_off: Decimal
    penalty_written_off: Decimal
    recovered: Decimal

    @property
    def written_off(self) -> Decimal:
        return (
            self.principal_written_off
            + self.interest_written_off
            + self.fee_written_off
            + self.penalty_written_off
        )


@dataclass(slots=True)
class LoanState:
    """The loan on ``as_of``, a pure function of terms and events."""

    as_of: date
    rows: tuple[InstalmentState, ...]
    status: str
    position: Position
    overpaid: Decimal
    splits: Mapping[str, Split] = field(default_factory=dict)
    disbursed: Decimal = ZERO
    received: Decimal = ZERO
    refunded: Decimal = ZERO
    recovered: Decimal = ZERO
    matures_on: date | None = None  # the last due date, leaving out charges that came after it
    unpaid_since: date | None = None  # the first due date, past or to come, with something left to pay

    @property
    def outstanding(self) -> Decimal:
        return sum((row.outstanding for row in self.rows), ZERO)

    @property
    def principal_outstanding(self) -> Decimal:
        return sum((row.principal_outstanding for row in self.rows), ZERO)

    def overdue_since(self, as_of: date | None = None) -> date | None:
        """The oldest unpaid due date before ``as_of``."""
        day = as_of or self.as_of
        return min(
            (row.due_on for row in self.rows if row.due_on < day and row.outstanding > 0), default=None
        )

    def days_past_due(self, as_of: date | None = None) -> int:
        since = self.overdue_since(as_of)
        return ((as_of or self.as_of) - since).days if since else 0

    def overdue(self, as_of: date | None = None) -> Overdue:
        """What was due before ``as_of`` and is not paid, by component."""
        day = as_of or self.as_of
        late = [row for row in self.rows if row.due_on < day]
        return Overdue(
            principal=sum((row.principal_outstanding for row in late), ZERO),
            interest=sum((row.interest_outstanding for row in late), ZERO),
            fee=sum((row.fee_outstanding for row in late), ZERO),
            penalty=sum((row.penalty_outstanding for row in late), ZERO),
        )

    def next_due(self, as_of: date | None = None) -> InstalmentState | None:
        """The first unpaid instalment due on ``as_of`` or later."""
        day = as_of or self.as_of
        return next((row for row in self.rows if row.due_on >= day and row.outstanding > 0), None)


@dataclass(frozen=True, slots=True)
class Payoff:
    """What settles the loan on a day."""

    principal: Decimal
    interest: Decimal
    fee: Decimal
    penalty: Decimal

    @property
    def total(self) -> Decimal:
        return self.principal + self.interest + self.fee + self.penalty


def decimals_of(minors: list[int], decimals: int) -> list[Decimal]:
    return [from_minor(minor, decimals) for minor in minors]
