"""What is looked at in more than one segment: tenure, loans and how they were paid, the line, applications."""

from django.utils.translation import gettext_lazy as _

from risk.features.base import (
    AMOUNT,
    APPLICATIONS,
    COUNT,
    DAYS,
    DAYS_UNIT,
    DUE,
    INDUSTRY,
    LINE,
    LOANS,
    PROFILE,
    RATIO,
    RISKIER,
    SAFER,
    SHARE,
    UNSURE,
    Feature,
    days_since,
    share,
    steadiness,
    total,
)

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
    total("disputes", 180),
    COUNT,
    RISKIER,
    180,
)
SINCE_DISPUTE = Feature(
    "days_since_dispute",
    _("Days since the last dispute"),
    _("You had a dispute a short time ago."),
    DAYS,
    days_since("disputes"),
    DAYS_UNIT,
    SAFER,
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
EARLY_SHARE = Feature(
    "early_share_365d",
    _("Share of instalments due in 365 days that were paid before their day"),
    _("Few of your earlier instalments were paid before their due day."),
    DUE,
    "avg(s.early::int) FILTER (WHERE s.age <= 365)",
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
WORST_DPD_YEAR = Feature(
    "worst_dpd_365d",
    _("Longest delay of an instalment in 365 days"),
    _("An instalment was overdue for a long time in the last year."),
    DUE,
    "max(s.late_days) FILTER (WHERE s.end_age <= 365)",
    DAYS_UNIT,
    RISKIER,
    365,
    personal=True,
)
AVERAGE_DELAY = Feature(
    "average_delay_365d",
    _("Average delay of the instalments due in 365 days"),
    _("On average your instalments were paid late."),
    DUE,
    "avg(s.late_days) FILTER (WHERE s.age <= 365)",
    DAYS_UNIT,
    RISKIER,
    365,
    personal=True,
)
DUE_YEAR = Feature(
    "instalments_due_365d",
    _("Instalments that fell due in 365 days"),
    _("We know little yet about how you pay."),
    DUE,
    "count(*) FILTER (WHERE s.age <= 365)",
    COUNT,
    SAFER,
    365,
    personal=True,
)
LATE_YEAR = Feature(
    "instalments_late_365d",
    _("Instalments due in 365 days that were paid late"),
    _("Several of your instalments were paid late in the last year."),
    DUE,
    "count(*) FILTER (WHERE s.age <= 365 AND s.late_days > 0)",
    COUNT,
    RISKIER,
    365,
    personal=True,
)
SINCE_LATE = Feature(
    "days_since_late",
    _("Days since an instalment was last overdue"),
    _("An instalment was overdue a short time ago."),
    DUE,
    "min(s.end_age) FILTER (WHERE s.late_days > 0)",
    DAYS_UNIT,
    SAFER,
    personal=True,
)
OVERDUE_NOW = Feature(
    "instalments_overdue",
    _("Instalments that are overdue"),
    _("Instalments are overdue at present."),
    DUE,
    "count(*) FILTER (WHERE s.unpaid)",
    COUNT,
    RISKIER,
    personal=True,
)
LOANS_YEAR = Feature(
    "loans_365d",
    _("Loans taken in 365 days"),
    _("You have taken several loans lately."),
    LOANS,
    "count(*) FILTER (WHERE s.age <= 365)",
    COUNT,
    UNSURE,
    365,
    personal=True,
)
OPEN_LOANS = Feature(
    "open_loans",
    _("Loans that are not paid back yet"),
    _("Several loans are not paid back yet."),
    LOANS,
    "count(*) FILTER (WHERE s.open)",
    COUNT,
    RISKIER,
    personal=True,
)
SINCE_LOAN = Feature(
    "days_since_loan",
    _("Days since the last loan"),
    _("Your last loan was a short time ago."),
    LOANS,
    "min(s.age)",
    DAYS_UNIT,
    UNSURE,
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
LINE_AGE = Feature(
    "line_age_days",
    _("Days since the line was opened"),
    _("Your credit line is new."),
    LINE,
    "max(s.line_age)",
    DAYS_UNIT,
    SAFER,
    personal=True,
)
LIMIT_CUTS = Feature(
    "limit_cuts_365d",
    _("Cuts of the limit in 365 days"),
    _("Your limit was cut in the last year."),
    LINE,
    "max(s.cuts)",
    COUNT,
    RISKIER,
    365,
    personal=True,
)
ASKED_YEAR = Feature(
    "applications_365d",
    _("Applications in 365 days"),
    _("You have applied for credit several times in the last year."),
    APPLICATIONS,
    "count(*)",
    COUNT,
    RISKIER,
    365,
    personal=True,
)
INDUSTRY_RATE = Feature(
    "industry_default_rate",
    _("Share of the industry's customers that were 30 days late in 365 days"),
    _("Many companies of this industry pay late at present."),
    INDUSTRY,
    "max(s.default_rate)",
    SHARE,
    RISKIER,
    365,
)
INVOICED = Feature(
    "invoice_amount_90d",
    _("Invoiced to the platform in 90 days"),
    _("The company has invoiced little to the platform lately."),
    DAYS,
    total("invoice_amount", 90),
    AMOUNT,
    SAFER,
    90,
)
INVOICE_UNEVENNESS = Feature(
    "invoice_cv_180d",
    _("Unevenness of monthly invoices in 180 days"),
    _("The company's invoices change strongly from month to month."),
    DAYS,
    steadiness("invoice_amount"),
    RATIO,
    RISKIER,
    180,
)
INVOICES_PAID = Feature(
    "invoice_paid_share_180d",
    _("Share of invoices of 180 days that are paid"),
    _("Many of the company's invoices are still unpaid."),
    DAYS,
    share("invoice_paid_amount", "invoice_amount", 180),
    SHARE,
    SAFER,
    180,
)
