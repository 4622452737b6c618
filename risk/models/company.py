from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from lending.models import Customer, User

# The figures that features are made from; a statement may leave out what its company does not report.
FIGURES = {
    "revenue": _("Revenue"),
    "costs": _("Costs before interest and tax"),
    "net_profit": _("Net profit"),
    "ebit": _("Earnings before interest and tax"),
    "interest_expense": _("Interest expense"),
    "total_assets": _("Total assets"),
    "cash": _("Cash at bank"),
    "current_assets": _("Current assets"),
    "receivables": _("Receivables"),
    "inventory": _("Stock"),
    "total_liabilities": _("Total liabilities"),
    "current_liabilities": _("Current liabilities"),
    "payables": _("Payables"),
    "equity": _("Equity"),
    "operating_cash_flow": _("Cash flow from operations"),
}
MAY_BE_NEGATIVE = {"net_profit", "ebit", "equity", "operating_cash_flow"}


class FinancialStatement(models.Model):
    """A company's figures for one year, as it filed them. A correction is a later filing of the same year."""

    company = models.ForeignKey(
        Customer, models.PROTECT, related_name="financial_statements", verbose_name=_("company")
    )
    year = models.PositiveSmallIntegerField(_("year"))
    figures = models.JSONField(_("figures"), help_text=_("amounts as text, by name"))
    filed_at = models.DateTimeField(_("filed at"))
    filed_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("filed by")
    )

    class Meta:
        verbose_name = _("financial statement")
        verbose_name_plural = _("financial statements")
        ordering = ["company", "-year", "-filed_at"]
        constraints = [
            models.UniqueConstraint(fields=["company", "year", "filed_at"], name="statement_filed_once"),
            models.CheckConstraint(condition=Q(year__gte=1990, year__lte=2200), name="statement_year_fits"),
        ]

    def __str__(self) -> str:
        return f"{self.company} · {self.year}"
