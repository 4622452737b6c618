"""What the demo shop tells, taken in like the events of any platform (settings.SHOP_LISTENERS)."""

from datetime import datetime
from decimal import Decimal

from lending.models import Purchase
from risk.services import events


def hear(*, kind: str, purchase: Purchase, amount: Decimal, key: str, at: datetime) -> None:
    """An order or a return on a purchase; told twice under one key, it counts once."""
    row = events.EventRow(
        customer_ref=purchase.customer.platform_ref,
        source="shop",
        external_id=key,
        kind=kind,
        at=at,
        order_ref=purchase.order_ref,
        amount=amount,
    )
    events.ingest(rows=[row], at=at)
