"""The life of a model: tried in the shadow, promoted by a second person, retired by its successor."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from lending import events
from lending.errors import Refused
from lending.models import User
from risk.models import ModelVersion
from risk.services import waivers

State = ModelVersion.State


@transaction.atomic
def challenge(*, model_id: int, by: User | None, at: datetime) -> ModelVersion:
    """Let a validated model score in the shadow of the champion."""
    model = _lock(model_id)
    waivers.check_card(model.scorecard, segment=model.segment, at=at)
    model.challenge()
    model.save()
    events.record("model.challenged", model, by=by, at=at)
    return model


@transaction.atomic
def promote(*, model_id: int, by: User, at: datetime) -> ModelVersion:
    """Make it the champion of its segment; the old one retires. The author cannot: a second person must."""
    model = _lock(model_id)
    if by is None or by.pk == model.author_id:
        raise Refused("same_person", _("A second person must approve: this is your own work."))
    waivers.check_card(model.scorecard, segment=model.segment, at=at)
    model.promote(approver=by, at=at)
    for old in ModelVersion.objects.filter(segment=model.segment, state=State.CHAMPION):
        _retire(old, by, at)
    model.save()
    events.record("model.promoted", model, by=by, at=at, sha256=model.sha256)
    return model


@transaction.atomic
def retire(*, model_id: int, by: User | None, at: datetime) -> ModelVersion:
    """It scores nobody any more. Without a champion, every application of the segment goes to a person."""
    model = _lock(model_id)
    _retire(model, by, at)
    return model


def _retire(model: ModelVersion, by: User | None, at: datetime) -> None:
    model.retire(at=at)
    model.save()
    events.record("model.retired", model, by=by, at=at)


def _lock(model_id: int) -> ModelVersion:
    """The model, under the lock of all versions of its segment: two promotions wait for each other."""
    segment = ModelVersion.objects.values_list("segment", flat=True).get(pk=model_id)
    versions = ModelVersion.objects.select_for_update().filter(segment=segment).order_by("pk")
    return next(version for version in versions if version.pk == model_id)
