"""Events in words: what happened, who did it, and what it changed."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lending import words
from lending.admin.parts import Timeline, money, page_of
from lending.models import (
    Account,
    AssetClass,
    Collateral,
    Consent,
    Customer,
    Debit,
    Document,
    Event,
    LineHold,
    ReliefRequest,
    Role,
    Transaction,
    UnappliedMoney,
)

WORDS = {
    "customer.registered": _("Registered"),
    "customer.updated": _("Details changed"),
    "customer.phone_changed": _("Phone number changed"),
    "customer.language_chosen": _("Language chosen"),
    "customer.revealed": _("A masked field was looked at"),
    "customer.blocked": _("Customer blocked"),
    "customer.unblocked": _("Customer unblocked"),
    "customer.grouped": _("Group of related parties changed"),
    "consent.given": _("Consent given"),
    "consent.withdrawn": _("Consent withdrawn"),
    "application.started": _("Application started"),
    "application.document_added": _("Document handed in"),
    "application.submitted": _("Application submitted"),
    "application.referred": _("Application given to an officer"),
    "application.approved": _("Application approved"),
    "application.declined": _("Application declined"),
    "application.overridden": _("Decline overridden by two people"),
    "application.review_asked": _("Review by a person asked for"),
    "application.withdrawn": _("Application withdrawn"),
    "application.expired": _("Offer ran out"),
    "application.tranches_planned": _("Payout in tranches planned"),
    "application.booked": _("Application booked"),
    "offer.made": _("Offer made"),
    "offer.shown": _("Cost sheet shown"),
    "offer.rewritten": _("Cost sheet written anew for the day"),
    "offer.accepted": _("Offer accepted"),
    "document.revealed": _("A paper was taken out"),
    "export.made": _("A list was taken away as a file"),
    "line.opened": _("Line opened"),
    "line.suspended": _("Line suspended"),
    "line.hold_lifted": _("Hold on the line lifted"),
    "line.limit_cut": _("Limit cut"),
    "line.limit_restored": _("Limit restored"),
    "line.limit_raised": _("Limit raised"),
    "line.temporary_limit": _("Temporary limit given"),
    "line.temporary_limit_ended": _("Temporary limit ended"),
    "line.closed": _("Line closed"),
    "line.reapproved": _("Line approved for another year"),
    "limit_offer.made": _("Higher limit offered"),
    "limit_offer.released": _("Offer of a higher limit let out"),
    "limit_offer.accepted": _("Higher limit accepted"),
    "limit_offer.declined": _("Higher limit declined"),
    "limit_offer.expired": _("Offer of a higher limit ran out"),
    "limit_offer.withdrawn": _("Offer of a higher limit withdrawn"),
    "purchase.authorised": _("Purchase authorised"),
    "purchase.captured": _("Purchase captured"),
    "purchase.voided": _("Purchase voided"),
    "purchase.expired": _("Authorisation ran out"),
    "purchase.refunded": _("Purchase refunded"),
    "loan.set_aside": _("Set aside by the daily close"),
    "loan.taken_in": _("Taken in by the daily close again"),
    "loan.reclassified": _("Class changed"),
    "loan.disbursement": _("Loan paid out"),
    "loan.repayment": _("Repayment booked"),
    "loan.charge": _("Charge booked"),
    "loan.waiver": _("Charge waived"),
    "loan.merchant_refund": _("Merchant's refund booked"),
    "loan.payout_refund": _("Payout refunded"),
    "loan.goodwill": _("Goodwill credit booked"),
    "loan.credit_refund": _("Credit balance paid out"),
    "loan.settlement": _("Loan settled early"),
    "loan.write_off": _("Loan written off"),
    "loan.recovery": _("Recovery booked"),
    "loan.prepayment": _("Part prepayment booked"),
    "loan.chargeback": _("Payment taken back by the bank"),
    "loan.acceleration": _("Loan called in"),
    "loan.reschedule": _("Loan put on a new schedule"),
    "loan.hardship": _("Hardship plan given"),
    "loan.holiday": _("Payment holiday given"),
    "loan.reamortise": _("Arrears spread over the rest"),
    "loan.reage": _("Arrears put on new dates"),
    "loan.watched": _("Loan put under watch"),
    "relief.asked": _("Customer asked for relief"),
    "relief.granted": _("Relief granted"),
    "relief.declined": _("Relief declined"),
    "relief.withdrawn": _("Request for relief withdrawn"),
    "loan.reversal": _("Transaction reversed"),
    "payment.started": _("Payment started"),
    "payment.received": _("Payment received"),
    "payment.failed": _("Payment failed"),
    "unapplied.held": _("Money taken into suspense"),
    "unapplied.named": _("Payer of held money named"),
    "unapplied.applied": _("Held money applied"),
    "unapplied.refunded": _("Held money paid back"),
    "unapplied.restored": _("Held money put back"),
    "payment_file.uploaded": _("Payment file uploaded"),
    "payment_file.mapped": _("Columns of a payment file named"),
    "payment_file.confirmed": _("Payment file confirmed"),
    "payment_file.discarded": _("Payment file discarded"),
    "payment_file.done": _("Payment file posted"),
    "bank.taken_in": _("Bank statement taken in"),
    "bank.posted": _("Bank line posted"),
    "bank.held": _("Bank line held as unapplied"),
    "bank.ignored": _("Bank line ignored"),
    "bank.reopened": _("Bank line put back into the queue"),
    "mandate.signed": _("Direct debit allowed"),
    "mandate.suspended": _("Direct debit suspended"),
    "mandate.resumed": _("Direct debit goes on"),
    "mandate.revoked": _("Direct debit taken back"),
    "mandate.expired": _("Direct debit ran out"),
    "debit.planned": _("Debit announced"),
    "debit.refused": _("An account refused a debit"),
    "debit.failed": _("Debit failed"),
    "debit.stopped": _("Debit called off"),
    "statement.issued": _("Bill issued"),
    "notice.failed": _("Message could not be delivered"),
    "collateral.proposed": _("Collateral proposed"),
    "collateral.verified": _("Collateral verified"),
    "collateral.pledged": _("Collateral pledged"),
    "collateral.released": _("Collateral released"),
    "collateral.enforced": _("Collateral enforced"),
    "collateral.lapsed": _("Collateral lapsed"),
    "collateral.revalued": _("Collateral valued again"),
    "collateral.registered": _("Pledge registered"),
    "approval.asked": _("Second person asked"),
    "approval.approved": _("Allowed by a second person"),
    "approval.rejected": _("Refused by a second person"),
    "approval.withdrawn": _("Request taken back"),
    "approval.expired": _("Nobody decided on the request"),
    "product.drafted": _("Product drafted"),
    "product.edited": _("Draft of a product changed"),
    "product.live": _("Product put on sale"),
    "product.retired": _("Product taken off sale"),
    "period.closed": _("Accounting month closed"),
    "period.reopened": _("Accounting month opened again"),
    "account.opened": _("Account opened"),
    "account.renamed": _("Account renamed"),
    "account.dropped": _("Account taken out of the chart"),
    "account.assigned": _("Account of a role changed"),
    "account.withdrawn": _("Product goes with the house's account"),
    "loan.interest_suspended": _("Interest suspended"),
    "loan.interest_resumed": _("Interest counts again"),
    "template.revised": _("Message template revised"),
}

_NAMES = {
    "account": _("account"),
    "account_kind": _("kind"),
    "code": _("code"),
    "name": _("name"),
    "name_zh": _("Chinese name"),
    "role": _("role"),
    "month": _("month"),
    "amount": _("amount"),
    "cause": _("cause"),
    "command": _("command"),
    "days": _("days past due"),
    "due_on": _("due on"),
    "ends_on": _("ends on"),
    "error": _("error"),
    "field": _("field"),
    "file": _("file"),
    "grade": _("grade"),
    "kind": _("kind"),
    "limit": _("limit"),
    "note": _("note"),
    "order_ref": _("order"),
    "oldest_due_on": _("oldest unpaid due date"),
    "outcome": _("outcome"),
    "overdue": _("overdue"),
    "product": _("product"),
    "purpose": _("purpose"),
    "reason": _("reason"),
    "reasons": _("reasons"),
    "remark": _("remark"),
    "rows": _("rows"),
    "starts_on": _("starts on"),
    "step": _("step"),
    "tenor": _("instalments"),
    "tier": _("class"),
    "to": _("new limit"),
    "transaction": _("transaction"),
    "type": _("type"),
    "value": _("value"),
    "value_on": _("value date"),
    "version": _("version"),
    "document": _("document"),
    "filters": _("filters"),
    "form": _("form"),
    "language": _("language"),
    "model": _("list"),
    "title": _("title"),
    "wish": _("wish"),
    "until": _("until"),
    "details": _("details"),
    # What is agreed in a restructuring.
    "annual_rate": _("annual rate"),
    "instalments": _("instalments"),
    "first_due_on": _("first due date"),
    "skip": _("instalments skipped first"),
    "skipped_interest": _("interest of the holiday"),
    "accrued": _("interest of the running period"),
    "of": _("payment"),
    "principal": _("principal"),
    "interest": _("interest"),
    "fee": _("fee"),
    "penalty": _("penalty"),
}
# Codes that events carry, in words.
_CODES = {
    code: words
    for choices in (
        Account.Kind,
        Role,
        Customer.Kind,
        Customer.State,
        Consent.Purpose,
        Collateral.Kind,
        Collateral.State,
        Document.Kind,
        LineHold.Cause,
        Transaction.Type,
        UnappliedMoney.Reason,
        Debit.Reason,
        ReliefRequest.Reason,
    )
    for code, words in choices.choices
} | {
    "KEEP": _("leave overdue"),
    "MOVE": _("spread over the later instalments"),
    "CARRY": _("carry forward"),
    "CAPITALISE": _("add to the principal"),
    "WAIVE": _("waive"),
    "PAY": _("paid during the holiday"),
    "SHORTEN": _("Same instalment, shorter term"),
    "LOWER": _("Same term, smaller instalments"),
}
_CODES |= {one.name: one.label for one in AssetClass} | {"CONTAGION": _("the customer's other loans")}
# Figures whose codes mean something else there than anywhere else.
_CODES_OF = {"wish": dict(ReliefRequest.Wish.choices)}
# Names under which events keep amounts, as text; what merely changed has none.
_AMOUNTS = {"amount", "value", "limit", "overdue", "to", ""}
# Fingerprints mean nothing to a reader.
_HIDDEN = {"sheet", "sha256", "text", "key"}


@lru_cache
def _tables() -> dict[str, Any]:
    return {kind: text for path in settings.EVENT_WORDS for kind, text in import_string(path).items()}


def words_of(kind: str) -> str:
    """What happened in the reader's language; an unknown kind as it is written."""
    return str(_tables().get(kind) or kind.replace(".", " ").replace("_", " "))


def entry(event: Event) -> Timeline:
    return Timeline(
        at=event.at,
        who=str(event.actor) if event.actor_id else gettext("the system"),
        words=words_of(event.kind),
        changes=list(changes(event.data)),
        url=subject_url(event),
    )


def entries(events: Iterable[Event]) -> list[Timeline]:
    return [entry(event) for event in events]


def subject_url(event: Event) -> str:
    """The page of what the event is about, "" when it has none."""
    try:
        model = apps.get_model(event.subject_type)
    except (LookupError, ValueError):
        return ""
    return page_of(model(pk=event.subject_id))


def subject_words(event: Event) -> str:
    """What the event is about: the kind of record and its number."""
    try:
        name = apps.get_model(event.subject_type)._meta.verbose_name
    except (LookupError, ValueError):
        name = event.subject_type
    return f"{name} {event.subject_id}"


def changes(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The figures of an event, each with its name; what was before and after on one line."""
    before, after = data.get("before"), data.get("after")
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(after):
            if before.get(name) != after[name]:
                yield name_of(name), f"{text_of(name, before.get(name))} → {text_of(name, after[name])}"
    elif after is not None:
        yield gettext("change"), f"{text_of('', before)} → {text_of('', after)}"
    for name, value in data.items():
        if name not in _HIDDEN | {"before", "after"} and value not in (None, "", []):
            yield name_of(name), text_of(name, value)


def name_of(name: str) -> str:
    """The name of a figure in events and payloads."""
    return str(_NAMES.get(name, name.replace("_", " ")))


def text_of(name: str, value: Any) -> str:
    """The figure itself: amounts as amounts, codes as words."""
    if name == "reasons":
        return "; ".join(words.reason(code) for code in value)
    if value in (None, "", {}):
        return "–"
    if isinstance(value, dict):
        return details_in_words(value)
    if name in _AMOUNTS and _is_number(value):
        return money(value)
    return str(_CODES_OF.get(name, _CODES).get(value, value)) if isinstance(value, str) else str(value)


def details_in_words(details: dict[str, Any]) -> str:
    """What a restructuring agreed, on one line."""
    return "; ".join(f"{name_of(name)}: {text_of(name, value)}" for name, value in details.items())


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"-?\d+(\.\d+)?", value))
