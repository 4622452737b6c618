from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from lending.models import Customer, User


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
