"""One instalment inside the fold: whole minor units, changed in place."""

from collections.abc import Callable
from datetime import date

from lending.engine.allocation import FEE, INTEREST, PENALTY, PRINCIPAL
from lending.engine.money import from_minor, from_minors
from lending.engine.schedule import PlanRow
from lending.engine.state import InstalmentState

REGULAR, DOWN_PAYMENT, EXTRA, CUT = "REGULAR", "DOWN_PAYMENT", "EXTRA", "CUT"
# A part paid ahead of its time, a payment that came back, arrears on new dates, and what a new schedule left behind.
PREPAID, RETURNED, REAGED, PAST = "PREPAID", "RETURNED", "REAGED", "PAST"
TAKES_NO_CHARGES = (DOWN_PAYMENT, PREPAID, RETURNED)


class Instalment:
    """Four lists by component (principal, interest, fee, penalty), what is left of all, when it was paid.

    ``accrued`` is the interest that its own period brings (it may fall due later), ``carried`` interest from
    elsewhere that falls due here, ``flat_fee`` the part of the fee that was agreed with the schedule, ``charges``
    what was charged since: (day, component, amount).
    ``weights`` tell how its interest grows where tranches came on the way: from each day, on an amount.
    ``late`` sums overdue principal over days (unit-days); ``penalised`` is the penalty that came of it.
    """

    __slots__ = (
        "accrued",
        "carried",
        "charges",
        "due",
        "due_on",
        "flat_fee",
        "kind",
        "late",
        "left",
        "paid",
        "paid_on",
        "penalised",
        "start_on",
        "waived",
        "weights",
        "written",
    )

    def __init__(self, start_on: date, due_on: date, kind: str = EXTRA):
        self.start_on = start_on
        self.due_on = due_on
        self.kind = kind
        self.due = [0, 0, 0, 0]
        self.paid = [0, 0, 0, 0]
        self.waived = [0, 0, 0, 0]
        self.written = [0, 0, 0, 0]
        self.left = self.accrued = self.carried = self.flat_fee = self.late = self.penalised = 0
        self.charges: list[tuple[date, int, int]] = []
        self.weights: list[tuple[date, int]] = []
        self.paid_on: date | None = None

    @classmethod
    def of_plan(cls, row: PlanRow) -> "Instalment":
        made = cls(row.start_on, row.due_on, DOWN_PAYMENT if row.is_down_payment else REGULAR)
        made.take_plan(row)
        return made

    def take_plan(self, row: PlanRow) -> None:
        """Owe what the plan says; what was charged, paid or waived stays."""
        self.due[PRINCIPAL] = row.principal
        self.due[INTEREST] = row.interest + self.carried
        self.due[FEE] += row.fee - self.flat_fee
        self.accrued, self.flat_fee = row.accrued, row.fee
        self.recount()

    def owed(self, component: int) -> int:
        return self.due[component] - self.paid[component] - self.waived[component] - self.written[component]

    def recount(self) -> None:
        self.left = sum(self.due) - sum(self.paid) - sum(self.waived) - sum(self.written)
        if self.left:
            self.paid_on = None

    def add_due(self, component: int, amount: int) -> None:
        self.due[component] += amount
        self.left += amount
        if self.left:
            self.paid_on = None

    def charge(self, day: date, component: int, amount: int) -> None:
        self.charges.append((day, component, amount))
        self.add_due(component, amount)

    def charged(self, component: int, until: date = date.max) -> int:
        return sum(amount for day, of, amount in self.charges if of == component and day <= until)

    def penalise(self, amount: int) -> None:
        """Late interest that has accrued since the last reckoning."""
        self.penalised += amount
        self.add_due(PENALTY, amount)

    def buckets(self) -> tuple[list[int], ...]:
        return self.due, self.paid, self.waived, self.written

    def pay(self, component: int, amount: int, day: date) -> int:
        """Take up to ``amount`` for one component; returns what was taken."""
        taken = min(amount, self.owed(component))
        if taken <= 0:
            return 0
        self.paid[component] += taken
        self._leave(taken, day)
        return taken

    def waive(self, component: int, amount: int, day: date) -> int:
        taken = min(amount, self.owed(component))
        if taken <= 0:
            return 0
        self.waived[component] += taken
        self._leave(taken, day)
        return taken

    def take_away(self, component: int, day: date) -> int:
        """Owe none of a component here any more; returns what was owed, for it is owed elsewhere."""
        owed = self.owed(component)
        self.due[component] -= owed
        self._leave(owed, day)
        return owed

    def swallow(self, other: "Instalment") -> None:
        """Owe, and have been paid, what stood on another instalment."""
        for mine, theirs in zip(self.buckets(), other.buckets(), strict=True):
            for component in range(4):
                mine[component] += theirs[component]
        self.flat_fee += other.flat_fee
        self.carried += other.carried
        self.charges += other.charges
        self.recount()

    def release(self, day: date, note: Callable[[int, int], None]) -> int:
        """Give back what was paid beyond what is due now, telling ``note`` of each component; returns all of it."""
        surplus = 0
        for component in range(4):
            given_up = self.waived[component] + self.written[component]
            self.due[component] = max(self.due[component], given_up)
            over = self.paid[component] + given_up - self.due[component]
            if over > 0:
                self.paid[component] -= over
                note(component, over)
                surplus += over
        self.recount()
        self.paid_on = None if self.left else self.paid_on or day
        return surplus

    def _leave(self, amount: int, day: date) -> None:
        self.left -= amount
        if not self.left:
            self.paid_on = day

    def state(self, number: int, places: int) -> InstalmentState:
        waived, written = self.waived, self.written
        parts = (*self.due, *self.paid, *waived[1:], *written, sum(waived), sum(written))
        amounts = from_minors(parts, places)
        late = from_minor(self.late, places)
        paid_on = None if self.left else self.paid_on
        is_down_payment = self.kind == DOWN_PAYMENT
        return InstalmentState._make((number, self.due_on, *amounts, paid_on, is_down_payment, late))
