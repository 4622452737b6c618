"""The figures of the first page, written down once a day: in a large book nobody waits while they are added up."""

from dataclasses import asdict
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending.models import DayGlance
from lending.selectors import portfolio
from lending.services.steps import step


@step(_("The figures of the first page are written down"), opening=True)
@transaction.atomic
def keep(*, on: date, at: datetime) -> int:
    """Close step, for the day that opens; a second run writes the same. Returns 1."""
    day = on + timedelta(days=1)
    DayGlance.objects.update_or_create(date=day, defaults={"figures": asdict(portfolio.compute(day))})
    return 1
