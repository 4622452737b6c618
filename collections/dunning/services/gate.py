"""The contact gate with its facts: what the engine decides on, read from the database."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from itertools import takewhile

from django.db import connection
from django.utils import timezone

from dunning.engine import gate as engine
from dunning.models import Case, Contact, DayCount
from dunning.models.contact import UNANSWERED, Outcome, Party
from dunning.selectors import arrears
from lending import bulk
from lending.models import Consent, Customer, Notice
from lending.selectors import rules
from lending.services import notices

Kind = DayCount.Kind

NO_ADDRESS = "NO_ADDRESS"  # not a rule of the gate: there is no number or address to reach
UNDELIVERED = "UNDELIVERED"  # nor this: the provider could not deliver


def day_of(at: datetime) -> date:
    """The house's day of a moment."""
    return timezone.localtime(at).date()


def number_of(customer: Customer, channel: str) -> str:
    """The fingerprint of the number that a channel reaches the customer at, "" when it needs none."""
    return customer.phone_digest if channel in (engine.CALL, engine.SMS) else ""


PARAMETERS = (
    *("CONTACT_QUIET_FROM", "CONTACT_QUIET_TO", "CONTACT_EFFECTIVE_CALLS_PER_DAY"),
    *("CONTACT_UNANSWERED_PER_NUMBER_PER_DAY", "CONTACT_VISITS_PER_DAY", "CONTACT_VISIT_STAFF"),
    "CONTACT_LOST_TRIES",
)


def numbers(on: date) -> engine.GateRules:
    """The rules' numbers on that day; what no rule sets stays unknown, and the gate refuses."""
    values = rules.parameters(PARAMETERS, on)
    return engine.GateRules(
        quiet_from=_hour(values.get("CONTACT_QUIET_FROM")),
        quiet_to=_hour(values.get("CONTACT_QUIET_TO")),
        max_effective_calls=_whole(values.get("CONTACT_EFFECTIVE_CALLS_PER_DAY")),
        max_unanswered=_whole(values.get("CONTACT_UNANSWERED_PER_NUMBER_PER_DAY")),
        max_visits=_whole(values.get("CONTACT_VISITS_PER_DAY")),
        visit_staff=_whole(values.get("CONTACT_VISIT_STAFF")),
        lost_after_tries=_whole(values.get("CONTACT_LOST_TRIES")),
    )


def _hour(value: Decimal | None) -> time | None:
    """22.5 is half past ten at night; what is not an hour of the day is not known."""
    if value is None or not 0 <= value < 24:
        return None
    return time(int(value), int(value % 1 * 60))


def _whole(value: Decimal | None) -> int | None:
    return None if value is None else int(value)


# Asked for every batch of messages.
PLANNED = bulk.Select(Contact, "notice_id = ANY(%s::bigint[]) AND state = 'PLANNED'")
AGREED = bulk.Tuples(
    """
    SELECT customer_id, bool_or(withdrawn_at IS NULL) FROM lending_consent
    WHERE customer_id = ANY(%s::bigint[]) AND purpose = %s GROUP BY customer_id
    """
)
STOPS = bulk.Tuples(
    """
    SELECT customer_id, channel, number_digest FROM dunning_stoprequest
    WHERE customer_id = ANY(%s::bigint[]) AND lifted_at IS NULL
    """
)


def debtors(customers: Iterable[Customer], on: date) -> dict[int, engine.Debtor]:
    """What the gate needs to know of each customer, in four statements however many they are."""
    by_id = {customer.pk: customer for customer in customers}
    ids = list(by_id)
    agreed = _agreed(ids)
    channels, stopped_numbers = _stops(ids)
    disputed = arrears.disputed(ids)
    owed = arrears.overdue(on, ids)
    return {
        pk: _debtor(
            customer,
            consent=agreed.get(pk),
            channels=channels.get(pk, set()),
            stopped_numbers=stopped_numbers.get(pk, set()),
            open_dispute=pk in disputed,
            disputed=disputed.get(pk),
            owed=owed[pk].amount if pk in owed else Decimal(0),
        )
        for pk, customer in by_id.items()
    }


def _debtor(
    customer: Customer,
    *,
    consent: bool | None,
    channels: set[str],
    stopped_numbers: set[str],
    open_dispute: bool,
    disputed: Decimal | None,
    owed: Decimal,
) -> engine.Debtor:
    return engine.Debtor(
        timezone=customer.timezone,
        consents={} if consent is None else {engine.SMS: consent, engine.EMAIL: consent},
        stop_channels=frozenset(channels),
        stop_numbers=frozenset(stopped_numbers),
        open_dispute=open_dispute,
        disputed_amount=disputed,
        overdue_amount=owed,
        # The books stop at the legal cap, so what they say is the most that may be claimed; not what is
        # disputed.
        capped_amount=max(Decimal(0), owed - (disputed or Decimal(0))),
    )


def _agreed(ids: Sequence[int]) -> dict[int, bool]:
    """Whether each customer agreed to messages, or has taken that back; who was never asked is missing."""
    return dict(AGREED(ids, Consent.Purpose.ELECTRONIC_NOTICES.value))


def _stops(ids: Sequence[int]) -> tuple[dict[int, set[str]], dict[int, set[str]]]:
    channels: dict[int, set[str]] = {}
    stopped: dict[int, set[str]] = {}
    for customer_id, channel, number_digest in STOPS(ids):
        if channel:
            channels.setdefault(customer_id, set()).add(channel)
        else:
            stopped.setdefault(customer_id, set()).add(number_digest)
    return channels, stopped


def lost_proof(customer_id: int, limits: engine.GateRules) -> str | None:
    """Why others may be asked how to reach the customer: what the last calls to the customer say."""
    calls = Contact.objects.filter(
        customer_id=customer_id, channel=engine.CALL, state=Contact.State.DONE, party=Party.DEBTOR
    ).order_by("-at", "-pk")
    outcomes = list(calls.values_list("outcome", flat=True)[: limits.lost_after_tries or 1])
    last = outcomes[0] if outcomes else ""
    if last in (Outcome.DECEASED, Outcome.INCAPABLE):
        return last
    in_vain = sum(1 for _ in takewhile(lambda outcome: outcome in UNANSWERED, outcomes))
    dead = last in (Outcome.NUMBER_DEAD, Outcome.WRONG_PERSON)
    return engine.lost_proof(number_dead=dead, failed_in_a_row=in_vain, rules=limits)


# --- counts of the day ----------------------------------------------------------------------------------


def counts_for(
    channel: str, customer: Customer, number_digest: str, day: date, most: engine.GateRules
) -> dict[str, tuple[str, date, int]]:
    """Which daily counts a contact touches: kind to (subject, day, the most the rule allows)."""
    person = str(customer.pk)
    touched: dict[str, tuple[str, int | None]] = {}
    if channel == engine.CALL:
        touched[Kind.CALL] = (person, most.max_effective_calls)
        touched[Kind.DIAL] = (number_digest, most.max_unanswered)
    elif channel == engine.VISIT:
        touched[Kind.VISIT] = (person, most.max_visits)
    return {kind: (subject, day, limit) for kind, (subject, limit) in touched.items() if limit is not None}


def history(touched: dict[str, tuple[str, date, int]], *, lock: bool = False) -> engine.History:
    """How often it has been done on that day. `lock` holds the counts until the transaction ends."""
    counts = {kind: _locked(kind, *where) if lock else _read(kind, *where) for kind, where in touched.items()}
    return engine.History(
        effective_calls_today=counts.get(Kind.CALL, 0),
        unanswered_dials_today_to_number=counts.get(Kind.DIAL, 0),
        visits_today=counts.get(Kind.VISIT, 0),
    )


def _read(kind: str, subject: str, day: date, _most: int) -> int:
    found = DayCount.objects.filter(kind=kind, subject=subject, day=day).values_list("count", flat=True)
    return found.first() or 0


def _locked(kind: str, subject: str, day: date, most: int) -> int:
    """Make the row or wait for whoever holds it; from then on nobody else counts."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO dunning_daycount AS c (kind, subject, day, count, most) VALUES (%s, %s, %s, 0, %s)
            ON CONFLICT (kind, subject, day) DO UPDATE SET most = GREATEST(c.count, excluded.most)
            RETURNING count
            """,
            [kind, subject, day, most],
        )
        return int(cursor.fetchone()[0])


def add_one(kind: str, subject: str, day: date) -> None:
    """Count one more; the database refuses one above the most."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE dunning_daycount SET count = count + 1 WHERE kind = %s AND subject = %s AND day = %s",
            [kind, subject, day],
        )


# --- the moment of sending ------------------------------------------------------------------------------


def screen_notices(batch: Sequence[Notice], *, at: datetime) -> dict[int, notices.Hold]:
    """What the gate holds back of messages that are about to be sent (settings.NOTICE_SCREENS).

    A message of service waits for the morning when it is an SMS and is otherwise let through; a message about
    arrears passes the whole gate again, with today's figures: who has paid since hears nothing.
    """
    on = day_of(at)
    limits = numbers(on)
    people = {notice.customer_id: notice.customer for notice in batch if notice.purpose != notices.SERVICE}
    known = debtors(people.values(), on) if people else {}
    planned = {contact.notice_id: contact for contact in PLANNED([notice.pk for notice in batch])}
    still_due = _still_due([c for c in planned.values() if c.purpose == engine.REMINDER])
    holds: dict[int, notices.Hold] = {}
    refused = []
    for notice in batch:
        contact = planned.get(notice.pk)
        debtor = known.get(notice.customer_id) or _served(notice)
        if contact is not None and contact.purpose == engine.REMINDER:
            due = still_due.get((contact.customer_id, contact.due_on), Decimal(0))
            debtor = replace(debtor, capped_amount=due)
        asked = engine.Contact(
            channel=notice.channel,
            party=engine.DEBTOR,
            purpose=notice.purpose,
            at=at,
            number=number_of(notice.customer, notice.channel),
            claimed_amount=contact.amount if contact else None,
        )
        verdict = engine.decide(asked, debtor, engine.History(), limits)
        if verdict.allowed:
            continue
        holds[notice.pk] = notices.Hold(str(verdict.rule), verdict.retry_at)
        if contact is not None and verdict.retry_at is None:
            contact.refuse(rule=str(verdict.rule), params=dict(verdict.params))
            refused.append(contact)
    bulk.update_many(refused, ["state", "rule", "rule_params"])
    # The strategy looks again today: where the amount has changed, it writes a new message.
    if case_ids := [contact.case_id for contact in refused if contact.case_id]:
        Case.objects.filter(pk__in=case_ids).exclude(state=Case.State.CLOSED).update(next_action_on=on)
    return holds


def _still_due(reminders: Sequence[Contact]) -> dict[tuple[int, date | None], Decimal]:
    """What is still unpaid of the bills that reminders are about."""
    if not reminders:
        return {}
    days = [reminder.due_on for reminder in reminders if reminder.due_on]
    rows = arrears.COMING_DUE(min(days), max(days), [reminder.customer_id for reminder in reminders])
    return {(customer_id, due_on): amount for customer_id, due_on, amount in rows}


def _served(notice: Notice) -> engine.Debtor:
    """A customer whom a message of service is for: it needs no consent, and only an SMS can wake anybody."""
    return engine.Debtor(
        timezone=notice.customer.timezone,
        consents={notice.channel: True},
        night_agreed=notice.channel != engine.SMS,
    )
