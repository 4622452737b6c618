"""Applications that wait are scored and decided: one transaction each, once each."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from lending import events
from lending.errors import Refused
from lending.models import Application, Customer
from lending.services import applications
from risk.engine import policy
from risk.judgment import Judgment, judge
from risk.models import Assessment, ModelVersion, PolicyVersion
from risk.selectors import facts
from risk.selectors.features import Moment, Vector, vectors_at
from risk.services import filings

log = logging.getLogger(__name__)

WAITING = {"state": Application.State.SUBMITTED, "assessment": None}


@dataclass(frozen=True)
class Panel:
    """Who judges a segment: the champion and the live policy decide, the others speak in the shadow."""

    champion: ModelVersion | None
    live: PolicyVersion | None
    challengers: Sequence[ModelVersion]
    shadows: Sequence[PolicyVersion]


def score_waiting(*, at: datetime, on: date | None = None, limit: int = 100) -> int:
    """Decide up to `limit` submitted applications, oldest first; returns how many were decided here.

    Safe to run from several workers at once: each row is claimed under its lock. One that fails is logged and
    left waiting, and holds up none of the others. `on` is the day of `at` unless given.
    """
    on = on or timezone.localtime(at).date()
    waiting = Application.objects.filter(**WAITING).select_related("customer").order_by("submitted_at", "pk")
    found = list(waiting[:limit])
    panels = {segment: panel(segment) for segment in {row.customer.kind for row in found}}
    vectors = _vectors(found)
    done = 0
    for row in found:
        try:
            scored = _score(row.pk, vectors[row.pk], panels[row.customer.kind], at, on)
        except Exception:
            log.exception("application %s could not be scored", row.pk)
        else:
            done += scored is not None
    return done


def score_application(*, application_id: int, at: datetime, on: date) -> Assessment | None:
    """Decide one application; returns its assessment, or None while another worker holds it.

    One that was assessed before keeps its assessment; one that does not wait for a decision has none.
    """
    row = Application.objects.select_related("customer").get(pk=application_id)
    if row.state != Application.State.SUBMITTED:
        return Assessment.objects.filter(application=row).first()
    return _score(row.pk, _vectors([row])[row.pk], panel(row.customer.kind), at, on)


def panel(segment: str) -> Panel:
    """The versions that judge a segment at present."""
    models = ModelVersion.objects.filter(segment=segment).order_by("pk")
    policies = PolicyVersion.objects.filter(segment=segment).order_by("pk")
    return Panel(
        champion=models.filter(state=ModelVersion.State.CHAMPION).first(),
        live=policies.filter(state=PolicyVersion.State.LIVE).first(),
        challengers=list(models.filter(state=ModelVersion.State.CHALLENGER)),
        shadows=list(policies.filter(state=PolicyVersion.State.SHADOW)),
    )


def _vectors(rows: Sequence[Application]) -> dict[int, Vector]:
    """The features of each application as of its submission, with the accounts that it brought."""
    found: dict[int, Vector] = {}
    for segment in Customer.Kind.values:
        mine = [row for row in rows if row.customer.kind == segment]
        if segment == Customer.Kind.COMPANY:
            for row in mine:
                filings.file_answers(row)
        moments = [Moment(row.customer_id, _submitted(row)) for row in mine]
        found.update(zip([row.pk for row in mine], vectors_at(segment, moments), strict=True))
    return found


def _submitted(application: Application) -> datetime:
    assert application.submitted_at is not None, "what waits for a decision was submitted"
    return application.submitted_at


@transaction.atomic
def _score(application_id: int, vector: Vector, judges: Panel, at: datetime, on: date) -> Assessment | None:
    application = _claim(application_id)
    if application is None:
        return None
    inputs = facts.inputs(application, vector, on)
    judgment = _judge(judges.champion, judges.live, inputs)
    judgment = _decide(application, judgment, at, on)
    result = judgment.result
    assessment = Assessment.objects.create(
        application=application,
        as_of=_submitted(application),
        inputs=inputs,
        model=judges.champion,
        policy=judges.live,
        score=result.score if result else None,
        pd=result.pd if result else None,
        grade=result.grade if result else "",
        outcome=judgment.outcome,
        reasons=list(judgment.reasons),
        limit=judgment.limit,
        trace=list(judgment.trace),
        shadow=_shadow(judges, inputs),
        at=at,
    )
    events.record(
        "application.assessed", application, by=None, at=at, outcome=judgment.outcome, grade=assessment.grade
    )
    return assessment


def _claim(application_id: int) -> Application | None:
    """The application under lock, unless another worker has it or has decided it."""
    rows = Application.objects.select_for_update(of=("self",), skip_locked=True)
    rows = rows.select_related("customer__industry", "product")
    return rows.filter(pk=application_id, **WAITING).first()


def _judge(model: ModelVersion | None, version: PolicyVersion | None, inputs: Mapping[str, Any]) -> Judgment:
    return judge(
        model.scorecard if model else None,
        version.compiled_rules if version else None,
        version.matrix if version else {},
        inputs,
    )


def _decide(application: Application, judgment: Judgment, at: datetime, on: date) -> Judgment:
    """Carry the judgment out. Where lending refuses to make the offer (its cost is above the cap, say), a person
    decides, and the trace says why."""
    try:
        with transaction.atomic():
            _carry_out(application, judgment, at, on)
    except Refused as fault:
        if judgment.outcome != policy.APPROVE:
            raise
        trace = (*judgment.trace, {"rule": "offer", "error": fault.code})
        judgment = Judgment(judgment.result, policy.REFER, ("NOT_OFFERABLE",), None, trace)
        _carry_out(application, judgment, at, on)
    return judgment


def _carry_out(application: Application, judgment: Judgment, at: datetime, on: date) -> None:
    applications.decide(
        application_id=application.pk,
        outcome=judgment.outcome,
        reasons=judgment.reasons,
        amount=judgment.limit,
        grade=judgment.result.grade if judgment.result else "",
        by=None,
        at=at,
        on=on,
    )


def _shadow(judges: Panel, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What challengers would have said under the live policy, and policies in the shadow with the champion."""
    pairs: list[tuple[ModelVersion | None, PolicyVersion | None]] = [
        (model, judges.live) for model in judges.challengers
    ]
    pairs += [(judges.champion, version) for version in judges.shadows]
    return [_told(model, version, _judge(model, version, inputs)) for model, version in pairs]


def _told(model: ModelVersion | None, version: PolicyVersion | None, judgment: Judgment) -> dict[str, Any]:
    result = judgment.result
    return {
        "model": model.version if model else None,
        "policy": version.version if version else None,
        "score": result.score if result else None,
        "pd": result.pd if result else None,
        "grade": result.grade if result else "",
        "outcome": judgment.outcome,
        "reasons": list(judgment.reasons),
        "limit": str(judgment.limit) if judgment.limit is not None else None,
    }


def replay(assessment: Assessment) -> Judgment:
    """The judgment again, from the kept inputs and the versions that made it."""
    return _judge(assessment.model, assessment.policy, assessment.inputs)
