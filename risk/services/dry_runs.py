"""A policy tried on the applications that were assessed: nothing is decided, only written down beside."""

from datetime import date, datetime

from django.db import transaction

from lending import bulk, events
from lending.models import User
from risk.engine.effect import Outcome, effect
from risk.models import Assessment, DryRun, DryRunCase, PolicyVersion
from risk.selectors import decisions, dry_run

MOST = 5_000


@transaction.atomic
def run(*, policy_id: int, by: User | None, at: datetime, on: date, most: int = MOST) -> DryRun:
    """Judge the newest `most` assessments of the segment again by this policy, with the models that scored them and
    what was known then, beside what has become of them by `on`. Takes the place of an earlier trial."""
    policy = PolicyVersion.objects.select_for_update(no_key=True).get(pk=policy_id)
    DryRun.objects.filter(policy=policy).delete()
    found = dry_run.newest(policy, most)
    known = dry_run.outcomes([one.application_id for one in found], on)
    trial = DryRun.objects.create(
        policy=policy, policy_sha256=policy.sha256, total=len(found), changed=0, by=by, at=at
    )
    cases = [_case(trial, policy, one, known.get(one.application_id, Outcome())) for one in found]
    bulk.create_many(cases)
    trial.changed = sum(case.changed for case in cases)
    trial.save(update_fields=["changed"])
    events.record("policy.tried", policy, by=by, at=at, applications=trial.total, changed=trial.changed)
    return trial


def _case(trial: DryRun, policy: PolicyVersion, then: Assessment, outcome: Outcome) -> DryRunCase:
    now = decisions.judged(then.model, policy, then.inputs)
    return DryRunCase(
        run=trial,
        assessment=then,
        changed=(now.outcome, now.limit) != (then.outcome, then.limit),
        outcome_then=then.outcome,
        outcome_now=now.outcome,
        limit_then=then.limit,
        limit_now=now.limit,
        reasons_now=list(now.reasons),
        fate=outcome.fate,
        lent=outcome.lent,
        lost=outcome.lost,
        earned=outcome.earned,
        effect=effect(then.limit, now.limit, outcome),
    )
