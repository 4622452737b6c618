"""A decision that was made, made again: from the kept inputs and the versions that made it, byte for byte."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from risk.judgment import Judgment, canonical, fingerprint, judge
from risk.models import Assessment, ModelVersion, PolicyVersion


@dataclass(frozen=True)
class Replay:
    """An answer as it was kept and as it comes out now, each as one text, and everything that differs."""

    assessment: Assessment
    kept: str
    again: str
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        return not self.differences


def judged(model: ModelVersion | None, version: PolicyVersion | None, inputs: Mapping[str, Any]) -> Judgment:
    """The judgment of these inputs by these versions."""
    return judge(
        model.scorecard if model else None,
        version.compiled_rules if version else None,
        version.matrix if version else {},
        inputs,
    )


def fingerprints(
    model: ModelVersion | None,
    version: PolicyVersion | None,
    inputs: Mapping[str, Any],
    judgment: Judgment,
) -> dict[str, str]:
    """SHA-256 of everything that a decision was made from, and of the answer; "" for what there was not."""
    return {
        "inputs": fingerprint(inputs),
        "model": model.sha256 if model else "",
        "policy": version.sha256 if version else "",
        "answer": fingerprint(judgment.content),
    }


def replay(assessment: Assessment) -> Replay:
    """Make the decision again and compare. A version that was tampered with gives a difference, not an answer."""
    kept = canonical(kept_content(assessment))
    model, version = assessment.model, assessment.policy
    try:
        judgment = judged(model, version, assessment.inputs)
    except (ValueError, TypeError, KeyError) as fault:
        return Replay(assessment, kept, "", (f"it cannot be judged again: {fault}",))
    now = fingerprints(model, version, assessment.inputs, judgment)
    again = canonical(judgment.content)
    differences = [
        f"fingerprint of the {name}: kept {assessment.fingerprints.get(name, 'none')}, now {found}"
        for name, found in now.items()
        if assessment.fingerprints.get(name) != found
    ]
    if kept != again:
        differences.append("the answer")
    return Replay(assessment, kept, again, tuple(differences))


def kept_content(assessment: Assessment) -> dict[str, Any]:
    """What the assessment's row says was decided, in the form of `Judgment.content`."""
    price = {name: getattr(assessment, name) for name in ("limit", "annual_rate", "fee_rate")}
    return {
        "outcome": assessment.outcome,
        "reasons": assessment.reasons,
        **{name: None if value is None else f"{value.normalize():f}" for name, value in price.items()},
        "score": assessment.score,
        "pd": assessment.pd,
        "grade": assessment.grade,
        "trace": assessment.trace,
    }
