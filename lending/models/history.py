"""What the book looked like: a row per loan at each month end and on each change, and sums of the month ends.

The rows of loans are many: their table is parted by month (lending/partitions.py) and has no foreign keys in the
database, for each costs a look-up per row; loans, products and customers are never deleted.
"""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from lending import fields
from lending.models.classes import AssetClass
from lending.models.customer import Customer
from lending.models.loan import Loan, LoanState
from lending.models.product import Product


def loose(to: type[models.Model], name: Any) -> models.ForeignKey:
    return models.ForeignKey(
        to, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+", verbose_name=name
    )


class LoanSnapshot(models.Model):
    """A loan at the end of a day: the last day of a month, or one on which its state, bucket or class changed."""

    PARTITION_BY = "date"

    pk = models.CompositePrimaryKey("loan_id", "date")
    loan = models.ForeignKey(
        Loan,
        models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="snapshots",
        verbose_name=_("loan"),
    )
    date = models.DateField(_("business date"))
    month_end = models.BooleanField(_("month end"))
    product = loose(Product, _("product"))
    customer = loose(Customer, _("customer"))
    state = models.CharField(_("state"), max_length=16, choices=LoanState)
    principal = fields.money(_("principal outstanding"))
    charges = fields.money(_("interest, fees and penalties unpaid"))
    days = models.PositiveIntegerField(_("days past due"))
    bucket = models.PositiveSmallIntegerField(_("bucket"))
    peak_bucket = models.PositiveSmallIntegerField(_("worst bucket so far"))
    asset_class = models.PositiveSmallIntegerField(_("class"), choices=AssetClass)

    class Meta:
        verbose_name = _("loan on a day")
        verbose_name_plural = _("loans on days")
        ordering = ["date", "loan_id"]
        indexes = [
            # What is looked for at a month end is what is not as it should be.
            models.Index(
                fields=["bucket", "loan"],
                condition=Q(month_end=True) & (Q(bucket__gt=0) | Q(asset_class__gt=1)),
                name="snapshot_marked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.loan_id} · {self.date}"


class Sums(models.Model):
    """What the sums of a month end have in common. They are made once, when the month is closed."""

    date = models.DateField(_("month end"))
    product = models.ForeignKey(Product, models.PROTECT, related_name="+", verbose_name=_("product"))
    grade = models.CharField(_("grade"), max_length=2, blank=True)
    loans = models.PositiveIntegerField(_("loans"))
    principal = fields.money(_("principal outstanding"))

    class Meta:
        abstract = True


class BookMonth(Sums):
    """The book at a month end, by how bad it is. Loans that left during the month are in it with the state they left
    in and without principal."""

    cohort = models.DateField(_("month of disbursement"))
    state = models.CharField(_("state"), max_length=16, choices=LoanState)
    band = models.PositiveSmallIntegerField(_("days past due, in bands"))
    bucket = models.PositiveSmallIntegerField(_("bucket"))
    asset_class = models.PositiveSmallIntegerField(_("class"), choices=AssetClass)
    charges = fields.money(_("interest, fees and penalties unpaid"))

    class Meta:
        verbose_name = _("book at a month end")
        verbose_name_plural = _("the book at month ends")
        ordering = ["-date", "id"]
        indexes = [models.Index(fields=["date", "product"], name="book_month_date")]

    def __str__(self) -> str:
        return f"{self.date} · {self.product_id}"


class RollMonth(Sums):
    """Where the loans of the month end before stood a month later; `principal` is that of the month before."""

    from_bucket = models.PositiveSmallIntegerField(_("from bucket"))
    from_class = models.PositiveSmallIntegerField(_("from class"), choices=AssetClass)
    to_state = models.CharField(_("to state"), max_length=16, choices=LoanState)
    to_bucket = models.PositiveSmallIntegerField(_("to bucket"))
    to_class = models.PositiveSmallIntegerField(_("to class"), choices=AssetClass)

    class Meta:
        verbose_name = _("rolls of a month")
        verbose_name_plural = _("rolls of the months")
        ordering = ["-date", "id"]
        indexes = [models.Index(fields=["date", "product"], name="roll_month_date")]

    def __str__(self) -> str:
        return f"{self.date} · {self.from_bucket} → {self.to_bucket}"


class VintageMonth(Sums):
    """Loans of one month of disbursement that reached a bucket for the first time in the month; bucket 0 when they
    were paid out. `lent` is what was paid out to them, `principal` what they owed at the end of the month."""

    cohort = models.DateField(_("month of disbursement"))
    bucket = models.PositiveSmallIntegerField(_("bucket reached"))
    lent = fields.money(_("amount lent"))

    class Meta:
        verbose_name = _("vintage in a month")
        verbose_name_plural = _("vintages in the months")
        ordering = ["-date", "id"]
        indexes = [models.Index(fields=["cohort", "bucket"], name="vintage_cohort")]

    def __str__(self) -> str:
        return f"{self.cohort} · {self.date} · {self.bucket}"


class ConcentrationMonth(models.Model):
    """How much of the book stands in one place at a month end; of single names only the largest."""

    class Dimension(models.TextChoices):
        INDUSTRY = "INDUSTRY", _("Industry")
        PRODUCT = "PRODUCT", _("Product")
        GRADE = "GRADE", _("Grade")
        REGION = "REGION", _("Region")
        NAME = "NAME", _("One name")
        GROUP = "GROUP", _("One name and its group")

    date = models.DateField(_("month end"))
    dimension = models.CharField(_("by"), max_length=8, choices=Dimension)
    kind = models.CharField(_("segment"), max_length=8, choices=Customer.Kind)
    key = models.CharField(_("where"), max_length=80, blank=True)
    loans = models.PositiveIntegerField(_("loans"))
    principal = fields.money(_("principal outstanding"))
    late = fields.money(_("of it more than 30 days past due"))
    non_performing = fields.money(_("of it non-performing"))

    class Meta:
        verbose_name = _("concentration at a month end")
        verbose_name_plural = _("concentrations at month ends")
        ordering = ["-date", "dimension", "-principal"]
        indexes = [models.Index(fields=["date", "dimension"], name="concentration_date")]

    def __str__(self) -> str:
        return f"{self.date} · {self.dimension} · {self.key}"
