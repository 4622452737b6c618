"""Contacts: planned by the strategy, made by people, each through the gate and kept with what the gate said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from dunning.engine import gate as engine
from dunning.models import Case, Contact, StopRequest
from dunning.models.contact import UNANSWERED, Outcome, Party
from dunning.models.strategy import Channel
from dunning.selectors import arrears
from dunning.services import gate
from lending import bulk, events, fields
from lending.errors import Refused
from lending.models import Customer, Notice, User
from lending.services import notices

# What became of the messages of planned contacts; the close asks every day.
FOLLOW = bulk.Tuples(
    """
    UPDATE dunning_contact c
    SET state = CASE WHEN n.state = 'FAILED' THEN 'REFUSED' ELSE 'DONE' END,
        at = CASE WHEN n.state = 'FAILED' THEN c.at ELSE n.sent_at END,
        rule = CASE WHEN n.state = 'FAILED' THEN %s::text ELSE c.rule END
    FROM lending_notice n
    WHERE n.id = c.notice_id AND c.state = 'PLANNED' AND n.state IN ('SENT', 'DELIVERED', 'FAILED')
    RETURNING c.id
    """
)
MESSAGES = frozenset({Channel.SMS, Channel.EMAIL, Channel.LETTER, Channel.IN_APP})


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A contact somebody would like to make; without a template it is a task for a person."""

    customer: Customer
    channel: str
    purpose: str
    step: str
    due_on: date
    amount: Decimal
    case: Case | None = None
    template: str = ""
    context: Mapping[str, Any] | None = None


@transaction.atomic
def plan(wishes: Sequence[Wish], *, on: date, at: datetime) -> list[Contact]:
    """Ask the gate about each wish and write down what becomes of it: planned or refused, in a few statements.

    What only the hour forbids is planned for the first moment that is allowed. Messages are queued for then
    and pass the gate once more when they are sent. A refusal that is on record already is not written again.
    """
    if not wishes:
        return []
    known = gate.debtors([wish.customer for wish in wishes], on)
    limits = gate.numbers(on)
    contacts = [_judged(wish, known[wish.customer.pk], limits, at) for wish in wishes]
    news = _without_known_refusals(contacts)
    bulk.create_many(news)
    _queue_messages(list(zip(wishes, contacts, strict=True)), at)
    return contacts


def _judged(wish: Wish, debtor: engine.Debtor, limits: engine.GateRules, at: datetime) -> Contact:
    contact = Contact(
        customer=wish.customer,
        case=wish.case,
        channel=wish.channel,
        purpose=wish.purpose,
        step=wish.step,
        due_on=wish.due_on,
        amount=wish.amount,
        planned_for=at,
    )
    asked = engine.Contact(
        channel=wish.channel,
        party=engine.DEBTOR,
        purpose=wish.purpose,
        at=at,
        number=gate.number_of(wish.customer, wish.channel),
        staff=limits.visit_staff or 1,
        claimed_amount=wish.amount if wish.purpose != engine.REMINDER else None,
    )
    # How often somebody was called today says nothing about the day of a planned call.
    verdict = engine.decide(asked, debtor, engine.History(), limits)
    if wish.channel in MESSAGES and not notices.has_address(wish.customer, wish.channel):
        contact.refuse(rule=gate.NO_ADDRESS, params={})
    elif verdict.retry_at is not None:
        contact.planned_for = verdict.retry_at
    elif not verdict.allowed:
        contact.refuse(rule=str(verdict.rule), params=dict(verdict.params))
    return contact


def _without_known_refusals(contacts: Sequence[Contact]) -> list[Contact]:
    refused = [contact for contact in contacts if contact.state == Contact.State.REFUSED]
    known = set()
    if refused:
        rows = Contact.objects.filter(
            state=Contact.State.REFUSED,
            customer_id__in=arrears.unnested({contact.customer_id for contact in refused}),
            step__in={contact.step for contact in refused},
        )
        known = set(rows.values_list("customer_id", "due_on", "step", "channel", "rule"))
    return [
        c for c in contacts if (c.customer_id, c.due_on, c.step, c.channel, c.rule) not in known or not c.rule
    ]


def _queue_messages(pairs: Sequence[tuple[Wish, Contact]], at: datetime) -> None:
    to_send = {
        f"contact:{contact.pk}": (wish, contact)
        for wish, contact in pairs
        if wish.template and contact.state == Contact.State.PLANNED
    }
    queued = notices.queue_many(
        [
            notices.Message(
                customer=wish.customer,
                template=wish.template,
                context=wish.context or {"amount": wish.amount, "due_on": wish.due_on},
                key=key,
                purpose=wish.purpose,
                channels=[wish.channel],
                send_after=contact.planned_for,
            )
            for key, (wish, contact) in to_send.items()
        ],
        at=at,
    )
    for notice in queued:
        _wish, contact = to_send[notice.key.rpartition(":")[0]]
        contact.notice = notice
        if notice.state == Notice.State.SENT:
            contact.done(at=at)
    bulk.update_many([contact for _wish, contact in to_send.values()], ["notice", "state", "at"])


def follow_messages() -> int:
    """Contacts by message are done when their notice was sent, and not made when it could not be delivered."""
    return len(FOLLOW(gate.UNDELIVERED))


@transaction.atomic
def log(
    *,
    outcome: str,
    by: User | None,
    at: datetime,
    contact_id: int | None = None,
    case_id: int | None = None,
    channel: str = Channel.CALL,
    connected: bool | None = None,
    note: str = "",
    number: str = "",
    party: str = Party.DEBTOR,
    staff: int = 1,
) -> Contact:
    """Write down a call or visit that somebody made: the planned one, or one of their own accord on a case.

    Asks the gate inside the transaction, with the counts of the day locked. What the gate refuses is
    returned in state REFUSED with its rule, and the planned contact stays to be made when it is allowed.
    Raises Refused for input that cannot be (`field` says which), TransitionNotAllowed when the planned
    contact has been dealt with.
    """
    planned, case = _lock(contact_id, case_id)
    contact = planned or _unplanned(case, channel, at)
    reached = outcome not in UNANSWERED
    _check(contact.channel, party, outcome, reached, connected)
    digest, shown = _number(contact.channel, party, number, case.customer)
    verdict = _ask(contact, case.customer, party, digest, staff, reached, at)
    if planned is not None and not verdict.allowed:
        _put_off(planned, verdict)
        contact = _unplanned(case, planned.channel, at)
    contact.party, contact.by, contact.note = party, by, note
    contact.number_digest, contact.number_masked = digest, shown
    contact.outcome, contact.connected = outcome, reached
    if verdict.allowed:
        contact.done(at=at)
    else:
        contact.refuse(rule=str(verdict.rule), params=dict(verdict.params))
    contact.save()
    _heed(contact, at)
    kind = "contact.made" if verdict.allowed else "contact.refused"
    events.record(
        kind, contact, by=by, at=at, channel=contact.channel, outcome=outcome, rule=contact.rule, case=case.pk
    )
    return contact


def _unplanned(case: Case, channel: str, at: datetime) -> Contact:
    """A contact of somebody's own accord, or one that was tried and refused."""
    return Contact(
        customer=case.customer, case=case, channel=channel, purpose=engine.COLLECTION, planned_for=at
    )


def _lock(contact_id: int | None, case_id: int | None) -> tuple[Contact | None, Case]:
    planned = None
    if contact_id is not None:
        case_id = Contact.objects.values_list("case_id", flat=True).get(pk=contact_id)
    if case_id is None:
        raise Refused("no_case", _("There is no case that this belongs to."))
    case = (
        Case.objects.select_for_update(no_key=True, of=("self",)).select_related("customer").get(pk=case_id)
    )
    if contact_id is not None:
        planned = Contact.objects.select_for_update(no_key=True, of=("self",)).get(pk=contact_id)
    if not case.is_open:
        raise Refused("case_closed", _("The case is closed: nothing is overdue."))
    return planned, case


def _check(channel: str, party: str, outcome: str, reached: bool, connected: bool | None) -> None:
    if channel not in (Channel.CALL, Channel.VISIT):
        raise Refused("channel", _("Only calls and visits are logged by hand."), field="channel")
    if party not in Party.values:
        raise Refused("party", _("Who was it?"), field="party")
    if outcome not in Outcome.values:
        raise Refused("outcome", _("Choose what came of it."), field="outcome")
    if connected is not None and connected != reached:
        raise Refused(
            "outcome", _("This outcome does not fit whether somebody was reached."), field="outcome"
        )


def _number(channel: str, party: str, number: str, customer: Customer) -> tuple[str, str]:
    """Fingerprint and masked form of the number that was dialled: the customer's own unless said otherwise."""
    if channel != Channel.CALL:
        return "", ""
    if not number and party == Party.DEBTOR:
        number = customer.phone
    # However it is written, it is one number.
    number = "".join(part for part in number if part not in " -").removeprefix("+86")
    if not number.removeprefix("+").isdigit() or not 5 <= len(number) <= 20:
        raise Refused("number", _("Which number was dialled?"), field="number")
    return fields.digest(number), fields.masked(number)


def _ask(
    contact: Contact, customer: Customer, party: str, digest: str, staff: int, reached: bool, at: datetime
) -> engine.Verdict:
    on = gate.day_of(at)
    limits = gate.numbers(on)
    debtor = gate.debtors([customer], on)[customer.pk]
    chasing = party == Party.DEBTOR
    asked = engine.Contact(
        channel=contact.channel,
        party=party,
        # Others are asked how to reach the customer, and are told nothing of a debt.
        purpose=contact.purpose if chasing else engine.SERVICE,
        at=at,
        number=digest,
        staff=staff,
    )
    touched = {}
    if (day := _local_day(at, customer)) is not None:
        touched = gate.counts_for(contact.channel, customer, digest, day, limits)
    past = gate.history(touched, lock=True)
    if not chasing:
        debtor = replace(debtor, lost_proof=gate.lost_proof(customer.pk, limits))
    verdict = engine.decide(asked, debtor, past, limits)
    if verdict.allowed:
        used = {gate.Kind.VISIT, gate.Kind.CALL if reached else gate.Kind.DIAL}
        for kind in used & touched.keys():
            gate.add_one(kind, *touched[kind][:2])
    return verdict


def _local_day(at: datetime, customer: Customer) -> date | None:
    try:
        return engine.local_day(at, customer.timezone)
    except (KeyError, ValueError, OSError):
        return None  # an unknown place: the gate refuses before anything is counted


def _put_off(planned: Contact, verdict: engine.Verdict) -> None:
    if verdict.retry_at is not None and planned.state == Contact.State.PLANNED:
        planned.planned_for = verdict.retry_at
        planned.save(update_fields=["planned_for"])


def _heed(contact: Contact, at: datetime) -> None:
    """What the other side said about being contacted holds from now on, in a refused contact too."""
    stranger = contact.party != Party.DEBTOR and contact.outcome == Outcome.ASKED_TO_STOP
    if contact.number_digest and (stranger or contact.outcome == Outcome.WRONG_PERSON):
        stop(customer_id=contact.customer_id, number_digest=contact.number_digest, at=at, by=contact.by)
    elif contact.outcome == Outcome.ASKED_TO_STOP and not stranger:
        stop(customer_id=contact.customer_id, channel=contact.channel, at=at, by=contact.by)


@transaction.atomic
def stop(
    *,
    customer_id: int,
    at: datetime,
    by: User | None,
    channel: str = "",
    number_digest: str = "",
    note: str = "",
) -> StopRequest:
    """Nobody contacts the customer by this channel, or at this number, until it is lifted."""
    if not channel and not number_digest:
        raise Refused("channel", _("Which way of contact is to stop?"), field="channel")
    request, made = StopRequest.objects.get_or_create(
        customer_id=customer_id,
        channel=channel,
        number_digest=number_digest,
        lifted_at=None,
        defaults={"asked_at": at, "note": note},
    )
    if made:
        events.record("contact.stopped", request, by=by, at=at, channel=channel)
    return request


@transaction.atomic
def lift_stop(*, stop_id: int, by: User | None, at: datetime) -> StopRequest:
    """The customer agrees to be contacted this way again; lifting twice changes nothing."""
    request = StopRequest.objects.select_for_update(no_key=True).get(pk=stop_id)
    if request.lifted_at is None:
        request.lifted_at = at
        request.save(update_fields=["lifted_at"])
        events.record("contact.stop_lifted", request, by=by, at=at, channel=request.channel)
    return request


def may_call(*, case: Case, at: datetime, channel: str = Channel.CALL) -> engine.Verdict:
    """What the gate would say to a call (at the customer's own number) or visit now; nothing is counted."""
    customer, on = case.customer, gate.day_of(at)
    limits = gate.numbers(on)
    digest = gate.number_of(customer, channel)
    asked = engine.Contact(
        channel=channel,
        party=engine.DEBTOR,
        purpose=engine.COLLECTION,
        at=at,
        number=digest,
        staff=limits.visit_staff or 1,
    )
    day = _local_day(at, customer)
    touched = {} if day is None else gate.counts_for(channel, customer, digest, day, limits)
    debtor = gate.debtors([customer], on)[customer.pk]
    return engine.decide(asked, debtor, gate.history(touched), limits)
