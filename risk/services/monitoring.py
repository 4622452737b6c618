"""Once a month each model in use is measured: drift of what it sees, ranking and level on ends known by then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from lending import events
from lending.errors import Refused
from lending.models import User
from lending.services import checks
from risk.engine import monitoring as engine
from risk.engine.scorecard import Scorecard, numbers
from risk.models import Assessment, ModelVersion, Reading, in_segment
from risk.selectors import outcomes

State = ModelVersion.State
IN_USE = (State.CHAMPION, State.CHALLENGER)
MOST = 100_000  # assessments of a month, or known ends, that one reading looks at: the newest


@dataclass(frozen=True)
class Seen:
    """Applications with what was known of them then: features by name, and 1 for bad where the end is known."""

    table: Mapping[str, np.ndarray]
    bad: np.ndarray

    def scores(self, card: Scorecard) -> np.ndarray:
        return card.score_many(self.table) if len(self.bad) else np.array([])


def measure_month(*, month: date, at: datetime) -> list[Reading]:
    """A reading of every model in use over the month of `month`; those that have one are left alone.

    Raises `Refused` while the month is not over.
    """
    first = month.replace(day=1)
    if timezone.localtime(at).date() < following(first):
        raise Refused("month", _("This month is not over yet."), field="month")
    models = ModelVersion.objects.filter(state__in=IN_USE).exclude(readings__month=first).order_by("pk")
    return [measure(model=model, month=first, at=at) for model in models]


@transaction.atomic
def measure(*, model: ModelVersion, month: date, at: datetime) -> Reading:
    """The reading of one model over a month; the one that stands when there is one."""
    ModelVersion.objects.select_for_update(no_key=True).get(pk=model.pk)
    if standing := Reading.objects.filter(model=model, month=month).first():
        return standing
    card = model.scorecard
    decided = _decided(card, model.segment, month)
    ends = _ended(card, model, following(month))
    figures = _figures(model, card, decided, ends)
    ranking = figures["ranking"] or {}
    reading = Reading.objects.create(
        model=model,
        month=month,
        decisions=len(decided.bad),
        matured=len(ends.bad),
        bad=int(ends.bad.sum()),
        psi=figures["score"]["psi"] if figures["score"] else None,
        auc=ranking.get("auc"),
        ks=ranking.get("ks"),
        level=engine.worst([alarm["level"] for alarm in figures["alarms"]]),
        figures=figures,
        at=at,
    )
    told = {"month": month, "level": reading.level, "alarms": figures["alarms"]}
    kind = "model.measured" if reading.level == Reading.Level.STABLE else "model.alarmed"
    events.record(kind, model, by=None, at=at, **told)
    return reading


@transaction.atomic
def answer(*, reading_id: int, text: str, by: User, at: datetime) -> Reading:
    """What an analyst found behind an alarm and what is done about it. Once, and never changed."""
    checks.reason(text, field="answer")
    reading = Reading.objects.select_for_update(no_key=True).get(pk=reading_id)
    if reading.level == Reading.Level.STABLE:
        raise Refused("no_alarm", _("There is no alarm to answer."))
    if reading.answered_at:
        raise Refused("answered", _("This alarm was answered already."))
    reading.answer, reading.answered_by, reading.answered_at = text, by, at
    reading.save(update_fields=["answer", "answered_by", "answered_at"])
    events.record("model.alarm_answered", reading.model, by=by, at=at, month=reading.month, answer=text)
    return reading


def following(month: date) -> date:
    """The first day of the month after."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


# --- what is looked at --------------------------------------------------------------------------------------


def _decided(card: Scorecard, segment: str, month: date) -> Seen:
    """The applications of a segment that were decided in a month, by whichever model."""
    start, end = (timezone.make_aware(datetime.combine(day, time(0))) for day in (month, following(month)))
    rows = Assessment.objects.filter(in_segment(segment, "application__"), at__gte=start, at__lt=end)
    return _seen(card, list(rows.order_by("-pk").values_list("inputs__features", flat=True)[:MOST]))


def _ended(card: Scorecard, model: ModelVersion, day: date) -> Seen:
    """Assessed applications whose end is known by `day`, without any that the model may have learned from."""
    window = model.metrics.get("window_days", outcomes.WINDOW_DAYS)
    bad = {row.application_id: row.bad for row in outcomes.matured(model.segment, day, window)}
    rows = Assessment.objects.filter(application__in=bad)
    if model.dataset:
        rows = rows.filter(application__submitted_at__gt=model.dataset.as_of - timedelta(days=window - 1))
    found = list(rows.order_by("-pk").values_list("application_id", "inputs__features")[:MOST])
    return _seen(card, [vector for _pk, vector in found], [bad[pk] for pk, _vector in found])


def _seen(card: Scorecard, vectors: Sequence[Mapping[str, Any]], bad: Sequence[bool] | None = None) -> Seen:
    """A feature that was not made then is missing."""
    table = {name: numbers([vector.get(name) for vector in vectors], name) for name in card.inputs}
    return Seen(table, np.array(bad if bad is not None else [0] * len(vectors), dtype=int))


# --- what is measured ---------------------------------------------------------------------------------------


def _figures(model: ModelVersion, card: Scorecard, decided: Seen, ends: Seen) -> dict[str, Any]:
    base = model.metrics.get("score_bins")
    drift = {
        "score": engine.score_drift(base, decided.scores(card)) if base else None,
        "features": {one.name: engine.feature_drift(one, decided.table) for one in card.features},
    }
    scores = ends.scores(card)
    pds = engine.pds_of(scores)
    measured = {
        "ranking": engine.ranking(ends.bad, pds, model.metrics.get("test", {}).get("auc")),
        "level": engine.level(ends.bad, pds),
        "grades": engine.by_grade(card, scores, ends.bad),
    }
    return {**drift, **measured, "alarms": list(_alarms({**drift, **measured}))}


def _alarms(figures: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Everything that is not stable, worst first."""
    told = [
        ("score", figures["score"], "psi"),
        *((name, row, "psi") for name, row in figures["features"].items()),
        ("auc", figures["ranking"], "auc"),
        ("level", figures["level"], "predicted"),
    ]
    found = [
        {"figure": name, "value": row[value], "level": row["level"]}
        for name, row, value in told
        if row and row["level"] != engine.STABLE
    ]
    return sorted(found, key=lambda alarm: -engine.LEVELS.index(alarm["level"]))
