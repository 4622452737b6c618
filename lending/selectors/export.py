"""All that is kept about one customer, for themselves (Personal Information Protection Law, art. 45)."""

from typing import Any

from django.db.models import Model, QuerySet

from lending.models import Customer, Document, Instalment, Loan, Offer, Transaction

# Look-up fingerprints, the house's own notes and links between rows mean nothing outside.
LEFT_OUT = {
    "id_number_digest",
    "phone_digest",
    "decision_note",
    "decided_by",
    "sheet_sha256",
    "sha256",
    "user",
}


def of_customer(customer: Customer) -> dict[str, Any]:
    """Plain values by name; identity number and phone are not masked, for they go to their owner."""
    loans = Loan.objects.filter(customer=customer)
    return {
        "customer": _plain(customer),
        "consents": _all(customer.consents.all()),
        "applications": _all(customer.applications.all()),
        "offers": _all(Offer.objects.filter(application__customer=customer)),
        "documents": _all(Document.objects.filter(application__customer=customer)),
        "lines": _all(customer.lines.all()),
        "purchases": _all(customer.purchases.all()),
        "loans": _all(loans),
        "instalments": _all(Instalment.objects.filter(loan__in=loans)),
        "transactions": _all(Transaction.objects.filter(loan__in=loans)),
        "bills": _all(customer.statements.all()),
        "payments": _all(customer.payments.all()),
        "messages": _all(customer.notices.all()),
    }


def _all(rows: QuerySet[Any]) -> list[dict[str, Any]]:
    return [_plain(row) for row in rows]


def _plain(row: Model) -> dict[str, Any]:
    values = {field.name: field.value_from_object(row) for field in row._meta.concrete_fields}
    return {name: _text(value) for name, value in values.items() if name not in LEFT_OUT}


def _text(value: Any) -> Any:
    """JSON knows dates, decimals and lists of codes; a file is its name."""
    return value.name if hasattr(value, "storage") else value
