"""Charts as inline SVG: no script, no style sheet, fit for the screen in light and dark and for paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from django.utils.safestring import SafeString, mark_safe

Point = tuple[float, float]

GOOD, BAD, POINTS_UP, POINTS_DOWN, GREY = "#3b7dd8", "#c8453b", "#2e8b57", "#c8453b", "#9aa3ad"
COLOURS = (GOOD, "#d98a1f", GREY, "#7a4fb5")
WIDTH, HEIGHT, MARGIN = 420, 300, 46


@dataclass(frozen=True)
class Line:
    """A line of points from 0 to 1 in both directions, with a name for the legend."""

    name: str
    points: Sequence[Point]
    dots: bool = False


@dataclass(frozen=True)
class Row:
    """A bin: its words, points, share of all rows and bad rate (None without rows)."""

    words: str
    points: float
    share: float
    bad_rate: float | None


def curves(title: str, across: str, up: str, lines: Sequence[Line], highest: float = 1.0) -> SafeString:
    """Lines over a square with its diagonal; both axes run from 0 to `highest`."""
    inner_w, inner_h = WIDTH - MARGIN - 12, HEIGHT - MARGIN - 12

    def at(point: Point) -> str:
        x, y = (min(max(v / highest, 0.0), 1.0) for v in point)
        return f"{MARGIN + x * inner_w:.1f},{12 + (1 - y) * inner_h:.1f}"

    parts = [_line(at((0, 0)), at((highest, highest)), GREY, dashed=True)]
    for step in range(5):
        value = highest * step / 4
        x, y = at((value, 0)).split(",")[0], at((0, value)).split(",")[1]
        parts.append(_text(x, HEIGHT - MARGIN + 16, f"{value:.0%}", "middle"))
        parts.append(_text(MARGIN - 6, float(y) + 4, f"{value:.0%}", "end"))
    parts.append(
        f'<rect x="{MARGIN}" y="12" width="{inner_w}" height="{inner_h}" fill="none" stroke="{GREY}"/>'
    )
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(at(point) for point in line.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if line.dots:
            parts += [_dot(at(point), colour) for point in line.points]
        if line.name:
            parts.append(_text(WIDTH - 20, HEIGHT - MARGIN - 12 - 16 * number, line.name, "end", colour))
    parts.append(_text(MARGIN + inner_w / 2, HEIGHT - 8, across, "middle"))
    parts.append(_text(4, 9, up, "start"))
    return _svg(title, WIDTH, HEIGHT, parts)


def columns(title: str, words: Sequence[str], series: Sequence[tuple[str, Sequence[float]]]) -> SafeString:
    """Shares side by side: one column of each series per word."""
    highest = max([share for _name, shares in series for share in shares] or [1.0]) or 1.0
    slot = (WIDTH - MARGIN - 12) / max(len(words), 1)
    wide, inner = slot * 0.8 / max(len(series), 1), HEIGHT - MARGIN - 24
    parts = []
    for place, word in enumerate(words):
        left = MARGIN + place * slot + slot * 0.1
        for number, (_name, shares) in enumerate(series):
            tall = inner * shares[place] / highest
            parts.append(_bar(left + number * wide, 24 + inner - tall, wide, tall, (GOOD, BAD)[number % 2]))
        if place % max(1, len(words) // 8) == 0:
            parts.append(_text(left + slot * 0.4, HEIGHT - MARGIN + 16, word, "middle"))
    for number, (name, _shares) in enumerate(series):
        parts.append(_text(WIDTH - 20, 14 + 14 * number, name, "end", (GOOD, BAD)[number % 2]))
    parts.append(_text(MARGIN - 6, 30, f"{highest:.0%}", "end"))
    return _svg(title, WIDTH, HEIGHT, parts)


def course(
    title: str,
    words: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | None]]],
    marks: Sequence[float] = (),
) -> SafeString:
    """Figures from month to month: a line of dots for each series, without what is not known; marks are dashed."""
    known = [value for _name, values in series for value in values if value is not None]
    highest = max([*known, *marks, 0.01]) * 1.1
    slot, inner = (WIDTH - MARGIN - 12) / max(len(words), 1), HEIGHT - MARGIN - 24

    def at(place: int, value: float) -> str:
        return f"{MARGIN + (place + 0.5) * slot:.1f},{24 + inner * (1 - max(value, 0) / highest):.1f}"

    parts = [_text(4, 14, title, "start")]
    for mark in (0.0, *marks):
        y = 24 + inner * (1 - mark / highest)
        parts.append(_line(f"{MARGIN},{y:.1f}", f"{WIDTH - 12},{y:.1f}", GREY, dashed=mark > 0))
        parts.append(_text(MARGIN - 6, y + 4, f"{mark:.2f}", "end"))
    if not marks:
        parts.append(_text(MARGIN - 6, 28, f"{highest:.2f}", "end"))
    for place, word in enumerate(words):
        if place % max(1, -(-len(words) // 6)) == 0:
            parts.append(_text(MARGIN + (place + 0.5) * slot, HEIGHT - MARGIN + 16, word, "middle"))
    for number, (name, values) in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        dots = [at(place, value) for place, value in enumerate(values) if value is not None]
        parts.append(f'<polyline points="{" ".join(dots)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [_dot(dot, colour) for dot in dots]
        parts.append(_text(WIDTH - 20, 14 + 14 * number, name, "end", colour))
    return _svg(title, WIDTH, HEIGHT, parts)


def bins(title: str, rows: Sequence[Row]) -> SafeString:
    """A feature: points to the left and right of zero, the share of rows as a grey bar, the bad rate as a dot."""
    line, top, words, middle, right = 18, 8, 180, 270, 350
    most = max([abs(row.points) for row in rows] + [0.1])
    rates = [row.bad_rate for row in rows if row.bad_rate is not None]
    widest, worst = max([row.share for row in rows] + [0.01]), max([*rates, 0.01])
    parts = [_line(f"{middle},{top}", f"{middle},{top + line * len(rows)}", GREY)]
    for place, row in enumerate(rows):
        y = top + place * line
        wide = 62 * abs(row.points) / most
        parts.append(_text(words, y + 13, _short(row.words), "end"))
        colour, left = (POINTS_UP, middle) if row.points >= 0 else (POINTS_DOWN, middle - wide)
        parts.append(_bar(left, y + 3, wide, line - 6, colour))
        parts.append(_bar(right, y + 3, 110 * row.share / widest, line - 6, GREY, opacity=0.45))
        if row.bad_rate is not None:
            parts.append(_dot(f"{right + 110 * row.bad_rate / worst:.1f},{y + line / 2:.1f}", BAD))
    return _svg(title, 470, top * 2 + line * max(len(rows), 1), parts)


def heat(
    title: str, across: Sequence[str], down: Sequence[str], cells: Sequence[Sequence[float]]
) -> SafeString:
    """A pair: the points of each cell, green above zero and red below."""
    wide, tall, left, top = 46, 20, 150, 70
    most = max([abs(v) for row in cells for v in row] + [0.1])
    parts = []
    for column, words in enumerate(across):
        x = left + column * wide + wide / 2
        parts.append(
            f'<g transform="translate({x:.0f},{top - 6}) rotate(-35)">{_text(0, 0, _short(words, 14), "start")}</g>'
        )
    for number, row in enumerate(cells):
        parts.append(_text(left - 6, top + number * tall + 14, _short(down[number], 20), "end"))
        for column, value in enumerate(row):
            x, y = left + column * wide, top + number * tall
            colour = POINTS_UP if value >= 0 else POINTS_DOWN
            parts.append(_bar(x, y, wide - 1, tall - 1, colour, opacity=round(0.75 * abs(value) / most, 3)))
            parts.append(_text(x + wide / 2, y + 14, f"{value:+.1f}", "middle"))
    return _svg(title, left + wide * len(across) + 60, top + tall * len(cells) + 6, parts)


def _svg(title: str, width: float, height: float, parts: Sequence[str]) -> SafeString:
    words = escape(title)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'role="img" aria-label="{words}" font-size="11" font-family="sans-serif" class="chart">'
    )
    body = "".join(parts)
    return mark_safe(f"{opening}<title>{words}</title>{body}</svg>")  # noqa: S308 - every text is escaped


def _text(x: Any, y: float, words: str, anchor: str, colour: str = "currentColor") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(str(words))}</text>'


def _bar(x: float, y: float, wide: float, tall: float, colour: str, opacity: float = 0.85) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(wide, 0):.1f}" height="{max(tall, 0):.1f}" '
        f'fill="{colour}" fill-opacity="{opacity}"/>'
    )


def _dot(at: str, colour: str) -> str:
    x, y = at.split(",")
    return f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'


def _line(start: str, end: str, colour: str, dashed: bool = False) -> str:
    (x1, y1), (x2, y2) = start.split(","), end.split(",")
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"{dash}/>'


def _short(words: str, longest: int = 30) -> str:
    return words if len(words) <= longest else words[: longest - 1] + "…"
