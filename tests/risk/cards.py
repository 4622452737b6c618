"""A scorecard made by hand, so that a test knows every point of it."""

import math

from risk.engine.scorecard import BANDS, NUMERIC, Bin, Feature, Scorecard, cuts
from risk.models import ModelVersion


def log_odds(pd: float) -> float:
    return math.log(pd / (1 - pd))


def card(pd: float = 0.015, **effects: tuple[float, float]) -> Scorecard:
    """Base PD, and for each named feature the bound above which so many log-odds are added."""
    parts = tuple(
        Feature(name, NUMERIC, 1, (Bin(0.0, 100, 1, upper=bound), Bin(extra, 100, 9)), Bin(0.0, 10, 0))
        for name, (bound, extra) in effects.items()
    )
    return Scorecard(log_odds(pd), parts, cuts(BANDS), 210, 10, 1)


def champion(by, at, segment: str = "PERSON", state: str = "CHAMPION", version: int = 1, **options):
    made = card(**options)
    return ModelVersion.objects.create(
        segment=segment,
        version=version,
        state=state,
        card=made.to_json(),
        sha256=made.sha256,
        approver=by if state == "CHAMPION" else None,
        created_at=at,
    )
