"""Reads for those who place money that came in."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from lending.errors import Refused
from lending.fields import ZERO
from lending.models import AccountMapping, Customer, Instalment, JournalLine, Loan, UnappliedMoney
from lending.services import ledger
from lending.services.payment_rows import loan_number


def loan_named(text: str) -> Loan:
    """The loan with that number (L00000123 or 123); raises Refused."""
    loan = Loan.objects.filter(pk=loan_number(text) or 0).first()
    if loan is None:
        raise Refused("unknown_loan", _("There is no loan %(value)s.") % {"value": text}, field="target")
    return loan


def customer_named(text: str) -> Customer:
    """The customer with that reference, or the only one of that name; raises Refused."""
    found = Customer.objects.filter(platform_ref=text).first()
    if found:
        return found
    named = list(Customer.objects.filter(name=text)[:2])
    if len(named) == 1:
        return named[0]
    words = (
        _("Several customers are called %(value)s: give the reference.")
        if named
        else _("There is no customer %(value)s.")
    )
    raise Refused("unknown_customer", words % {"value": text}, field="target")


def target(text: str) -> dict[str, int]:
    """What staff wrote as the goal of money: {"loan_id": ...} for L and digits, else {"customer_id": ...}."""
    text = text.strip()
    if text[:1] in "Ll" and loan_number(text):
        return {"loan_id": loan_named(text).pk}
    return {"customer_id": customer_named(text).pk}


def owed(customer_id: int, on: date | None = None) -> Decimal:
    """All that a customer has still to pay; with `on`, what is due by that day."""
    rows = Instalment.objects.filter(loan__customer_id=customer_id, loan__state__in=Loan.OWING)
    if on is not None:
        rows = rows.filter(due_on__lte=on)
    return rows.aggregate(sum=Sum("outstanding"))["sum"] or ZERO


def owed_by(customer_ids: Iterable[int]) -> dict[int, Decimal]:
    """All that each of these customers has still to pay."""
    rows = Instalment.objects.filter(
        loan__customer_id__in=customer_ids, loan__state__in=Loan.OWING, outstanding__gt=0
    )
    return dict(rows.order_by().values_list("loan__customer_id").annotate(sum=Sum("outstanding")))


def suspense_difference() -> Decimal:
    """The suspense account against the money that is held; always zero."""
    lines = JournalLine.objects.filter(
        account_id__in=AccountMapping.objects.filter(role=ledger.SUSPENSE).values("account_id")
    )
    books = lines.aggregate(sum=Sum("amount"))["sum"] or ZERO
    return books + (UnappliedMoney.objects.aggregate(sum=Sum("left"))["sum"] or ZERO)
