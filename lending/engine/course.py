"""The rest of a loan's course, planned anew: what is left of the principal over the instalments not yet due.

A later tranche, a prepayment, a holiday and every restructuring end here. What has fallen due stays as it is.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from itertools import count

from lending.engine.allocation import INTEREST, PRINCIPAL
from lending.engine.calendar import roll
from lending.engine.instalment import REGULAR, Instalment
from lending.engine.loan import Loan
from lending.engine.money import round_ratio
from lending.engine.payment import allocate
from lending.engine.periods import Period, due_on, period_of, periods, within
from lending.engine.schedule import Course, PlanRow, interest_of, plan_rows, rows_of, shortened, split
from lending.engine.split import allocate_minor
from lending.engine.state import Event
from lending.engine.terms import Method

FLAT_METHODS = (Method.FLAT, Method.FLAT_FEE)


@dataclass(slots=True)
class Rest:
    """The regular instalments due after a day, and how many were before them."""

    regular: list[Instalment]
    after: list[Instalment]

    @property
    def done(self) -> int:
        return len(self.regular) - len(self.after)


def rest_of(loan: Loan, day: date) -> Rest:
    regular = [row for row in loan.rows if row.kind == REGULAR]
    return Rest(regular, [row for row in regular if row.due_on > day])


def is_flat(loan: Loan) -> bool:
    return loan.terms.method in FLAT_METHODS


def steps_of(loan: Loan) -> list[Period]:
    """The interest periods of the regular instalments as they now are."""
    return periods(loan.terms) if loan.steps is None else loan.steps


def planned_principal(rows: Sequence[Instalment]) -> int:
    return sum(row.due[PRINCIPAL] for row in rows)


def respread(loan: Loan, event: Event, rest: Rest, principal: int, *, keeps_level: bool = False) -> None:
    """Owe ``principal`` over the instalments after the day; with ``keeps_level`` in fewer of them.

    The caller has noted what changed as a tranche. Money that had paid more than is now due on an instalment
    pays what is owed elsewhere.
    """
    waiting = _deferred(loan, rest, event.on)
    course = Course(
        terms=loan.terms,
        principal=principal,
        base=loan.base if rest.done < loan.terms.instalments else principal,
        steps=_steps_after(loan, rest),
        grace=max(loan.terms.grace_principal_instalments - rest.done, 0),
        uneven=loan.is_uneven,
    )
    extra = 0
    if event.type != "DISBURSEMENT" and not keeps_level:
        course, extra = _apart(course)
    unpaid = max(loan.terms.grace_interest_instalments - rest.done, 0)
    if loan.bears and (unpaid or waiting):
        rows, waiting = _bearing(course, unpaid, waiting), 0
    elif keeps_level:
        rows = shortened(course, _pattern(rest.after), unpaid)
    else:
        rows = rows_of(course, unpaid)
    rows = [row._replace(fee=0) if row.due_on in loan.skipped else row for row in rows]
    if extra:
        now = 0 if unpaid else extra
        waiting += extra - now
        rows[0] = rows[0]._replace(interest=rows[0].interest + now, accrued=rows[0].accrued + extra)
    _take(loan, rest, rows, waiting, min(unpaid, len(rows) - 1))
    rest.after[0].weights = _weights(loan, rest.after[0], course)
    _respend(loan, event, rest.after)


def _apart(course: Course) -> tuple[Course, int]:
    """Where principal went or came within the running period, its interest differs from that of a whole period; the
    difference falls due with that instalment, beside the level ones."""
    step = course.steps[0]
    extra = round_ratio(-step.less, step.den, course.terms.rounding)
    return course._replace(steps=[step._replace(less=0), *course.steps[1:]]), extra


def _deferred(loan: Loan, rest: Rest, day: date) -> int:
    """Interest that accrued in periods that are over and stands on no instalment: a grace or holiday deferred it."""
    over = [row for row in loan.rows if row.due_on <= day]
    moved = sum(row.due[INTEREST] for row in loan.rows if row.due_on > day and row.kind != REGULAR)
    moved += sum(row.carried for row in rest.after)
    return max(loan.brought + sum(row.accrued - row.due[INTEREST] for row in over) - moved, 0)


def _pattern(rows: Sequence[Instalment]) -> list[tuple[int, int]]:
    """Principal and interest of each instalment as it was planned, without what was carried into it."""
    return [(row.due[PRINCIPAL], row.due[INTEREST] - row.carried) for row in rows]


def _bearing(course: Course, unpaid: int, waiting: int) -> list[PlanRow]:
    """Interest of the first ``unpaid`` instalments, and what waited before, joins the balance after them and bears
    interest; it falls due with the instalments in proportion to their principal, and as interest."""
    terms, steps = course.terms, course.steps
    if terms.method == Method.BULLET:
        return rows_of(course)
    bearer = course.base if terms.method == Method.FLAT else course.principal
    head = [interest_of(terms.rounding, bearer, step) for step in steps[:unpaid]]
    grown = waiting + sum(head)
    tail = course._replace(
        principal=course.principal + grown, steps=steps[unpaid:], grace=max(course.grace - unpaid, 0)
    )
    parts = split(tail)
    shares = allocate_minor(grown, [principal for principal, _ in parts]) if tail.principal else [0]
    rows = plan_rows(course, [(0, 0)] * unpaid + parts)
    for number, interest in enumerate(head):
        rows[number] = rows[number]._replace(accrued=interest)
    for number, share in enumerate(shares, unpaid):
        row = rows[number]
        rows[number] = row._replace(principal=row.principal - share, interest=row.interest + share)
    return rows


def _take(loan: Loan, rest: Rest, rows: Sequence[PlanRow], waiting: int, first: int) -> None:
    """The instalments owe what is planned; those that are no longer needed leave what else stood on them to the
    last that is. What waited falls due with the first instalment after the grace."""
    kept, gone = rest.after[: len(rows)], rest.after[len(rows) :]
    if waiting:
        kept[first].carried += waiting
    for row, planned in zip(kept, rows, strict=True):
        row.due_on = planned.due_on
        row.take_plan(planned)
    for row in gone:
        row.take_plan(PlanRow(row.start_on, row.due_on, 0, 0, 0, 0))
        kept[-1].swallow(row)
        loan.rows.remove(row)
    if gone:
        loan.steps = steps_of(loan)[: rest.done + len(kept)]
        rest.regular, rest.after = [*rest.regular[: rest.done], *kept], kept
        reterm(loan)


def _respend(loan: Loan, event: Event, rows: Sequence[Instalment]) -> None:
    """Money that paid ahead more than an instalment owes now pays what is owed elsewhere, or becomes credit."""
    surplus = 0
    for row in rows:
        surplus += row.release(event.on, lambda component, over: loan.note(event.ref, component, -over))
    if surplus:
        loan.add_credit(event, allocate(loan, event, event.type, event.on, surplus))


def reshare(loan: Loan, rest: Rest, shares: Sequence[int], total: int | None = None) -> None:
    """Agreed principal shares of the instalments after the day, scaled to ``total``."""
    if total is not None:
        shares = allocate_minor(total, shares)
    agreed = [row.due[PRINCIPAL] for row in rest.regular[: rest.done]] + list(shares)
    if any(agreed):
        money = tuple(loan.money(share) for share in agreed)
        loan.terms = replace(loan.terms, principal=sum(money, loan.money(0)), custom_principal=money)


def reterm(loan: Loan) -> None:
    """Make the terms fit the instalments as they now are, so that what comes later counts them right."""
    steps = steps_of(loan)
    number = len(steps)
    changes: dict = {
        "instalments": number,
        "grace_principal_instalments": min(loan.terms.grace_principal_instalments, number - 1),
        "grace_interest_instalments": min(loan.terms.grace_interest_instalments, number - 1),
    }
    if loan.terms.due_dates:
        changes["due_dates"] = tuple(step.due_on for step in steps)
    if loan.terms.method == Method.CUSTOM:
        shares = tuple(loan.money(row.due[PRINCIPAL]) for row in loan.rows if row.kind == REGULAR)
        changes |= {"principal": sum(shares), "custom_principal": shares}
    loan.terms = replace(loan.terms, **changes)


def following_periods(loan: Loan) -> Iterator[Period]:
    """The periods that follow the last regular instalment in the rhythm of the terms, without end."""
    terms = loan.terms
    steps = steps_of(loan)
    known = max(len(steps), sum(1 for row in loan.rows if row.kind == REGULAR))
    usual = Counter(step.due_on.day for step in steps)
    day = max(usual, key=lambda day: (usual[day], day))
    for number in count(known + 1):
        start = _due_on(loan, steps, number - 1, day) if number > 1 else terms.disbursed_on
        yield period_of(terms, start, _due_on(loan, steps, number, day))


def _due_on(loan: Loan, steps: Sequence[Period], number: int, day: int) -> date:
    """The due date of a number; where dates were agreed one by one, those past them go on from the last."""
    terms = loan.terms
    if not terms.due_dates or number <= len(steps):
        return steps[number - 1].due_on if number <= len(steps) else due_on(terms, number)
    return roll(steps[-1].due_on, terms.unit, terms.every * (number - len(steps)), day)


def _weights(loan: Loan, running: Instalment, course: Course) -> list[tuple[date, int]]:
    """How the interest of the running instalment grows: on what it began with, and on each tranche since."""
    if counts_whole_periods(loan):
        return []
    since = [(day, part) for day, part in loan.tranches if day > running.start_on]
    whole = course.base if loan.terms.method == Method.FLAT else course.principal
    return [(running.start_on, whole - sum(part for _, part in since)), *since]


def counts_whole_periods(loan: Loan) -> bool:
    """Flat interest by whole periods counts a tranche for the whole of the period in which it comes."""
    terms = loan.terms
    return terms.method == Method.FLAT and terms.interest_period == "PERIOD" and not terms.down_payment_rate


def _steps_after(loan: Loan, rest: Rest) -> list[Period]:
    """The periods not yet due; each tranche brings interest from its own day only."""
    terms = loan.terms
    passed = terms.instalments if rest.done and terms.method == Method.BULLET else rest.done
    steps = steps_of(loan)[passed:]
    steps = steps or [period_of(terms, row.start_on, row.due_on) for row in rest.after]
    if counts_whole_periods(loan):
        return steps
    return [_less(loan, step) for step in steps]


def _less(loan: Loan, step: Period) -> Period:
    """The period less the interest of the days on which a tranche was not out yet."""
    less = sum(
        (part * _before(loan, step, day) for day, part in loan.tranches if day > step.start_on),
        Fraction(0),
    )
    if not less:
        return step
    scale = less.denominator
    return step._replace(num=step.num * scale, den=step.den * scale, less=less.numerator * step.den)


def _before(loan: Loan, step: Period, day: date) -> Fraction:
    """The factor of the days of the period up to ``day``."""
    whole = Fraction(step.num, step.den)
    return whole if day >= step.due_on else whole - Fraction(*within(loan.terms, step, day))
