"""Who is judged, and so by which features, models and policies. Said here once.

A person is judged by what they do on the platform, a company by its accounts and its industry. A company that
asks for a product which is sold to suppliers is judged by the supply chain instead: by what it delivered, what it
invoiced, what came back. So it is the product that says so, in `Product.for_suppliers`, a term that is frozen with
the others once the product is live: the same company can be both, with an application for each.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from lending.models import Application, Customer


class Segment(models.TextChoices):
    PERSON = Customer.Kind.PERSON.value, _("Person")
    COMPANY = Customer.Kind.COMPANY.value, _("Company")
    SUPPLIER = "SUPPLIER", _("Supplier")


# The same in SQL, where `p` is the product and `c` the customer of an application.
SEGMENT_SQL = f"CASE WHEN p.for_suppliers THEN '{Segment.SUPPLIER.value}' ELSE c.kind END"


def segment_of(application: Application) -> str:
    """The segment of an application; reads its product and its customer."""
    return Segment.SUPPLIER.value if application.product.for_suppliers else application.customer.kind


def in_segment(segment: str, path: str = "") -> Q:
    """Those whose application is of the segment; `path` leads to the application, with `__` at its end."""
    if segment == Segment.SUPPLIER:
        return Q(**{f"{path}product__for_suppliers": True})
    return Q(**{f"{path}product__for_suppliers": False, f"{path}customer__kind": segment})
