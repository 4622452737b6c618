"""A scorecard as tables to read and print: each feature's rows in words, with a chart."""

from typing import Any

from django.utils.translation import gettext as _

from risk import charts, features
from risk.engine.scorecard import CATEGORY, Axis, Bin, Feature, Scorecard


def tables(card: Scorecard) -> list[dict[str, Any]]:
    """One table per feature, the one that can cost most points first."""
    found = [_pair(feature) if feature.axes else _table(feature, card.rows) for feature in card.features]
    return sorted(found, key=lambda table: -table["spread"])


def _table(feature: Feature, of: int) -> dict[str, Any]:
    rows = [_row(_words(feature, place), found, of) for place, found in enumerate(feature.bins)]
    rows.append(_row(_("not known"), feature.missing, of))
    points = [row["points"] for row in rows if row["count"]] or [0.0]
    drawn = [charts.Row(r["words"], r["points"], r["share"], r["bad_rate"]) for r in rows]
    label = _label(feature.name)
    return {
        "name": feature.name,
        "label": label,
        "rows": rows,
        "spread": max(points) - min(points),
        "chart": charts.bins(label, drawn),
    }


def _pair(feature: Feature) -> dict[str, Any]:
    """A grid: what two features together give beyond what each gives alone."""
    first, second = feature.axes
    wide = second.size + 1
    points = [found.points for found in feature.bins]
    cells = [points[at : at + wide] for at in range(0, len(points), wide)]
    across, down = _axis(second), _axis(first)
    label = " × ".join(_label(axis.name) for axis in feature.axes)
    known = [found.points for found in feature.bins if found.count] or [0.0]
    return {
        "name": feature.name,
        "label": label,
        "across": across,
        "grid": list(zip(down, cells, strict=True)),
        "spread": max(known) - min(known),
        "chart": charts.heat(label, across, down, cells),
    }


def _label(name: str) -> str:
    known = features.ALL.get(name)
    return str(known.label) if known else name


def _row(words: str, found: Bin, of: int) -> dict[str, Any]:
    return {
        "words": words,
        "points": found.points,
        "count": found.count,
        "share": found.count / of if of else 0.0,
        "bad_rate": found.bad_rate,
    }


def _axis(axis: Axis) -> list[str]:
    if axis.kind == CATEGORY:
        return [*axis.members, _("other or not known")]
    bounds = [None, *axis.bounds, None]
    ranges = [_range(low, high) for low, high in zip(bounds, bounds[1:], strict=False)]
    return [*ranges, _("not known")]


def _words(feature: Feature, place: int) -> str:
    """What falls into a row: the members of a category, or the range up to and including its bound."""
    found = feature.bins[place]
    if feature.kind == CATEGORY:
        return ", ".join(found.members)
    return _range(feature.bins[place - 1].upper if place else None, found.upper)


def _range(low: float | None, high: float | None) -> str:
    if high is None:
        return _("all") if low is None else _("above %s") % f"{low:,.6g}"
    if low is None:
        return _("up to %s") % f"{high:,.6g}"
    return _("above %(low)s, up to %(high)s") % {"low": f"{low:,.6g}", "high": f"{high:,.6g}"}
