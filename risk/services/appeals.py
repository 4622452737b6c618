"""A customer objects to what a control did to their line, and a person answers."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from lending import events
from lending.errors import Refused
from lending.models import CreditLine, LineHold, User
from lending.services import lines, locking, notices
from risk.engine.controls import ALERT
from risk.models import Alert, Appeal
from risk.selectors.appeals import reviewed_cut
from risk.services import alerts

LONGEST = 2000


@transaction.atomic
def open(*, line_id: int, text: str, by: User | None, at: datetime) -> Appeal:
    """Put a line's cut or suspension before a person; one at a time, and only while there is one."""
    text = _text(text, "text")
    line = locking.line(line_id)
    alert = _standing(line).first()
    review = reviewed_cut(line)
    if alert is None and review is None and not _held(line):
        raise Refused("nothing_to_appeal", _("No control has cut or suspended this line."))
    appeal = Appeal(customer=line.customer, line=line, alert=alert, review=review, text=text, opened_at=at)
    try:
        with transaction.atomic():
            appeal.save(force_insert=True)
    except IntegrityError as error:
        raise Refused("appeal_open", _("Your objection is with us already.")) from error
    events.record("appeal.opened", appeal, by=by, at=at)
    notices.queue(
        customer=line.customer, template="appeal_received", context={}, key=f"appeal:{appeal.pk}", at=at
    )
    return appeal


@transaction.atomic
def decide(*, appeal_id: int, uphold: bool, answer: str, by: User, at: datetime) -> Appeal:
    """Answer an appeal. Upheld, everything that controls did to the line is undone; a customer never decides."""
    answer = _text(answer, "answer")
    line_id = Appeal.objects.values_list("line_id", flat=True).get(pk=appeal_id)
    line = CreditLine.objects.select_for_update(no_key=True).get(pk=line_id)
    appeal = (
        Appeal.objects.select_for_update(no_key=True, of=("self",))
        .select_related("customer")
        .get(pk=appeal_id)
    )
    if by is None or not by.is_staff:
        raise Refused("staff_only", _("Only staff decide appeals."))
    (appeal.uphold if uphold else appeal.reject)(answer=answer, by=by, at=at)
    appeal.save()
    _judge(appeal, uphold, by, at)
    if uphold:
        _undo(line, answer, by, at)
    events.record("appeal.upheld" if uphold else "appeal.rejected", appeal, by=by, at=at, answer=answer)
    notices.queue(
        customer=appeal.customer,
        template="appeal_upheld" if uphold else "appeal_rejected",
        context={"reason": answer},
        key=f"appeal-answer:{appeal.pk}",
        at=at,
    )
    return appeal


def _standing(line: CreditLine) -> QuerySet[Alert]:
    found = Alert.objects.filter(line=line, state=Alert.State.OPEN).exclude(action=ALERT)
    return found.order_by("-pk")


def _held(line: CreditLine) -> bool:
    return line.holds.filter(cause=LineHold.Cause.CONTROL, lifted_at=None).exists()


def _judge(appeal: Appeal, uphold: bool, by: User, at: datetime) -> None:
    """The answer is also the word on whether the control was right."""
    if appeal.alert_id is not None:
        outcome = Alert.Outcome.FALSE_POSITIVE if uphold else Alert.Outcome.TRUE_POSITIVE
        alerts.judge(alert_id=appeal.alert_id, outcome=outcome, by=by, at=at)


def _undo(line: CreditLine, answer: str, by: User, at: datetime) -> None:
    for alert in _standing(line):
        alerts.lift(alert_id=alert.pk, note=answer, by=by, at=at)
    lines.lift_hold(line_id=line.pk, cause=LineHold.Cause.CONTROL, by=by, at=at, note=answer)
    line.refresh_from_db(fields=["base_limit"])
    if review := reviewed_cut(line):
        lines.restore(line_id=line.pk, to=review.limit_before, cause=answer, by=by, at=at)


def _text(text: str, field: str) -> str:
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise Refused(field, _("Write something, up to %d characters.") % LONGEST, field=field)
    return text
