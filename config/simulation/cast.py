"""Who plays: the customers of the world as the product knows them, and the staff who deal with them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.conf import settings

from config.simulation.companies import Company
from config.simulation.world import Someone, World
from lending.errors import Refused
from lending.models import Consent, Customer, User
from lending.services import customers
from lending.shares import EVERYBODY, Share

CONSENT_TEXT = "2026-01"


def moment(on: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A time of that day at the lender's office."""
    return datetime.combine(on, time(hour, minute, second), ZoneInfo(settings.TIME_ZONE))


@dataclass(slots=True)
class Cast:
    """Customers by their platform reference and by our number, and the members of staff by role."""

    world: World
    staff: dict[str, User]
    share: Share = EVERYBODY
    ids: dict[str, int] = field(default_factory=dict)
    by_id: dict[int, Someone] = field(default_factory=dict)

    @classmethod
    def of(cls, world: World, staff: Mapping[str, User], ids: Mapping[str, int], share: Share) -> "Cast":
        """Those of the registered customers who belong to the share."""
        mine = {ref: number for ref, number in ids.items() if number in share}
        part = world.of(mine)
        return cls(part, dict(staff), share, mine, {mine[who.ref]: who for who in part.everyone})

    def consent(self, customer_ids: Collection[int], on: date) -> None:
        """What customers agree to before the first application."""
        customers.give_consents(
            customer_ids=customer_ids,
            purposes=[Consent.Purpose.CREDIT_ASSESSMENT, Consent.Purpose.ELECTRONIC_NOTICES],
            text_version=CONSENT_TEXT,
            by=None,
            at=moment(on, 8, 30),
        )


def register(world: World, on: date) -> dict[str, int]:
    """Everyone becomes a customer of the platform; returns our number for each reference."""
    found = customers.register_many([_newcomer(who) for who in world.everyone], by=None, at=moment(on, 8))
    for customer in found:
        if isinstance(customer, Refused):
            raise customer
    return {customer.platform_ref: customer.pk for customer in found if isinstance(customer, Customer)}


def _newcomer(who: Someone) -> customers.Newcomer:
    return customers.Newcomer(
        kind=Customer.Kind.COMPANY if isinstance(who, Company) else Customer.Kind.PERSON,
        name=who.name,
        platform_ref=who.ref,
        registered_on=who.registered_on,
        id_number=who.id_number,
        phone=who.phone,
        email=who.email if who.number % 3 == 0 else "",
        language=who.language,
        region=who.region,
        industry_id=getattr(who, "industry", None),
        monthly_income=who.monthly_income,
        is_student=who.is_student,
    )
