"""A part of the principal paid ahead of its time: the instalments after it get fewer or smaller."""

from collections.abc import Sequence

from lending.engine.allocation import PRINCIPAL
from lending.engine.course import is_flat, planned_principal, reshare, respread, rest_of
from lending.engine.errors import EventError
from lending.engine.instalment import PREPAID, Instalment
from lending.engine.loan import Loan
from lending.engine.money import round_ratio
from lending.engine.payment import OLDEST_FIRST, Wallet, allocate
from lending.engine.state import Event
from lending.engine.terms import Method

SHORTEN, LOWER = "SHORTEN", "LOWER"


def prepay(loan: Loan, event: Event, amount: int) -> None:
    """Pay what has fallen due, then principal that has not, on an instalment of its own dated the day; the course of
    the rest is planned anew. Interest counts on what was owed on each day of the running period."""
    if event.kind not in (SHORTEN, LOWER):
        raise EventError(event.ref, "kind of a prepayment must be SHORTEN or LOWER")
    loan.receive(event, amount)
    wallet = Wallet(loan, event, event.on, amount)
    for row in loan.rows:
        if row.left and row.due_on <= event.on:
            wallet.spend_on(row, OLDEST_FIRST)
    rest = rest_of(loan, event.on)
    ahead = min(wallet.amount, sum(row.owed(PRINCIPAL) for row in rest.after))
    if ahead:
        _pay_ahead(loan, event, ahead)
        left = planned_principal(rest.after) - ahead
        _plan_less(loan, event, ahead, left)
    loan.add_credit(event, allocate(loan, event, event.type, event.on, wallet.amount - ahead))


def _pay_ahead(loan: Loan, event: Event, amount: int) -> None:
    row = Instalment(event.on, event.on, PREPAID)
    row.add_due(PRINCIPAL, amount)
    row.pay(PRINCIPAL, amount, event.on)
    loan.note(event.ref, PRINCIPAL, amount)
    loan.insert(row)


def _plan_less(loan: Loan, event: Event, ahead: int, left: int) -> None:
    """Flat interest and flat fees fall in the proportion in which the principal not yet due does."""
    rest = rest_of(loan, event.on)
    less = round_ratio(loan.base * ahead, left + ahead, loan.terms.rounding)
    loan.base -= less
    loan.tranches.append((event.on, -(less if is_flat(loan) else ahead)))
    keeps_level = event.kind == SHORTEN or not left
    if loan.terms.method == Method.CUSTOM and not keeps_level:
        reshare(loan, rest, _shares(rest.after), left)
    respread(loan, event, rest, left, keeps_level=keeps_level)


def _shares(rows: Sequence[Instalment]) -> list[int]:
    return [row.due[PRINCIPAL] for row in rows]
