"""Forbidden features stay out of models and policies unless the compliance officer has lifted the ban in writing."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from lending import events
from lending.errors import Refused
from lending.models import User
from lending.services import checks
from risk.engine import forbidden
from risk.engine.scorecard import Scorecard
from risk.models import FeatureWaiver, Segment

LONGEST = timedelta(days=366)
Scope, State = FeatureWaiver.Scope, FeatureWaiver.State


def check_card(card: Scorecard, *, segment: str, at: datetime) -> None:
    """Raises Refused when a table of points asks for something forbidden for which no leave stands."""
    names = [*card.inputs, *(feature.name for feature in card.features)]
    _check(forbidden.named(names), segment, Scope.MODEL, at)


def check_policy(*, segment: str, rules: Iterable[Mapping[str, Any]], matrix: Any, at: datetime) -> None:
    """Raises Refused when a rule or a matrix of limits asks for something forbidden for which no leave stands."""
    asked = [name for rule in rules for name in forbidden.in_expression(str(rule.get("expression", "")))]
    _check([*asked, *forbidden.in_matrix(matrix)], segment, Scope.POLICY, at)


def _check(names: Collection[str], segment: str, scope: str, at: datetime) -> None:
    if not names:
        return
    standing = FeatureWaiver.objects.filter(
        feature__in=names,
        segment=segment,
        scope__in=[scope, Scope.BOTH],
        state=State.GIVEN,
        ends_on__gte=timezone.localtime(at).date(),
    )
    lifted = set(standing.values_list("feature", flat=True))
    if left := [name for name in dict.fromkeys(names) if name not in lifted]:
        told = _("Nobody may be judged by this: %(names)s. Only the compliance officer can give leave.")
        raise Refused("forbidden_feature", told % {"names": ", ".join(left)}, field="rules")


@transaction.atomic
def ask(
    *, feature: str, segment: str, scope: str, reason: str, ends_on: date, by: User, at: datetime
) -> FeatureWaiver:
    """Ask the compliance officer for leave. Refused for what is not forbidden, without a reason, or for over a year."""
    checks.reason(reason, field="reason")
    feature = feature.strip()
    if forbidden.kind_of(feature) is None:
        raise Refused("not_forbidden", _("This needs no leave: it is not forbidden."), field="feature")
    if segment not in Segment.values or scope not in Scope.values:
        raise Refused("scope", _("Say for whom and for what."), field="scope")
    today = timezone.localtime(at).date()
    if not today <= ends_on <= today + LONGEST:
        raise Refused("ends_on", _("Leave ends within a year from today."), field="ends_on")
    row = FeatureWaiver(
        feature=feature,
        segment=segment,
        scope=scope,
        reason=reason,
        ends_on=ends_on,
        asked_by=by,
        asked_at=at,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise Refused("asked_already", _("This was asked for or given already."), field="feature") from error
    events.record("waiver.asked", row, by=by, at=at, feature=feature, scope=scope, reason=reason)
    return row


@transaction.atomic
def decide(*, waiver_id: int, give: bool, opinion: str, by: User, at: datetime) -> FeatureWaiver:
    """Give leave or refuse it, in writing; who asked for it cannot."""
    row = _locked(waiver_id, opinion)
    if row.asked_by_id == by.pk:
        raise Refused("same_person", _("A second person must decide: you asked for this yourself."))
    (row.give if give else row.refuse)(opinion=opinion, by=by, at=at)
    row.save()
    events.record("waiver.given" if give else "waiver.refused", row, by=by, at=at, opinion=opinion)
    return row


@transaction.atomic
def revoke(*, waiver_id: int, opinion: str, by: User, at: datetime) -> FeatureWaiver:
    """Take leave back, in writing: no model or policy that needs it can go live from now on."""
    row = _locked(waiver_id, opinion)
    if row.asked_by_id == by.pk:
        raise Refused("same_person", _("A second person must decide: you asked for this yourself."))
    row.revoke(opinion=opinion, by=by, at=at)
    row.save()
    events.record("waiver.revoked", row, by=by, at=at, opinion=opinion)
    return row


def _locked(waiver_id: int, opinion: str) -> FeatureWaiver:
    checks.reason(opinion, field="opinion")
    return FeatureWaiver.objects.select_for_update(no_key=True, of=("self",)).get(pk=waiver_id)
