"""Applications that wait are scored and decided: one transaction each, once each."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from django.db import transaction
from django.utils import timezone

from lending import bulk, events
from lending.errors import Refused
from lending.models import Application, Event, Industry
from lending.services import applications, locking
from lending.shares import CUSTOMERS, EVERYBODY, Share
from risk.engine import policy
from risk.judgment import Judgment
from risk.models import Assessment, ModelVersion, PolicyVersion, Segment, segment_of
from risk.selectors import decisions, facts
from risk.selectors.features import Moment, Vector, vectors_at
from risk.services import failures, filings

V = TypeVar("V", ModelVersion, PolicyVersion)

log = logging.getLogger(__name__)

# Applications decided per transaction: what a crash leaves to be done again, and how long rows stay locked.
BATCH = 20
# What waits for a decision, oldest first, without what failed and pauses; and what of it nobody else has. Asked every
# minute, and with every batch.
_UNJUDGED = """state = 'SUBMITTED'
AND NOT EXISTS (SELECT FROM risk_assessment a WHERE a.application_id = lending_application.id)"""
WAITING = bulk.Select(
    Application,
    f"""{_UNJUDGED} AND {CUSTOMERS} AND NOT EXISTS (
        SELECT FROM risk_scoringfailure f WHERE f.application_id = lending_application.id
        AND (f.state = 'RETRYING' AND f.next_try_at <= %s) IS NOT TRUE
    ) ORDER BY submitted_at, id LIMIT %s""",
)
CLAIMED = bulk.Select(
    Application,
    f"id = ANY(%s::bigint[]) AND {_UNJUDGED} ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
)
INDUSTRIES = bulk.Select(
    Industry,
    "code IN (SELECT c.industry_id FROM lending_application a JOIN lending_customer c ON c.id = a.customer_id"
    " WHERE a.id = ANY(%s::bigint[]))",
)
MODELS = bulk.Select(ModelVersion, "segment = %s AND state IN ('CHAMPION', 'CHALLENGER') ORDER BY id")
POLICIES = bulk.Select(PolicyVersion, "segment = %s AND state IN ('LIVE', 'SHADOW') ORDER BY id")


@dataclass(frozen=True)
class Panel:
    """Who judges a segment: the champion and the live policy decide, the others speak in the shadow."""

    champion: ModelVersion | None
    live: PolicyVersion | None
    challengers: Sequence[ModelVersion]
    shadows: Sequence[PolicyVersion]


def score_waiting(*, at: datetime, on: date | None = None, limit: int = 100, share: Share = EVERYBODY) -> int:
    """Decide up to `limit` submitted applications, oldest first; returns how many were decided here.

    Safe to run from several workers at once: each row is claimed under its lock. `BATCH` of them are decided in one
    transaction; where that fails, one by one, so that one which fails is noted (see `failures`), tried again later, and
    holds up none of the others. `on` is the day of `at` unless given; of the customers, those in `share` are looked at.
    """
    on = on or timezone.localtime(at).date()
    waiting = WAITING(*share.params, at, limit)
    if not waiting:
        return 0
    ids = [row.pk for row in waiting]
    locking.join(waiting, *bulk.read((locking.CUSTOMERS, [ids]), (locking.PRODUCTS, [ids])))
    vectors, found = _vectors_that_can_be(waiting, at)
    panels = {segment: panel(segment) for segment in {segment_of(row) for row in found}}
    batches = [found[first : first + BATCH] for first in range(0, len(found), BATCH)]
    scored = sum(_score_batch([row.pk for row in batch], vectors, panels, at, on) for batch in batches)
    failures.settle(application_ids=ids)
    return scored


def _vectors_that_can_be(
    rows: Sequence[Application], at: datetime
) -> tuple[dict[int, Vector], list[Application]]:
    """The features of the applications, and those that have any: what one of them breaks is noted with that one."""
    try:
        return _vectors(rows), list(rows)
    except Exception:
        log.exception("features of %s could not be computed", [row.pk for row in rows])
    vectors: dict[int, Vector] = {}
    for row in rows:
        try:
            vectors |= _vectors([row])
        except Exception as error:
            failures.note(application_id=row.pk, error=error, at=at)
    return vectors, [row for row in rows if row.pk in vectors]


def _score_batch(
    application_ids: Sequence[int],
    vectors: Mapping[int, Vector],
    panels: Mapping[str, Panel],
    at: datetime,
    on: date,
) -> int:
    try:
        return len(_score(application_ids, vectors, panels, at, on))
    except Exception as error:
        log.exception("applications %s could not be scored", application_ids)
        if len(application_ids) == 1:
            failures.note(application_id=application_ids[0], error=error, at=at)
            return 0
    return sum(_score_batch([pk], vectors, panels, at, on) for pk in application_ids)


def score_application(*, application_id: int, at: datetime, on: date) -> Assessment | None:
    """Decide one application; returns its assessment, or None while another worker holds it.

    One that was assessed before keeps its assessment; one that does not wait for a decision has none.
    """
    row = Application.objects.select_related("customer", "product").get(pk=application_id)
    if row.state != Application.State.SUBMITTED:
        return Assessment.objects.filter(application=row).first()
    panels = {segment_of(row): panel(segment_of(row))}
    return next(iter(_score([row.pk], _vectors([row]), panels, at, on)), None)


def panel(segment: str) -> Panel:
    """The versions that judge a segment at present."""
    models, policies = bulk.read((MODELS, [segment]), (POLICIES, [segment]))
    champions, challengers = _by_state(models, ModelVersion.State.CHAMPION)
    live, shadows = _by_state(policies, PolicyVersion.State.LIVE)
    return Panel(next(iter(champions), None), next(iter(live), None), challengers, shadows)


def _by_state(versions: Sequence[V], in_charge: str) -> tuple[list[V], list[V]]:
    """Those in charge, and the others."""
    charged = [version for version in versions if version.state == in_charge]
    return charged, [version for version in versions if version.state != in_charge]


def _vectors(rows: Sequence[Application]) -> dict[int, Vector]:
    """The features of each application as of its submission, with the accounts that it brought."""
    found: dict[int, Vector] = {}
    for segment in Segment.values:
        mine = [row for row in rows if segment_of(row) == segment]
        if segment != Segment.PERSON:
            for row in mine:
                filings.file_answers(row)
        moments = [Moment(row.customer_id, _submitted(row)) for row in mine]
        found.update(zip([row.pk for row in mine], vectors_at(segment, moments), strict=True))
    return found


def _submitted(application: Application) -> datetime:
    assert application.submitted_at is not None, "what waits for a decision was submitted"
    return application.submitted_at


@transaction.atomic
def _score(
    application_ids: Sequence[int],
    vectors: Mapping[int, Vector],
    panels: Mapping[str, Panel],
    at: datetime,
    on: date,
) -> list[Assessment]:
    claimed = _claim(application_ids)
    inputs = facts.inputs_many(claimed, [vectors[row.pk] for row in claimed], on)
    cases = []
    for row, known in zip(claimed, inputs, strict=True):
        judges = panels[segment_of(row)]
        cases.append(_Case(row, judges, known, decisions.judged(judges.champion, judges.live, known)))
    _decide(cases, at, on)
    made = bulk.create_many([_assessment(case, at) for case in cases])
    events.record_many([_assessed(one, at) for one in made])
    return made


@dataclass
class _Case:
    """An application with all that is known of it, and what is to become of it."""

    application: Application
    judges: Panel
    inputs: Mapping[str, Any]
    judgment: Judgment


def _claim(application_ids: Sequence[int]) -> list[Application]:
    """The applications under lock, without those that another worker has or has decided."""
    ids = list(application_ids)
    found, customers, products, industries = bulk.read(
        (CLAIMED, [ids]), (locking.IDENTIFIED, [ids]), (locking.PRODUCTS, [ids]), (INDUSTRIES, [ids])
    )
    standing = {industry.pk: industry for industry in industries}
    for customer in customers:
        customer.industry = standing.get(customer.industry_id)
    locking.join(found, customers, products)
    by_id = {row.pk: row for row in found}
    return [by_id[pk] for pk in application_ids if pk in by_id]


def _assessment(case: _Case, at: datetime) -> Assessment:
    result = case.judgment.result
    return Assessment(
        application=case.application,
        as_of=_submitted(case.application),
        inputs=case.inputs,
        model=case.judges.champion,
        policy=case.judges.live,
        score=result.score if result else None,
        pd=result.pd if result else None,
        grade=result.grade if result else "",
        outcome=case.judgment.outcome,
        reasons=list(case.judgment.reasons),
        limit=case.judgment.limit,
        annual_rate=case.judgment.annual_rate,
        fee_rate=case.judgment.fee_rate,
        fingerprints=decisions.fingerprints(
            case.judges.champion, case.judges.live, case.inputs, case.judgment
        ),
        trace=list(case.judgment.trace),
        shadow=_shadow(case.judges, case.inputs),
        at=at,
    )


def _assessed(made: Assessment, at: datetime) -> Event:
    return events.build(
        "application.assessed", made.application, by=None, at=at, outcome=made.outcome, grade=made.grade
    )


def _decide(cases: Sequence[_Case], at: datetime, on: date) -> None:
    """Carry the judgments out. Where lending refuses to make the offer (its cost is above the cap, say), a person
    decides, and the trace says why."""
    refused = []
    for case, answer in zip(cases, _carry_out(cases, at, on), strict=True):
        if not isinstance(answer, Refused):
            continue
        if case.judgment.outcome != policy.APPROVE:
            raise answer
        case.inputs = {**case.inputs, "not_offerable": answer.code}
        case.judgment = decisions.judged(case.judges.champion, case.judges.live, case.inputs)
        refused.append(case)
    for answer in _carry_out(refused, at, on):
        if isinstance(answer, Refused):
            raise answer


def _carry_out(cases: Sequence[_Case], at: datetime, on: date) -> list[Application | Refused]:
    decisions = [
        applications.Decision(
            application_id=case.application.pk,
            outcome=case.judgment.outcome,
            reasons=case.judgment.reasons,
            amount=case.judgment.limit,
            annual_rate=case.judgment.annual_rate,
            fee_rate=case.judgment.fee_rate,
            grade=case.judgment.result.grade if case.judgment.result else "",
        )
        for case in cases
    ]
    return applications.decide_many(decisions, by=None, at=at, on=on) if decisions else []


def _shadow(judges: Panel, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What challengers would have said under the live policy, and policies in the shadow with the champion."""
    pairs: list[tuple[ModelVersion | None, PolicyVersion | None]] = [
        (model, judges.live) for model in judges.challengers
    ]
    pairs += [(judges.champion, version) for version in judges.shadows]
    return [_told(model, version, decisions.judged(model, version, inputs)) for model, version in pairs]


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
