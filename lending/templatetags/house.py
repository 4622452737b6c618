"""Amounts, rates and reasons in templates."""

from datetime import date
from decimal import Decimal
from typing import Any

from django import template

from lending import words
from lending.accounts import FIGURES

register = template.Library()

register.filter("money", words.money)
register.filter("figure", words.figure)
register.filter("round_money", words.round_money)
register.filter("percent", words.percent)
register.filter("reason", words.reason)


@register.filter
def among(word: str | None, words: str) -> bool:
    """Whether the word is one of those, which are set apart by spaces."""
    return word in words.split()


@register.filter
def day(value: Any) -> date | None:
    """The date in an ISO text, for sheets that were kept as JSON."""
    return date.fromisoformat(value) if value else None


@register.filter
def share(part: Decimal, whole: Decimal) -> str:
    """The part of the whole in per cent for a style, always with a point: 34.5."""
    return f"{min(Decimal(100), 100 * part / whole):.1f}" if whole else "0"


@register.filter
def faulty(forms: Any) -> list[Any]:
    """Those of the forms that have errors."""
    return [form for form in forms or () if form.errors]


@register.filter
def plus(left: Decimal | str, right: Decimal | str) -> Decimal:
    return Decimal(left) + Decimal(right)


@register.filter
def by_figure(statements: list[dict[str, Any]]) -> list[tuple[Any, list[str | None]]]:
    """Each figure's name with its amounts in the order of the years; what no year has is left out."""
    rows = ((label, [year["figures"].get(name) for year in statements]) for name, label in FIGURES.items())
    return [(label, amounts) for label, amounts in rows if any(amounts)]


@register.filter
def minus(left: Decimal, right: Decimal) -> Decimal:
    return left - right
