from datetime import date

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from lending.models.classes import AssetClass
from lending.models.loan import Loan
from lending.models.user import User


class Downgrade(models.Model):
    """A class that a person gave a loan because they know more than its days past due. While it stands, the class is
    no better; a row is ended, never changed."""

    loan = models.ForeignKey(Loan, models.PROTECT, related_name="downgrades", verbose_name=_("loan"))
    to = models.PositiveSmallIntegerField(_("class"), choices=AssetClass)
    reason = models.CharField(_("reason"), max_length=300)
    since = models.DateField(_("since"))
    by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("by"))
    ended_on = models.DateField(_("ended on"), null=True, blank=True)
    ended_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("ended by")
    )
    end_reason = models.CharField(_("why it ended"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("downgrade by hand")
        verbose_name_plural = _("downgrades by hand")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["loan"], condition=Q(ended_on=None), name="downgrade_one_standing"
            ),
            models.CheckConstraint(condition=Q(to__range=(2, 5)), name="downgrade_is_one"),
            models.CheckConstraint(
                condition=Q(ended_on=None, ended_by=None)
                | Q(ended_on__gte=F("since"), ended_by__isnull=False),
                name="downgrade_ended_by_somebody",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="unchanged",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("loan", "to", "reason", "since", "by"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.loan} · {self.get_to_display()}"

    def end(self, *, by: User, on: date, reason: str) -> None:
        """It counts no more."""
        self.ended_by, self.ended_on, self.end_reason = by, on, reason
