"""The number that a rule sets on a date."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from django.db.models import Q

from lending.models import RuleParameter


class MissingRule(LookupError):
    """No row says what holds; the caller must fail closed."""


def parameter(code: str, on: date, *, lender_type: str = "", jurisdiction: str = "CN") -> Decimal:
    """The value of the parameter on that date: the lender type's own row before the general one, newest first.

    Raises `MissingRule` when none holds.
    """
    row = (
        RuleParameter.objects.filter(
            Q(valid_to=None) | Q(valid_to__gte=on),
            code=code,
            jurisdiction=jurisdiction,
            lender_type__in=["", lender_type],
            valid_from__lte=on,
        )
        .order_by("-lender_type", "-valid_from")
        .first()
    )
    if row is None:
        raise MissingRule(f"{code} on {on}")
    return row.value


def parameters(codes: Iterable[str], on: date, *, jurisdiction: str = "CN") -> dict[str, Decimal]:
    """The general values of several parameters on that date, in one statement; what no rule sets is missing."""
    rows = RuleParameter.objects.filter(
        Q(valid_to=None) | Q(valid_to__gte=on),
        code__in=list(codes),
        jurisdiction=jurisdiction,
        lender_type="",
        valid_from__lte=on,
    )
    return dict(rows.order_by("code", "-valid_from").distinct("code").values_list("code", "value"))


def duty(code: str, on: date, *, lender_type: str = "") -> Decimal:
    """Like `parameter`, for a duty that simply does not exist before its rule came into force: then zero."""
    try:
        return parameter(code, on, lender_type=lender_type)
    except MissingRule:
        return Decimal(0)
