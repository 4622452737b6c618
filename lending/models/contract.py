import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from lending.models.application import Offer


class ContractDocument(models.Model):
    """The cost sheet as it was signed: what was shown, when, and when it was confirmed. Nothing of it ever changes.

    The file is made when it is first asked for, and kept, so that everybody gets the same bytes for ever.
    """

    offer = models.OneToOneField(Offer, models.PROTECT, related_name="contract", verbose_name=_("offer"))
    content = models.JSONField(_("content"))
    template_version = models.PositiveSmallIntegerField(_("form"))
    language = models.CharField(_("language"), max_length=10)
    sha256 = models.CharField(_("fingerprint"), max_length=64, editable=False)
    shown_at = models.DateTimeField(_("shown at"))
    confirmed_at = models.DateTimeField(_("confirmed at"))
    file = models.BinaryField(null=True, editable=False)
    file_sha256 = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        verbose_name = _("signed cost sheet")
        verbose_name_plural = _("signed cost sheets")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_at__gte=F("shown_at")), name="contract_shown_before_confirmed"
            ),
            models.CheckConstraint(
                condition=Q(file=None, file_sha256="") | (Q(file__isnull=False) & ~Q(file_sha256="")),
                name="contract_file_has_fingerprint",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="signed_for_good",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(exclude=["file", "file_sha256"]),
            ),
            pgtrigger.Protect(
                name="file_made_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__file__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.offer} · {self.sha256[:16]}"
