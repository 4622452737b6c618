"""What is on the shelf: a draft is written, goes live and is frozen, and gives way to its next version."""

from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from lending import engine, events
from lending.errors import Refused
from lending.models import Product, User
from lending.selectors import rules

# Terms are tried out on this day; whether they can be computed does not depend on it.
SOME_DAY = date(2026, 1, 1)


def _lock(product_id: int) -> Product:
    return Product.objects.select_for_update().get(pk=product_id)


@transaction.atomic
def create(*, values: dict[str, Any], by: User | None, at: datetime) -> Product:
    """A draft with these terms; raises Refused at the field at fault."""
    product = Product(**values)
    check(product)
    product.save(force_insert=True)
    events.record("product.drafted", product, by=by, at=at, code=product.code, version=product.version)
    return product


@transaction.atomic
def edit(*, product_id: int, values: dict[str, Any], by: User | None, at: datetime) -> Product:
    """Change the terms of a draft; whatever went live stays as it was sold."""
    product = _lock(product_id)
    if product.state != Product.State.DRAFT:
        raise Refused("product_frozen", _("The terms are frozen: make a new version."))
    before = {name: getattr(product, name) for name in values}
    for name, value in values.items():
        setattr(product, name, value)
    check(product)
    product.save()
    changed = {name for name in values if before[name] != values[name]}
    events.record(
        "product.edited",
        product,
        by=by,
        at=at,
        before={name: before[name] for name in changed},
        after={name: values[name] for name in changed},
    )
    return product


@transaction.atomic
def new_version(*, product_id: int, by: User | None, at: datetime) -> Product:
    """A draft that starts with the terms of this version; one draft of a product at a time."""
    product = _lock(product_id)
    versions = Product.objects.filter(code=product.code)
    if versions.filter(state=Product.State.DRAFT).exists():
        raise Refused("product_drafted", _("There is a draft of the next version already."))
    newest = versions.aggregate(newest=Max("version"))["newest"]
    names = [field.attname for field in Product._meta.concrete_fields if not field.primary_key]
    values = {name: getattr(product, name) for name in names if name not in ("state", "version")}
    return create(values=values | {"version": newest + 1}, by=by, at=at)


@transaction.atomic
def go_live(*, product_id: int, by: User | None, at: datetime, on: date) -> Product:
    """Put the draft on sale and take the version it follows off; refused above the legal cost cap."""
    product = _lock(product_id)
    product.go_live()
    _check_cost(product, on)
    for older in Product.objects.select_for_update().filter(code=product.code, state=Product.State.LIVE):
        _retire(older, by, at)
    product.save()
    events.record("product.live", product, by=by, at=at, code=product.code, version=product.version)
    return product


@transaction.atomic
def retire(*, product_id: int, by: User | None, at: datetime) -> Product:
    """No new business; what was sold lives on."""
    product = _lock(product_id)
    _retire(product, by, at)
    return product


def _retire(product: Product, by: User | None, at: datetime) -> None:
    product.retire()
    product.save()
    events.record("product.retired", product, by=by, at=at, code=product.code, version=product.version)


def check(product: Product) -> None:
    """Raises Refused, at the field at fault, for terms that cannot be sold in every number of instalments."""
    try:
        product.full_clean(exclude=["state"])
        for tenor in product.tenors:
            engine.schedule(product.terms(product.max_amount, tenor, SOME_DAY))
    except ValidationError as error:
        field, faults = next(iter(error.message_dict.items()))
        raise Refused("product", faults[0], field="" if field == "__all__" else field) from error
    except engine.TermsError as error:
        field = {"instalments": "tenors", "principal": "max_amount"}.get(error.field, error.field)
        raise Refused("product", error.message, field=field) from error


def _check_cost(product: Product, on: date) -> None:
    cap = rules.parameter("ALL_IN_COST_CAP", on, lender_type=product.lender_type)
    for tenor in product.tenors:
        terms = product.terms(product.max_amount, tenor, on)
        if engine.annual_cost(terms, engine.schedule(terms)).effective > cap:
            raise Refused("above_cost_cap", _("The all-in annual cost is above the legal cap."))
