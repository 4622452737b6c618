"""The life of a policy: drafted, checked, tried in the shadow, set live by a second person."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from lending import events
from lending.errors import Refused
from lending.models import Event, Product, User
from risk.engine import policy as engine
from risk.engine import terms
from risk.engine.scorecard import BANDS
from risk.judgment import known_facts
from risk.models import PolicyVersion, Segment
from risk.reasons import codes
from risk.services import waivers

State = PolicyVersion.State
PARTS = ("code", "kind", "expression", "reason")
LONGEST_CODE = 60
MOST_RULES = 200
MOST_ROWS = 200  # of one grade


def check(*, segment: str, rules: Any, matrix: Any) -> dict[str, list[str]]:
    """What is wrong with a policy, by rule or grade; an empty answer means that it may go live."""
    if segment not in Segment.values:
        return {"segment": [_("There is no such segment.")]}
    found = _shape_faults(rules)
    if not isinstance(matrix, dict) or not all(map(_rows_of_grade, matrix.values())):
        found["matrix"] = [_("The limits must be an object with one object, or a list of them, per grade.")]
    if found:
        return found
    parsed = [engine.Rule(**rule) for rule in rules]
    found = engine.compile_rules(parsed, known_facts(segment))
    for rule in parsed:
        if rule.reason not in codes():
            found.setdefault(rule.code, []).append(_("no words for the reason: %s") % rule.reason)
    found |= terms.faults(matrix, list(BANDS))
    for name, wrong in _product_faults(segment, matrix):
        found.setdefault(name, []).append(wrong)
    return found


def _rows_of_grade(rows: Any) -> bool:
    listed = rows if isinstance(rows, list) else [rows]
    return 0 < len(listed) <= MOST_ROWS and all(isinstance(row, dict) for row in listed)


def _product_faults(segment: str, matrix: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Products that are not sold to the segment, and prices that a product named does not allow."""
    sold = {row.code: row for row in Product.objects.filter(state=Product.State.LIVE)}
    for name, row in (pair for grade in matrix for pair in terms.rows_of(matrix, grade)):
        products = row.get("product") or []
        for code in [products] if isinstance(products, str) else products:
            if code not in sold:
                yield name, _("no such product is on sale: %s") % code
                continue
            for price, (low, high) in (
                ("annual_rate", sold[code].rate_range),
                ("fee_rate", sold[code].fee_range),
            ):
                rate = terms.amount(row.get(price))
                if rate is not None and not low <= rate <= high:
                    limits = {
                        "product": code,
                        "price": price,
                        "low": low.normalize(),
                        "high": high.normalize(),
                    }
                    yield name, _("%(product)s allows a %(price)s of %(low)s to %(high)s") % limits


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
    """Let it decide; the policy before it retires. It comes from the shadow, and whoever wrote any of it cannot
    approve it: a second person must."""
    version = _lock(policy_id)
    if by is None or by.pk in _writers(version):
        raise Refused("same_person", _("A second person must approve: this is your own work."))
    if version.state == State.DRAFT:
        raise Refused("shadow_first", _("Run it in the shadow first: then it can go live."))
    waivers.check_policy(segment=version.segment, rules=version.rules, matrix=version.matrix, at=at)
    # What was right when it was written may have lost a feature since.
    _refuse_faults(check(segment=version.segment, rules=version.rules, matrix=version.matrix))
    version.go_live(approver=by, at=at)
    for old in PolicyVersion.objects.filter(segment=version.segment, state=State.LIVE):
        _retire(old, by, at)
    version.save()
    events.record("policy.live", version, by=by, at=at)
    return version


def _writers(version: PolicyVersion) -> set[int | None]:
    """Everybody who drafted or revised the version."""
    wrote = Event.objects.filter(
        subject_type=version._meta.label_lower,
        subject_id=version.pk,
        kind__in=["policy.drafted", "policy.revised"],
    )
    return {version.author_id, *wrote.values_list("actor", flat=True)} - {None}


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
    versions = PolicyVersion.objects.select_for_update(no_key=True).filter(segment=segment).order_by("pk")
    return next(version for version in versions if version.pk == policy_id)


def _read(rules: Any) -> list[Mapping[str, Any]]:
    """The rules that have the shape of one: the others are refused for that."""
    return [rule for rule in rules if isinstance(rule, Mapping)] if isinstance(rules, list) else []


def _refuse_faults(faults: Mapping[str, Sequence[str]]) -> None:
    if faults:
        told = "; ".join(f"{name}: {', '.join(wrong)}" for name, wrong in faults.items())
        raise Refused("policy_faults", told, field="rules")
