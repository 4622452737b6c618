"""The loan inside the fold: its rows, its credit, and where each event's money went."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

from lending.engine.allocation import FEE, INTEREST
from lending.engine.instalment import EXTRA, TAKES_NO_CHARGES, Instalment
from lending.engine.money import from_minor, from_minors
from lending.engine.periods import Period
from lending.engine.state import Event, LoanState, Position, Split
from lending.engine.terms import Terms

OVERPAID, RECOVERED = 4, 5
FROM_CUSTOMER = ("REPAYMENT", "SETTLEMENT", "PREPAYMENT")


class Loan:
    """Mutable, whole minor units, known only to the fold."""

    def __init__(self, terms: Terms):
        self.terms = terms
        self.rows: list[Instalment] = []
        self.tranches: list[tuple[date, int]] = []  # day and amount beyond the down payment
        self.credits: list[tuple[Event, int]] = []  # what is still overpaid, oldest first
        self.payments: dict[
            str, int
        ] = {}  # what of each payment of the customer the bank could still take back
        self.splits: dict[str, list[int]] = defaultdict(lambda: [0] * 6)
        self.status: str | None = None
        self.disbursed = self.received = self.refunded = self.recovered = 0
        self.base = 0  # what flat interest and flat fees are counted on
        self.steps: list[Period] | None = None  # the periods, where they are not those of the terms any more
        self.brought = 0  # interest that accrued in periods that were cut short
        self.is_uneven = False  # those periods need not be equal where the terms say so
        self.bears = False  # deferred interest joins the balance and bears interest itself
        self.skipped: set[date] = set()  # due dates of a payment holiday
        self.penalised_to: date | None = None
        self.is_capped = self.is_cut = self.is_accelerated = False

    def money(self, minor: int) -> Decimal:
        return from_minor(minor, self.terms.decimals)

    def note(self, ref: str, component: int, amount: int) -> None:
        """Book where money of an event went, for its split."""
        if amount:
            self.splits[ref][component] += amount

    def row_of_charge(self, day: date) -> Instalment:
        """The row with previous due < day <= due, never one that a payment made. Charges past the last due date share
        one row of their own, due with the latest of them."""
        for row in self.rows:
            if row.due_on >= day and row.kind not in TAKES_NO_CHARGES:
                return row
        return self.extra_row(day)

    def extra_row(self, day: date) -> Instalment:
        """The row after the agreed ones, due on ``day``; it is made when first needed."""
        last = self.rows[-1]
        if last.kind == EXTRA:
            last.due_on = max(last.due_on, day)
            return last
        row = Instalment(last.due_on, max(last.due_on, day))
        self.rows.append(row)
        return row

    def insert(self, row: Instalment) -> None:
        """A row of its own after all that are due by its day."""
        self.rows.insert(sum(1 for other in self.rows if other.due_on <= row.due_on), row)

    def receive(self, event: Event, amount: int) -> None:
        self.received += amount
        if event.type in FROM_CUSTOMER:
            self.payments[event.ref] = amount

    def add_credit(self, event: Event, amount: int) -> None:
        if amount:
            self.credits.append((event, amount))
            self.note(event.ref, OVERPAID, amount)

    def take_credits(self) -> list[tuple[Event, int]]:
        """Take all credit out, to be spent; what is left comes back by ``add_credit``."""
        credits, self.credits = self.credits, []
        for event, amount in credits:
            self.note(event.ref, OVERPAID, -amount)
        return credits

    @property
    def overpaid(self) -> int:
        return sum(amount for _, amount in self.credits)

    def state(self, as_of: date) -> LoanState:
        places = self.terms.decimals
        return LoanState(
            as_of=as_of,
            rows=tuple(row.state(number, places) for number, row in enumerate(self.rows, 1)),
            status=self._status(),
            position=self._position(as_of),
            overpaid=from_minor(self.overpaid, places),
            splits={ref: Split._make(from_minors(parts, places)) for ref, parts in self.splits.items()},
            disbursed=from_minor(self.disbursed, places),
            received=from_minor(self.received, places),
            refunded=from_minor(self.refunded, places),
            recovered=from_minor(self.recovered, places),
            matures_on=max((row.due_on for row in self.rows if row.kind != EXTRA), default=None),
            unpaid_since=min((row.due_on for row in self.rows if row.left > 0), default=None),
        )

    def _position(self, as_of: date) -> Position:
        """Principal and penalties count at once, interest and fees when they fall due."""
        due = _sums([row.due for row in self.rows])
        billed = _sums([row.due for row in self.rows if row.due_on <= as_of])
        due[INTEREST], due[FEE] = billed[INTEREST], billed[FEE]
        paid = _sums([row.paid for row in self.rows])
        waived = _sums([row.waived for row in self.rows])
        written = _sums([row.written for row in self.rows])
        earned = [one - less for one, less in zip(due, waived, strict=True)]
        owed = [one - less - gone for one, less, gone in zip(earned, paid, written, strict=True)]
        totals = (self.disbursed, self.received, self.refunded, *written, self.recovered)
        parts = (*owed, self.overpaid, *earned[INTEREST:], *totals)
        return Position._make(from_minors(parts, self.terms.decimals))

    def _status(self) -> str:
        if self.status:
            return self.status
        if not self.disbursed:
            return "APPROVED"
        if any(row.left for row in self.rows):
            return "ACCELERATED" if self.is_accelerated else "ACTIVE"
        return "OVERPAID" if self.credits else "SETTLED"


def _sums(rows: list[list[int]]) -> list[int]:
    """By component."""
    return [sum(column) for column in zip(*rows, strict=True)] or [0, 0, 0, 0]
