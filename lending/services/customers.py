"""Who the customers are, what they agreed to, and who looked at their secrets."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from stdnum.cn import ric, uscc
from stdnum.exceptions import ValidationError as NumberError

from lending import bulk, events
from lending.errors import Refused
from lending.models import Consent, Customer, User
from lending.services import locking

Kind = Customer.Kind
PLAIN = (
    *("kind", "registered_on", "user", "email", "language", "region", "industry_id"),
    *("monthly_income", "is_student"),
)
DETAILS = ("name", "phone", "email", "language", "region", "industry_id", "monthly_income", "is_student")

# What somebody agreed to before.
STANDING = bulk.Select(
    Consent, "customer_id = ANY(%s::bigint[]) AND purpose = ANY(%s::text[]) AND withdrawn_at IS NULL"
)


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


def age(customer: Customer, on: date) -> int | None:
    """Whole years on that day; None when nobody knows."""
    born = birth_date(customer)
    return None if born is None else on.year - born.year - ((on.month, on.day) < (born.month, born.day))


@dataclass(frozen=True, kw_only=True)
class Newcomer:
    """Who is to be registered: what `register` takes, for many at once."""

    kind: str
    name: str
    registered_on: date
    user: User | None = None
    platform_ref: str = ""
    id_number: str = ""
    phone: str = ""
    email: str = ""
    language: str = "zh-hans"
    region: str = ""
    industry_id: str | None = None
    monthly_income: Decimal | None = None
    is_student: bool = False


def register(*, by: User | None, at: datetime, **details: Any) -> Customer:
    """Take a new customer in; `details` are those of a `Newcomer`.

    Refuses a wrong check digit, a number known already, and a reused reference.
    """
    (customer,) = register_many([Newcomer(**details)], by=by, at=at)
    if isinstance(customer, Refused):
        raise customer
    return customer


@transaction.atomic
def register_many(
    newcomers: Sequence[Newcomer], *, by: User | None, at: datetime
) -> list[Customer | Refused]:
    """Take new customers in, in a few statements however many they are; one who is refused holds up no other."""
    found = [_drafted(newcomer) for newcomer in newcomers]
    fresh: list[Customer] = []
    taken: set[str] = set()
    for one in found:
        if isinstance(one, Customer) and not taken & _names(one):
            taken |= _names(one)
            fresh.append(one)
    written = bulk.create_many(fresh, ignore_known=True)
    events.record_many(
        [events.build("customer.registered", one, by=by, at=at, kind=one.kind) for one in written]
    )
    return [_known(one) if isinstance(one, Customer) and one.pk is None else one for one in found]


def _drafted(newcomer: Newcomer) -> Customer | Refused:
    try:
        return _draft(newcomer)
    except Refused as fault:
        return fault


def _draft(newcomer: Newcomer) -> Customer:
    details = {name: getattr(newcomer, name) for name in PLAIN}
    customer = Customer(
        **details,
        name=newcomer.name.strip(),
        platform_ref=newcomer.platform_ref or f"web-{uuid.uuid4().hex[:16]}",
    )
    if newcomer.id_number:
        customer.set_id_number(check_id_number(newcomer.kind, newcomer.id_number))
    if newcomer.phone:
        customer.set_phone(check_phone(newcomer.phone))
    if not customer.name:
        raise Refused("name", _("Enter a name."), field="name")
    return customer


def _names(customer: Customer) -> set[str]:
    """What nobody else may have: the reference, and the fingerprint of the identity number."""
    return {f"ref:{customer.platform_ref}", f"id:{customer.id_number_digest or customer.platform_ref}"}


def _known(customer: Customer) -> Refused:
    by_number = Customer.objects.filter(id_number_digest=customer.id_number_digest)
    same = customer.id_number_digest is not None and by_number.exists()
    field = "id_number" if same else "platform_ref"
    return Refused("known", _("This customer is known already."), field=field)


@transaction.atomic
def update_details(*, customer_id: int, by: User | None, at: datetime, **changes: Any) -> Customer:
    """Change contact details; the event says which, and keeps no secret."""
    unknown = set(changes) - set(DETAILS)
    if unknown:
        raise TypeError(f"not a detail: {unknown}")
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
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


def give_consent(
    *, customer_id: int, purpose: str, text_version: str, by: User | None, at: datetime
) -> Consent:
    """Record a consent; one that stands already stays as it was given."""
    return give_consents(
        customer_ids=[customer_id], purposes=[purpose], text_version=text_version, by=by, at=at
    )[0]


@transaction.atomic
def give_consents(
    *,
    customer_ids: Collection[int],
    purposes: Sequence[str],
    text_version: str,
    by: User | None,
    at: datetime,
) -> list[Consent]:
    """Record that each of these customers agreed to each of these purposes; what stands stays as it was given."""
    ids = sorted(set(customer_ids))
    held, rows = bulk.read(
        (locking.HELD_IDS, [ids]), (STANDING, [ids, [str(purpose) for purpose in purposes]])
    )
    if len(held) < len(ids):
        raise Customer.DoesNotExist
    standing = {(row.customer_id, row.purpose): row for row in rows}
    wanted = [(customer_id, purpose) for customer_id in customer_ids for purpose in purposes]
    new = bulk.create_many(
        [
            Consent(customer_id=customer_id, purpose=purpose, text_version=text_version, given_at=at)
            for customer_id, purpose in wanted
            if (customer_id, purpose) not in standing
        ]
    )
    events.record_many(
        [
            events.build("consent.given", row, by=by, at=at, purpose=row.purpose, text=text_version)
            for row in new
        ]
    )
    standing.update({(row.customer_id, row.purpose): row for row in new})
    return [standing[pair] for pair in wanted]


@transaction.atomic
def withdraw_consent(*, customer_id: int, purpose: str, by: User | None, at: datetime) -> None:
    """End a consent; what was done under it stays done."""
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
    if customer.consents.filter(purpose=purpose, withdrawn_at=None).update(withdrawn_at=at):
        events.record("consent.withdrawn", customer, by=by, at=at, purpose=purpose)


@transaction.atomic
def put_in_group(*, customer_id: int, group: str, reason: str, by: User | None, at: datetime) -> Customer:
    """Count the customer's debt together with that of others under the same name of a group; by none when empty."""
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
    before, customer.group_name = customer.group_name, " ".join(group.split())
    if len(customer.group_name) > 80 or customer.group_name.startswith("#"):
        raise Refused("group", _("A group has a name of up to 80 characters."), field="group")
    customer.save(update_fields=["group_name"])
    events.record(
        "customer.grouped", customer, by=by, at=at, before=before, after=customer.group_name, reason=reason
    )
    return customer


@transaction.atomic
def block(*, customer_id: int, reason: str, by: User | None, at: datetime) -> Customer:
    """No new business with this customer."""
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
    customer.block()
    customer.save(update_fields=["state"])
    events.record("customer.blocked", customer, by=by, at=at, reason=reason)
    return customer


@transaction.atomic
def unblock(*, customer_id: int, reason: str, by: User | None, at: datetime) -> Customer:
    """Business as before."""
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
    customer.unblock()
    customer.save(update_fields=["state"])
    events.record("customer.unblocked", customer, by=by, at=at, reason=reason)
    return customer
