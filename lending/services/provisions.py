"""Provisions: what the book is expected to lose, booked to a target per product."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending.errors import Refused
from lending.models import JournalEntry, Product
from lending.services import ledger, targets
from lending.services.targets import Target

PROVISION = Target(ledger.PROVISION, ledger.IMPAIRMENT, -1, "provision", "provision")


@transaction.atomic
def book(*, required: Mapping[int, Decimal], on: date) -> int:
    """Bring the provision of these products to what is required: only the difference is booked, so that the same
    figures again book nothing. Products that are not named keep theirs. Returns the number of entries.

    Refused for an amount below zero or with parts of a cent, and for a product that there is not.
    """
    for amount in required.values():
        if not amount.is_finite() or amount < 0 or amount != round(amount, 2):
            raise Refused(
                "amount", _("A provision is an amount of whole cents, not below zero."), field="amount"
            )
    if Product.objects.filter(pk__in=required).count() < len(required):
        raise Refused("product", _("There is no such product."), field="product")
    targets.lock(required)
    moved = 0
    for product_id, amount in sorted(required.items()):
        moved += targets.book(_next(product_id, on), {product_id: amount}, on=on, only=[product_id])
    return moved


def _next(product_id: int, on: date) -> Target:
    """A target may move more than once a day: each time has a key of its own."""
    times = JournalEntry.objects.filter(
        booked_on=on, product_id=product_id, key__startswith=f"{PROVISION.kind}"
    ).count()
    return PROVISION.named(str(times + 1)) if times else PROVISION
