"""One bad loan does not hold up the others: it is found by halving, and set aside with the reason."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import (
    DatabaseError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)
from django.db.models import Max, Min

from lending import bulk, events
from lending.models import CloseException, Loan
from lending.services.steps import Shard, Step

# More bad loans than this in one shard are no bad loans but a fault of the step, and the step fails.
MOST = 20
# No loan's fault: the connection, the code, the database.
NOT_THE_LOAN = (OperationalError, InterfaceError, ProgrammingError, NotSupportedError)
THE_LOAN = (DatabaseError, ArithmeticError, ValueError, LookupError)


NOBODY = Shard(0, -1)
WAITING = bulk.Tuples(
    """
    SELECT DISTINCT loan_id FROM lending_closeexception
    WHERE state = 'OPEN' AND loan_id BETWEEN %s AND %s ORDER BY loan_id
    """
)


@dataclass(slots=True)
class _Run:
    step: Step
    on: date
    at: datetime
    found: int = 0


def run(step: Step, *, on: date, at: datetime, first_id: int, last_id: int) -> int:
    """Run a step over a range of loans without those that are set aside; returns the number of rows moved.

    A loan that makes the step fail is set aside; raises what the step raised when it is not the fault of single loans.
    """
    if not step.sharded:
        return step.run(on=on, at=at)
    shard = without_those_set_aside(first_id, last_id)
    try:
        return attempt(step, on=on, at=at, shard=shard)
    except NOT_THE_LOAN:
        raise
    except THE_LOAN:
        # A step that fails without any loan would have every loan set aside.
        attempt(step, on=on, at=at, shard=NOBODY)
        return _try(_Run(step, on, at), shard)


def run_plainly(step: Step, *, on: date, at: datetime, first_id: int, last_id: int) -> int:
    """The same, but it raises whatever fails, and all that the transaction did is to be undone then."""
    if not step.sharded:
        return step.run(on=on, at=at)
    return step.run(on=on, at=at, shard=without_those_set_aside(first_id, last_id))


def without_those_set_aside(first_id: int, last_id: int) -> Shard:
    return Shard(first_id, last_id, waiting(first_id, last_id))


def waiting(first_id: int, last_id: int) -> tuple[int, ...]:
    """The loans of the range that are set aside."""
    return tuple(loan_id for (loan_id,) in WAITING(first_id, last_id))


def _try(run: _Run, shard: Shard) -> int:
    try:
        return attempt(run.step, on=run.on, at=run.at, shard=shard)
    except NOT_THE_LOAN:
        raise
    except THE_LOAN as error:
        loans = shard.among(Loan.objects.all()).aggregate(first=Min("pk"), last=Max("pk"))
        first, last = loans["first"], loans["last"]
        if first is None or run.found >= MOST:
            raise
        if first == last:
            run.found += 1
            set_aside(first, run.step.path, error, on=run.on, at=run.at)
            return 0
    middle = (first + last) // 2
    return _try(run, shard.part(shard.first_id, middle)) + _try(run, shard.part(middle + 1, shard.last_id))


def attempt(step: Step, *, on: date, at: datetime, shard: Shard) -> int:
    """The step for these loans, or nothing at all. What the database would only check at the end it checks now, while
    it can still be told which loan it was."""
    with transaction.atomic():
        moved = step.run(on=on, at=at, shard=shard)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    return moved


def set_aside(loan_id: int, path: str, error: Exception, *, on: date, at: datetime) -> CloseException:
    """Leave the loan out of the steps that go over loans, until somebody has looked at it."""
    loan = Loan.objects.get(pk=loan_id)
    reason = reason_of(error)
    row = CloseException.objects.create(loan=loan, step=path, date=on, reason=reason, opened_at=at)
    events.record("loan.set_aside", loan, by=None, at=at, step=path, reason=reason, business_date=on)
    return row


def reason_of(error: Exception) -> str:
    """What went wrong, in one line."""
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0][:500]
