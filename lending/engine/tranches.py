"""Money out: the first disbursement makes the schedule, a later one raises what is owed after it."""

from dataclasses import replace
from datetime import date

from lending.engine.allocation import INTEREST, PRINCIPAL, Allocation
from lending.engine.course import following_periods, planned_principal, respread, rest_of
from lending.engine.errors import EventError, TermsError
from lending.engine.instalment import DOWN_PAYMENT, REGULAR, Instalment
from lending.engine.loan import Loan
from lending.engine.money import from_minor, round_ratio
from lending.engine.payment import use_credit_on
from lending.engine.periods import within
from lending.engine.schedule import down_payment, plan
from lending.engine.state import Event
from lending.engine.terms import Terms


def disburse(loan: Loan, event: Event, amount: int) -> None:
    """Pay out; raises EventError when the day or the amount does not fit the terms, or after a settlement."""
    if loan.is_cut:
        raise EventError(event.ref, "comes after the settlement")
    loan.disbursed += amount
    if not loan.rows:
        loan.terms = _terms_of_first(loan.terms, event, amount)
        loan.rows = [Instalment.of_plan(row) for row in plan(loan.terms)]
        loan.base = amount - down_payment(loan.terms, amount)
        loan.tranches.append((event.on, loan.base))
        return
    down = down_payment(loan.terms, amount)
    if down:
        _add_down_payment(loan, event.on, down)
    loan.tranches.append((event.on, amount - down))
    loan.base += amount - down
    _add_principal(loan, event, amount - down)
    use_credit_on(loan, event.on)


def _terms_of_first(terms: Terms, event: Event, amount: int) -> Terms:
    """The terms as disbursed: the day and the amount that really went out."""
    principal = from_minor(amount, terms.decimals)
    if event.on == terms.disbursed_on and principal == terms.principal:
        return terms
    try:
        return replace(terms, disbursed_on=event.on, principal=principal)
    except TermsError as error:
        raise EventError(event.ref, f"does not fit the terms: {error}") from None


def _add_down_payment(loan: Loan, day: date, amount: int) -> None:
    row = Instalment(day, day, DOWN_PAYMENT)
    row.add_due(PRINCIPAL, amount)
    loan.insert(row)


def _add_principal(loan: Loan, event: Event, amount: int) -> None:
    """Share the new principal over the instalments due after the day; past them it is owed in its own row."""
    rest = rest_of(loan, event.on)
    if rest.after:
        respread(loan, event, rest, amount + planned_principal(rest.after))
    elif isinstance(loan.terms.allocation, Allocation):
        last = rest.regular[-1]
        row = last if last.due_on == event.on else loan.extra_row(event.on)
        row.add_due(PRINCIPAL, amount)
    else:
        _add_period(loan, event.on, amount)


def _add_period(loan: Loan, day: date, amount: int) -> None:
    """A disbursement after the last due date goes on in the rhythm of the terms, one instalment more."""
    step = next(step for step in following_periods(loan) if step.due_on > day)
    start = step.start_on
    row = Instalment(start, step.due_on, REGULAR)
    num, den = within(loan.terms, step, max(day, start))
    row.add_due(PRINCIPAL, amount)
    row.accrued = round_ratio(amount * num, den, loan.terms.rounding)
    row.add_due(INTEREST, row.accrued)
    row.weights = [(max(day, start), amount)]
    if loan.steps is not None:
        loan.steps.append(step)
    loan.rows.append(row)
    loan.rows.sort(key=lambda each: each.due_on)
