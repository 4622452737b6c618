"""What risk says to a purchase before it is authorised (settings.PURCHASE_SCREENS)."""

from datetime import date, datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from lending.errors import Refused
from lending.models import CreditLine, Industry
from risk.models import Alert, Control


def screen_purchase(*, line: CreditLine, amount: Decimal, on: date, at: datetime) -> None:
    """Raise `Refused` while a suspending control has not cleared, or the customer's industry is red."""
    tripped = Alert.objects.filter(line=line, state=Alert.State.OPEN, action=Control.Action.SUSPEND)
    if tripped.exists():
        raise Refused("control_tripped", _("The line is suspended until its latest activity is cleared."))
    industry = line.customer.industry
    if industry is not None and industry.standing == Industry.Standing.RED:
        raise Refused("industry_stop", _("No new business in this industry at present."))
