"""How amounts and rates look on a page, and codes in words. Presentation only."""

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

SYMBOLS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "JP¥", "HKD": "HK$"}


def money(amount: Decimal | str | int | None, currency: str = "") -> str:
    """¥1,234.50: two decimals, thousands apart, the sign before the symbol; a dash for nothing at all."""
    if amount in (None, ""):
        return "–"
    code = currency or settings.CURRENCY
    value = Decimal(amount).quantize(Decimal("0.01"))
    return f"{'-' if value < 0 else ''}{SYMBOLS.get(code, code + ' ')}{abs(value):,.2f}"


def figure(amount: Decimal | str | None) -> str:
    """1,234.50, for the columns of a table whose caption names the currency."""
    return "–" if amount in (None, "") else f"{Decimal(amount):,.2f}"


def round_money(amount: Decimal | str | None, currency: str = "") -> str:
    """¥500 for a whole amount, ¥499.50 otherwise: for limits and ranges."""
    return money(amount, currency).removesuffix(".00")


def percent(fraction: Decimal | str | None) -> str:
    """14.34%: a yearly fraction as a percentage with two decimals, half up."""
    if fraction in (None, ""):
        return "–"
    return f"{(Decimal(fraction) * 100).quantize(Decimal('0.01'), ROUND_HALF_UP)}%"


def points(fraction: Decimal) -> str:
    """1.60: a difference of yearly fractions in percentage points, never less than there is."""
    return f"{(fraction * 100).quantize(Decimal('0.01'), ROUND_CEILING)}"


def reason(code: str) -> str:
    """A reason code in plain words, by settings.REASON_TEXTS; never the bare code."""
    texts = getattr(settings, "REASON_TEXTS", "")
    words = import_string(texts)(code) if texts else ""
    return str(words) if words and words != code else _("A rule of the house was not met.")
