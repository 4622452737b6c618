"""Promises to pay: taken by people, judged by payments."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Max, Q, Sum
from django.utils.translation import gettext_lazy as _

from dunning.engine import gate as gate_engine
from dunning.engine import promises as engine
from dunning.models import Case, Promise
from dunning.services import cases, contacts, turn
from lending import bulk, events
from lending.errors import Refused
from lending.models import Loan, Transaction, User
from lending.selectors import rules
from lending.services import checks, notices

Type = Transaction.Type
# The cases of open promises, then the promises, locked in this order as whoever takes or cancels one does it. Asked
# with every close.
CASES = bulk.Select(
    Case, "id IN (SELECT case_id FROM dunning_promise WHERE state = 'OPEN') ORDER BY id FOR NO KEY UPDATE"
)
OPEN = bulk.Select(Promise, "state = 'OPEN' AND case_id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE")
PAYMENTS = (Type.REPAYMENT, Type.SETTLEMENT, Type.RECOVERY)


@transaction.atomic
def take(*, case_id: int, amount: Decimal, due_on: date, by: User | None, at: datetime, on: date) -> Promise:
    """Write down a promise. Until it is judged the case is left alone; one that is open already is replaced.

    Raises Refused (field amount or due_on) for an amount that is not above zero or above all that is owed,
    and for a day in the past or too far away.
    """
    checks.amount(amount)
    case = cases.lock(case_id)
    longest = int(rules.parameter("PROMISE_LONGEST_DAYS", on))
    if due_on < on:
        raise Refused("due_on", _("The day has passed."), field="due_on")
    if due_on > on + timedelta(days=longest):
        raise Refused(
            "due_on", _("A promise is for at most %(days)s days.") % {"days": longest}, field="due_on"
        )
    if amount > _all_owed(case.customer_id):
        raise Refused("amount", _("The amount is above what is owed."), field="amount")
    for old in case.promises.filter(state=Promise.State.OPEN):
        old.cancel(on=on)
        old.save(update_fields=["state", "judged_on"])
    promise = Promise.objects.create(
        customer=case.customer,
        case=case,
        amount=amount,
        taken_on=on,
        due_on=due_on,
        taken_by=by,
        after_transaction=Transaction.objects.aggregate(last=Max("pk"))["last"] or 0,
    )
    case.next_action_on = due_on + timedelta(days=1)
    case.save(update_fields=["next_action_on"])
    events.record("promise.taken", promise, by=by, at=at, amount=amount, due_on=due_on)
    return promise


def _all_owed(customer_id: int) -> Decimal:
    loans = Loan.objects.filter(customer_id=customer_id, state__in=Loan.OWING)
    sums = loans.aggregate(**{part: Sum(part) for part in ("principal", "interest", "fee", "penalty")})
    return sum((amount or Decimal(0) for amount in sums.values()), Decimal(0))


@transaction.atomic
def cancel(*, promise_id: int, by: User | None, at: datetime, on: date) -> Promise:
    """Take a promise off the books, because another agreement takes its place."""
    case_id = Promise.objects.values_list("case_id", flat=True).get(pk=promise_id)
    case = Case.objects.select_for_update(no_key=True).get(pk=case_id)
    promise = Promise.objects.select_for_update(no_key=True, of=("self",)).get(pk=promise_id)
    promise.cancel(on=on)
    promise.save(update_fields=["state", "judged_on"])
    if case.is_open:
        case.next_action_on = on
        case.save(update_fields=["next_action_on"])
    events.record("promise.cancelled", promise, by=by, at=at)
    return promise


@transaction.atomic
def judge(*, on: date, at: datetime) -> int:
    """Judge open promises by the payments since they were given.

    Kept as soon as the amount is in or nothing is overdue any more; broken when the day has passed without
    it.
    """
    turn.take()
    promises = _lock_open()
    if not promises:
        return 0
    payments = _payments(promises)
    judged = [p for p in promises if _judge(p, payments[p.pk], on)]
    bulk.update_many(judged, ["state", "judged_on", "received"])
    _look_at_again([p.case for p in judged if p.case.is_open], on)
    events.record_many(
        [
            events.build(
                f"promise.{p.state.lower()}", p, by=None, at=at, amount=p.amount, received=p.received
            )
            for p in judged
        ]
    )
    _tell(judged, on=on, at=at)
    return len(judged)


def _lock_open() -> list[Promise]:
    """The open promises with their cases, under lock."""
    cases = {case.pk: case for case in CASES()}
    promises = OPEN(list(cases)) if cases else []
    for promise in promises:
        promise.case = cases[promise.case_id]
    return promises


def _judge(promise: Promise, payments: Sequence[tuple[date, Decimal]], on: date) -> bool:
    plain = engine.Promise(promise.amount, promise.taken_on, promise.due_on)
    received = max(engine.received(plain, [p for p in payments if p[0] <= on]), Decimal(0))
    verdict = engine.judge(plain, payments, on)
    if promise.case.end == Case.End.WRITTEN_OFF and verdict != engine.KEPT:
        promise.cancel(on=on)
    elif verdict == engine.KEPT or promise.case.end == Case.End.PAID:
        promise.keep(on=on, received=received)
    elif verdict != engine.OPEN:
        promise.break_(on=on, received=received)
    return bool(promise.state != Promise.State.OPEN)


def _payments(promises: Sequence[Promise]) -> dict[int, list[tuple[date, Decimal]]]:
    """What came in after each promise was written down; a reversal takes back only what counted before."""
    oldest = min(promise.after_transaction for promise in promises)
    rows = list(
        Transaction.objects.filter(
            Q(type__in=PAYMENTS) | Q(type=Type.REVERSAL, reverses__type__in=PAYMENTS),
            pk__gt=oldest,
            loan__customer_id__in={promise.customer_id for promise in promises},
        ).values_list("pk", "loan__customer_id", "value_on", "amount", "reverses_id")
    )
    found: dict[int, list[tuple[date, Decimal]]] = defaultdict(list)
    for promise in promises:
        for pk, customer_id, value_on, amount, reverses in rows:
            first = pk if reverses is None else reverses
            if customer_id == promise.customer_id and first > promise.after_transaction:
                day = max(value_on, promise.taken_on)
                found[promise.pk].append((day, amount if reverses is None else -amount))
    return found


def _look_at_again(judged: Sequence[Case], on: date) -> None:
    for case in judged:
        case.next_action_on = on
    bulk.update_many(judged, ["next_action_on"])


def _tell(judged: Sequence[Promise], *, on: date, at: datetime) -> None:
    """Thanks for what was kept, as service; word of what was not, through the gate."""
    people = notices.people(p.customer_id for p in judged)
    notices.queue_many(
        [
            notices.Message(
                customer=people[p.customer_id],
                template="promise_kept",
                context={"amount": p.amount},
                key=f"promise-kept:{p.pk}",
            )
            for p in judged
            if p.state == Promise.State.KEPT
        ],
        at=at,
    )
    contacts.plan(
        [
            contacts.Wish(
                customer=people[p.customer_id],
                case=p.case,
                channel=channel,
                purpose=gate_engine.COLLECTION,
                step=f"promise-{p.pk}",
                due_on=p.due_on,
                amount=min(p.amount, p.case.overdue),
                template="promise_broken",
                context={"amount": p.amount, "due_on": p.due_on},
            )
            for p in judged
            if p.state == Promise.State.BROKEN
            for channel in (gate_engine.SMS, gate_engine.IN_APP)
        ],
        on=on,
        at=at,
    )
