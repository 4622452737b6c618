"""What is on the shelf: a draft is written, goes live and is frozen, and gives way to its next version."""

from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from lending import engine, events, words
from lending.errors import Refused
from lending.models import ApprovalRequest, Customer, Product, User
from lending.selectors import cost, pricing

# Terms are tried out on this day; whether they can be computed does not depend on it.
SOME_DAY = date(2026, 1, 1)
LAST_OF_MONTH = 31
GO_LIVE = "product.go_live"


def _lock(product_id: int) -> Product:
    return Product.objects.select_for_update(no_key=True).get(pk=product_id)


def waits_for_second(product_id: int) -> bool:
    """Whether somebody has asked to put the draft on sale, and nobody has decided yet."""
    return ApprovalRequest.objects.filter(
        command=GO_LIVE, state=ApprovalRequest.State.PENDING, payload__product_id=product_id
    ).exists()


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
    if waits_for_second(product.pk):
        raise Refused("product_waits", _("It waits for a second person: take the request back to change it."))
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
def check_ready(*, product_id: int, on: date) -> Product:
    """Whether the draft could go on sale that day; raises Refused, above the legal cap with every tenor at fault."""
    product = _lock(product_id)
    if product.state != Product.State.DRAFT:
        raise Refused("not_draft", _("Only a draft can go on sale."))
    check(product)
    _check_cost(product, on)
    return product


@transaction.atomic
def go_live(*, product_id: int, by: User | None, at: datetime, on: date) -> Product:
    """Put the draft on sale and take the version it follows off; refused above the legal cost cap."""
    product = check_ready(product_id=product_id, on=on)
    product.go_live()
    for older in Product.objects.select_for_update(no_key=True).filter(
        code=product.code, state=Product.State.LIVE
    ):
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
        product.full_clean(exclude=["state"], validate_constraints=False)
        _check_audience(product)
        _check_together(product)
        product.validate_constraints()
    except ValidationError as error:
        field, faults = next(iter(error.message_dict.items()))
        raise Refused("product", faults[0], field="" if field == "__all__" else field) from error
    try:
        for tenor in product.tenors:
            for amount in (product.min_amount, product.max_amount):
                engine.schedule(product.terms(amount, tenor, SOME_DAY))
            pricing.dearest(product, tenor, SOME_DAY)
    except engine.TermsError as error:
        raise Refused("product", _(error.message), field=FIELDS.get(error.field, error.field)) from error
    except ValueError as error:
        raise Refused("product", _("No annual cost can be computed for these terms.")) from error


# Where the engine names a term otherwise than the product does.
FIELDS = {
    "instalments": "tenors",
    "principal": "max_amount",
    "upfront_fee": "upfront_fee_amount",
    "penalty_cap": "penalty_cap_rate",
}
# What the engine says of terms that get this far, so that it can be said in every language.
ENGINE_WORDS = (
    gettext_noop("must leave at least one instalment"),
    gettext_noop("must be less than the principal"),
    gettext_noop("must be less than 1"),
    gettext_noop("must be above zero"),
    gettext_noop("must be 0 for FLAT_FEE, whose price is fee_rate"),
    gettext_noop("must be a whole number from 1 to 1200"),
)


def _check_audience(product: Product) -> None:
    if product.for_suppliers and product.audience != Customer.Kind.COMPANY:
        raise Refused("suppliers", _("Suppliers are companies."), field="for_suppliers")


def _check_together(product: Product) -> None:
    """What one field alone cannot say."""
    if len(set(product.tenors)) != len(product.tenors):
        raise Refused("tenors", _("A number of instalments is there twice."), field="tenors")
    if product.default_tenor and product.default_tenor not in product.tenors:
        raise Refused("tenor", _("This number of instalments is not on offer."), field="default_tenor")
    if product.default_amount and not product.min_amount <= product.default_amount <= product.max_amount:
        raise Refused("amount", _("It lies outside the smallest and largest amount."), field="default_amount")
    for rate in ("annual_rate", "fee_rate"):
        _check_range(product, rate)
    for rate, payee in (("insurance_rate", "insurer"), ("guarantee_rate", "guarantor")):
        if getattr(product, rate) and not getattr(product, payee):
            raise Refused("payee", _("Say who collects it: the cost sheet names them."), field=payee)
    for field in ("other_cost_name", "other_cost_name_zh", "other_cost_payee"):
        if product.other_cost and not getattr(product, field):
            raise Refused(
                "other_cost", _("The cost sheet must say what it is and who collects it."), field=field
            )
    if product.kind == Product.Kind.LINE:
        _check_line(product)


def _check_range(product: Product, rate: str) -> None:
    low, usual, high = (getattr(product, name) for name in (f"min_{rate}", rate, f"max_{rate}"))
    if low is not None and low > usual:
        raise Refused("range", _("It is above the rate itself."), field=f"min_{rate}")
    if high is not None and high < usual:
        raise Refused("range", _("It is below the rate itself."), field=f"max_{rate}")


def _check_line(product: Product) -> None:
    if (product.unit, product.every) != (Product.Unit.MONTH, 1):
        raise Refused("unit", _("What is bought on a line is paid with its monthly bills."), field="unit")
    upfront = (product.upfront_fee_rate, product.upfront_fee_amount, product.down_payment_rate)
    for field, value in zip(
        ("upfront_fee_rate", "upfront_fee_amount", "down_payment_rate"), upfront, strict=True
    ):
        if value:
            raise Refused(
                "line", _("A line pays the shop: nothing can be kept back or paid at once."), field=field
            )
    if product.statement_day and product.statement_day + product.days_to_pay > LAST_OF_MONTH:
        raise Refused("statement_day", _("The due day would lie in the next month."), field="statement_day")


def _check_cost(product: Product, on: date) -> None:
    limit = cost.cap(product.lender_type, on)
    if product.penalty_rate > limit.limit:
        above = words.points(product.penalty_rate - limit.limit)
        raise Refused(
            "penalty_above_cap",
            _("The penalty rate is %(above)s percentage points above the legal cap of %(cap)s.")
            % {"above": above, "cap": words.percent(limit.limit)},
        )
    above_cap = list(pricing.excesses(product, on, limit))
    if above_cap:
        text = _("The all-in annual cost is above the legal cap of %(cap)s a year: %(tenors)s.")
        tenors = "; ".join(_excess_in_words(one) for one in above_cap)
        raise Refused("above_cost_cap", text % {"cap": words.percent(limit.limit), "tenors": tenors})


def _excess_in_words(excess: pricing.Excess) -> str:
    return gettext("%(tenor)s instalments cost %(cost)s, %(above)s percentage points above") % {
        "tenor": excess.tenor,
        "cost": words.percent(excess.annual_cost),
        "above": words.points(excess.above),
    }
