"""Shares in templates of risk."""

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def percent(share: float | None, decimals: int = 1) -> str:
    """0.1234 as 12.3%; a dash for what is not known."""
    if share is None:
        return "–"
    return f"{number_format(round(100 * share, decimals), decimal_pos=decimals)}%"
