"""The number that a rule sets on a date."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from lending import bulk

# Asked in every decision and every purchase, so it is kept plain.
PARAMETER = bulk.Tuples(
    """
SELECT value FROM lending_ruleparameter
WHERE code = %s AND jurisdiction = %s AND lender_type IN ('', %s)
  AND valid_from <= %s AND (valid_to IS NULL OR valid_to >= %s)
ORDER BY lender_type DESC, valid_from DESC LIMIT 1
"""
)
# The steps of every close and the gate ask for many at once.
_HOLDS = "jurisdiction = %s AND valid_from <= %s AND (valid_to IS NULL OR valid_to >= %s)"
GENERAL = bulk.Tuples(
    f"""
SELECT DISTINCT ON (code) code, value FROM lending_ruleparameter
WHERE code = ANY(%s::text[]) AND lender_type = '' AND {_HOLDS} ORDER BY code, valid_from DESC
"""  # noqa: S608
)
OF_PREFIXES = bulk.Tuples(
    f"""
SELECT code, lender_type, value FROM lending_ruleparameter
WHERE code ^@ ANY(%s::text[]) AND {_HOLDS} ORDER BY valid_from
"""  # noqa: S608
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
    return dict(GENERAL(list(codes), jurisdiction, on, on))


class Table:
    """All values of some parameters on one day, whoever the lender is: read once, for steps that go over the book."""

    def __init__(self, prefixes: Iterable[str], on: date, *, jurisdiction: str = "CN") -> None:
        self._on = on
        self._values = {
            (code, lender): value for code, lender, value in OF_PREFIXES(list(prefixes), jurisdiction, on, on)
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
