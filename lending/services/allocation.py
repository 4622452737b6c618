"""The order in which a product's payments meet what is owed: set while the product is a draft."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from lending import engine
from lending.engine.allocation import PRESETS
from lending.errors import Refused
from lending.models import Product, User
from lending.services import products


def set_order(
    *,
    product_id: int,
    by: User | None,
    at: datetime,
    preset: str = "",
    rules: dict[str, Any] | None = None,
) -> Product:
    """One of the presets, or rules of our own; refused once the terms are frozen."""
    if rules is None:
        if preset not in PRESETS:
            raise Refused("allocation", _("There is no such order."), field="mode")
        return products.edit(
            product_id=product_id, values={"allocation": preset, "allocation_rules": None}, by=by, at=at
        )
    try:
        checked = engine.Allocation.from_json(rules).to_json()
    except engine.TermsError as error:
        raise Refused("allocation", error.message, field="mode") from error
    return products.edit(product_id=product_id, values={"allocation_rules": checked}, by=by, at=at)
