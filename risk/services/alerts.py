"""What people do about alerts: judge them, and lift them before they clear by themselves."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from lending import events
from lending.errors import Refused
from lending.models import CreditLine, User
from lending.services import checks
from risk.models import Alert
from risk.services.controls import give_back


@transaction.atomic
def judge(*, alert_id: int, outcome: str, by: User, at: datetime) -> Alert:
    """Say whether the control was right, so that its levels can be set by its record."""
    if outcome not in Alert.Outcome.values:
        raise Refused("outcome", _("Say whether it was right or a false alarm."), field="outcome")
    alert = lock(alert_id)
    alert.outcome = outcome
    alert.save(update_fields=["outcome"])
    events.record("alert.judged", alert, by=by, at=at, outcome=outcome)
    return alert


@transaction.atomic
def lift(*, alert_id: int, note: str, by: User, at: datetime) -> Alert:
    """End an alert and give back what it took; what tripped it does not trip it again in its cool-down."""
    checks.reason(note)
    alert = lock(alert_id)
    alert.lift(by=by, at=at)
    alert.save()
    events.record("alert.lifted", alert, by=by, at=at, note=note)
    give_back(alert=alert, by=by, at=at)
    return alert


def lock(alert_id: int) -> Alert:
    """The alert under lock, after its line: the order in which events take them too."""
    line_id = Alert.objects.values_list("line_id", flat=True).get(pk=alert_id)
    CreditLine.objects.select_for_update(no_key=True).get(pk=line_id)
    return (
        Alert.objects.select_for_update(no_key=True, of=("self",)).select_related("control").get(pk=alert_id)
    )
