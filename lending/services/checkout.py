"""Buying and giving back in one step, in a shop of our own: here we are the platform and tell what it would tell."""

from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from lending.models import Purchase, User
from lending.services import purchases

ORDER, RETURN = "ORDER", "RETURN"


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
    bought = purchases.capture(purchase_id=held.pk, by=by, at=at, on=on)
    _tell(ORDER, bought, amount, f"order:{order_ref}", at)
    return bought


@transaction.atomic
def give_back(
    *, purchase_id: int, amount: Decimal, key: str, by: User | None, at: datetime, on: date
) -> Purchase:
    """Refund a purchase, whole or in part; the same key again changes nothing. Refuses as `refund` does."""
    returned = purchases.refund(purchase_id=purchase_id, amount=amount, key=key, by=by, at=at, on=on)
    _tell(RETURN, returned, amount, key, at)
    return returned


def _tell(kind: str, purchase: Purchase, amount: Decimal, key: str, at: datetime) -> None:
    """In the same transaction: what watches behaviour may act at once."""
    for path in settings.SHOP_LISTENERS:
        import_string(path)(kind=kind, purchase=purchase, amount=amount, key=key, at=at)
