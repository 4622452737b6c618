"""Early settlement: interest for the days used and no more."""

from collections.abc import Sequence
from datetime import date

from lending.engine.allocation import FEE, INTEREST, PENALTY, PRINCIPAL
from lending.engine.instalment import EXTRA, Instalment
from lending.engine.loan import Loan
from lending.engine.money import from_minor, round_ratio
from lending.engine.payment import pay
from lending.engine.periods import part
from lending.engine.state import Event, Payoff
from lending.engine.terms import Method, Terms


def payoff(terms: Terms, events: Sequence[Event], on: date) -> Payoff:
    """What settles the loan on ``on``: everything billed and unpaid, the principal that is left, and the
    interest of the running period to that day (Civil Code art. 677: only for the days used). Fees per
    instalment of the future are waived unless the terms say settlement_fee CHARGE."""
    from lending.engine.replay import fold

    loan = fold(terms, events, on)
    cut(loan, on)
    owed = [sum(row.owed(component) for row in loan.rows) for component in range(4)]
    places = terms.decimals
    return Payoff(
        principal=from_minor(owed[PRINCIPAL], places),
        interest=from_minor(owed[INTEREST], places),
        fee=from_minor(owed[FEE], places),
        penalty=from_minor(owed[PENALTY], places),
    )


def settle(loan: Loan, event: Event, amount: int) -> None:
    """Cut the schedule on the day, then allocate the money."""
    cut(loan, event.on)
    if amount:
        pay(loan, event, amount)


def cut(loan: Loan, on: date) -> None:
    """Rows due after ``on`` become one row due on ``on``: their principal, what they were charged, and the
    interest of the running period up to the day. What they had been paid stays paid."""
    future = [row for row in loan.rows if row.due_on > on]
    if not future:
        return
    one = Instalment(future[0].start_on, on, [0, 0, 0, 0], EXTRA)
    for row in future:
        for component in range(4):
            one.due[component] += row.due[component]
            one.paid[component] += row.paid[component]
            one.waived[component] += row.waived[component]
            one.written[component] += row.written[component]
    floor = one.paid[INTEREST] + one.waived[INTEREST] + one.written[INTEREST]
    one.due[INTEREST] = max(_interest_to(loan, future, on), floor)
    loan.rows = [row for row in loan.rows if row.due_on <= on] + [one]


def _interest_to(loan: Loan, future: list[Instalment], on: date) -> int:
    terms = loan.terms
    running = [row for row in future if row.start_on < on]
    if not running or terms.method == Method.BULLET:
        return sum(_share(terms, row, on) for row in running)
    return sum(_share(terms, row, on) for row in running)


def _share(terms: Terms, row: Instalment, on: date) -> int:
    num, den = part(terms, row.start_on, row.due_on, on)
    return round_ratio(row.due[INTEREST] * (on - row.start_on).days, (row.due_on - row.start_on).days)
