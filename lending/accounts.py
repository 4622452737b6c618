"""A company's yearly accounts: what figures they have, and what cannot be true of them.

Amounts are in the currency's unit. A statement may leave out what its company does not report: only figures that
are there are compared.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

FIGURES = {
    "revenue": gettext_lazy("Revenue"),
    "costs": gettext_lazy("Costs before interest and tax"),
    "ebit": gettext_lazy("Earnings before interest and tax"),
    "interest_expense": gettext_lazy("Interest expense"),
    "net_profit": gettext_lazy("Net profit"),
    "operating_cash_flow": gettext_lazy("Cash flow from operations"),
    "cash": gettext_lazy("Cash at bank"),
    "receivables": gettext_lazy("Receivables"),
    "inventory": gettext_lazy("Stock of goods"),
    "current_assets": gettext_lazy("Current assets"),
    "total_assets": gettext_lazy("Total assets"),
    "payables": gettext_lazy("Payables"),
    "current_liabilities": gettext_lazy("Current liabilities"),
    "total_liabilities": gettext_lazy("Total liabilities"),
    "equity": gettext_lazy("Equity"),
}
MAY_BE_NEGATIVE = {"net_profit", "ebit", "equity", "operating_cash_flow"}
# Parts, and the whole that they may not exceed together.
PARTS = (
    (("cash",), "current_assets"),
    (("receivables",), "current_assets"),
    (("inventory",), "current_assets"),
    (("cash", "receivables", "inventory"), "current_assets"),
    (("current_assets",), "total_assets"),
    (("payables",), "current_liabilities"),
    (("current_liabilities",), "total_liabilities"),
)
# Figures that must add up, as (sum, signed parts): the balance sheet balances.
SUMS = (
    ("total_assets", (("total_liabilities", 1), ("equity", 1))),
    ("ebit", (("revenue", 1), ("costs", -1))),
)
ROUNDING = Decimal(1)  # accounts in whole units may be off by one


def faults(figures: Mapping[str, Decimal]) -> Iterator[tuple[str, str]]:
    """What cannot be true, as (figure at fault, words)."""
    for parts, whole in PARTS:
        if figures.keys() >= {*parts, whole} and sum(figures[p] for p in parts) > figures[whole] + ROUNDING:
            yield parts[0], _exceeded(parts, whole)
    for total, parts_of in SUMS:
        if not figures.keys() >= {total, *(name for name, _sign in parts_of)}:
            continue
        difference = figures[total] - sum(sign * figures[name] for name, sign in parts_of)
        if abs(difference) > ROUNDING:
            yield total, _off(total, difference)


def _exceeded(parts: tuple[str, ...], whole: str) -> str:
    words: dict[str, Any] = {"whole": str(FIGURES[whole]).lower()}
    if len(parts) == 1:
        return _("This is more than %(whole)s, of which it is a part.") % words
    words["parts"] = ", ".join(str(FIGURES[part]).lower() for part in parts)
    return _("Together these are more than %(whole)s: %(parts)s.") % words


def _off(total: str, difference: Decimal) -> str:
    if total == "total_assets":
        text = _(
            "The balance sheet does not balance: assets less liabilities and equity leave %(difference)s."
        )
    else:
        text = _("This is not revenue less costs: %(difference)s is left.")
    return text % {"difference": f"{difference:,.2f}"}
