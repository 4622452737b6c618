"""What another policy would have decided on the applications that were assessed: nothing is written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from risk.judgment import judge
from risk.models import Assessment, PolicyVersion, in_segment

MOST = 5_000
SHOWN = 50


@dataclass
class DryRun:
    """Counts by (outcome then, outcome now), the sums approved then and now, and some of those that differ."""

    total: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    approved_then: Decimal = Decimal(0)
    approved_now: Decimal = Decimal(0)
    changed: list[tuple[Assessment, str, Sequence[str]]] = field(default_factory=list)


def on_history(policy: PolicyVersion, most: int = MOST) -> DryRun:
    """The policy on the newest assessments of its segment, with the scores that they were given."""
    found = DryRun()
    newest = Assessment.objects.filter(in_segment(policy.segment, "application__")).order_by("-pk")
    for assessment in newest.select_related("model", "application__customer")[:most]:
        card = assessment.model.scorecard if assessment.model else None
        now = judge(card, policy.compiled_rules, policy.matrix, assessment.inputs)
        found.total += 1
        found.moves[assessment.outcome, now.outcome] += 1
        found.approved_then += assessment.limit or 0
        found.approved_now += now.limit or 0
        if now.outcome != assessment.outcome and len(found.changed) < SHOWN:
            found.changed.append((assessment, now.outcome, now.reasons))
    return found
