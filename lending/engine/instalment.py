"""One instalment inside the fold: whole minor units, changed in place."""

from datetime import date

from lending.engine.allocation import PENALTY, PRINCIPAL
from lending.engine.money import from_minor
from lending.engine.schedule import PlanRow
from lending.engine.state import InstalmentState

REGULAR, DOWN_PAYMENT, EXTRA = "REGULAR", "DOWN_PAYMENT", "EXTRA"


class Instalment:
    """Four lists by component (principal, interest, fee, penalty) and the day it became fully paid.

    ``late`` is the sum over days of overdue principal (unit-days), from which penalty is read unrounded;
    ``charged_penalty`` is the penalty that charges put here, apart from the accrued one.
    """

    __slots__ = ("start_on", "due_on", "kind", "due", "paid", "waived", "written", "paid_on", "late", "charged")

    def __init__(self, start_on: date, due_on: date, due: list[int], kind: str = REGULAR):
        self.start_on = start_on
        self.due_on = due_on
        self.kind = kind
        self.due = due
        self.paid = [0, 0, 0, 0]
        self.waived = [0, 0, 0, 0]
        self.written = [0, 0, 0, 0]
        self.paid_on: date | None = None
        self.late = 0
        self.charged = 0

    @classmethod
    def of_plan(cls, row: PlanRow) -> "Instalment":
        kind = DOWN_PAYMENT if row.is_down_payment else REGULAR
        return cls(row.start_on, row.due_on, [row.principal, row.interest, row.fee, 0], kind)

    def owed(self, component: int) -> int:
        return self.due[component] - self.paid[component] - self.waived[component] - self.written[component]

    def total_owed(self) -> int:
        return sum(self.due) - sum(self.paid) - sum(self.waived) - sum(self.written)

    def pay(self, component: int, amount: int) -> int:
        """Take up to ``amount`` for one component; returns what was taken."""
        taken = min(amount, self.owed(component))
        if taken <= 0:
            return 0
        self.paid[component] += taken
        return taken

    def settle_on(self, day: date) -> None:
        """Note the day of the last payment that left nothing owed; a later charge opens it again."""
        if self.total_owed():
            self.paid_on = None
        elif self.paid_on is None:
            self.paid_on = day

    def set_penalty(self, accrued: int) -> None:
        self.due[PENALTY] = self.charged + accrued

    def owed_principal(self) -> int:
        return self.owed(PRINCIPAL)

    def state(self, number: int, places: int) -> InstalmentState:
        due, paid, waived, written = (
            [from_minor(minor, places) for minor in part]
            for part in (self.due, self.paid, self.waived, self.written)
        )
        return InstalmentState(
            number,
            self.due_on,
            *due,
            *paid,
            *waived[1:],
            *written,
            self.paid_on,
            self.kind == DOWN_PAYMENT,
            from_minor(self.late, places),
        )
