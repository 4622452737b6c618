"""The number that a rule sets on a date."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import reduce
from operator import or_

from django.db.models import Q

from lending import bulk
from lending.models import RuleParameter

# Asked in every decision and every purchase, so it is kept plain.
PARAMETER = bulk.Tuples(
    """
SELECT value FROM lending_ruleparameter
WHERE code = %s AND jurisdiction = %s AND lender_type IN ('', %s)
  AND valid_from <= %s AND (valid_to IS NULL OR valid_to >= %s)
ORDER BY lender_type DESC, valid_from DESC LIMIT 1
"""
)


class MissingRule(LookupError):
    """No row says what holds; the caller must fail closed."""


def parameter(code: str, on: date, *, lender_type: str = "", jurisdiction: str = "CN") -> Decimal:
    """The value of the parameter on that date: the lender type's own row before the general one, newest first.

    Raises `MissingRule` when none holds.
    """
    found = PARAMETER(code, jurisdiction, lender_type, on, on)
    if not found:
        raise MissingRule(f"{code} on {on}")
    value: Decimal = found[0][0]
    return value


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


class Table:
    """All values of some parameters on one day, whoever the lender is: read once, for steps that go over the book."""

    def __init__(self, prefixes: Iterable[str], on: date, *, jurisdiction: str = "CN") -> None:
        named = reduce(or_, (Q(code__startswith=prefix) for prefix in prefixes))
        rows = RuleParameter.objects.filter(
            named, Q(valid_to=None) | Q(valid_to__gte=on), jurisdiction=jurisdiction, valid_from__lte=on
        )
        self._on = on
        self._values = {
            (code, lender): value
            for code, lender, value in rows.order_by("valid_from").values_list("code", "lender_type", "value")
        }

    def codes(self) -> list[str]:
        """The codes that have a general value."""
        return sorted(code for code, lender in self._values if not lender)

    def value(self, code: str, lender_type: str = "") -> Decimal:
        """As `parameter`; raises `MissingRule` when none holds."""
        found = self._values.get((code, lender_type), self._values.get((code, "")))
        if found is None:
            raise MissingRule(f"{code} on {self._on}")
        return found


def duty(code: str, on: date, *, lender_type: str = "") -> Decimal:
    """Like `parameter`, for a duty that simply does not exist before its rule came into force: then zero."""
    try:
        return parameter(code, on, lender_type=lender_type)
    except MissingRule:
        return Decimal(0)
