"""Money in: which parts of which instalments a payment pays.

An instalment due before the payment's day is past due, due on it due, due after it in advance.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from lending.engine.allocation import FEE, INTEREST, PARTS, PENALTY, PRINCIPAL, Allocation, Rule
from lending.engine.instalment import Instalment
from lending.engine.loan import Loan
from lending.engine.money import round_ratio
from lending.engine.state import Event

OLDEST_FIRST = (PENALTY, FEE, INTEREST, PRINCIPAL)
PRINCIPAL_FIRST = (PRINCIPAL, PENALTY, FEE, INTEREST)
PAST_DUE, DUE, IN_ADVANCE = range(3)


def pay(loan: Loan, event: Event, amount: int) -> None:
    """Allocate a payment; what nothing is owed for becomes credit."""
    loan.receive(event, amount)
    loan.add_credit(event, allocate(loan, event, event.type, event.on, amount))


def use_credit(loan: Loan) -> None:
    """What was overpaid pays what has come to be owed, each payment by its own rule and day."""
    for event, amount in loan.take_credits():
        loan.add_credit(event, allocate(loan, event, event.type, event.on, amount))


def use_credit_on(loan: Loan, day: date) -> None:
    """What was overpaid pays what a disbursement has made owed, by the default rule and on its day."""
    for event, amount in loan.take_credits():
        loan.add_credit(event, allocate(loan, event, "DEFAULT", day, amount))


def allocate(loan: Loan, event: Event, rule_name: str, day: date, amount: int) -> int:
    """Spend ``amount`` on what is owed, noting where it went under the event; returns what is left."""
    wallet = Wallet(loan, event, day, amount)
    allocation = loan.terms.allocation
    if isinstance(allocation, Allocation):
        run = _horizontal if allocation.processing == "HORIZONTAL" else _vertical
        run(wallet, allocation.rule_for(rule_name))
    elif allocation == "DUE_THEN_PRINCIPAL":
        _due_then_principal(wallet)
    else:
        _oldest_first(wallet)
    return wallet.amount


class Wallet:
    """The money of one payment while it is spent."""

    __slots__ = ("amount", "day", "rows", "rounding", "split")

    def __init__(self, loan: Loan, event: Event, day: date, amount: int):
        self.rows = loan.rows
        self.rounding = loan.terms.rounding
        self.split = loan.splits[event.ref]
        self.day = day
        self.amount = amount

    def spend_on(self, row: Instalment, components: Sequence[int]) -> None:
        """Pay a row component by component until the money or the row is done."""
        for component in components:
            if not (self.amount and row.left):
                return
            if row.owed(component) > 0:
                self.spend(row, component, self.amount)

    def spend(self, row: Instalment, component: int, limit: int) -> int:
        taken = row.pay(component, min(limit, self.amount), self.day)
        if taken:
            self.split[component] += taken
            self.amount -= taken
        return taken

    def open_rows(self, when: int) -> list[Instalment]:
        """Rows with something left that are past due, due or in advance on the day of the payment."""
        if when == PAST_DUE:
            return [row for row in self.rows if row.left and row.due_on < self.day]
        if when == DUE:
            return [row for row in self.rows if row.left and row.due_on == self.day]
        return [row for row in self.rows if row.left and row.due_on > self.day]


def _oldest_first(wallet: Wallet) -> None:
    """Instalment by instalment: penalty, fee, interest, principal."""
    for row in wallet.rows:
        if row.left:
            wallet.spend_on(row, OLDEST_FIRST)
            if not wallet.amount:
                return


def _due_then_principal(wallet: Wallet) -> None:
    """Instalment by instalment: what is due as penalty, fee, interest, principal; of an instalment not yet
    due first the charges whose day has come, then principal, penalty, fee, interest."""
    for row in wallet.rows:
        if not wallet.amount:
            return
        if row.due_on <= wallet.day:
            wallet.spend_on(row, OLDEST_FIRST)
            continue
        for component in (PENALTY, FEE):
            come = row.charged(component, wallet.day) - row.paid[component] - row.waived[component]
            wallet.spend(row, component, max(come, 0))
        wallet.spend_on(row, PRINCIPAL_FIRST)


def _horizontal(wallet: Wallet, rule: Rule) -> None:
    """One instalment is finished before the next; the groups run in the order in which the rule has them."""
    for when, components in rule.groups:
        if when == IN_ADVANCE and rule.future == "REAMORTISE":
            _spread_over_all(wallet, components)
            continue
        rows = wallet.open_rows(when)
        for row in _in_turn(rows, rule.future, wallet.day) if when == IN_ADVANCE else rows:
            wallet.spend_on(row, components)


def _vertical(wallet: Wallet, rule: Rule) -> None:
    """One component is finished before the next, over all instalments that owe it."""
    for name in rule.order:
        if not wallet.amount:
            return
        when, component = PARTS[name]
        rows = [row for row in wallet.open_rows(when) if row.owed(component) > 0]
        if when == IN_ADVANCE and rule.future == "REAMORTISE":
            while wallet.amount and rows and _spread(wallet, rows, component):
                rows = [row for row in rows if row.owed(component) > 0]
            continue
        for row in _in_turn(rows, rule.future, wallet.day) if when == IN_ADVANCE else rows:
            wallet.spend(row, component, wallet.amount)


def _in_turn(rows: list[Instalment], future: str, day: date) -> Iterator[Instalment]:
    """Instalments in advance in the order of the rule: NEXT the earliest first, LAST the latest first,
    NEXT_LAST the running one and then the latest first."""
    if future == "NEXT":
        return iter(rows)
    if future == "NEXT_LAST":
        running = [row for row in rows if row.start_on <= day]
        return iter(running + [row for row in reversed(rows) if row.start_on > day])
    return reversed(rows)


def _spread_over_all(wallet: Wallet, components: Sequence[int]) -> None:
    """Re-amortise: component by component an even part to each instalment in advance, while any fits."""
    while wallet.amount and (rows := wallet.open_rows(IN_ADVANCE)):
        before = wallet.amount
        for component in components:
            _spread(wallet, rows, component)
        if wallet.amount == before:
            return


def _spread(wallet: Wallet, rows: Sequence[Instalment], component: int) -> bool:
    """An even part of the money to each row, rounded, the difference to the last; whether any was taken."""
    count = len(rows)
    even = round_ratio(wallet.amount, count, wallet.rounding)
    last = wallet.amount - even * (count - 1)
    if last < 0:
        even = wallet.amount // count
        last = wallet.amount - even * (count - 1)
    before = wallet.amount
    for row in rows[:-1]:
        wallet.spend(row, component, even)
    wallet.spend(rows[-1], component, last)
    return wallet.amount < before
