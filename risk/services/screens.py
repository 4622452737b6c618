"""What risk says to purchases before they are authorised (settings.PURCHASE_SCREENS)."""

from collections.abc import Sequence
from datetime import date, datetime

from django.utils.translation import gettext as _

from lending import bulk
from lending.errors import Refused
from lending.models import CreditLine

# Asked before every purchase.
RED = bulk.Tuples("SELECT code FROM lending_industry WHERE standing = 'RED'")
TRIPPED = bulk.Tuples(
    "SELECT line_id FROM risk_alert WHERE line_id = ANY(%s::bigint[]) AND state = 'OPEN' AND action = 'SUSPEND'"
)


def screen_purchases(lines: Sequence[CreditLine], *, on: date, at: datetime) -> dict[int, Refused]:
    """By line, why nothing may be bought on it: a suspending control has not cleared, or the customer's industry is
    red."""
    stopped, tripped = bulk.read((RED, []), (TRIPPED, [[line.pk for line in lines]]))
    red = {code for (code,) in stopped}
    refusals = {
        line.pk: Refused("industry_stop", _("No new business in this industry at present."))
        for line in lines
        if line.customer.industry_id in red
    }
    for (line_id,) in tripped:
        refusals[line_id] = Refused(
            "control_tripped", _("The line is suspended until its latest activity is cleared.")
        )
    return refusals
