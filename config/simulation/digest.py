"""A fingerprint of what happened, in the words of the business: no database number and no wall clock is in it."""

import hashlib
from collections.abc import Iterator

from django.db.models import Count, Sum

from dunning.models import Case, Contact, Promise
from lending.models import (
    Application,
    BusinessDate,
    CreditLine,
    Customer,
    JournalLine,
    Loan,
    Notice,
    Purchase,
    Transaction,
)
from risk.models import Alert, CustomerDay, PlatformEvent

REF = "customer__platform_ref"
# Per table the columns that count, in an order that no database number decides.
CONTENT = (
    (Customer, ("platform_ref", "kind", "state", "monthly_income", "registered_on")),
    (PlatformEvent, ("source", "external_id", "kind", "order_ref", "amount", "at")),
    (CustomerDay, (REF, "day", "orders", "order_amount", "returns", "return_amount")),
    (
        Application,
        (REF, "product__code", "state", "amount", "approved_amount", "grade", "reasons", "decided_at"),
    ),
    (CreditLine, (REF, "state", "base_limit", "used", "held", "opened_on")),
    (Purchase, ("order_ref", "state", "amount", "captured", "refunded", "tenor")),
    (
        Loan,
        (
            REF,
            "disbursed_on",
            "principal_amount",
            "state",
            "principal",
            "interest",
            "fee",
            "penalty",
            "credit",
        ),
    ),
    (
        Transaction,
        (f"loan__{REF}", "booked_on", "type", "amount", "value_on", "principal", "interest", "penalty"),
    ),
    (Case, (REF, "state", "opened_on", "closed_on", "overdue")),
    (Contact, (REF, "channel", "step", "due_on", "state", "outcome", "rule")),
    (Promise, (REF, "state", "amount", "taken_on", "due_on")),
    (Alert, (REF, "control__code", "state", "tripped_on", "figure", "action")),
)


def digest() -> str:
    """The sha256 over the rows of `CONTENT`, the trial balance and the messages."""
    found = hashlib.sha256()
    for line in _lines():
        found.update(line.encode())
        found.update(b"\n")
    return found.hexdigest()


def _lines() -> Iterator[str]:
    yield str(BusinessDate.current())
    for model, columns in CONTENT:
        rows = sorted(map(repr, model._default_manager.values_list(*columns)))
        yield model._meta.label
        yield from rows
    for row in (
        JournalLine.objects.order_by("account_id").values_list("account_id").annotate(sum=Sum("amount"))
    ):
        yield repr(row)
    messages = Notice.objects.order_by("template__code", "channel", "state")
    for row in messages.values_list("template__code", "channel", "state").annotate(count=Count("pk")):
        yield repr(row)
