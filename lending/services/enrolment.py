"""Someone with an account becomes a customer, with the consents they gave."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db import transaction

from lending.models import Customer, User
from lending.services import customers


@transaction.atomic
def enrol(
    *,
    user_id: int,
    kind: str,
    consents: Iterable[str],
    text_version: str,
    by: User | None,
    at: datetime,
    on: date,
    **details: Any,
) -> Customer:
    """Register the user as a customer and keep the consents; `details` are those of `customers.register`.

    Sent twice, the second returns the customer of the first. Raises Refused as `customers.register` does.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    if known := Customer.objects.filter(user=user).first():
        return known
    customer = customers.register(
        user=user, kind=kind, email=user.email, registered_on=on, by=by, at=at, **details
    )
    for purpose in consents:
        customers.give_consent(
            customer_id=customer.pk, purpose=purpose, text_version=text_version, by=by, at=at
        )
    return customer
