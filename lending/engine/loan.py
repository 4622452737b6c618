"""The loan inside the fold: its rows, its credit, and where each event's money went."""

from collections import defaultdict
from datetime import date

from lending.engine.instalment import DOWN_PAYMENT, EXTRA, Instalment
from lending.engine.money import from_minor
from lending.engine.state import LoanState, Split
from lending.engine.terms import Terms

OVERPAID, RECOVERED = 4, 5


class Loan:
    """Mutable, whole minor units, known only to the fold."""

    def __init__(self, terms: Terms):
        self.terms = terms
        self.rows: list[Instalment] = []
        self.tranches: list[tuple[date, int]] = []
        self.credits: list[list] = []  # [ref, amount still overpaid], oldest first
        self.splits: dict[str, list[int]] = defaultdict(lambda: [0] * 6)
        self.status: str | None = None
        self.disbursed = self.received = self.refunded = self.recovered = 0
        self.penalised_to: date | None = None

    def note(self, ref: str, component: int, amount: int) -> None:
        self.splits[ref][component] += amount

    def note_recovered(self, ref: str, amount: int) -> None:
        self.splits[ref][RECOVERED] += amount

    def row_of_charge(self, day: date) -> Instalment:
        """The row with previous due < day <= due; after the last due date a row of its own on that day."""
        for row in self.rows:
            if row.due_on >= day and row.kind != DOWN_PAYMENT:
                return row
        return self.add_row(day)

    def row_for_debt(self, day: date) -> Instalment:
        return next((row for row in self.rows if row.due_on >= day), None) or self.add_row(day)

    def add_row(self, day: date) -> Instalment:
        start = self.rows[-1].due_on
        row = Instalment(start, day, [0, 0, 0, 0], EXTRA)
        self.rows.append(row)
        return row

    def add_credit(self, ref: str, amount: int) -> None:
        if amount:
            self.credits.append([ref, amount])
            self.splits[ref][OVERPAID] += amount

    def take_credit(self, ref: str, amount: int) -> int:
        """Pay ``amount`` out of the credit, oldest first; returns what the credit could not bear."""
        paid_out = 0
        for credit in self.credits:
            taken = min(credit[1], amount - paid_out)
            credit[1] -= taken
            paid_out += taken
        self.splits[ref][OVERPAID] -= paid_out
        self.splits[ref][0] -= amount - paid_out
        return amount - paid_out

    def use_credit(self, day: date) -> None:
        """What was overpaid pays what has come to be owed, oldest money and oldest row first."""
        for credit in self.credits:
            for row in self.rows:
                if not credit[1]:
                    break
                for component in (3, 2, 1, 0):
                    taken = row.pay(component, credit[1])
                    if taken:
                        credit[1] -= taken
                        split = self.splits[credit[0]]
                        split[component] += taken
                        split[OVERPAID] -= taken
                        row.settle_on(day)
        self.credits = [credit for credit in self.credits if credit[1]]

    @property
    def overpaid(self) -> int:
        return sum(amount for _, amount in self.credits)

    def state(self, as_of: date) -> LoanState:
        places = self.terms.decimals
        return LoanState(
            as_of=as_of,
            rows=tuple(row.state(number, places) for number, row in enumerate(self.rows, 1)),
            status=self._status(),
            overpaid=from_minor(self.overpaid, places),
            splits={
                ref: Split(*(from_minor(part, places) for part in parts)) for ref, parts in self.splits.items()
            },
            disbursed=from_minor(self.disbursed, places),
            received=from_minor(self.received, places),
            refunded=from_minor(self.refunded, places),
            recovered=from_minor(self.recovered, places),
        )

    def _status(self) -> str:
        if self.status:
            return self.status
        if not self.disbursed:
            return "APPROVED"
        if any(row.total_owed() for row in self.rows):
            return "ACTIVE"
        return "OVERPAID" if self.credits else "SETTLED"
