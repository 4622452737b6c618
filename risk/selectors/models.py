"""Reads about models: who was in charge before, and when somebody has to look at them again."""

from collections.abc import Sequence
from datetime import date, timedelta

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from risk.models import ModelReview, ModelVersion

State = ModelVersion.State
REVIEW_AFTER = timedelta(days=365)  # of going into use, where no review has set a day yet


def former_champion(model: ModelVersion) -> ModelVersion | None:
    """The retired model that was in charge of the segment last, before `model`."""
    was = ModelVersion.objects.filter(
        segment=model.segment, state=State.RETIRED, approved_at__isnull=False
    ).exclude(pk=model.pk)
    return was.order_by("-retired_at", "-pk").first()


def review_due(model: ModelVersion) -> date | None:
    """When the model is to be reviewed; None for one that is not in use."""
    return dict(reviews_due([model.pk])).get(model.pk)


def reviews_due(model_ids: Sequence[int] | None = None) -> list[tuple[int, date]]:
    """Each model in use with the day of its next review, the most urgent first."""
    models = ModelVersion.objects.filter(state__in=[State.CHAMPION, State.CHALLENGER])
    if model_ids is not None:
        models = models.filter(pk__in=model_ids)
    newest = ModelReview.objects.filter(model=OuterRef("pk")).order_by("-pk")
    found = [
        (model.pk, model.next_on or _day_of_use(model) + REVIEW_AFTER)
        for model in models.annotate(next_on=Subquery(newest.values("next_on")[:1]))
    ]
    return sorted(found, key=lambda one: (one[1], one[0]))


def _day_of_use(model: ModelVersion) -> date:
    return timezone.localtime(model.approved_at or model.created_at).date()
