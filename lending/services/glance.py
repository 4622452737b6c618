"""The figures of the first page of a large book, written down once a day: nobody waits while they are added up."""

from dataclasses import asdict
from datetime import date, datetime, timedelta

from django.utils.translation import gettext_lazy as _

from lending.models import DayGlance, Loan
from lending.selectors import finding, portfolio
from lending.services.steps import step


@step(_("The figures of the first page are written down"), opening=True)
def keep(*, on: date, at: datetime) -> int:
    """Close step, for the day that opens; a second run writes the same. Returns 1, and 0 for a book that is small
    enough to be added up when somebody looks."""
    if not finding.is_large(Loan):
        return 0
    day = on + timedelta(days=1)
    DayGlance.objects.update_or_create(date=day, defaults={"figures": asdict(portfolio.compute(day))})
    return 1
