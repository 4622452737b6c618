"""Checks of input that more than one service makes."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from lending.errors import Refused

LARGEST = Decimal("1e12")


def amount(value: Decimal, *, field: str = "amount") -> None:
    """An amount of money: above zero, in whole minor units, and within what the books can hold."""
    if not isinstance(value, Decimal) or not value.is_finite():
        raise Refused("amount", _("Enter an amount."), field=field)
    if value <= 0:
        raise Refused("amount", _("The amount must be above zero."), field=field)
    if value != value.quantize(Decimal("0.01")):
        raise Refused("amount", _("The amount has more than two decimals."), field=field)
    if value > LARGEST:
        raise Refused("amount", _("The amount is too large."), field=field)


def reason(text: str, *, field: str = "note") -> None:
    """Words that say why, where a later reader will ask."""
    if not text.strip():
        raise Refused(field, _("Say why."), field=field)
