"""What collections bring to the pages of the house: cards, the customer's tab, and events in words."""

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dunning.models import Case, Contact, Dispute, LegalMatter, Promise
from dunning.words import rule_in_words
from lending.admin.parts import Card, Section, money, record_link, state_label
from lending.models import Customer

WORDS = {
    "case.opened": _("Case opened"),
    "case.moved": _("Case moved on"),
    "case.paused": _("Case paused"),
    "case.resumed": _("Case resumed"),
    "case.assigned": _("Case assigned"),
    "case.closed": _("Case closed"),
    "contact.made": _("Contact made"),
    "contact.refused": _("Contact refused by a rule"),
    "contact.stopped": _("Asked not to be contacted this way"),
    "contact.stop_lifted": _("May be contacted this way again"),
    "promise.taken": _("Promise to pay taken"),
    "promise.kept": _("Promise kept"),
    "promise.broken": _("Promise broken"),
    "promise.cancelled": _("Promise cancelled"),
    "dispute.opened": _("Dispute opened"),
    "dispute.resolved": _("Dispute answered"),
    "matter.opened": _("Legal notice given"),
    "matter.advanced": _("Legal matter moved on"),
    "matter.cost_added": _("Legal cost added"),
    "matter.document_added": _("Legal paper added"),
    "strategy.drafted": _("Strategy drafted"),
    "strategy.changed": _("Draft of a strategy changed"),
    "strategy.published": _("Strategy put in force"),
}


def cards(user: Any, on: date) -> Iterable[Card]:
    """Collections' part of the day's work; each count is asked only for those who may see it."""
    if user.has_perm("dunning.work_case"):
        yield _calls(on)
        yield _promises(on)
    if user.has_perm("dunning.change_dispute"):
        yield _disputes(on)
    if user.has_perm("dunning.change_legalmatter"):
        yield _matters(on)


def _list(name: str, query: str) -> str:
    return f"{reverse(f'admin:dunning_{name}_changelist')}?{query}"


def _calls(on: date) -> Card:
    tonight = timezone.make_aware(datetime.combine(on, time.max))
    tasks = Contact.objects.filter(state=Contact.State.PLANNED, notice=None, planned_for__lte=tonight)
    open_cases = Case.objects.exclude(state=Case.State.CLOSED).count()
    return Card(
        _("Calls to make"),
        count := tasks.count(),
        _list("case", "todo=calls"),
        _("%(count)s cases are open") % {"count": open_cases},
        "call",
        "warning" if count else "",
    )


def _promises(on: date) -> Card:
    due = Promise.objects.filter(state=Promise.State.OPEN, due_on=on).count()
    query = f"state__exact=OPEN&due_on_from={on}&due_on_to={on}"
    return Card(_("Promises for today"), due, _list("promise", query), icon="handshake")


def _disputes(on: date) -> Card:
    waiting = Dispute.objects.filter(state=Dispute.State.OPEN)
    late = waiting.filter(answer_by__lt=on).count()
    return Card(
        _("Disputes to answer"),
        waiting.count(),
        _list("dispute", "state__exact=OPEN"),
        _("%(count)s are past their day") % {"count": late},
        "feedback",
        "danger" if late else "",
    )


def _matters(on: date) -> Card:
    ripe = LegalMatter.objects.filter(state=LegalMatter.State.NOTICE, pay_by__lt=on).count()
    return Card(
        _("Claims that can be filed"),
        ripe,
        _list("legalmatter", f"state__exact=NOTICE&pay_by_to={on}"),
        icon="gavel",
        tone="warning" if ripe else "",
    )


def customer_sections(customer: Customer, on: date) -> list[Section]:
    """The customer's tab of collections."""
    return [_cases_of(customer, on), _contacts_of(customer), _promises_of(customer)]


def _cases_of(customer: Customer, on: date) -> Section:
    return Section(
        _("Cases"),
        [
            _("Case"),
            _("Stage"),
            _("Overdue"),
            _("Days late"),
            _("Opened on"),
            _("Closed on"),
            _("Assigned to"),
        ],
        [
            (
                record_link(case),
                state_label(case),
                money(case.overdue),
                case.days_past_due(on),
                case.opened_on,
                case.closed_on,
                case.assigned_to,
            )
            for case in customer.cases.select_related("assigned_to").order_by("-pk")
        ],
        permission="dunning.view_case",
        tab="collections",
    )


def _contacts_of(customer: Customer) -> Section:
    return Section(
        _("Contacts"),
        [_("When"), _("Channel"), _("State"), _("Outcome"), _("Rule"), _("By")],
        [
            (
                contact.at or contact.planned_for,
                record_link(contact, contact.get_channel_display()),
                state_label(contact),
                contact.get_outcome_display(),
                rule_in_words(contact.rule) if contact.rule else "",
                contact.by,
            )
            for contact in customer.contacts.select_related("by")[:50]
        ],
        permission="dunning.view_contact",
        tab="collections",
    )


def _promises_of(customer: Customer) -> Section:
    return Section(
        _("Promises"),
        [_("Amount"), _("To be paid by"), _("State"), _("Received"), _("Given on")],
        [
            (money(row.amount), row.due_on, state_label(row), money(row.received), row.taken_on)
            for row in customer.promises.all()
        ],
        permission="dunning.view_promise",
        tab="collections",
    )
