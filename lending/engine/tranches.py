"""Money out: the first disbursement makes the schedule, a later one raises what is owed after it."""

from dataclasses import replace

from lending.engine.errors import EventError
from lending.engine.instalment import Instalment
from lending.engine.loan import Loan
from lending.engine.money import from_minor
from lending.engine.schedule import plan
from lending.engine.state import Event
from lending.engine.terms import Terms


def disburse(loan: Loan, event: Event, amount: int) -> None:
    loan.tranches.append((event.on, amount))
    loan.disbursed += amount
    if len(loan.tranches) > 1:
        raise EventError(event.ref, "a second disbursement")
    loan.rows = [Instalment.of_plan(row) for row in plan(_terms_of_first(loan.terms, event, amount))]


def _terms_of_first(terms: Terms, event: Event, amount: int) -> Terms:
    """The terms as disbursed: the day and the amount that really went out."""
    principal = from_minor(amount, terms.decimals)
    if event.on == terms.disbursed_on and principal == terms.principal:
        return terms
    return replace(terms, disbursed_on=event.on, principal=principal)
