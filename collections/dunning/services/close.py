"""What collections do when the books go over to a new day; each step is for the day that opens."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dunning.services import cases, promises, strategy
from lending.services.steps import step


@step(_("Collection cases are opened and closed"), opening=True)
def follow_arrears(*, on: date, at: datetime) -> int:
    """Close step: what was not paid on its due date is overdue from the next day on."""
    return cases.refresh(**_opening(on, at))


@step(_("Promises to pay are judged"), opening=True)
def judge_promises(*, on: date, at: datetime) -> int:
    """Close step: the promises for the day that ends are kept or broken."""
    return promises.judge(**_opening(on, at))


@step(_("Contacts of the next day are planned"), opening=True)
def plan_contacts(*, on: date, at: datetime) -> int:
    """Close step: what the strategy wants done on the day that opens; the night holds it back until the morning."""
    return strategy.work_cases(**_opening(on, at))


@step(_("Reminders of what falls due are planned"), opening=True)
def plan_reminders(*, on: date, at: datetime) -> int:
    """Close step; who is in arrears is spoken to in the case."""
    return strategy.remind(**_opening(on, at))


def _opening(on: date, at: datetime) -> dict[str, Any]:
    day = on + timedelta(days=1)
    return {"on": day, "at": max(at, timezone.make_aware(datetime.combine(day, time.min)))}
