"""What a policy is tried on, what became of those applications, and the sums of a trial."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, F, Q, Sum

from lending.fields import ZERO
from risk.engine.effect import Outcome
from risk.models import Assessment, DryRun, PolicyVersion, in_segment
from risk.selectors.outcomes import BAD_DAYS

LOST_DAYS = 90  # principal that is later than that counts as lost

# One row for each application that money went out on. `late` is the worst instalment, paid or not.
OUTCOMES = """
    SELECT a.id, sum(l.principal_amount), bool_or(l.state IN ('ACTIVE', 'ACCELERATED')),
           bool_or(l.state = 'WRITTEN_OFF' OR coalesce(i.late, 0) >= %(bad)s),
           sum(CASE WHEN l.state = 'WRITTEN_OFF' OR l.oldest_due_on <= %(day)s - %(lost)s
               THEN i.principal_open - coalesce(r.amount, 0) ELSE 0 END),
           sum(i.earned)
    FROM lending_application a
    LEFT JOIN lending_creditline line ON line.application_id = a.id
    JOIN lending_loan l ON (l.application_id = a.id OR l.line_id = line.id) AND l.state <> 'CANCELLED'
    CROSS JOIN LATERAL (
        SELECT sum(principal - principal_paid) AS principal_open,
               sum(interest_paid + fee_paid + penalty_paid) AS earned,
               max(least(paid_on, %(day)s) - due_on) AS late
        FROM lending_instalment WHERE loan_id = l.id
    ) i
    LEFT JOIN LATERAL (
        SELECT sum(amount) AS amount FROM lending_transaction WHERE loan_id = l.id AND type = 'RECOVERY'
    ) r ON l.state = 'WRITTEN_OFF'
    WHERE a.id = ANY(%(ids)s) GROUP BY a.id
"""


def newest(policy: PolicyVersion, most: int) -> list[Assessment]:
    """The newest assessments of the policy's segment."""
    rows = Assessment.objects.filter(in_segment(policy.segment, "application__"))
    return list(rows.select_related("model").order_by("-pk")[:most])


def outcomes(application_ids: Sequence[int], on: date) -> dict[int, Outcome]:
    """What became of the money, by application; those without a loan are missing."""
    with connection.cursor() as cursor:
        cursor.execute(
            OUTCOMES, {"ids": list(application_ids), "day": on, "bad": BAD_DAYS, "lost": LOST_DAYS}
        )
        rows = cursor.fetchall()
    return {
        pk: Outcome(
            "BAD" if bad else "RUNNING" if owing else "GOOD", lent, max(ZERO, lost or ZERO), earned or ZERO
        )
        for pk, lent, owing, bad, lost, earned in rows
    }


@dataclass(frozen=True)
class Sums:
    """A trial in figures. `saved` and `cost` are what is known of; `unknown` counts the changes nobody can tell."""

    moves: Sequence[tuple[str, str, int, Decimal, Decimal]]
    approved_then: Decimal
    approved_now: Decimal
    saved: Decimal
    cost: Decimal
    unknown: int
    expected_bad: Decimal

    @property
    def net(self) -> Decimal:
        return self.saved + self.cost


def sums(run: DryRun) -> Sums:
    """The figures of a trial; `expected_bad` is the newly approved amount times the probability of default."""
    more = Q(limit_now__gt=F("limit_then")) | Q(limit_now__isnull=False, limit_then=None)
    found: dict[str, Any] = run.cases.aggregate(
        then=Sum("limit_then"),
        now=Sum("limit_now"),
        saved=Sum("effect", filter=Q(effect__gt=0)),
        cost=Sum("effect", filter=Q(effect__lt=0)),
        unknown=Count("pk", filter=Q(effect=None)),
    )
    added = run.cases.filter(more).values_list("limit_now", "limit_then", "assessment__pd")
    expected = sum(((now - (then or ZERO)) * Decimal(str(pd or 0)) for now, then, pd in added), ZERO)
    moves = run.cases.values_list("outcome_then", "outcome_now").annotate(
        count=Count("pk"), then=Sum("limit_then"), now=Sum("limit_now")
    )
    return Sums(
        moves=[
            (then, now, count, was or ZERO, becomes or ZERO)
            for then, now, count, was, becomes in moves.order_by("outcome_then", "outcome_now")
        ],
        approved_then=found["then"] or ZERO,
        approved_now=found["now"] or ZERO,
        saved=found["saved"] or ZERO,
        cost=found["cost"] or ZERO,
        unknown=found["unknown"],
        expected_bad=expected.quantize(Decimal("0.01")),
    )
