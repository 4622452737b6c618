"""What the law lets a loan cost in a year, on that day, for that kind of lender."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal

from django.utils.translation import gettext_lazy as _

from lending.engine import AnnualCost
from lending.errors import Refused
from lending.selectors import rules

CAP, COMPOUNDED = "ALL_IN_COST_CAP", "ALL_IN_COST_COMPOUNDED"
POINT = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Cap:
    """The highest annual cost, as a yearly fraction, and whether the compounded cost is held against it."""

    limit: Decimal
    compounded: bool

    def measure(self, cost: AnnualCost) -> Decimal:
        """The figure of the two that this cap is about."""
        return cost.effective if self.compounded else cost.nominal

    def excess(self, annual_cost: Decimal) -> Decimal:
        """How far a cost lies above the cap, up to the next hundredth of a percentage point; nought when it does
        not."""
        return max((annual_cost - self.limit).quantize(POINT, ROUND_CEILING), Decimal(0))


class Caps:
    """The caps of one day, read once however many loans are priced on it."""

    def __init__(self, on: date) -> None:
        self._table = rules.Table(["ALL_IN_COST"], on)

    def of(self, lender_type: str) -> Cap:
        """The cap of that kind of lender. Raises Refused where no rule says what holds: then nothing can be sold.

        Where no rule names the basis the compounded cost counts, which is the stricter one.
        """
        try:
            limit = self._table.value(CAP, lender_type)
        except rules.MissingRule:
            words = _("No legal cap of the annual cost is on record for this day.")
            raise Refused("no_cost_cap", words) from None
        try:
            compounded = bool(self._table.value(COMPOUNDED, lender_type))
        except rules.MissingRule:
            compounded = True
        return Cap(limit, compounded)


def cap(lender_type: str, on: date) -> Cap:
    """The cap of that day for that kind of lender; as `Caps.of`."""
    return Caps(on).of(lender_type)
