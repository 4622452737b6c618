"""What risk says to purchases before they are authorised (settings.PURCHASE_SCREENS)."""

from collections.abc import Sequence
from datetime import date, datetime

from django.utils.translation import gettext as _

from lending.errors import Refused
from lending.models import CreditLine, Industry
from risk.models import Alert, Control


def screen_purchases(lines: Sequence[CreditLine], *, on: date, at: datetime) -> dict[int, Refused]:
    """By line, why nothing may be bought on it: a suspending control has not cleared, or the customer's industry is
    red."""
    tripped = Alert.objects.filter(
        line_id__in=[line.pk for line in lines], state=Alert.State.OPEN, action=Control.Action.SUSPEND
    )
    industries = {line.customer.industry_id for line in lines} - {None}
    stopped = Industry.objects.filter(pk__in=industries, standing=Industry.Standing.RED)
    red = set(stopped.values_list("pk", flat=True))
    refusals = {
        line.pk: Refused("industry_stop", _("No new business in this industry at present."))
        for line in lines
        if line.customer.industry_id in red
    }
    for line_id in tripped.values_list("line_id", flat=True):
        refusals[line_id] = Refused(
            "control_tripped", _("The line is suspended until its latest activity is cleared.")
        )
    return refusals
