"""Scorings that fail: tried again with growing pauses, given up in the end, taken up by a person."""

from collections.abc import Collection
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from lending import bulk, events
from lending.errors import Refused
from lending.models import Application, User
from lending.services import applications
from risk.models import ScoringFailure

# How long to wait after the first, second, ... failure; one more, and it is given up.
BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30))
REASON = "SCORING_FAILED"
State = ScoringFailure.State
# Those of some applications that were scored after all; asked with every run.
SCORED = bulk.Select(
    ScoringFailure,
    "application_id = ANY(%s::bigint[]) AND state = 'RETRYING' AND EXISTS (SELECT FROM risk_assessment a"
    " WHERE a.application_id = risk_scoringfailure.application_id) FOR NO KEY UPDATE",
)


@transaction.atomic
def note(*, application_id: int, error: Exception, at: datetime) -> ScoringFailure:
    """Write a failure down in a transaction of its own, since that of the scoring is undone."""
    Application.objects.select_for_update(no_key=True).get(pk=application_id)
    row = ScoringFailure.objects.filter(application_id=application_id).first()
    row = row or ScoringFailure(application_id=application_id)
    pause = BACKOFF[min(row.attempts, len(BACKOFF) - 1)]
    row.fail(error=f"{type(error).__name__}: {error}", at=at, next_try_at=at + pause)
    if row.attempts > len(BACKOFF):
        row.give_up()
    row.save()
    if row.state == State.DEAD:
        events.record("application.scoring_given_up", row.application, by=None, at=at, error=row.error)
    return row


@transaction.atomic
def settle(*, application_ids: Collection[int]) -> int:
    """Those of them that were scored after all are no failures any more."""
    rows = SCORED(list(application_ids))
    for row in rows:
        row.scored()
        row.save(update_fields=["state"])
    return len(rows)


@transaction.atomic
def retry(*, failure_id: int, by: User, at: datetime) -> ScoringFailure:
    """Score it again with the next run, as often as the first time."""
    row = _locked(failure_id)
    row.retry(at=at)
    row.save()
    events.record("application.scoring_retried", row.application, by=by, at=at)
    return row


@transaction.atomic
def refer(*, failure_id: int, by: User, at: datetime, on: date) -> ScoringFailure:
    """Put it before an officer, who decides without a score; refused when it does not wait for one any more."""
    row = _locked(failure_id)
    if row.application.state != Application.State.SUBMITTED:
        raise Refused("not_waiting", _("This application does not wait for a decision."))
    row.refer()
    row.save()
    applications.decide(
        application_id=row.application_id,
        outcome=applications.REFER,
        reasons=(REASON,),
        by=by,
        at=at,
        on=on,
    )
    return row


def _locked(failure_id: int) -> ScoringFailure:
    """The row under lock, after its application: in the order in which everybody locks."""
    application_id = ScoringFailure.objects.values_list("application_id", flat=True).get(pk=failure_id)
    Application.objects.select_for_update(no_key=True).get(pk=application_id)
    rows = ScoringFailure.objects.select_for_update(no_key=True, of=("self",)).select_related("application")
    return rows.get(pk=failure_id)
