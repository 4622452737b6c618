"""Money out: the first disbursement makes the schedule, a later one raises what is owed after it."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

from lending.engine.allocation import INTEREST, PRINCIPAL, Allocation
from lending.engine.errors import EventError, TermsError
from lending.engine.instalment import DOWN_PAYMENT, REGULAR, Instalment
from lending.engine.loan import Loan
from lending.engine.money import from_minor, round_ratio
from lending.engine.payment import use_credit_on
from lending.engine.periods import Period, due_on, period_of, periods, within
from lending.engine.schedule import Course, down_payment, plan, rows_of
from lending.engine.state import Event
from lending.engine.terms import Method, Terms


def disburse(loan: Loan, event: Event, amount: int) -> None:
    """Pay out; raises EventError when the day or the amount does not fit the terms, or after a settlement."""
    if loan.is_cut:
        raise EventError(event.ref, "comes after the settlement")
    loan.disbursed += amount
    if not loan.rows:
        loan.terms = _terms_of_first(loan.terms, event, amount)
        loan.rows = [Instalment.of_plan(row) for row in plan(loan.terms)]
        loan.tranches.append((event.on, amount - down_payment(loan.terms, amount)))
        return
    down = down_payment(loan.terms, amount)
    if down:
        _add_down_payment(loan, event.on, down)
    loan.tranches.append((event.on, amount - down))
    _add_principal(loan, event.on, amount - down)
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
    place = sum(1 for other in loan.rows if other.due_on <= day)
    loan.rows.insert(place, row)


def _add_principal(loan: Loan, day: date, amount: int) -> None:
    """Share the new principal over the instalments due after ``day``; past them it is owed in its own row."""
    regular = [row for row in loan.rows if row.kind == REGULAR]
    after = [row for row in regular if row.due_on > day]
    if after:
        _spread_again(loan, regular, after, amount)
    elif isinstance(loan.terms.allocation, Allocation):
        row = regular[-1] if regular[-1].due_on == day else loan.extra_row(day)
        row.add_due(PRINCIPAL, amount)
    else:
        _add_period(loan, day, amount)


def _spread_again(loan: Loan, regular: list[Instalment], after: list[Instalment], amount: int) -> None:
    """A new course over what is left: the old principal of these instalments and the new."""
    terms = loan.terms
    done = len(regular) - len(after)
    principal = amount + sum(row.due[PRINCIPAL] for row in after)
    course = Course(
        terms=terms,
        principal=principal,
        base=sum(part for _, part in loan.tranches) if done < terms.instalments else principal,
        steps=_steps_after(loan, after, done),
        grace=max(terms.grace_principal_instalments - done, 0),
    )
    rows = rows_of(course, max(terms.grace_interest_instalments - done, 0))
    for row, planned in zip(after, rows, strict=True):
        row.take_plan(planned)
    after[0].weights = _weights(loan, after[0], course)


def _weights(loan: Loan, running: Instalment, course: Course) -> list[tuple[date, int]]:
    """How the interest of the running instalment grows: on what it began with, and on each tranche since."""
    if _counts_whole_periods(loan.terms):
        return []
    since = [(day, part) for day, part in loan.tranches if day > running.start_on]
    whole = course.base if loan.terms.method == Method.FLAT else course.principal
    return [(running.start_on, whole - sum(part for _, part in since)), *since]


def _counts_whole_periods(terms: Terms) -> bool:
    """Flat interest by whole periods counts a tranche for the whole of the period in which it comes."""
    return terms.method == Method.FLAT and terms.interest_period == "PERIOD" and not terms.down_payment_rate


def _steps_after(loan: Loan, after: list[Instalment], done: int) -> list[Period]:
    """The periods not yet due; each tranche brings interest from its own day only."""
    terms = loan.terms
    passed = terms.instalments if done and terms.method == Method.BULLET else done
    steps = periods(terms)[passed:] or [period_of(terms, row.start_on, row.due_on) for row in after]
    if _counts_whole_periods(terms):
        return steps
    return [_less(loan, step) for step in steps]


def _less(loan: Loan, step: Period) -> Period:
    """The period less the interest of the days on which a tranche was not out yet."""
    less = sum(
        (part * _before(loan.terms, step, day) for day, part in loan.tranches if day > step.start_on),
        Fraction(0),
    )
    if not less:
        return step
    scale = less.denominator
    return step._replace(num=step.num * scale, den=step.den * scale, less=less.numerator * step.den)


def _before(terms: Terms, step: Period, day: date) -> Fraction:
    """The factor of the days of the period up to ``day``."""
    whole = Fraction(step.num, step.den)
    return whole if day >= step.due_on else whole - Fraction(*within(terms, step, day))


def _add_period(loan: Loan, day: date, amount: int) -> None:
    """A disbursement after the last due date goes on in the rhythm of the terms, one instalment more."""
    number = sum(1 for row in loan.rows if row.kind == REGULAR) + 1
    while (due := due_on(loan.terms, number)) <= day:
        number += 1
    start = due_on(loan.terms, number - 1) if number > 1 else loan.terms.disbursed_on
    row = Instalment(start, due, REGULAR)
    num, den = within(loan.terms, period_of(loan.terms, start, due), max(day, start))
    row.add_due(PRINCIPAL, amount)
    row.accrued = round_ratio(amount * num, den, loan.terms.rounding)
    row.add_due(INTEREST, row.accrued)
    row.weights = [(max(day, start), amount)]
    loan.rows.append(row)
    loan.rows.sort(key=lambda each: each.due_on)
