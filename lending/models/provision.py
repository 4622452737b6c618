"""What the book is expected to lose at a month end: by what rates, loan by loan, and in sums."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from lending import fields
from lending.models.classes import AssetClass
from lending.models.history import loose
from lending.models.loan import Loan
from lending.models.product import Product


class Stage(models.IntegerChoices):
    """Of IFRS 9: losses of twelve months, of the whole life, and of what is impaired."""

    ONE = 1, _("Stage 1")
    TWO = 2, _("Stage 2")
    THREE = 3, _("Stage 3")


class DefaultRate(models.Model):
    """The chance of default within twelve months that a month end counted with: of a bucket, or of a grade of loans
    that are not late."""

    class Source(models.TextChoices):
        OBSERVED = "OBSERVED", _("observed roll rates")
        HOUSE = "HOUSE", _("rule parameter of the house")
        SCORECARD = "SCORECARD", _("scorecard")

    date = models.DateField(_("month end"))
    bucket = models.PositiveSmallIntegerField(_("bucket"))
    grade = models.CharField(_("grade"), max_length=2, blank=True)
    rate = fields.rate(_("chance of default in 12 months"))
    source = models.CharField(_("source"), max_length=10, choices=Source)
    loans = models.PositiveIntegerField(_("cases seen"), default=0)

    class Meta:
        verbose_name = _("rate of default")
        verbose_name_plural = _("rates of default")
        ordering = ["-date", "bucket", "grade"]
        constraints = [
            models.UniqueConstraint(fields=["date", "bucket", "grade"], name="default_rate_once"),
            models.CheckConstraint(condition=models.Q(rate__range=(0, 1)), name="default_rate_is_a_share"),
        ]

    def __str__(self) -> str:
        return f"{self.date} · {self.bucket} · {self.grade}"


class Losses(models.Model):
    """What is kept of one loan and summed of many. Both `floor` and `expected` are amounts to set aside."""

    principal = fields.money(_("principal outstanding"))
    exposure = fields.money(_("exposure at default"))
    floor = fields.money(_("regulatory floor"))
    expected = fields.money(_("expected loss"))

    class Meta:
        abstract = True


class LoanProvision(Losses):
    """One owing loan at a month end, with all that its two figures were made from. Parted by month, like the history,
    and without foreign keys in the database."""

    PARTITION_BY = "date"

    pk = models.CompositePrimaryKey("loan_id", "date")
    loan = models.ForeignKey(
        Loan,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="provisions",
        verbose_name=_("loan"),
    )
    date = models.DateField(_("month end"))
    product: Any = loose(Product, _("product"))
    asset_class = models.PositiveSmallIntegerField(_("class"), choices=AssetClass)
    stage = models.PositiveSmallIntegerField(_("stage"), choices=Stage)
    bucket = models.PositiveSmallIntegerField(_("bucket"))
    coverage = models.DecimalField(_("covered by collateral"), max_digits=12, decimal_places=4)
    pd = fields.rate(_("probability of default"))
    lgd = fields.rate(_("loss given default"))

    class Meta:
        verbose_name = _("provision of a loan")
        verbose_name_plural = _("provisions of loans")
        ordering = ["date", "loan_id"]

    def __str__(self) -> str:
        return f"{self.loan_id} · {self.date}"


class ProvisionMonth(Losses):
    """The provisions of a month end in sums."""

    date = models.DateField(_("month end"))
    product = models.ForeignKey(Product, models.PROTECT, related_name="+", verbose_name=_("product"))
    asset_class = models.PositiveSmallIntegerField(_("class"), choices=AssetClass)
    stage = models.PositiveSmallIntegerField(_("stage"), choices=Stage)
    loans = models.PositiveIntegerField(_("loans"))

    class Meta:
        verbose_name = _("provisions at a month end")
        verbose_name_plural = _("provisions at month ends")
        ordering = ["-date", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["date", "product", "asset_class", "stage"], name="provision_month_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} · {self.product_id} · {self.asset_class} · {self.stage}"
