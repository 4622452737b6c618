"""Early settlement: interest for the days used and no more."""

from collections.abc import Sequence
from datetime import date

from lending.engine.allocation import FEE, INTEREST, PENALTY, PRINCIPAL
from lending.engine.daycount import Ratio
from lending.engine.instalment import CUT, DOWN_PAYMENT, Instalment
from lending.engine.loan import Loan
from lending.engine.money import from_minor, round_ratio
from lending.engine.payment import pay
from lending.engine.periods import used
from lending.engine.state import Event, Payoff
from lending.engine.terms import Terms

MONEY_ORDER = (PENALTY, FEE, INTEREST, PRINCIPAL)


def payoff_of(loan: Loan, on: date) -> Payoff:
    """What settles the folded loan on ``on``."""
    cut(loan, Event("", "SETTLEMENT", on))
    credit = loan.overpaid
    owed = [sum(row.owed(component) for row in loan.rows) for component in range(4)]
    for component in MONEY_ORDER:
        taken = min(credit, owed[component])
        owed[component] -= taken
        credit -= taken
    return Payoff(*[from_minor(amount, loan.terms.decimals) for amount in owed])


def settle(loan: Loan, event: Event, amount: int) -> None:
    """Cut the schedule on the day, then allocate the money."""
    cut(loan, event)
    if amount:
        pay(loan, event, amount)


def cut(loan: Loan, event: Event, *, drops_fees: bool = False) -> None:
    """Rows due after the day become one row due on it: their principal, their charges, and the interest of
    the running period for the days used. Money that had paid more interest or fees pays principal instead."""
    loan.is_cut = True
    future = [row for row in loan.rows if row.due_on > event.on]
    if not future:
        return
    past = [row for row in loan.rows if row.due_on <= event.on]
    accrued = _interest_to(loan, event.on)
    one = _merged(future, event.on)
    one.due[INTEREST] = max(accrued - sum(row.due[INTEREST] for row in past), one.waived[INTEREST])
    if drops_fees or loan.terms.settlement_fee == "WAIVE":
        one.due[FEE] = max(one.due[FEE] - one.flat_fee, one.waived[FEE])
    one.flat_fee = one.carried = 0
    _move_surplus(loan, event, one)
    one.recount()
    if not one.left:
        one.paid_on = event.on
    loan.rows = [*past, one]
    loan.brought = accrued - sum(row.accrued for row in past)


def _merged(rows: Sequence[Instalment], on: date) -> Instalment:
    one = Instalment(rows[0].start_on, on, CUT)
    for row in rows:
        one.swallow(row)
    return one


def _interest_to(loan: Loan, on: date) -> int:
    """Interest that has accrued by ``on``: whole periods that are over, and the running one by its days."""
    total = loan.brought
    for row in loan.rows:
        if row.due_on <= on:
            total += row.accrued
        elif row.start_on < on and row.kind != DOWN_PAYMENT:
            num, den = _share(loan.terms, row, on)
            total += round_ratio(row.accrued * num, den, loan.terms.rounding)
    return total


def _share(terms: Terms, row: Instalment, on: date) -> Ratio:
    """The part of a running row's interest that has accrued; tranches grow from their own days."""
    if not row.weights:
        return used(terms, row.start_on, row.due_on, on)
    grown = sum(amount * max((on - day).days, 0) for day, amount in row.weights)
    return grown, sum(amount * (row.due_on - day).days for day, amount in row.weights)


def _move_surplus(loan: Loan, event: Event, one: Instalment) -> None:
    """Interest and fees paid ahead for days that are not used turn into principal, then into credit."""
    surplus = 0
    for component in (PENALTY, FEE, INTEREST, PRINCIPAL):
        room = one.due[component] - one.waived[component] - one.written[component]
        over = max(one.paid[component] - room, 0)
        one.paid[component] -= over
        loan.note(event.ref, component, -over)
        surplus += over
    for component in MONEY_ORDER:
        taken = min(surplus, max(one.owed(component), 0))
        one.paid[component] += taken
        loan.note(event.ref, component, taken)
        surplus -= taken
    loan.add_credit(event, surplus)
