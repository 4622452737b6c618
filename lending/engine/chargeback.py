"""A payment that the bank took back: what it had paid is owed again from that day.

Unlike a REVERSAL it does not undo the past: the payment stood until then, and so do the penalties that it spared.
"""

from lending.engine.allocation import FEE, INTEREST, PENALTY, PRINCIPAL
from lending.engine.errors import EventError
from lending.engine.instalment import RETURNED, Instalment
from lending.engine.loan import OVERPAID, Loan
from lending.engine.payment import use_credit
from lending.engine.state import Event

# What came last in the usual order of payment goes first.
ORDER = (PRINCIPAL, INTEREST, FEE, PENALTY)


def charge_back(loan: Loan, event: Event, amount: int) -> None:
    """Take ``amount`` of the payment ``of`` back, first from its credit. What it had paid on instalments that have
    fallen due falls due again on the day, on an instalment of its own; those not yet due simply owe it again."""
    standing = loan.payments.get(event.of or "", 0)
    if amount > standing:
        raise EventError(event.ref, f"takes back more than {event.of!r} has paid")
    loan.payments[event.of or ""] = standing - amount
    loan.refunded += amount
    left = amount - _from_credit(loan, event, amount)
    returned = Instalment(event.on, event.on, RETURNED)
    paid = list(loan.splits[event.of or ""])
    for component in ORDER:
        left -= _from_rows(loan, event, returned, component, min(left, max(paid[component], 0)))
    for component in ORDER:
        left -= _from_rows(loan, event, returned, component, left)
    if left:  # its credit was paid out to the customer since
        loan.note(event.ref, PRINCIPAL, -left)
        returned.add_due(PRINCIPAL, left)
    if returned.left:
        loan.insert(returned)
    use_credit(loan)


def _from_credit(loan: Loan, event: Event, amount: int) -> int:
    left = amount
    for source, credit in loan.take_credits():
        taken = min(credit, left) if source.ref == event.of else 0
        left -= taken
        loan.note(event.ref, OVERPAID, -taken)
        loan.note(source.ref, OVERPAID, taken)
        loan.add_credit(source, credit - taken)
    return amount - left


def _from_rows(loan: Loan, event: Event, returned: Instalment, component: int, amount: int) -> int:
    """Take money back from the instalments that hold it, the latest first; returns what was found."""
    left = amount
    for row in reversed(loan.rows):
        if not left:
            break
        taken = min(left, row.paid[component])
        row.paid[component] -= taken
        left -= taken
        if row.due_on > event.on:
            row.recount()
        else:
            row.due[component] -= taken
            returned.add_due(component, taken)
    loan.note(event.ref, component, left - amount)
    return amount - left
