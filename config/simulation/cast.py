"""Who plays: the customers of the world as the product knows them, and the staff who deal with them."""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.conf import settings

from config.simulation.companies import Company
from config.simulation.world import Someone, World
from lending.models import Consent, Customer, User
from lending.services import customers

CONSENT_TEXT = "2026-01"


def moment(on: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A time of that day at the lender's office."""
    return datetime.combine(on, time(hour, minute, second), ZoneInfo(settings.TIME_ZONE))


@dataclass(slots=True)
class Cast:
    """Customers by their platform reference and by our number, and the members of staff by role."""

    world: World
    staff: dict[str, User]
    ids: dict[str, int] = field(default_factory=dict)
    by_id: dict[int, Someone] = field(default_factory=dict)

    def take_in(self, who: Someone, on: date) -> None:
        """Register them as a customer of the platform."""
        customer = customers.register(
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
            by=None,
            at=moment(on, 8),
        )
        self.ids[who.ref] = customer.pk
        self.by_id[customer.pk] = who

    def consent(self, customer_id: int, on: date) -> None:
        """What a customer agrees to before the first application."""
        for purpose in (Consent.Purpose.CREDIT_ASSESSMENT, Consent.Purpose.ELECTRONIC_NOTICES):
            customers.give_consent(
                customer_id=customer_id,
                purpose=purpose,
                text_version=CONSENT_TEXT,
                by=None,
                at=moment(on, 8, 30),
            )
