"""Every feature, declared once: its names, where it comes from, how it is computed and what we expect of it.

`sql` is an expression over the rows `s` of its source for one customer and one moment, which
`risk.selectors.features` lays out; the same expression trains, scores and replays. Unknown is NULL and never
zero: of a customer whom the platform has told us nothing about, we do not know that they ordered nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from risk.engine.scorecard import FeatureSpec

# Sources, each a relation with one row per fact: the sums of days, instalments that fell due, the customer's
# own data with the amount asked for, the line as it stood, the years of accounts, the industry's record.
DAYS, DUE, PROFILE, LINE, ACCOUNTS, INDUSTRY = "days", "due", "profile", "line", "accounts", "industry"
SOURCES = {
    DAYS: _("Platform events"),
    DUE: _("Instalments"),
    PROFILE: _("Customer and application"),
    LINE: _("Credit line"),
    ACCOUNTS: _("Financial statements"),
    INDUSTRY: _("Industry"),
}

PERSON, COMPANY, SUPPLIER = "PERSON", "COMPANY", "SUPPLIER"
MONTHS = 6  # of 30 days, that steadiness looks at
RISKIER, SAFER, UNSURE = 1, -1, 0


@dataclass(frozen=True)
class Feature:
    """One feature. `sign` is +1 when a higher value means more risk; `window` is in days, 0 for none.

    `reason` is what a customer is told when the feature cost points.
    """

    name: str
    label: Any
    reason: Any
    source: str
    sql: str
    unit: Any
    sign: int
    window: int = 0
    personal: bool = False

    @property
    def source_words(self) -> Any:
        return SOURCES[self.source]

    @property
    def spec(self) -> FeatureSpec:
        return FeatureSpec(self.name, self.sign)


def _sum(column: str, window: int) -> str:
    """A sum over the last days; zero when there are other days, NULL when there is none at all."""
    return f"coalesce(sum(s.{column}) FILTER (WHERE s.age <= {window}), 0)"


def _share(part: str, whole: str, window: int) -> str:
    return f"{_sum(part, window)} / nullif({_sum(whole, window)}, 0)::numeric"


def _steadiness(column: str) -> str:
    """Standard deviation over mean of the months that the customer has been with the platform."""
    months = ", ".join(
        f"coalesce(sum(s.{column}) FILTER (WHERE s.age > {30 * n} AND s.age <= {30 * (n + 1)}), 0)"
        for n in range(MONTHS)
    )
    return f"""(
        SELECT CASE WHEN count(*) >= 3 THEN stddev_pop(x) / nullif(avg(x), 0) END
        FROM unnest(ARRAY[{months}]) WITH ORDINALITY AS month(x, n) WHERE n * 30 <= max(s.tenure)
    )"""  # noqa: S608 - the parts are our own constants


COUNT, AMOUNT, SHARE, DAYS_UNIT, RATIO = _("number"), _("amount"), _("share"), _("days"), _("ratio")

TENURE = Feature(
    "tenure_days",
    _("Days on the platform"),
    _("You have been with the platform for a short time."),
    PROFILE,
    "max(s.tenure)",
    DAYS_UNIT,
    SAFER,
)
DISPUTES = Feature(
    "disputes_180d",
    _("Disputes in 180 days"),
    _("Several of your recent orders ended in a dispute."),
    DAYS,
    _sum("disputes", 180),
    COUNT,
    RISKIER,
    180,
)
ON_TIME_SHARE = Feature(
    "on_time_share_365d",
    _("Share of instalments due in 365 days that were paid on time"),
    _("Some of your earlier instalments were not paid on time."),
    DUE,
    "avg(s.on_time::int) FILTER (WHERE s.age <= 365)",
    SHARE,
    SAFER,
    365,
    personal=True,
)
WORST_DPD = Feature(
    "worst_dpd_180d",
    _("Longest delay of an instalment in 180 days"),
    _("An instalment was overdue for a long time in the last half year."),
    DUE,
    "max(s.late_days) FILTER (WHERE s.end_age <= 180)",
    DAYS_UNIT,
    RISKIER,
    180,
    personal=True,
)
UTILISATION = Feature(
    "utilisation",
    _("Share of the limit in use"),
    _("Much of your limit is in use already."),
    LINE,
    "max(s.used / nullif(s.base_limit, 0))",
    SHARE,
    RISKIER,
    personal=True,
)

PERSON_FEATURES = (
    TENURE,
    Feature(
        "orders_90d",
        _("Orders in 90 days"),
        _("You have ordered little on the platform lately."),
        DAYS,
        _sum("orders", 90),
        COUNT,
        SAFER,
        90,
    ),
    Feature(
        "spend_90d",
        _("Spent in 90 days"),
        _("You have spent little on the platform lately."),
        DAYS,
        _sum("order_amount", 90),
        AMOUNT,
        UNSURE,
        90,
    ),
    Feature(
        "spend_cv_180d",
        _("Unevenness of monthly spending in 180 days"),
        _("Your spending on the platform changes strongly from month to month."),
        DAYS,
        _steadiness("order_amount"),
        RATIO,
        RISKIER,
        180,
    ),
    Feature(
        "average_order_180d",
        _("Average order in 180 days"),
        _("The size of your orders is unusual."),
        DAYS,
        _share("order_amount", "orders", 180),
        AMOUNT,
        UNSURE,
        180,
    ),
    Feature(
        "days_since_order",
        _("Days since the last order"),
        _("Your last order on the platform is long ago."),
        DAYS,
        "min(s.age) FILTER (WHERE s.orders > 0)",
        DAYS_UNIT,
        RISKIER,
    ),
    Feature(
        "return_share_180d",
        _("Share of the order amount returned in 180 days"),
        _("You have returned a large share of what you ordered."),
        DAYS,
        _share("return_amount", "order_amount", 180),
        SHARE,
        RISKIER,
        180,
    ),
    Feature(
        "cancel_share_180d",
        _("Share of orders cancelled in 180 days"),
        _("You have cancelled a large share of your orders."),
        DAYS,
        _share("cancels", "orders", 180),
        SHARE,
        RISKIER,
        180,
    ),
    Feature(
        "risky_share_180d",
        _("Share of the order amount easily turned into cash in 180 days"),
        _("A large share of your orders is for goods that are easily turned into cash."),
        DAYS,
        _share("risky_amount", "order_amount", 180),
        SHARE,
        RISKIER,
        180,
    ),
    Feature(
        "late_delivery_share_180d",
        _("Share of deliveries that came late in 180 days"),
        _("Many of your deliveries came late."),
        DAYS,
        _share("late_deliveries", "deliveries", 180),
        SHARE,
        UNSURE,
        180,
    ),
    DISPUTES,
    Feature(
        "address_changes_180d",
        _("New delivery addresses in 180 days"),
        _("Your delivery address has changed often."),
        DAYS,
        _sum("address_changes", 180),
        COUNT,
        RISKIER,
        180,
        personal=True,
    ),
    Feature(
        "income_to_asked",
        _("Monthly income over the amount asked for"),
        _("The amount you asked for is high for the income you told us."),
        PROFILE,
        "max(s.income / nullif(s.asked, 0))",
        RATIO,
        SAFER,
        personal=True,
    ),
    ON_TIME_SHARE,
    WORST_DPD,
    UTILISATION,
)


def _accounts(name: str) -> str:
    return f"max(s.{name}) FILTER (WHERE s.newest)"


def _over(part: str, whole: str) -> str:
    return f"{_accounts(part)} / nullif({_accounts(whole)}, 0)"


COMPANY_FEATURES = (
    TENURE,
    Feature(
        "liquidity",
        _("Current assets over current liabilities"),
        _("The company's current assets are low against what it must pay soon."),
        ACCOUNTS,
        _over("current_assets", "current_liabilities"),
        RATIO,
        SAFER,
    ),
    Feature(
        "leverage",
        _("Liabilities over assets"),
        _("The company's debts are high against its assets."),
        ACCOUNTS,
        _over("total_liabilities", "total_assets"),
        RATIO,
        RISKIER,
    ),
    Feature(
        "coverage",
        _("Earnings before interest and tax over interest"),
        _("The company's earnings hardly cover its interest."),
        ACCOUNTS,
        _over("ebit", "interest_expense"),
        RATIO,
        SAFER,
    ),
    Feature(
        "margin",
        _("Net profit over revenue"),
        _("The company earns little on its revenue."),
        ACCOUNTS,
        _over("net_profit", "revenue"),
        SHARE,
        SAFER,
    ),
    Feature(
        "growth",
        _("Growth of revenue over the year before"),
        _("The company's revenue has shrunk or grown unusually."),
        ACCOUNTS,
        f"{_accounts('revenue')} / nullif(max(s.revenue) FILTER (WHERE s.year_before), 0) - 1",
        SHARE,
        UNSURE,
    ),
    Feature(
        "size",
        _("Total assets, decimal logarithm"),
        _("The company is small."),
        ACCOUNTS,
        "max(log(nullif(s.total_assets, 0))) FILTER (WHERE s.newest)",
        RATIO,
        SAFER,
    ),
    Feature(
        "asked_to_revenue",
        _("Amount asked for over revenue"),
        _("The amount asked for is high for the company's revenue."),
        ACCOUNTS,
        "max(s.asked / nullif(s.revenue, 0)) FILTER (WHERE s.newest)",
        RATIO,
        RISKIER,
    ),
    Feature(
        "industry_default_rate",
        _("Share of the industry's customers that were 30 days late in 365 days"),
        _("Many companies of this industry pay late at present."),
        INDUSTRY,
        "max(s.default_rate)",
        SHARE,
        RISKIER,
        365,
    ),
    Feature(
        "invoice_amount_90d",
        _("Invoiced to the platform in 90 days"),
        _("The company has invoiced little to the platform lately."),
        DAYS,
        _sum("invoice_amount", 90),
        AMOUNT,
        SAFER,
        90,
    ),
    Feature(
        "invoice_cv_180d",
        _("Unevenness of monthly invoices in 180 days"),
        _("The company's invoices change strongly from month to month."),
        DAYS,
        _steadiness("invoice_amount"),
        RATIO,
        RISKIER,
        180,
    ),
    Feature(
        "invoice_paid_share_180d",
        _("Share of invoices of 180 days that are paid"),
        _("Many of the company's invoices are still unpaid."),
        DAYS,
        _share("invoice_paid_amount", "invoice_amount", 180),
        SHARE,
        SAFER,
        180,
    ),
    Feature(
        "goods_return_share_180d",
        _("Share of the order amount returned in 180 days"),
        _("The company has returned a large share of what it ordered."),
        DAYS,
        _share("return_amount", "order_amount", 180),
        SHARE,
        RISKIER,
        180,
    ),
    DISPUTES,
    ON_TIME_SHARE,
    WORST_DPD,
    UTILISATION,
)

SUPPLIER_FEATURES = tuple(
    feature for feature in COMPANY_FEATURES if feature.source in (PROFILE, DAYS, DUE, INDUSTRY, LINE)
)

BY_SEGMENT: dict[str, tuple[Feature, ...]] = {
    PERSON: PERSON_FEATURES,
    COMPANY: COMPANY_FEATURES,
    SUPPLIER: SUPPLIER_FEATURES,
}
ALL: dict[str, Feature] = {f.name: f for features in BY_SEGMENT.values() for f in features}


def names(segment: str) -> list[str]:
    return [feature.name for feature in BY_SEGMENT[segment]]


def by_source(features: Iterable[Feature]) -> dict[str, list[Feature]]:
    found: dict[str, list[Feature]] = {}
    for feature in features:
        found.setdefault(feature.source, []).append(feature)
    return found
