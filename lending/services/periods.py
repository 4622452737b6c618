"""Accounting months: closed one after the other, and opened again only by two people."""

from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from lending import events
from lending.errors import Refused
from lending.models import AccountingPeriod, ApprovalRequest, ControlBalance, User
from lending.services import approvals
from lending.services.approvals import command

State = AccountingPeriod.State
REOPEN = "period.reopen"


@transaction.atomic
def close_month(*, period_id: int, by: User, at: datetime, on: date) -> AccountingPeriod:
    """No entry may be dated into this month any more; the database sees to it.

    Refused while the month runs, while an earlier one is open, when it is closed already, and when the close of its
    last day found loans and books to differ.
    """
    period = _lock(period_id)
    if period.state == State.CLOSED:
        raise Refused("period_closed", _("This month is closed already."))
    if on <= period.last_day:
        raise Refused("period_runs", _("This month is not over: the books are on %(on)s.") % {"on": on})
    if AccountingPeriod.objects.filter(state=State.OPEN, month__lt=period.month).exists():
        raise Refused("period_order", _("An earlier month is open: close that one first."))
    if ControlBalance.objects.filter(date=period.last_day).exclude(books=F("loans")).exists():
        raise Refused("period_differs", _("On the last day of this month the loans and the books differ."))
    period.close(by=by, at=at)
    period.save()
    events.record("period.closed", period, by=by, at=at, month=str(period))
    return period


@transaction.atomic
def ask_reopen(*, period_id: int, reason: str, by: User, at: datetime, on: date) -> ApprovalRequest:
    """Ask a second person to open the last closed month again."""
    period = _reopenable(period_id)
    waiting = ApprovalRequest.objects.filter(
        command=REOPEN, state=ApprovalRequest.State.PENDING, payload__period_id=period_id
    )
    if waiting.exists():
        raise Refused("asked", _("Somebody has asked for this already."))
    return approvals.ask(command=REOPEN, payload={"period_id": period.pk}, reason=reason, by=by, at=at, on=on)


@command(REOPEN, _("Reopen an accounting month"))
def reopen(*, period_id: int, by: User, at: datetime, on: date) -> Any:
    """Take entries into the month again: what the second person allows."""
    period = _reopenable(period_id)
    period.reopen()
    period.save()
    events.record("period.reopened", period, by=by, at=at, month=str(period))
    return period


def _reopenable(period_id: int) -> AccountingPeriod:
    period = _lock(period_id)
    if period.state != State.CLOSED:
        raise Refused("period_open", _("This month is open."))
    if AccountingPeriod.objects.filter(state=State.CLOSED, month__gt=period.month).exists():
        raise Refused("period_order", _("A later month is closed: only the last one can be opened again."))
    return period


def _lock(period_id: int) -> AccountingPeriod:
    """One at a time: what may be closed or opened depends on the other months."""
    periods = {
        row.pk: row
        for row in AccountingPeriod.objects.order_by("month").select_for_update(no_key=True, of=("self",))
    }
    if period_id not in periods:
        raise Refused("period", _("There is no such month."))
    return periods[period_id]
