"""Cases open, follow the arrears, and close by themselves; people assign, pause and resume them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

from django.contrib.postgres.aggregates import BoolOr
from django.db import transaction
from django.db.models import Count, Max, QuerySet
from django.utils.translation import gettext_lazy as _

from dunning.engine import worklist
from dunning.models import Case, Contact, Promise, Strategy
from dunning.models.contact import Party
from dunning.selectors import arrears
from dunning.selectors.arrears import unnested
from dunning.services import turn
from lending import bulk, events
from lending.errors import Refused
from lending.models import Loan, Transaction, User
from risk.models import Assessment

T = TypeVar("T")
# So many cases or contacts are worked on at a time.
BATCH = 1000
FIGURES = ("overdue", "oldest_due_on", "as_of", "expected", "next_action_on")


@transaction.atomic
def refresh(*, on: date, at: datetime) -> int:
    """Open a case for every customer with something overdue, bring its figures up to date, close it
    when nothing is. Safe to run again, and during the day; a case that has not changed is not written.
    """
    turn.take()
    owed = arrears.overdue(on)
    known = dict(_open_cases().values_list("customer_id", "pk"))
    new = sorted(customer_id for customer_id in owed if customer_id not in known)
    moved = sum(_follow_up(part, owed, on=on, at=at) for part in parts(sorted(known.values())))
    for part in parts(new):
        opened = _open(part, owed, on=on, at=at)
        _appraise(opened, on)
        bulk.update_many(opened, ["expected"])
    return moved + len(new)


def parts(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """The rows in parts of BATCH, so that what one day needs of memory does not grow with the book."""
    return (rows[first : first + BATCH] for first in range(0, len(rows), BATCH))


def _follow_up(ids: Sequence[int], owed: Mapping[int, arrears.Owed], *, on: date, at: datetime) -> int:
    """Close the cases among these of whom nothing is overdue, take over the figures of the others."""
    cases = list(_open_cases().filter(pk__in=unnested(ids)).select_for_update(no_key=True, of=("self",)))
    gone = [case for case in cases if case.customer_id not in owed]
    changed = [case for case in cases if _follow(case, owed.get(case.customer_id), on)]
    _close(gone, on=on, at=at)
    _appraise(changed, on)
    bulk.update_many(changed, FIGURES)
    return len(gone) + len(changed)


def _open_cases() -> QuerySet[Case]:
    return Case.objects.exclude(state=Case.State.CLOSED).order_by("pk")


def _follow(case: Case, owed: arrears.Owed | None, on: date) -> bool:
    """Take over today's figures; whether there was anything new. A backdated day never overwrites a newer one."""
    if owed is None or case.as_of > on:
        return False
    if (case.as_of, case.overdue, case.oldest_due_on) == (on, owed.amount, owed.oldest_due_on):
        return False
    if case.oldest_due_on != owed.oldest_due_on:
        case.next_action_on = on  # a part payment: the strategy looks again
    case.as_of, case.overdue, case.oldest_due_on = on, owed.amount, owed.oldest_due_on
    return True


def _open(
    customer_ids: Sequence[int], owed: Mapping[int, arrears.Owed], *, on: date, at: datetime
) -> list[Case]:
    if not customer_ids:
        return []
    strategy = Strategy.objects.get(state=Strategy.State.LIVE)
    cases = bulk.create_many(
        [
            Case(
                customer_id=customer_id,
                strategy=strategy,
                opened_on=on,
                as_of=on,
                overdue=owed[customer_id].amount,
                oldest_due_on=owed[customer_id].oldest_due_on,
                next_action_on=on,
            )
            for customer_id in customer_ids
        ]
    )
    events.record_many(
        [
            events.build("case.opened", c, by=None, at=at, overdue=c.overdue, oldest_due_on=c.oldest_due_on)
            for c in cases
        ]
    )
    return cases


def _close(cases: Sequence[Case], *, on: date, at: datetime) -> None:
    if not cases:
        return
    given_up = _written_off_since_opened(cases)
    for case in cases:
        case.close(on=on, end=Case.End.WRITTEN_OFF if case.pk in given_up else Case.End.PAID)
        case.overdue = case.expected = Decimal(0)
        case.as_of, case.next_action_on = max(case.as_of, on), None
    bulk.update_many(cases, ["state", "closed_on", "end", "overdue", "expected", "as_of", "next_action_on"])
    # Messages that still wait are held back by the gate; what people were to do is called off here.
    tasks = Contact.objects.filter(case__in=cases, state=Contact.State.PLANNED, notice=None)
    tasks.update(state=Contact.State.CANCELLED)
    events.record_many([events.build("case.closed", c, by=None, at=at, end=c.end) for c in cases])


def _written_off_since_opened(cases: Sequence[Case]) -> set[int]:
    losses = dict(
        Transaction.objects.filter(
            type=Transaction.Type.WRITE_OFF,
            loan__state=Loan.State.WRITTEN_OFF,
            loan__customer_id__in=[case.customer_id for case in cases],
        )
        .values_list("loan__customer_id")
        .annotate(last=Max("booked_on"))
        .order_by()
    )
    return {c.pk for c in cases if c.customer_id in losses and losses[c.customer_id] >= c.opened_on}


def _appraise(cases: Sequence[Case], on: date) -> None:
    """What an hour of work on each is expected to bring in: the order of the collector's list."""
    if not cases:
        return
    customer_ids = [case.customer_id for case in cases]
    given, reached = _promises_judged(customer_ids), _reached(customer_ids)
    default = _probability_of_default(customer_ids)
    for case in cases:
        item = worklist.Item(
            key=str(case.pk),
            overdue_amount=case.overdue,
            days_past_due=case.days_past_due(on),
            promises_kept=given.get((case.customer_id, Promise.State.KEPT), 0),
            promises_broken=given.get((case.customer_id, Promise.State.BROKEN), 0),
            pd=default.get(case.customer_id),
            reachable=reached.get(case.customer_id),
        )
        case.expected = worklist.appraise(item).expected


def _promises_judged(customer_ids: Sequence[int]) -> dict[tuple[int, str], int]:
    """How many promises each customer kept and broke."""
    judged = [Promise.State.KEPT, Promise.State.BROKEN]
    rows = Promise.objects.filter(customer_id__in=unnested(customer_ids), state__in=judged)
    counts = rows.values_list("customer_id", "state").annotate(count=Count("pk")).order_by()
    return {(customer_id, state): count for customer_id, state, count in counts}


def _reached(customer_ids: Sequence[int]) -> dict[int, bool]:
    """Whether each customer was ever reached; whom nobody tried to reach is missing."""
    tried = Contact.objects.filter(
        customer_id__in=unnested(customer_ids),
        state=Contact.State.DONE,
        party=Party.DEBTOR,
        connected__isnull=False,
    )
    return dict(tried.values_list("customer_id").annotate(ever=BoolOr("connected")).order_by())


def _probability_of_default(customer_ids: Sequence[int]) -> dict[int, Decimal]:
    """By the latest assessment of each customer; who was never scored is missing."""
    scored = Assessment.objects.filter(application__customer_id__in=unnested(customer_ids), pd__isnull=False)
    latest = scored.order_by("application__customer_id", "-pk").distinct("application__customer_id")
    return {
        customer_id: Decimal(f"{pd:.4f}")
        for customer_id, pd in latest.values_list("application__customer_id", "pd")
    }


def lock(case_id: int) -> Case:
    """The case, locked; raises Refused when it is closed."""
    case = (
        Case.objects.select_for_update(no_key=True, of=("self",))
        .select_related("customer", "strategy")
        .get(pk=case_id)
    )
    if not case.is_open:
        raise Refused("case_closed", _("The case is closed: nothing is overdue."))
    return case


@transaction.atomic
def assign(*, case_id: int, user_id: int | None, by: User | None, at: datetime) -> Case:
    """Give the case to a collector, or to nobody."""
    case = lock(case_id)
    if case.assigned_to_id != user_id:
        case.assigned_to_id = user_id
        case.save(update_fields=["assigned_to"])
        events.record("case.assigned", case, by=by, at=at, to=user_id)
    return case


@transaction.atomic
def pause(*, case_id: int, until: date, reason: str, by: User | None, at: datetime, on: date) -> Case:
    """Nothing is planned until that day; tasks that wait are called off.

    Raises Refused for a day that is not to come or a missing reason, TransitionNotAllowed in court or when
    paused.
    """
    case = lock(case_id)
    if until <= on:
        raise Refused("until", _("The pause must end on a day to come."), field="until")
    if not reason.strip():
        raise Refused("reason", _("Give the reason for the pause."), field="reason")
    case.pause(until=until, reason=reason.strip()[:200])
    case.next_action_on = until
    case.save(update_fields=["state", "paused_until", "pause_reason", "next_action_on"])
    tasks = Contact.objects.filter(case=case, state=Contact.State.PLANNED, notice=None)
    tasks.update(state=Contact.State.CANCELLED)
    events.record("case.paused", case, by=by, at=at, until=until, reason=case.pause_reason)
    return case


@transaction.atomic
def resume(*, case_id: int, by: User | None, at: datetime, on: date) -> Case:
    """The strategy takes the case up again, today."""
    case = lock(case_id)
    case.resume()
    case.next_action_on = on
    case.save(update_fields=["state", "paused_until", "pause_reason", "next_action_on"])
    events.record("case.resumed", case, by=by, at=at)
    return case
