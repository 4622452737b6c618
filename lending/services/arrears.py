"""A line whose customer is in arrears takes no new purchases until everything overdue is paid."""

from datetime import date, datetime, timedelta

from django.db.models import Min
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from lending.models import CreditLine, LineHold, Loan
from lending.services import lines
from lending.services.steps import WHOLE, Shard, step

# A day late happens to honest people; a week is arrears.
DAYS = 7


@step(_("Lines in arrears are suspended or released"), sharded=True)
def hold(*, on: date, at: datetime, shard: Shard = WHOLE) -> int:
    """Close step: hold the lines of customers in arrears, lift the hold of those who paid.

    A customer's loans may lie in several shards: a line is held by whichever comes first, and released by the shard of
    the customer's first loan.
    """
    late = shard.among(Loan.objects.filter(state__in=Loan.OWING, oldest_due_on__lt=on - timedelta(days=DAYS)))
    overdue = Loan.objects.filter(state__in=Loan.OWING, oldest_due_on__lt=on)
    held = LineHold.objects.filter(cause=LineHold.Cause.ARREARS, lifted_at=None)
    to_hold = CreditLine.objects.filter(
        state__in=[CreditLine.State.ACTIVE, CreditLine.State.SUSPENDED],
        customer_id__in=late.values("customer_id"),
    ).exclude(pk__in=held.values("line_id"))
    to_lift = held.exclude(line__customer_id__in=overdue.values("customer_id"))
    if shard.key:
        first = Coalesce(Min("line__customer__loans"), 0)
        to_lift = to_lift.annotate(first=first).filter(first__range=(shard.first_id, shard.last_id))
    place = list(to_hold.order_by("pk").values_list("pk", flat=True))
    lift = list(to_lift.order_by("line_id").values_list("line_id", flat=True))
    for line_id in place:
        lines.place_hold(line_id=line_id, cause=LineHold.Cause.ARREARS, by=None, at=at)
    for line_id in lift:
        lines.lift_hold(line_id=line_id, cause=LineHold.Cause.ARREARS, by=None, at=at)
    return len(place) + len(lift)
