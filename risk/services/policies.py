"""The life of a policy: drafted, checked, tried in the shadow, set live by a second person."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from lending import events
from lending.errors import Refused
from lending.models import User
from risk.engine import policy as engine
from risk.engine.scorecard import BANDS
from risk.judgment import known_facts
from risk.models import PolicyVersion, Segment
from risk.reasons import codes
from risk.services import waivers

State = PolicyVersion.State
PARTS = ("code", "kind", "expression", "reason")
LONGEST_CODE = 60
MOST_RULES = 200


def check(*, segment: str, rules: Any, matrix: Any) -> dict[str, list[str]]:
    """What is wrong with a policy, by rule or grade; an empty answer means that it may go live."""
    if segment not in Segment.values:
        return {"segment": [_("There is no such segment.")]}
    found = _shape_faults(rules)
    if not isinstance(matrix, dict) or not all(isinstance(row, dict) for row in matrix.values()):
        found["matrix"] = [_("The limits must be an object with one object per grade.")]
    if found:
        return found
    parsed = [engine.Rule(**rule) for rule in rules]
    found = engine.compile_rules(parsed, known_facts(segment))
    for rule in parsed:
        if rule.reason not in codes():
            found.setdefault(rule.code, []).append(_("no words for the reason: %s") % rule.reason)
    return found | engine.matrix_faults(matrix, list(BANDS))


def _shape_faults(rules: Any) -> dict[str, list[str]]:
    if not isinstance(rules, list) or len(rules) > MOST_RULES:
        return {"rules": [_("The rules must be a list of at most %d.") % MOST_RULES]}
    return {
        str(place): [_("A rule has code, kind, expression and reason, each a text.")]
        for place, rule in enumerate(rules, start=1)
        if not _well_shaped(rule)
    }


def _well_shaped(rule: Any) -> bool:
    if not isinstance(rule, dict) or set(rule) != set(PARTS):
        return False
    return all(isinstance(rule[part], str) and rule[part] for part in PARTS) and len(
        rule["code"]
    ) <= LONGEST_CODE >= len(rule["reason"])


@transaction.atomic
def draft(
    *,
    segment: str,
    rules: Sequence[Mapping[str, str]],
    matrix: Mapping[str, Any],
    note: str,
    by: User | None,
    at: datetime,
) -> PolicyVersion:
    """A new version as a draft. Raises `Refused` with what is wrong, rule by rule."""
    waivers.check_policy(segment=segment, rules=_read(rules), matrix=matrix, at=at)
    _refuse_faults(check(segment=segment, rules=rules, matrix=matrix))
    last = PolicyVersion.objects.filter(segment=segment).aggregate(last=Max("version"))["last"] or 0
    version = PolicyVersion.objects.create(
        segment=segment,
        version=last + 1,
        rules=rules,
        matrix=matrix,
        note=note,
        author=by,
        created_at=at,
    )
    events.record("policy.drafted", version, by=by, at=at, note=note)
    return version


@transaction.atomic
def revise(
    *,
    policy_id: int,
    rules: Sequence[Mapping[str, str]],
    matrix: Mapping[str, Any],
    note: str,
    by: User | None,
    at: datetime,
) -> PolicyVersion:
    """Change a draft; who changes it becomes its author. Raises `Refused` as `draft` does."""
    version = _lock(policy_id)
    if version.state != State.DRAFT:
        raise Refused("frozen", _("This version is frozen: copy it to a new draft."))
    waivers.check_policy(segment=version.segment, rules=_read(rules), matrix=matrix, at=at)
    _refuse_faults(check(segment=version.segment, rules=rules, matrix=matrix))
    version.rules, version.matrix, version.note, version.author = rules, matrix, note, by
    version.save()
    events.record("policy.revised", version, by=by, at=at, note=note)
    return version


@transaction.atomic
def shadow(*, policy_id: int, by: User | None, at: datetime) -> PolicyVersion:
    """Let it answer beside the live policy without deciding anything."""
    version = _lock(policy_id)
    version.shadow()
    version.save()
    events.record("policy.shadowed", version, by=by, at=at)
    return version


@transaction.atomic
def go_live(*, policy_id: int, by: User, at: datetime) -> PolicyVersion:
    """Let it decide; the policy before it retires. The author cannot: a second person must."""
    version = _lock(policy_id)
    if by is None or by.pk == version.author_id:
        raise Refused("same_person", _("A second person must approve: this is your own work."))
    waivers.check_policy(segment=version.segment, rules=version.rules, matrix=version.matrix, at=at)
    # What was right when it was written may have lost a feature since.
    _refuse_faults(check(segment=version.segment, rules=version.rules, matrix=version.matrix))
    version.go_live(approver=by, at=at)
    for old in PolicyVersion.objects.filter(segment=version.segment, state=State.LIVE):
        _retire(old, by, at)
    version.save()
    events.record("policy.live", version, by=by, at=at)
    return version


@transaction.atomic
def retire(*, policy_id: int, by: User | None, at: datetime) -> PolicyVersion:
    """It decides nothing any more. Without a live policy, every application goes to a person."""
    version = _lock(policy_id)
    _retire(version, by, at)
    return version


def _retire(version: PolicyVersion, by: User | None, at: datetime) -> None:
    version.retire(at=at)
    version.save()
    events.record("policy.retired", version, by=by, at=at)


def _lock(policy_id: int) -> PolicyVersion:
    """The policy, under the lock of all versions of its segment: two releases wait for each other."""
    segment = PolicyVersion.objects.values_list("segment", flat=True).get(pk=policy_id)
    versions = PolicyVersion.objects.select_for_update().filter(segment=segment).order_by("pk")
    return next(version for version in versions if version.pk == policy_id)


def _read(rules: Any) -> list[Mapping[str, Any]]:
    """The rules that have the shape of one: the others are refused for that."""
    return [rule for rule in rules if isinstance(rule, Mapping)] if isinstance(rules, list) else []


def _refuse_faults(faults: Mapping[str, Sequence[str]]) -> None:
    if faults:
        told = "; ".join(f"{name}: {', '.join(wrong)}" for name, wrong in faults.items())
        raise Refused("policy_faults", told, field="rules")
