"""Charts of the staff's pages: what the theme draws, and the same figures as a table for those who do not see it."""

import json
from collections.abc import Iterable
from typing import Any

from django.utils.functional import Promise

# For charts of several lines, in order.
COLOURS = ("#0d9488", "#f59e0b", "#ef4444", "#6366f1", "#ec4899", "#84cc16", "#0ea5e9", "#a855f7", "#78716c")


def series(name: str, values: Iterable[Any], colour: str) -> dict[str, Any]:
    shade = colour if colour.startswith("#") else f"var(--color-{colour})"
    # A picture, not an account: here, and only here, an amount may become a float.
    points = [None if value is None else float(value) for value in values]
    return {
        "label": name,
        "data": points,
        "borderColor": shade,
        "backgroundColor": shade,
        "displayYAxis": True,
    }


def chart(
    kind: str,
    title: str | Promise,
    labels: list[str],
    lines: list[dict[str, Any]],
    *,
    stacked: bool = False,
    lying: bool = False,
) -> dict[str, Any]:
    axis = {"stacked": stacked, "grid": {"display": False}, "ticks": {"color": "#9ca3af"}}
    options = {
        "maintainAspectRatio": False,
        "animation": False,
        "indexAxis": "y" if lying else "x",
        "plugins": {"legend": {"display": len(lines) > 1, "align": "end", "labels": {"color": "#9ca3af"}}},
        "scales": {"x": axis, "y": axis | {"beginAtZero": True}},
    }
    return {
        "kind": kind,
        "title": title,
        "data": json.dumps({"labels": labels, "datasets": lines}),
        "options": json.dumps(options),
        # The same figures for those who do not see the picture.
        "table": [(label, [one["data"][number] for one in lines]) for number, label in enumerate(labels)],
        "names": [one["label"] for one in lines],
    }


def shares(
    kind: str,
    title: str | Promise,
    labels: list[str],
    named: Iterable[tuple[str, Iterable[Any]]],
    *,
    stacked: bool = False,
) -> dict[str, Any]:
    """Several lines (or columns) of shares, in per cent."""
    lines = []
    for (name, values), colour in zip(named, COLOURS * 4, strict=False):
        points = [None if value is None else round(value * 100, 2) for value in values]
        # A line may end before the others do.
        lines.append(series(name, points + [None] * (len(labels) - len(points)), colour))
    return chart(kind, f"{title} (%)", labels, lines, stacked=stacked)
