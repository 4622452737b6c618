"""All customers with a line are scored again every night, chunk by chunk, by as many workers as there are.

The night and its chunks are rows: whoever finds a chunk that nobody holds scores it in one transaction with the word
that it is done. A dead worker leaves its chunk for the next.
"""

import logging
from datetime import date, datetime, timedelta

from django.db import connection, transaction
from django.db.models import F

from lending import bulk
from lending.models import CreditLine
from lending.selectors.reapproval import LIVE
from risk import features
from risk.engine.scorecard import Scorecard
from risk.models import BehaviourScore, ModelVersion, ScoreChunk, ScoreNight, in_segment
from risk.selectors.features import Moment, vectors_at

log = logging.getLogger(__name__)

CHUNK = 1_000  # customers per transaction
TRIES = 3
KEEP_DAYS = 90  # what a review did with a score is kept with the review

PLAN = """
INSERT INTO risk_scorechunk (night_id, first_id, last_id, customers, scored, attempts, error)
SELECT %(night)s, min(customer_id), max(customer_id), count(*), 0, 0, ''
FROM (
    SELECT customer_id, (row_number() OVER (ORDER BY customer_id) - 1) / %(chunk)s AS number
    FROM lending_creditline WHERE state IN ('ACTIVE', 'SUSPENDED')
) line
GROUP BY number
"""


def rescore(*, on: date, at: datetime, chunk: int = CHUNK) -> int:
    """Plan the night unless somebody has, and score chunk after chunk until none is left; returns how many customers
    were scored here.

    Safe to run again and by several workers at once. A chunk that failed TRIES times waits for `retry`.
    """
    night = plan(on=on, at=at, chunk=chunk)
    models = {
        model.segment: model for model in ModelVersion.objects.filter(state=ModelVersion.State.CHAMPION)
    }
    scored, failed = 0, set[int]()
    while (done := _next(night, models, at, failed)) is not None:
        scored += done
    return scored


@transaction.atomic
def plan(*, on: date, at: datetime, chunk: int = CHUNK) -> ScoreNight:
    """Share the customers with an open line out; a night that is planned stays as it is. Old scores go."""
    night, made = ScoreNight.objects.get_or_create(on=on, defaults={"as_of": at})
    if not made:
        return night
    with connection.cursor() as cursor:
        cursor.execute(PLAN, {"night": night.pk, "chunk": chunk})
    night.customers = sum(night.chunks.values_list("customers", flat=True))
    night.save(update_fields=["customers"])
    BehaviourScore.objects.filter(on__lt=on - timedelta(days=KEEP_DAYS)).delete()
    return night


def _next(night: ScoreNight, models: dict[str, ModelVersion], at: datetime, failed: set[int]) -> int | None:
    """Score one chunk that is free; None when there is none. One that fails is noted and left for a later run."""
    taken: list[int] = []
    try:
        return _score(night, models, at, failed, taken)
    except Exception as error:
        if not taken:
            raise
        log.exception("chunk %s could not be scored", taken[0])
        ScoreChunk.objects.filter(pk=taken[0]).update(
            attempts=F("attempts") + 1, error=f"{type(error).__name__}: {error}"[:300]
        )
        failed.add(taken[0])
        return 0


@transaction.atomic
def _score(
    night: ScoreNight, models: dict[str, ModelVersion], at: datetime, failed: set[int], taken: list[int]
) -> int | None:
    waiting = ScoreChunk.objects.filter(night=night, done_at=None, attempts__lt=TRIES).exclude(pk__in=failed)
    chunk = waiting.select_for_update(no_key=True, skip_locked=True).order_by("first_id").first()
    if chunk is None:
        return None
    taken.append(chunk.pk)
    rows = [row for segment, model in models.items() for row in _scores(chunk, night, segment, model)]
    bulk.insert_many(rows)
    chunk.scored, chunk.done_at, chunk.error = len(rows), at, ""
    chunk.save(update_fields=["scored", "done_at", "error"])
    return len(rows)


def _scores(chunk: ScoreChunk, night: ScoreNight, segment: str, model: ModelVersion) -> list[BehaviourScore]:
    lines = CreditLine.objects.filter(
        in_segment(segment), customer__id__range=(chunk.first_id, chunk.last_id), state__in=LIVE
    )
    ids = list(lines.order_by("customer_id").values_list("customer_id", flat=True))
    card: Scorecard = model.scorecard
    vectors = vectors_at(segment, [Moment(pk, night.as_of) for pk in ids])
    rows = []
    for pk, vector in zip(ids, vectors, strict=True):
        result = card.score(vector)
        weak = [reason.feature for reason in result.reasons() if reason.feature in features.ALL]
        rows.append(
            BehaviourScore(
                customer_id=pk,
                on=night.on,
                model=model,
                score=result.score,
                pd=result.pd,
                grade=result.grade,
                reasons=weak,
            )
        )
    return rows


def retry(*, night_id: int) -> int:
    """Let the chunks that failed too often be tried again; returns how many."""
    return ScoreChunk.objects.filter(night_id=night_id, done_at=None, attempts__gte=TRIES).update(attempts=0)
