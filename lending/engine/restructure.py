"""A loan on new terms: another schedule from a day on, a holiday, arrears moved, or everything due at once.

None of it asks that the loan be healthy. What has fallen due is moved, carried, capitalised or waived as agreed;
where an event finds nothing to change (a payment dated back had settled it before), it changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain, islice

from lending.engine.allocation import COMPONENTS, FEE, INTEREST, PENALTY, PRINCIPAL
from lending.engine.calendar import roll
from lending.engine.course import (
    Rest,
    following_periods,
    is_flat,
    planned_principal,
    reshare,
    respread,
    rest_of,
    steps_of,
)
from lending.engine.errors import EventError, TermsError
from lending.engine.instalment import PAST, REAGED, REGULAR, Instalment
from lending.engine.loan import Loan
from lending.engine.money import from_minor
from lending.engine.payment import use_credit
from lending.engine.periods import Period, broken_period, period_of
from lending.engine.relief import CAPITALISE, CARRY, KEEP, PAY, WAIVE, Relief, read
from lending.engine.settlement import cut
from lending.engine.split import allocate_minor
from lending.engine.state import Event
from lending.engine.terms import Method, Terms, Unit


@dataclass(slots=True)
class Lifted:
    """What was taken off the instalments that had fallen due: principal for the new course, and parts to carry."""

    principal: int = 0
    capitalised: int = 0
    carried: list[int] = field(default_factory=lambda: [0] * 4)


def accelerate(loan: Loan, event: Event, amount: int) -> None:
    """Everything falls due on the day: the principal, and the interest of the running period for the days used."""
    read(event)
    cut(loan, event)
    loan.is_accelerated = True


def reschedule(loan: Loan, event: Event, amount: int) -> None:
    """A new schedule from the day for the principal that is left, at the agreed rate, dates and number."""
    relief = read(event)
    dates = _dates(loan, event, relief)
    starts_whole = not relief.first_due_on and _is_due_date(loan, event.on)
    past = [row for row in loan.rows if row.due_on <= event.on]
    cut(loan, event, drops_fees=True)
    lifted = _lift(loan, event, past, relief)
    running = _close_running(loan, event, loan.rows[len(past) :], relief, lifted)
    principal = lifted.principal + lifted.capitalised
    _retire(loan)
    if principal:
        rows = _begin(loan, event, relief, dates, principal, starts_whole)
    else:
        rows = [Instalment(event.on, day, REAGED) for day in dates]
    _carry(event.on, rows[min(relief.skip, len(rows) - 1) :], lifted.carried, running)
    if principal:
        loan.rows.extend(rows)
        respread(loan, event, Rest(rows, rows), principal)
    elif any(row.left for row in rows):
        loan.rows.extend(rows)
    loan.is_cut, loan.is_accelerated = not principal, False
    use_credit(loan)


def holiday(loan: Loan, event: Event, amount: int) -> None:
    """The next instalments are skipped and the term grows by as many. Their interest is carried to the first
    instalment after them, capitalised there, or paid all the same."""
    relief = read(event)
    rest = rest_of(loan, event.on)
    if not rest.after:
        return
    before = [row.due[PRINCIPAL] for row in rest.after]
    lifted = _lift(loan, event, _fallen_due(loan, event.on), relief)
    number = relief.instalments or 1
    skipped = rest.after[:number]
    _lengthen(loan, rest, number, relief)
    if loan.terms.method != Method.BULLET:
        loan.skipped |= {row.due_on for row in rest.after[:number]}
    _carry(event.on, rest.after[min(len(skipped), len(rest.after) - 1) :], lifted.carried, [0] * 4)
    if loan.terms.method == Method.CUSTOM:
        reshare(loan, rest, [0] * number + before)
    _gain(loan, event, rest, lifted)


def reamortise(loan: Loan, event: Event, amount: int) -> None:
    """What has fallen due and is unpaid is spread over the instalments that remain, on their dates."""
    relief = read(event)
    rest = rest_of(loan, event.on)
    if not rest.after:
        return
    lifted = _lift(loan, event, _fallen_due(loan, event.on), relief)
    open_to = [row for row in rest.after if row.due_on not in loan.skipped] or rest.after
    _carry(event.on, open_to, lifted.carried, [0] * 4)
    if loan.terms.method == Method.CUSTOM:
        reshare(loan, rest, [row.due[PRINCIPAL] for row in rest.after])
    _gain(loan, event, rest, lifted)


def reage(loan: Loan, event: Event, amount: int) -> None:
    """All that is overdue moves to new instalments of their own, in even parts that bear no interest."""
    relief = read(event)
    owed = [sum(row.owed(part) for row in _fallen_due(loan, event.on)) for part in range(4)]
    if not any(owed):
        return
    number = relief.instalments or 1
    terms = loan.terms
    unit, every = relief.unit or terms.unit, relief.every or terms.every
    first = relief.first_due_on or roll(event.on, unit, every)
    _check_first(event, first)
    dates = [roll(first, unit, every * index) for index in range(number)]
    rows = [Instalment(event.on, day, REAGED) for day in dates]
    for row in _fallen_due(loan, event.on):
        for part in range(4):
            row.take_away(part, event.on)
    for part in range(4):
        for row, share in zip(rows, allocate_minor(owed[part], [1] * number), strict=True):
            if share and part in (FEE, PENALTY):
                row.charge(event.on, part, share)
            else:
                row.add_due(part, share)
    loan.rows.extend(row for row in rows if row.left)
    loan.rows.sort(key=lambda row: row.due_on)


def _fallen_due(loan: Loan, day: date) -> list[Instalment]:
    return [row for row in loan.rows if row.left and row.due_on <= day]


def _lift(loan: Loan, event: Event, rows: Iterable[Instalment], relief: Relief) -> Lifted:
    """Do to each part that has fallen due what was agreed for it."""
    lifted = Lifted()
    for row in rows:
        for part, name in enumerate(COMPONENTS):
            _lift_part(loan, event, row, part, relief.overdue[name.lower()], lifted)
    return lifted


def _lift_part(loan: Loan, event: Event, row: Instalment, part: int, treatment: str, lifted: Lifted) -> None:
    owed = row.owed(part)
    if not owed or treatment == KEEP:
        return
    if part == PRINCIPAL:
        lifted.principal += row.take_away(part, event.on)
    elif treatment == CARRY:
        lifted.carried[part] += row.take_away(part, event.on)
    elif treatment == WAIVE:
        row.waive(part, owed, event.on)
    else:
        row.pay(part, owed, event.on)
        loan.note(event.ref, part, owed)
        loan.note(event.ref, PRINCIPAL, -owed)
        lifted.capitalised += owed


def _close_running(
    loan: Loan, event: Event, cut_rows: Sequence[Instalment], relief: Relief, lifted: Lifted
) -> list[int]:
    """The instalments not yet due have become one: its principal goes into the new course, its interest for the
    days used and its charges to the first new instalment unless agreed otherwise. Returns what goes there."""
    running = Lifted()
    for row in cut_rows:
        _lift_part(loan, event, row, PRINCIPAL, CARRY, running)
        _lift_part(loan, event, row, INTEREST, relief.accrued, running)
        _lift_part(loan, event, row, FEE, CARRY, running)
        _lift_part(loan, event, row, PENALTY, CARRY, running)
        if not any(map(any, row.buckets())):
            loan.rows.remove(row)
    lifted.principal += running.principal
    lifted.capitalised += running.capitalised
    return running.carried


def _retire(loan: Loan) -> None:
    for row in loan.rows:
        if row.kind == REGULAR:
            row.kind = PAST


def _begin(
    loan: Loan, event: Event, relief: Relief, dates: Sequence[date], principal: int, starts_whole: bool
) -> list[Instalment]:
    """Set the loan to the new terms; returns its new instalments, empty yet."""
    loan.terms = terms = _new_terms(loan.terms, event, relief, dates, principal)
    loan.steps = _steps(terms, event.on, dates, starts_whole, agreed=bool(relief.due_dates))
    loan.tranches = [(event.on, principal)]
    loan.base, loan.is_uneven = principal, True
    loan.bears = relief.skipped_interest == CAPITALISE
    if terms.method == Method.BULLET:
        return [Instalment(event.on, dates[-1], REGULAR)]
    loan.skipped |= set(dates[: relief.skip])
    return [Instalment(step.start_on, step.due_on, REGULAR) for step in loan.steps]


def _new_terms(terms: Terms, event: Event, relief: Relief, dates: Sequence[date], principal: int) -> Terms:
    method = Method(relief.method or terms.method)
    if method == Method.CUSTOM:
        method = Method.EQUAL_PRINCIPAL
    skip = 0 if method == Method.BULLET else relief.skip
    try:
        return replace(
            terms,
            principal=from_minor(principal, terms.decimals),
            annual_rate=terms.annual_rate if relief.annual_rate is None else relief.annual_rate,
            method=method,
            instalments=len(dates),
            every=relief.every or terms.every,
            unit=Unit(relief.unit or terms.unit),
            disbursed_on=event.on,
            first_due_on=None,
            due_dates=tuple(dates),
            custom_principal=(),
            down_payment_rate=terms.down_payment_rate * 0,
            upfront_fee=terms.upfront_fee * 0,
            interest_free_days=0,
            grace_principal_instalments=skip,
            grace_interest_instalments=0 if relief.skipped_interest == PAY else skip,
        )
    except TermsError as error:
        raise EventError(event.ref, f"does not fit the terms: {error}") from None


def _dates(loan: Loan, event: Event, relief: Relief) -> list[date]:
    """The due dates of the new schedule: as agreed one by one, rolled from a first one, or those there were."""
    if relief.due_dates:
        days = (event.on, *relief.due_dates)
        if any(later <= earlier for earlier, later in zip(days, days[1:], strict=False)):
            raise EventError(event.ref, "due_dates must rise and lie after the day of the event")
        return list(relief.due_dates)
    terms = loan.terms
    left = [step.due_on for step in steps_of(loan) if step.due_on > event.on]
    number = (relief.instalments or max(len(left), 1)) + relief.skip
    unit, every = relief.unit or terms.unit, relief.every or terms.every
    first = relief.first_due_on
    if first is None and (unit, every) == (terms.unit, terms.every):
        more = (step.due_on for step in following_periods(loan) if step.due_on > event.on)
        return list(islice(chain(left, more), number))
    first = first or roll(event.on, unit, every)
    _check_first(event, first)
    return [roll(first, unit, every * index) for index in range(number)]


def _check_first(event: Event, first: date) -> None:
    if first <= event.on:
        raise EventError(event.ref, "first_due_on must lie after the day of the event")


def _is_due_date(loan: Loan, day: date) -> bool:
    """Whether a period of the old schedule ends on the day, so that the next one is whole."""
    steps = steps_of(loan)
    return day == steps[0].start_on or any(step.due_on == day for step in steps)


def _steps(
    terms: Terms, start: date, dates: Sequence[date], starts_whole: bool, *, agreed: bool
) -> list[Period]:
    """The periods between the dates: whole steps of the rhythm, but for the first one and for agreed dates."""
    found = []
    for index, end in enumerate(dates):
        whole = starts_whole if index == 0 else True
        found.append(
            period_of(terms, start, end) if whole and not agreed else broken_period(terms, start, end)
        )
        start = end
    return found


def _carry(day: date, rows: Sequence[Instalment], parts: Sequence[int], first: Sequence[int]) -> None:
    """Let parts fall due with the rows, evenly, and what is only for the first of them there."""
    for part in (INTEREST, FEE, PENALTY):
        shares = allocate_minor(parts[part], [1] * len(rows))
        shares[0] += first[part]
        for row, share in zip(rows, shares, strict=True):
            if share and part == INTEREST:
                row.carried += share
                row.add_due(INTEREST, share)
            elif share:
                row.charge(day, part, share)


def _lengthen(loan: Loan, rest: Rest, number: int, relief: Relief) -> None:
    """As many periods more at the end, and as many instalments in grace as are skipped."""
    terms = loan.terms
    loan.steps = steps = [*steps_of(loan), *islice(following_periods(loan), number)]
    changes: dict = {"instalments": len(steps)}
    if terms.due_dates:
        changes["due_dates"] = tuple(step.due_on for step in steps)
    if terms.method == Method.BULLET:
        loan.terms = replace(terms, **changes)
        return
    rows = [Instalment(step.start_on, step.due_on, REGULAR) for step in steps[-number:]]
    loan.rows.extend(rows)
    loan.rows.sort(key=lambda row: row.due_on)
    rest.after.extend(rows)
    rest.regular.extend(rows)
    changes["grace_principal_instalments"] = max(terms.grace_principal_instalments, rest.done) + number
    if relief.skipped_interest != PAY:
        changes["grace_interest_instalments"] = max(terms.grace_interest_instalments, rest.done) + number
        loan.bears = loan.bears or relief.skipped_interest == CAPITALISE
    if terms.method == Method.CUSTOM:
        changes["custom_principal"] = (*terms.custom_principal, *[terms.upfront_fee * 0] * number)
    loan.terms = replace(terms, **changes)


def _gain(loan: Loan, event: Event, rest: Rest, lifted: Lifted) -> None:
    """The course over the rest takes in what was lifted."""
    more = lifted.principal + lifted.capitalised
    if more:
        loan.tranches.append((event.on, lifted.capitalised if is_flat(loan) else more))
        loan.base += lifted.capitalised
    respread(loan, event, rest, planned_principal(rest.after) + more)
    use_credit(loan)
