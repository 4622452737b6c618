"""What a version of a product says, and how it differs from the one before."""

from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext as _

from lending import words
from lending.models import Product
from lending.models.product import TERMS

RATES = (
    *("annual_rate", "min_annual_rate", "max_annual_rate", "fee_rate", "min_fee_rate", "max_fee_rate"),
    *("upfront_fee_rate", "insurance_rate", "guarantee_rate", "down_payment_rate", "penalty_rate"),
    *("penalty_cap_rate", "required_coverage"),
)
COMPARED = (
    *("name", "name_zh"),
    *TERMS,
    *("overdue_grace_days", "class_scale", "authorisation_days", "offer_days"),
    *("max_restructurings", "restructuring_months", "watch_months"),
)


@dataclass(frozen=True, slots=True)
class Change:
    """One term that is not what it was."""

    label: str
    before: str
    after: str


def version_before(product: Product) -> Product | None:
    """The newest earlier version of the same product."""
    return Product.objects.filter(code=product.code, version__lt=product.version).order_by("-version").first()


def changes(before: Product, after: Product) -> list[Change]:
    """The terms in which two versions differ, in words, in the order of the form."""
    return [
        Change(str(field.verbose_name), in_words(before, field), in_words(after, field))
        for field in _columns()
        if field.name != "version" and getattr(before, field.name) != getattr(after, field.name)
    ]


def _columns() -> list[models.Field]:
    known = {field.name: field for field in Product._meta.concrete_fields}
    return [known[name] for name in COMPARED]


def in_words(product: Product, field: models.Field) -> str:
    """A term as people read it."""
    value: Any = getattr(product, field.name)
    if value is None or value == "":
        return "–"
    if field.name in RATES:
        return words.percent(value)
    if isinstance(value, bool | dict):
        return _("Yes") if value else _("No")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if field.choices:
        return str(getattr(product, f"get_{field.name}_display")())
    return words.figure(value) if isinstance(field, models.DecimalField) else str(value)
