"""A scorecard as tables to read: each feature's rows in words."""

from typing import Any

from django.utils.translation import gettext as _

from risk import features
from risk.engine.scorecard import CATEGORY, Bin, Feature, Scorecard


def tables(card: Scorecard) -> list[dict[str, Any]]:
    """One table per feature, the one that can cost most points first."""
    found = [_table(feature) for feature in card.features]
    return sorted(found, key=lambda table: -table["spread"])


def _table(feature: Feature) -> dict[str, Any]:
    rows = [_row(_words(feature, place), found) for place, found in enumerate(feature.bins)]
    rows.append(_row(_("not known"), feature.missing))
    known = features.ALL.get(feature.name)
    points = [row["points"] for row in rows]
    return {
        "name": feature.name,
        "label": known.label if known else feature.name,
        "rows": rows,
        "spread": max(points) - min(points),
    }


def _row(words: str, found: Bin) -> dict[str, Any]:
    return {"words": words, "points": found.points, "count": found.count, "bad_rate": found.bad_rate}


def _words(feature: Feature, place: int) -> str:
    """What falls into a row: the members of a category, or the range up to and including its bound."""
    found = feature.bins[place]
    if feature.kind == CATEGORY:
        return ", ".join(found.members)
    below = feature.bins[place - 1].upper if place else None
    if found.upper is None:
        return _("all") if below is None else _("above %s") % f"{below:,.6g}"
    if below is None:
        return _("up to %s") % f"{found.upper:,.6g}"
    return _("above %(low)s, up to %(high)s") % {"low": f"{below:,.6g}", "high": f"{found.upper:,.6g}"}
