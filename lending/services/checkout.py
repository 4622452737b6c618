"""Buying in one step, where goods leave as soon as they are paid."""

from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from lending.models import Purchase, User
from lending.services import purchases


@transaction.atomic
def buy(
    *,
    line_id: int,
    order_ref: str,
    amount: Decimal,
    tenor: int,
    by: User | None,
    at: datetime,
    on: date,
    description: str = "",
) -> Purchase:
    """Authorise and capture at once; the same order again returns its purchase. Refuses as those two do."""
    held = purchases.authorise(
        line_id=line_id,
        order_ref=order_ref,
        amount=amount,
        tenor=tenor,
        description=description,
        by=by,
        at=at,
        on=on,
    )
    return purchases.capture(purchase_id=held.pk, by=by, at=at, on=on)
