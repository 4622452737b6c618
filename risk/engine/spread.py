"""Accounts of several years side by side: figures, ratios and how they moved. Plain values in, plain values out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

# The ratios by the names of the features that they are in the newest year: (part, whole, times).
RATIOS = {
    "liquidity": ("current_assets", "current_liabilities", 1),
    "cash_ratio": ("cash", "current_liabilities", 1),
    "leverage": ("total_liabilities", "total_assets", 1),
    "current_debt_share": ("current_liabilities", "total_liabilities", 1),
    "debt_to_revenue": ("total_liabilities", "revenue", 1),
    "coverage": ("ebit", "interest_expense", 1),
    "earnings_to_debt": ("ebit", "total_liabilities", 1),
    "cash_flow_to_debt": ("operating_cash_flow", "total_liabilities", 1),
    "interest_to_revenue": ("interest_expense", "revenue", 1),
    "margin": ("net_profit", "revenue", 1),
    "operating_margin": ("ebit", "revenue", 1),
    "return_on_assets": ("net_profit", "total_assets", 1),
    "asset_turnover": ("revenue", "total_assets", 1),
    "receivable_days": ("receivables", "revenue", 365),
    "inventory_days": ("inventory", "costs", 365),
    "payable_days": ("payables", "costs", 365),
}

Year = Mapping[str, Decimal]


@dataclass(frozen=True)
class Spread:
    """A figure or a ratio over the years, newest first, and how each moved against the year before it.

    `changes` are shares of the earlier figure, and differences of ratios; None where one of the two is unknown or
    the years do not follow on each other.
    """

    name: str
    values: Sequence[Decimal | None]
    changes: Sequence[Decimal | None]


def figures(years: Mapping[int, Year], names: Sequence[str]) -> list[Spread]:
    """The figures that any of the years has; `years` by number, newest first."""
    rows = []
    for name in names:
        values = [year.get(name) for year in years.values()]
        rows.append(Spread(name, values, _moves(years, values, _growth)))
    return [row for row in rows if any(value is not None for value in row.values)]


def ratios(years: Mapping[int, Year]) -> list[Spread]:
    """The ratios that any of the years allows."""
    rows = []
    for name, (part, whole, times) in RATIOS.items():
        values = [_ratio(year.get(part), year.get(whole), times) for year in years.values()]
        rows.append(Spread(name, values, _moves(years, values, lambda now, before: now - before)))
    return [row for row in rows if any(value is not None for value in row.values)]


def _ratio(part: Decimal | None, whole: Decimal | None, times: int) -> Decimal | None:
    return None if part is None or not whole else times * part / whole


def _growth(now: Decimal, before: Decimal) -> Decimal | None:
    """As a share of the earlier figure; of a loss no share can be said."""
    return now / before - 1 if before > 0 else None


def _moves(
    years: Mapping[int, Year],
    values: Sequence[Decimal | None],
    move: Callable[[Decimal, Decimal], Decimal | None],
) -> list[Decimal | None]:
    numbers = list(years)
    found = []
    for place, value in enumerate(values):
        later = place + 1
        follows = later < len(numbers) and numbers[place] - numbers[later] == 1
        before = values[later] if follows else None
        found.append(None if value is None or before is None else move(value, before))
    return found
