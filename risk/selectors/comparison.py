"""Champion and challenger side by side, on the applications that both judged: nothing is judged again."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from risk.engine import monitoring as engine
from risk.models import Assessment, ModelVersion
from risk.selectors import outcomes

MOST = 5_000
SHOWN = 50
APPROVE = Assessment.Outcome.APPROVE


@dataclass(frozen=True)
class Pair:
    """One application: what the champion said and what the challenger would have said."""

    assessment: Assessment
    shadow: Mapping[str, Any]
    bad: bool | None

    @property
    def outcomes(self) -> tuple[str, str]:
        return self.assessment.outcome, self.shadow["outcome"]

    @property
    def swapped(self) -> str:
        """ "in" when only the challenger approves, "out" when only the champion does, else ""."""
        then, now = (outcome == APPROVE for outcome in self.outcomes)
        return "" if then == now else "in" if now else "out"


@dataclass
class Comparison:
    """Counts of outcomes and grades, the swap set, the distributions of scores, and both on known ends."""

    pairs: Sequence[Pair]
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    grades: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return len(self.pairs)

    @property
    def agreement(self) -> float | None:
        """The share of applications with the same outcome."""
        same = sum(count for (then, now), count in self.moves.items() if then == now)
        return same / self.total if self.total else None

    @property
    def approved(self) -> tuple[Decimal, Decimal]:
        """The sums of the limits, of the champion and of the challenger."""
        return (
            sum((pair.assessment.limit or Decimal(0) for pair in self.pairs), Decimal(0)),
            sum((Decimal(pair.shadow["limit"] or 0) for pair in self.pairs), Decimal(0)),
        )

    @property
    def changed(self) -> list[Pair]:
        """Those that would be decided otherwise, newest first."""
        return [pair for pair in self.pairs if len(set(pair.outcomes)) == 2][:SHOWN]

    def swap(self, which: str) -> dict[str, Any]:
        """One half of the swap set: applications, known ends, and bad ones among these."""
        rows = [pair for pair in self.pairs if pair.swapped == which]
        ends = [pair.bad for pair in rows if pair.bad is not None]
        rate = sum(ends) / len(ends) if ends else None
        return {"count": len(rows), "matured": len(ends), "bad": sum(ends), "bad_rate": rate}

    def scores(self) -> tuple[list[str], list[float], list[float]]:
        """Bands of twenty points in words, and the share of each model's scores in them."""
        both = [p for p in self.pairs if p.assessment.score is not None and p.shadow["score"] is not None]
        ours = np.array([pair.assessment.score for pair in both])
        theirs = np.array([pair.shadow["score"] for pair in both])
        if not both:
            return [], [], []
        low, high = min(ours.min(), theirs.min()) // 20 * 20, max(ours.max(), theirs.max())
        edges = np.arange(low, high + 20.001, 20)
        shares = [(np.histogram(one, edges)[0] / len(both)).tolist() for one in (ours, theirs)]
        return [f"{edge:.0f}" for edge in edges[:-1]], *shares

    def matured(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Rows, bad rate, mean PD, AUC with its interval and KS of both on the same known ends; None on too few."""
        known = [p for p in self.pairs if p.bad is not None and p.shadow["pd"] is not None]
        rows = [pair for pair in known if pair.assessment.pd is not None]
        bad = np.array([pair.bad for pair in rows], dtype=int)
        ours = engine.ranking(bad, np.array([pair.assessment.pd for pair in rows]), None)
        theirs = engine.ranking(bad, np.array([pair.shadow["pd"] for pair in rows]), None)
        return (ours, theirs) if ours and theirs else None


def with_champion(challenger: ModelVersion, on: date, most: int = MOST) -> Comparison:
    """The newest assessments in whose shadow the challenger spoke under the policy that decided."""
    rows = Assessment.objects.filter(
        application__customer__kind=challenger.segment, shadow__contains=[{"model": challenger.version}]
    ).exclude(model=challenger)
    rows = rows.select_related("application__customer", "policy").order_by("-pk")
    ends = {row.application_id: row.bad for row in outcomes.matured(challenger.segment, on)}
    pairs = []
    for assessment in rows[:most]:
        policy = assessment.policy.version if assessment.policy else None
        said = [one for one in assessment.shadow if one["model"] == challenger.version]
        for shadow in [one for one in said if one["policy"] == policy][:1]:
            pairs.append(Pair(assessment, shadow, ends.get(assessment.application_id)))
    found = Comparison(pairs)
    found.moves.update(pair.outcomes for pair in pairs)
    found.grades.update((pair.assessment.grade or "–", pair.shadow["grade"] or "–") for pair in pairs)
    return found
