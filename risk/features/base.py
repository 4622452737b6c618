"""What a feature is, where it can come from, and the expressions that many of them share."""

# ruff: noqa: S608 - the expressions are made of our own constants

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from risk.engine.scorecard import FeatureSpec

# Sources, each a relation with one row per fact: the sums of days, instalments that fell due, loans, applications,
# the customer's own data with the amount asked for, the line as it stood, the years of accounts, the industry's
# record, the company beside its industry, the invoices one by one.
DAYS, DUE, LOANS, APPLICATIONS, PROFILE = "days", "due", "loans", "applications", "profile"
LINE, ACCOUNTS, INDUSTRY, PEERS, INVOICES = "line", "accounts", "industry", "peers", "invoices"
SOURCES = {
    DAYS: _("Platform events"),
    DUE: _("Instalments"),
    LOANS: _("Loans"),
    APPLICATIONS: _("Applications"),
    PROFILE: _("Customer and application"),
    LINE: _("Credit line"),
    ACCOUNTS: _("Financial statements"),
    INDUSTRY: _("Industry"),
    PEERS: _("Accounts of the industry"),
    INVOICES: _("Invoices"),
}
RISKIER, SAFER, UNSURE = 1, -1, 0
SIGNS = {RISKIER: _("riskier"), SAFER: _("safer"), UNSURE: _("either")}
COUNT, AMOUNT, SHARE, DAYS_UNIT, MONTHS_UNIT, RATIO = (
    *(_("number"), _("amount"), _("share"), _("days"), _("months")),
    _("ratio"),
)
MONTHS = 6  # of 30 days, that steadiness looks at


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
    def sign_words(self) -> Any:
        return SIGNS[self.sign]

    @property
    def spec(self) -> FeatureSpec:
        return FeatureSpec(self.name, self.sign)


# --- sums of days -------------------------------------------------------------------------------------------


def total(column: str, window: int) -> str:
    """A sum over the last days; zero when there are other days, NULL when there is none at all."""
    return f"coalesce(sum(s.{column}) FILTER (WHERE s.age <= {window}), 0)"


def share(part: str, whole: str, window: int) -> str:
    return f"{total(part, window)} / nullif({total(whole, window)}, 0)::numeric"


def trend(column: str, window: int) -> str:
    """The last days over as many days before them."""
    before = f"sum(s.{column}) FILTER (WHERE s.age > {window} AND s.age <= {2 * window})"
    return f"{total(column, window)} / nullif({before}, 0)"


def days_since(column: str) -> str:
    return f"min(s.age) FILTER (WHERE s.{column} > 0)"


def steadiness(column: str) -> str:
    """Standard deviation over mean of the months that the customer has been with the platform."""
    months = ", ".join(
        f"coalesce(sum(s.{column}) FILTER (WHERE s.age > {30 * n} AND s.age <= {30 * (n + 1)}), 0)"
        for n in range(MONTHS)
    )
    return f"""(
        SELECT CASE WHEN count(*) >= 3 THEN stddev_pop(x) / nullif(avg(x), 0) END
        FROM unnest(ARRAY[{months}]) WITH ORDINALITY AS month(x, n) WHERE n * 30 <= max(s.tenure)
    )"""


# --- years of accounts --------------------------------------------------------------------------------------


def newest(name: str) -> str:
    return f"max(s.{name}) FILTER (WHERE s.newest)"


def over(part: str, whole: str) -> str:
    """A ratio of two figures of the newest year."""
    return f"{newest(part)} / nullif({newest(whole)}, 0)"


def change(name: str) -> str:
    """How much a figure grew over the year before, as a share of it."""
    return f"{newest(name)} / nullif(max(s.{name}) FILTER (WHERE s.year_before), 0) - 1"


def over_change(part: str, whole: str) -> str:
    """How much a ratio of two figures moved against the year before."""
    ratio = f"max(s.{part} / nullif(s.{whole}, 0))"
    return f"{ratio} FILTER (WHERE s.newest) - {ratio} FILTER (WHERE s.year_before)"
