"""What the page of a case shows besides its own facts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from dunning.models import Case, Contact, Dispute
from dunning.words import rule_in_words
from lending.models import Instalment, Loan
from lending.words import money


@dataclass(frozen=True)
class Entry:
    """One line of the story of a case; `record` is what it is about."""

    at: datetime
    what: str
    details: str
    by: Any
    record: Any


def story(case: Case) -> list[Entry]:
    """Contacts, promises, disputes and legal matters of a case, the latest first."""
    entries = [*_contacts(case), *_promises(case), *_disputes(case), *_matters(case)]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


def unpaid(case: Case, on: date) -> QuerySet[Instalment]:
    """The instalments of the customer that are late, the oldest first."""
    return (
        Instalment.objects.filter(
            loan__customer=case.customer_id, loan__state__in=Loan.OWING, due_on__lt=on, outstanding__gt=0
        )
        .select_related("loan")
        .order_by("due_on", "loan_id")
    )


def _contacts(case: Case) -> Iterator[Entry]:
    for contact in case.contacts.select_related("by", "notice"):
        yield Entry(
            contact.at or contact.planned_for,
            f"{contact.get_channel_display()}: {contact.get_state_display()}",
            _details(contact),
            contact.by,
            contact,
        )


def _details(contact: Contact) -> str:
    if contact.rule:
        return rule_in_words(contact.rule)
    subject = contact.notice.subject if contact.notice else ""
    parts = [contact.get_outcome_display(), contact.number_masked, contact.note, subject]
    return " · ".join(part for part in parts if part)


def _promises(case: Case) -> Iterator[Entry]:
    for promise in case.promises.select_related("taken_by"):
        words = {"amount": money(promise.amount), "day": date_format(promise.due_on, "DATE_FORMAT")}
        yield Entry(
            _start_of(promise.taken_on),
            _("Promise to pay"),
            _("%(amount)s by %(day)s") % words,
            promise.taken_by,
            promise,
        )
        if promise.judged_on:
            yield Entry(
                _start_of(promise.judged_on),
                f"{_('Promise to pay')}: {promise.get_state_display()}",
                _("%(amount)s received") % {"amount": money(promise.received)},
                None,
                promise,
            )


def _disputes(case: Case) -> Iterator[Entry]:
    during = Dispute.objects.filter(customer=case.customer_id, opened_on__gte=case.opened_on)
    for dispute in during:
        yield Entry(
            _start_of(dispute.opened_on),
            _("Dispute"),
            f"{money(dispute.amount)} · {dispute.reason}",
            None,
            dispute,
        )
        if dispute.resolved_on:
            what = f"{_('Dispute')}: {dispute.get_state_display()}"
            yield Entry(_start_of(dispute.resolved_on), what, dispute.answer, None, dispute)


def _matters(case: Case) -> Iterator[Entry]:
    for matter in case.legal_matters.all():
        steps = {
            _("Legal notice"): matter.noticed_on,
            _("Claim filed"): matter.filed_on,
            _("Judgment"): matter.judged_on,
            _("Enforcement"): matter.enforced_on,
            _("Legal matter closed"): matter.closed_on,
        }
        for what, day in steps.items():
            if day:
                yield Entry(_start_of(day), what, str(matter), None, matter)


def _start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
