"""Money in: which parts of which instalments a payment pays."""

from lending.engine.allocation import FEE, INTEREST, PENALTY, PRINCIPAL, Allocation
from lending.engine.errors import EventError
from lending.engine.loan import Loan
from lending.engine.state import Event

OLDEST_FIRST = (PENALTY, FEE, INTEREST, PRINCIPAL)


def pay(loan: Loan, event: Event, amount: int) -> None:
    """Allocate a payment; what nothing owes becomes credit."""
    if loan.status == "WRITTEN_OFF":
        raise EventError(event.ref, "the loan is written off: money is a RECOVERY")
    loan.received += amount
    if isinstance(loan.terms.allocation, Allocation):
        left = amount
    else:
        left = oldest_first(loan, event, amount)
    loan.add_credit(event.ref, left)


def oldest_first(loan: Loan, event: Event, amount: int) -> int:
    split = loan.splits[event.ref]
    for row in loan.rows:
        if not amount:
            break
        if row.paid_on is None:
            for component in OLDEST_FIRST:
                taken = row.pay(component, amount)
                split[component] += taken
                amount -= taken
            row.settle_on(event.on)
    return amount
