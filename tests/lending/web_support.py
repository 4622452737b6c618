"""Customers in front of a browser, for the tests of the pages."""

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.test import Client, override_settings

from lending import clock
from lending.models import Application, CreditLine, Customer, Offer, Product, Statement, User
from lending.services import applications, customers, lines, statements

PERSON = {
    "name": "林晓",
    "id_number": "11010519491231002X",
    "phone": "138 0013 8000",
    "monthly_income": "12,000",
    "is_student": "no",
    "consent_CREDIT_ASSESSMENT": "on",
    "consent_ELECTRONIC": "on",
}
FIGURES = {
    "revenue": "5200000",
    "costs": "4700000",
    "interest_expense": "90000",
    "net_profit": "-310000",
    "cash": "640000",
    "current_assets": "2100000",
    "total_assets": "4100000",
    "current_liabilities": "1500000",
    "total_liabilities": "2200000",
}


def now() -> dict[str, Any]:
    return {"at": clock.now(), "on": clock.today()}


def sign_up(email: str = "lin@example.com") -> tuple[Client, User]:
    """Someone with an account who is no customer yet."""
    user = User.objects.create_user(username=email, email=email, password="corn-Flower-77")
    client = Client()
    # The guard against guessing wants an address, which a log-in without a request has not.
    with override_settings(AXES_ENABLED=False):
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client, user


def customer(email: str = "lin@example.com", kind: str = "PERSON") -> tuple[Client, Customer]:
    client, user = sign_up(email)
    registered = customers.register(
        kind=kind, name=email, user=user, email=email, registered_on=clock.today(), by=None, at=clock.now()
    )
    return client, registered


def with_line(email: str = "lin@example.com", limit: str = "5000") -> tuple[Client, CreditLine]:
    client, owner = customer(email)
    line = lines.open_line(
        customer_id=owner.pk,
        product_id=Product.objects.get(code="pay-later").pk,
        limit=Decimal(limit),
        by=None,
        **now(),
    )
    return client, line


def submitted(
    owner: Customer, code: str = "pay-later", amount: str = "8000", tenor: int | None = None
) -> Application:
    stamp = {"by": None, "at": clock.now()}
    draft = applications.start(
        customer_id=owner.pk,
        product_id=Product.objects.get(code=code).pk,
        amount=Decimal(amount),
        tenor=tenor,
        **stamp,
    )
    return applications.submit(application_id=draft.pk, **stamp)


def decide(application: Application, outcome: str, **values: Any) -> Application:
    return applications.decide(
        application_id=application.pk, outcome=outcome, **{"by": None} | now() | values
    )


def read_long_enough(offer: Offer) -> None:
    """As if the sheet had been opened a while ago."""
    Offer.objects.filter(pk=offer.pk).update(shown_at=clock.now() - timedelta(seconds=30))


def bill(line: CreditLine) -> Statement:
    """The bill of the line's next statement day."""
    statements.issue(on=date(2026, 12, 22), at=clock.now())
    return line.statements.get()


def key_on(client: Client, path: str) -> str:
    """The one-time key of the form on a page."""
    found = re.search(r'name="key" value="([0-9a-f-]{36})"', client.get(path).content.decode())
    assert found, f"no key on {path}"
    return found.group(1)


def submit(client: Client, path: str, **values: Any) -> Any:
    """Fill in a keyed form as a browser would: its key comes from the page."""
    return client.post(path, {"key": key_on(client, path)} | values)


def buy(client: Client, good: str = "shoes", tenor: int = 3) -> Any:
    return submit(client, f"/shop/{good}/", tenor=tenor)


def errors(answer: Any, field: str | None = None) -> list[str]:
    """What the form on an answered page says against a field, or against the whole (None)."""
    assert answer.status_code == 200, answer.status_code
    form = answer.context["form"]
    words = list(form.non_field_errors() if field is None else form.errors.get(field, []))
    page = answer.content.decode()
    assert all(str(word) in page for word in words), "an error that the page does not show"
    return words
