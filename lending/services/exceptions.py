"""Working off the loans that the close set aside."""

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import events
from lending.errors import Refused
from lending.models import CloseException, User
from lending.services import aside, refold, steps
from lending.services.steps import Shard


def retry(*, exception_id: int, by: User | None, at: datetime, on: date) -> CloseException:
    """Bring the loan up to date; when that works, the close takes it in again.

    Raises Refused (code still_failing) with the reason when it does not, and keeps that reason.
    """
    try:
        return _try(exception_id, by=by, at=at, on=on)
    except Refused as refused:
        if refused.code == "resolved":
            raise
        reason = str(refused)
    except aside.THE_LOAN as error:
        reason = aside.reason_of(error)
    _note_failure(exception_id, reason)
    raise Refused("still_failing", _("It still fails: %(reason)s") % {"reason": reason})


@transaction.atomic
def _try(exception_id: int, *, by: User | None, at: datetime, on: date) -> CloseException:
    row = _lock(exception_id)
    step = steps.find(row.step)
    if step.catch_up:
        step.catch_up(loan_id=row.loan_id, key=f"caught-up:{row.pk}", at=at, on=on)
    else:
        aside.attempt(step, on=row.date, at=at, shard=Shard(row.loan_id, row.loan_id))
    return _take_in(row, str(_("It worked when tried again.")), by=by, at=at)


@transaction.atomic
def _note_failure(exception_id: int, reason: str) -> None:
    row = CloseException.objects.select_for_update(no_key=True).get(pk=exception_id)
    row.attempts, row.reason = row.attempts + 1, reason[:500]
    row.save(update_fields=["attempts", "reason"])


@transaction.atomic
def resolve(*, exception_id: int, note: str, by: User | None, at: datetime, on: date) -> CloseException:
    """Take the loan in again because somebody has seen to it.

    Raises Refused without a note, and where the loan is behind what its transactions come to: then it must be tried
    again, or it would stay behind for good.
    """
    row = _lock(exception_id)
    if not note.strip():
        raise Refused("note", _("Say what was done."), field="note")
    if refold.behind(loan_ids=[row.loan_id], on=on):
        raise Refused("behind", _("The loan is behind its transactions: try it again."))
    return _take_in(row, note.strip(), by=by, at=at)


def _lock(exception_id: int) -> CloseException:
    row = (
        CloseException.objects.select_for_update(no_key=True, of=("self",))
        .select_related("loan")
        .get(pk=exception_id)
    )
    if row.state != CloseException.State.OPEN:
        raise Refused("resolved", _("The close takes this loan in already."))
    return row


def _take_in(row: CloseException, note: str, *, by: User | None, at: datetime) -> CloseException:
    row.resolve(by=by, at=at, note=note)
    row.save()
    events.record("loan.taken_in", row.loan, by=by, at=at, step=row.step, note=row.note)
    return row
