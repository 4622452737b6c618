"""Applications under lock, with the customer and the product that every decision asks for, in one round trip."""

from collections.abc import Iterable, Sequence

from lending import bulk
from lending.models import Application, Customer, Offer, Product

OFFER = bulk.Select(Offer, "id = %s FOR UPDATE")
APPLICATIONS = bulk.Select(Application, "id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE")
OF_OFFER = bulk.Select(Application, "id = (SELECT application_id FROM lending_offer WHERE id = %s)")
OF_OFFER_LOCKED = bulk.Select(
    Application, "id = (SELECT application_id FROM lending_offer WHERE id = %s) FOR UPDATE"
)
_ITS = "id IN (SELECT {} FROM lending_application WHERE id = ANY(%s::bigint[]))"
_ITS_BY_OFFER = (
    "id = (SELECT a.{} FROM lending_application a JOIN lending_offer o ON o.application_id = a.id"
    " WHERE o.id = %s)"
)
CUSTOMERS = bulk.Select(Customer, _ITS.format("customer_id"))
PRODUCTS = bulk.Select(Product, _ITS.format("product_id"))
CUSTOMER = bulk.Select(Customer, _ITS_BY_OFFER.format("customer_id"))
PRODUCT = bulk.Select(Product, _ITS_BY_OFFER.format("product_id"))


def applications(ids: Iterable[int]) -> list[Application]:
    """Locked in the order of their numbers. Raises Application.DoesNotExist when one is missing."""
    wanted = sorted(set(ids))
    found, customers, products = bulk.read(
        (APPLICATIONS, [wanted]), (CUSTOMERS, [wanted]), (PRODUCTS, [wanted])
    )
    if len(found) < len(wanted):
        raise Application.DoesNotExist(f"no application {sorted({*wanted} - {row.pk for row in found})}")
    _join(found, customers, products)
    return found


def offer(offer_id: int, *, with_application: bool = False) -> Offer:
    """The offer locked, its application read, or locked before it. Raises Offer.DoesNotExist."""
    query = OF_OFFER_LOCKED if with_application else OF_OFFER
    found, offers, customers, products = bulk.read(
        (query, [offer_id]), (OFFER, [offer_id]), (CUSTOMER, [offer_id]), (PRODUCT, [offer_id])
    )
    if not offers:
        raise Offer.DoesNotExist(f"no offer {offer_id}")
    _join(found, customers, products)
    offers[0].application = found[0]
    only: Offer = offers[0]
    return only


def _join(found: Sequence[Application], customers: Sequence[Customer], products: Sequence[Product]) -> None:
    by_customer = {row.pk: row for row in customers}
    by_product = {row.pk: row for row in products}
    for row in found:
        row.customer, row.product = by_customer[row.customer_id], by_product[row.product_id]
