"""Customers, applications and lines under lock, these with the customer and the product that decisions ask for, in one
round trip."""

from collections.abc import Iterable, Sequence

from lending import bulk
from lending.models import Application, CreditLine, Customer, Offer, Product

# But for an age nobody looks at the identity number, which would have to be decrypted.
SEEN = tuple(one.attname for one in Customer._meta.concrete_fields if one.attname != "id_number")
HELD = bulk.Select(Customer, "id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE", SEEN)
HELD_IDS = bulk.Tuples(
    "SELECT id FROM lending_customer WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE"
)
OFFERS = bulk.Select(Offer, "id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE")
APPLICATIONS = bulk.Select(Application, "id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE")
OF_OFFERS = "id IN (SELECT application_id FROM lending_offer WHERE id = ANY(%s::bigint[])) ORDER BY id"
OFFERED = bulk.Select(Application, OF_OFFERS)
OFFERED_LOCKED = bulk.Select(Application, f"{OF_OFFERS} FOR NO KEY UPDATE")
_ITS = "id IN (SELECT {} FROM lending_application WHERE id = ANY(%s::bigint[]))"
_ITS_BY_OFFER = (
    "id IN (SELECT a.{} FROM lending_application a JOIN lending_offer o ON o.application_id = a.id"
    " WHERE o.id = ANY(%s::bigint[]))"
)
CUSTOMERS = bulk.Select(Customer, _ITS.format("customer_id"), SEEN)
IDENTIFIED = bulk.Select(Customer, _ITS.format("customer_id"))
PRODUCTS = bulk.Select(Product, _ITS.format("product_id"))
CUSTOMERS_BY_OFFER = bulk.Select(Customer, _ITS_BY_OFFER.format("customer_id"), SEEN)
PRODUCTS_BY_OFFER = bulk.Select(Product, _ITS_BY_OFFER.format("product_id"))
LINES = bulk.Select(CreditLine, "id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE")
_ITS_BY_LINE = "id IN (SELECT {} FROM lending_creditline WHERE id = ANY(%s::bigint[]))"
CUSTOMERS_BY_LINE = bulk.Select(Customer, _ITS_BY_LINE.format("customer_id"), SEEN)
PRODUCTS_BY_LINE = bulk.Select(Product, _ITS_BY_LINE.format("product_id"))


def applications(ids: Iterable[int], *, identified: bool = False) -> list[Application]:
    """Locked in the order of their numbers; `identified` brings the identity numbers, for whoever asks for an age.
    Raises Application.DoesNotExist when one is missing."""
    wanted = sorted(set(ids))
    people = IDENTIFIED if identified else CUSTOMERS
    found, customers, products = bulk.read((APPLICATIONS, [wanted]), (people, [wanted]), (PRODUCTS, [wanted]))
    if len(found) < len(wanted):
        raise Application.DoesNotExist(f"no application {sorted({*wanted} - {row.pk for row in found})}")
    join(found, customers, products)
    return found


def offers(ids: Iterable[int], *, with_applications: bool = False) -> list[Offer]:
    """Locked in the order of their numbers, their applications read, or locked before them. Raises Offer.DoesNotExist
    when one is missing."""
    wanted = sorted(set(ids))
    applications, found, customers, products = bulk.read(
        (OFFERED_LOCKED if with_applications else OFFERED, [wanted]),
        (OFFERS, [wanted]),
        (CUSTOMERS_BY_OFFER, [wanted]),
        (PRODUCTS_BY_OFFER, [wanted]),
    )
    if len(found) < len(wanted):
        raise Offer.DoesNotExist(f"no offer {sorted({*wanted} - {row.pk for row in found})}")
    join(applications, customers, products)
    by_number = {row.pk: row for row in applications}
    for offer in found:
        offer.application = by_number[offer.application_id]
    return found


def lines(ids: Iterable[int]) -> dict[int, CreditLine]:
    """Locked in the order of their numbers, by number. Raises CreditLine.DoesNotExist when one is missing."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    found, customers, products = bulk.read(
        (LINES, [wanted]), (CUSTOMERS_BY_LINE, [wanted]), (PRODUCTS_BY_LINE, [wanted])
    )
    if len(found) < len(wanted):
        raise CreditLine.DoesNotExist(f"no line {sorted({*wanted} - {row.pk for row in found})}")
    join(found, customers, products)
    return {line.pk: line for line in found}


def line(line_id: int) -> CreditLine:
    """One, see `lines`."""
    return lines([line_id])[line_id]


def join(
    found: Sequence[Application | CreditLine], customers: Sequence[Customer], products: Sequence[Product]
) -> None:
    """Give each of them its customer and its product."""
    by_customer = {row.pk: row for row in customers}
    by_product = {row.pk: row for row in products}
    for row in found:
        row.customer, row.product = by_customer[row.customer_id], by_product[row.product_id]
