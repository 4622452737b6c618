"""One search over what staff look for by name or number, within what each may see."""

import re
from collections.abc import Iterable
from typing import Any

from django.db.models import Model, Q
from django.http import HttpRequest
from unfold.dataclasses import SearchResult

from lending import fields
from lending.admin.parts import page_of
from lending.models import Application, CreditLine, Customer, Loan, Purchase
from lending.selectors import finding

LIMIT = 8
# The letter before a number: A00000012 is an application.
NUMBERED: dict[str, type[Model]] = {"A": Application, "C": CreditLine, "L": Loan}
ICONS = {Application: "inbox", CreditLine: "credit_card", Loan: "request_quote", Purchase: "shopping_cart"}


def search(request: HttpRequest, term: str) -> list[SearchResult]:
    """Customers by name, reference, phone or identity number; records by their number; purchases by order."""
    found = [*_customers(term), *_numbered(term), *_orders(term)]
    return [_result(record) for record in found if _may_see(request.user, record)]


def _may_see(user: Any, record: Model) -> bool:
    return user.has_perm(f"{record._meta.app_label}.view_{record._meta.model_name}")


def _customers(term: str) -> Iterable[Customer]:
    if finding.is_large(Customer):
        return Customer.objects.filter(finding.customers(term)).order_by()[:LIMIT]
    match = Q(name__icontains=term) | Q(platform_ref__iexact=term)
    if len(term) >= 7:
        print_ = fields.digest(term)
        match |= Q(id_number_digest=print_) | Q(phone_digest=print_)
    return Customer.objects.filter(match)[:LIMIT]


def _numbered(term: str) -> Iterable[Model]:
    match = re.fullmatch(r"([acl])0*(\d{1,12})", term, re.IGNORECASE)
    if match is None:
        return []
    model = NUMBERED[match[1].upper()]
    return model._default_manager.filter(pk=int(match[2]))


def _orders(term: str) -> Iterable[Purchase]:
    if finding.is_large(Purchase):
        return Purchase.objects.filter(order_ref=term)
    return Purchase.objects.filter(order_ref__iexact=term)[:LIMIT]


def _result(record: Any) -> SearchResult:
    owner = getattr(record, "customer", None)
    kind = str(record._meta.verbose_name)
    return SearchResult(
        title=str(record),
        description=f"{kind} · {owner}" if owner else kind,
        link=page_of(record),
        icon=ICONS.get(type(record), "person"),
    )
