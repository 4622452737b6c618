"""Lines are approved again within LINE_REVIEW_DAYS; where that was missed, nothing new is bought on them.

Measures for internet loans of commercial banks (2020-07): a line of more than a year is assessed and approved again at
least once a year. The period of a lender type is a rule parameter.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk, events
from lending.errors import Refused
from lending.models import CreditLine, LineHold, User
from lending.selectors import reapproval
from lending.services import lines, locking, notices
from lending.services.steps import step

CAUSE = LineHold.Cause.REVIEW
COMMAND = "line.reapprove"


@step(_("Lines whose yearly approval has run out take nothing new"))
def hold(*, on: date, at: datetime) -> int:
    """Close step: suspend the lines that may not be drawn on tomorrow, and tell their customers."""
    late = reapproval.overdue(on + timedelta(days=1))
    held = LineHold.objects.filter(cause=CAUSE, lifted_at=None)
    found = list(late.exclude(pk__in=held.values("line_id")).order_by("pk").values_list("pk", flat=True))
    rows = [lines.place_hold(line_id=line_id, cause=CAUSE, by=None, at=at, tell=False) for line_id in found]
    notices.queue_many(
        [
            notices.Message(
                customer=line.customer,
                template="reapproval_missing",
                context={"since": line.reviewed_on},
                key=f"reapproval:{line.pk}:{line.reviewed_on}",
            )
            for line in rows
        ],
        at=at,
    )
    return len(rows)


@transaction.atomic
def reapprove(*, line_id: int, note: str, by: User | None, at: datetime, on: date) -> CreditLine:
    """The line goes on for another period from that day; a hold for want of approval is lifted.

    Raises Refused for a line that is closed, or that was approved again on that day or later.
    """
    line = locking.line(line_id)
    check(line, on)
    before, line.reviewed_on = line.reviewed_on, on
    line.save(update_fields=["reviewed_on"])
    events.record("line.reapproved", line, by=by, at=at, before=before, note=note)
    lines.lift_hold(line_id=line.pk, cause=CAUSE, by=by, at=at, note=note)
    line.refresh_from_db(fields=["state"])
    return line


@transaction.atomic
def reapprove_many(line_ids: Collection[int], *, note: str, at: datetime, on: date) -> int:
    """The house approves lines again by its policy: those that have no hold, in a few statements."""
    rows: Sequence[CreditLine] = list(
        CreditLine.objects.select_for_update(no_key=True, of=("self",))
        .filter(pk__in=line_ids, state=CreditLine.State.ACTIVE, reviewed_on__lt=on)
        .order_by("pk")
    )
    built = [
        events.build("line.reapproved", line, by=None, at=at, before=line.reviewed_on, note=note)
        for line in rows
    ]
    for line in rows:
        line.reviewed_on = on
    bulk.update_many(rows, ["reviewed_on"])
    events.record_many(built)
    return len(rows)


def check(line: CreditLine, on: date) -> None:
    """Raise Refused for a line that cannot be approved again on that day."""
    if line.state == CreditLine.State.CLOSED:
        raise Refused("line_closed", _("The line is closed."))
    if line.reviewed_on >= on:
        raise Refused("reapproved", _("The line has been approved again already."))
