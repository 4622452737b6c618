"""Who the customers are, what they agreed to, and who looked at their secrets."""

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _
from stdnum.cn import ric, uscc
from stdnum.exceptions import ValidationError as NumberError

from lending import events
from lending.errors import Refused
from lending.models import Consent, Customer, User

Kind = Customer.Kind
DETAILS = ("name", "phone", "email", "language", "region", "industry_id", "monthly_income", "is_student")


def check_id_number(kind: str, value: str) -> str:
    """The number without spaces: 身份证 for a person, 统一社会信用代码 for a company; the check digit must fit."""
    try:
        return ric.validate(value) if kind == Kind.PERSON else uscc.validate(value)
    except NumberError as error:
        raise Refused(
            "id_number", _("This number is not valid: check every digit."), field="id_number"
        ) from error


def check_phone(value: str) -> str:
    """A mainland mobile or a number in international form; spaces and hyphens are dropped."""
    bare = value.replace(" ", "").replace("-", "")
    digits = bare.removeprefix("+")
    if not digits.isdigit() or not 7 <= len(digits) <= 15:
        raise Refused("phone", _("Enter a phone number with 7 to 15 digits."), field="phone")
    return bare


def birth_date(customer: Customer) -> date | None:
    """From a person's identity number; None when there is none."""
    if customer.kind != Kind.PERSON or not customer.id_number:
        return None
    return ric.get_birth_date(customer.id_number)


@transaction.atomic
def register(
    *,
    kind: str,
    name: str,
    registered_on: date,
    by: User | None,
    at: datetime,
    user: User | None = None,
    platform_ref: str = "",
    id_number: str = "",
    phone: str = "",
    email: str = "",
    language: str = "zh-hans",
    region: str = "",
    industry_id: str | None = None,
    monthly_income: Decimal | None = None,
    is_student: bool = False,
) -> Customer:
    """Take a new customer in. Refuses a wrong check digit, a number known already, and a reused reference."""
    customer = Customer(
        kind=kind,
        name=name.strip(),
        registered_on=registered_on,
        user=user,
        platform_ref=platform_ref or f"web-{uuid.uuid4().hex[:16]}",
        email=email,
        language=language,
        region=region,
        industry_id=industry_id,
        monthly_income=monthly_income,
        is_student=is_student,
    )
    if id_number:
        customer.set_id_number(check_id_number(kind, id_number))
    if phone:
        customer.set_phone(check_phone(phone))
    _save_new(customer)
    events.record("customer.registered", customer, by=by, at=at, kind=kind)
    return customer


def _save_new(customer: Customer) -> None:
    if not customer.name:
        raise Refused("name", _("Enter a name."), field="name")
    try:
        with transaction.atomic():
            customer.save(force_insert=True)
    except IntegrityError as error:
        field = "id_number" if "digest" in str(error) else "platform_ref"
        raise Refused("known", _("This customer is known already."), field=field) from error


@transaction.atomic
def update_details(*, customer_id: int, by: User | None, at: datetime, **changes: Any) -> Customer:
    """Change contact details; the event says which, and keeps no secret."""
    unknown = set(changes) - set(DETAILS)
    if unknown:
        raise TypeError(f"not a detail: {unknown}")
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    if "phone" in changes:
        customer.set_phone(check_phone(changes.pop("phone")))
        events.record("customer.phone_changed", customer, by=by, at=at)
    before = {name: getattr(customer, name) for name in changes}
    for name, value in changes.items():
        setattr(customer, name, value)
    customer.save()
    if before != changes:
        events.record("customer.updated", customer, by=by, at=at, before=before, after=changes)
    return customer


@transaction.atomic
def reveal(*, customer_id: int, field: str, by: User, at: datetime) -> str:
    """The unmasked identity number or phone; that someone looked is written down first."""
    if field not in ("id_number", "phone"):
        raise Refused("field", _("Only identity number and phone are masked."), field="field")
    customer = Customer.objects.get(pk=customer_id)
    events.record("customer.revealed", customer, by=by, at=at, field=field)
    return str(getattr(customer, field))


@transaction.atomic
def give_consent(
    *, customer_id: int, purpose: str, text_version: str, by: User | None, at: datetime
) -> Consent:
    """Record a consent; one that stands already stays as it was given."""
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    standing = customer.consents.filter(purpose=purpose, withdrawn_at=None).first()
    if standing:
        return standing
    consent = Consent.objects.create(
        customer=customer, purpose=purpose, text_version=text_version, given_at=at
    )
    events.record("consent.given", consent, by=by, at=at, purpose=purpose, text=text_version)
    return consent


@transaction.atomic
def withdraw_consent(*, customer_id: int, purpose: str, by: User | None, at: datetime) -> None:
    """End a consent; what was done under it stays done."""
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    if customer.consents.filter(purpose=purpose, withdrawn_at=None).update(withdrawn_at=at):
        events.record("consent.withdrawn", customer, by=by, at=at, purpose=purpose)


@transaction.atomic
def block(*, customer_id: int, reason: str, by: User | None, at: datetime) -> Customer:
    """No new business with this customer."""
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    customer.block()
    customer.save(update_fields=["state"])
    events.record("customer.blocked", customer, by=by, at=at, reason=reason)
    return customer


@transaction.atomic
def unblock(*, customer_id: int, reason: str, by: User | None, at: datetime) -> Customer:
    """Business as before."""
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    customer.unblock()
    customer.save(update_fields=["state"])
    events.record("customer.unblocked", customer, by=by, at=at, reason=reason)
    return customer
