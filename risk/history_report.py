"""The report of a learned table as one HTML file: style and charts inside, nothing fetched, fit for paper."""

from pathlib import Path
from typing import Any

import numpy as np
from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from risk import charts, history
from risk.engine import validation
from risk.selectors import points

CURVE, PARTS, BANDS = 100, 10, 12


def write(outcome: history.Outcome, folder: Path, name: str) -> Path:
    """Writes `report.html` and `scorecard.json`; returns the path of the former. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scorecard.json").write_text(outcome.card.to_json(), encoding="utf-8")
    path = folder / "report.html"
    path.write_text(render_to_string("risk/history.html", context(outcome, name)), encoding="utf-8")
    return path


def context(outcome: history.Outcome, name: str) -> dict[str, Any]:
    told = history.as_json(outcome)
    models = outcome.comparison.models
    return {
        "name": name,
        "language": get_language(),
        "told": told,
        "share_bad": told["bad"] / told["rows"],
        "models": [(words()[key], model) for key, model in told["models"].items()],
        "left_out": [(column, history.LEFT_OUT[why]()) for column, why in outcome.past.left_out],
        "split": splits()[outcome.comparison.split],
        "card": outcome.card,
        "grades": told["scorecard"]["grades"],
        "tables": points.tables(outcome.card),
        "roc": charts.curves(
            _("Ranking"),
            _("good ones above"),
            _("bad ones above"),
            [_roc(words()[k], m) for k, m in models.items()],
        ),
        "levels": _levels(models),
        "spread": _spread(models["scorecard"]),
    }


def words() -> dict[str, str]:
    return {
        "scorecard": _("Scorecard"),
        "binned_logistic": _("Binned logistic regression"),
        "boosting": _("Unrestricted boosting"),
    }


def splits() -> dict[str, str]:
    return {
        "time": _("learned from the earlier 70%, tested on the later 30%"),
        "group": _("parts between which no group is shared"),
        "folds": _("parts of equal bad rate"),
    }


def _roc(name: str, model: validation.Measured) -> charts.Line:
    order = np.argsort(-model.pd, kind="stable")
    bad = np.cumsum(model.y[order]) / model.y.sum()
    good = np.cumsum(1 - model.y[order]) / (len(model.y) - model.y.sum())
    at = np.unique(np.linspace(0, len(bad) - 1, CURVE).astype(int))
    return charts.Line(name, [(0.0, 0.0), *zip(good[at].tolist(), bad[at].tolist(), strict=True)])


def _levels(models: dict[str, validation.Measured]) -> str:
    """Mean PD against the true rate of ten parts of equal size."""
    lines = []
    for name, model in models.items():
        parts = np.array_split(np.argsort(model.pd, kind="stable"), PARTS)
        spots = [(float(model.pd[p].mean()), float(model.y[p].mean())) for p in parts if len(p)]
        lines.append(charts.Line(words()[name], spots, dots=True))
    highest = max(max(spot) for line in lines for spot in line.points)
    highest = min(1.0, float(np.ceil(highest * 20) / 20) or 1.0)
    return charts.curves(_("Level"), _("predicted"), _("true rate"), lines, highest)


def _spread(model: validation.Measured) -> str:
    scores = validation.scores_of(model.pd)
    low, high = np.quantile(scores, [0.005, 0.995])
    edges = np.linspace(low, max(high, low + 1), BANDS + 1)
    place = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, BANDS - 1)
    shares = [
        (np.bincount(place[model.y == end], minlength=BANDS) / (model.y == end).sum()).tolist()
        for end in (0, 1)
    ]
    series = [(_("good"), shares[0]), (_("bad"), shares[1])]
    return charts.columns(_("Scores"), [f"{edge:.0f}" for edge in edges[:-1]], series)
