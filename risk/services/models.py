"""The life of a model: tried in the shadow, promoted by a second person, looked at again, retired by its successor."""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from lending import events
from lending.errors import Refused
from lending.models import User
from lending.services import checks
from risk.models import ModelReview, ModelVersion
from risk.selectors.models import former_champion
from risk.services import waivers

State = ModelVersion.State
MOST_BETWEEN_REVIEWS = timedelta(days=2 * 365)


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
def roll_back(*, model_id: int, reason: str, by: User, at: datetime) -> ModelVersion:
    """Put the champion before `model_id` in charge again; the champion of today retires.

    The author of the one that returns cannot do it: a second person signs for it anew. Raises `Refused`.
    """
    checks.reason(reason, field="reason")
    model = _lock(model_id)
    former = former_champion(model)
    if model.state != State.CHAMPION or former is None:
        raise Refused("no_former", _("There is no former champion to go back to."))
    if by is None or by.pk == former.author_id:
        raise Refused("same_person", _("A second person must approve: this is your own work."))
    waivers.check_card(former.scorecard, segment=former.segment, at=at)
    _retire(model, by, at)
    former.reinstate(approver=by, at=at)
    former.save()
    events.record("model.rolled_back", former, by=by, at=at, reason=reason, instead_of=model.version)
    return former


@transaction.atomic
def review(*, model_id: int, finding: str, next_on: date, by: User, at: datetime, on: date) -> ModelReview:
    """Write down that somebody who did not make the model looked at it again, and when that is due next."""
    checks.reason(finding, field="finding")
    model = _lock(model_id)
    if model.state not in (State.CHAMPION, State.CHALLENGER):
        raise Refused("not_in_use", _("Only a model in use is reviewed."))
    if by.pk == model.author_id:
        raise Refused("same_person", _("A second person must look at it: this is your own work."))
    if not on < next_on <= on + MOST_BETWEEN_REVIEWS:
        raise Refused("next_on", _("The next review is due within two years from today."), field="next_on")
    made = ModelReview.objects.create(model=model, on=on, finding=finding, next_on=next_on, by=by, at=at)
    events.record("model.reviewed", model, by=by, at=at, next_on=next_on)
    return made


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
    versions = ModelVersion.objects.select_for_update(no_key=True).filter(segment=segment).order_by("pk")
    return next(version for version in versions if version.pk == model_id)
