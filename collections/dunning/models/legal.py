from datetime import date
from decimal import Decimal

from django.db import models
from django.db.models import Q, Sum
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from dunning.models.case import Case
from lending import fields
from lending.models import Customer, User


class MatterState(models.TextChoices):
    NOTICE = "NOTICE", _("Notice given")
    FILED = "FILED", _("Claim filed")
    JUDGED = "JUDGED", _("Judgment given")
    ENFORCED = "ENFORCED", _("Being enforced")
    CLOSED = "CLOSED", _("Closed")


class LegalMatter(FSMModelMixin, models.Model):
    """A claim on its way through notice, court and enforcement."""

    State = MatterState

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="legal_matters", verbose_name=_("customer")
    )
    case = models.ForeignKey(Case, models.PROTECT, related_name="legal_matters", verbose_name=_("case"))
    state = fields.state(State, State.NOTICE, _("state"))
    claim = fields.money(_("claim"))
    noticed_on = models.DateField(_("notice given on"))
    pay_by = models.DateField(_("to be paid by"))
    court = models.CharField(_("court"), max_length=120, blank=True)
    reference = models.CharField(_("court reference"), max_length=60, blank=True)
    filed_on = models.DateField(_("filed on"), null=True, blank=True)
    judged_on = models.DateField(_("judged on"), null=True, blank=True)
    awarded = fields.money(_("awarded"), null=True, blank=True, default=None)
    enforced_on = models.DateField(_("enforcement began on"), null=True, blank=True)
    closed_on = models.DateField(_("closed on"), null=True, blank=True)
    result = models.CharField(_("result"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("legal matter")
        verbose_name_plural = _("legal matters")
        ordering = ["-id"]
        constraints = [
            fields.known_states("matter", MatterState),
            models.CheckConstraint(condition=Q(claim__gt=0), name="matter_claim_positive"),
            models.CheckConstraint(
                condition=Q(awarded=None) | Q(awarded__gte=0), name="matter_award_not_negative"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["FILED", "JUDGED", "ENFORCED"]) | Q(filed_on__isnull=False),
                name="matter_filed_has_day",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["JUDGED", "ENFORCED"])
                | Q(judged_on__isnull=False, awarded__isnull=False),
                name="matter_judged_has_day_and_award",
            ),
            models.CheckConstraint(
                condition=~Q(state="CLOSED") | Q(closed_on__isnull=False), name="matter_closed_has_day"
            ),
            models.UniqueConstraint(
                fields=["case"], condition=~Q(state="CLOSED"), name="matter_one_open_per_case"
            ),
        ]

    def __str__(self) -> str:
        return f"J{self.pk:06d}" if self.pk else str(_("new legal matter"))

    @property
    def spent(self) -> Decimal:
        """What the matter has cost so far."""
        return self.costs.aggregate(sum=Sum("amount"))["sum"] or fields.ZERO

    @transition(field="state", source=State.NOTICE, target=State.FILED)
    def file(self, *, on: date, court: str, reference: str) -> None:
        """The claim is with a court."""
        self.filed_on, self.court, self.reference = on, court, reference

    @transition(field="state", source=State.FILED, target=State.JUDGED)
    def judge(self, *, on: date, awarded: Decimal) -> None:
        """The court has decided."""
        self.judged_on, self.awarded = on, awarded

    @transition(field="state", source=State.JUDGED, target=State.ENFORCED)
    def enforce(self, *, on: date) -> None:
        """The judgment is being enforced."""
        self.enforced_on = on

    @transition(
        field="state", source=[State.NOTICE, State.FILED, State.JUDGED, State.ENFORCED], target=State.CLOSED
    )
    def close(self, *, on: date, result: str) -> None:
        """Paid, settled, withdrawn or given up."""
        self.closed_on, self.result = on, result


class LegalCost(models.Model):
    """Money spent on a legal matter."""

    class Kind(models.TextChoices):
        COURT = "COURT", _("Court fee")
        LAWYER = "LAWYER", _("Lawyer")
        NOTARY = "NOTARY", _("Notary")
        ENFORCEMENT = "ENFORCEMENT", _("Enforcement")
        OTHER = "OTHER", _("Other")

    matter = models.ForeignKey(
        LegalMatter, models.PROTECT, related_name="costs", verbose_name=_("legal matter")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    amount = fields.money(_("amount"))
    spent_on = models.DateField(_("on"))
    note = models.CharField(_("note"), max_length=200, blank=True)
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))

    class Meta:
        verbose_name = _("legal cost")
        verbose_name_plural = _("legal costs")
        ordering = ["id"]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="legal_cost_positive")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount}"


class LegalDocument(models.Model):
    """A paper of a legal matter: the notice, the claim, the judgment."""

    matter = models.ForeignKey(
        LegalMatter, models.PROTECT, related_name="documents", verbose_name=_("legal matter")
    )
    title = models.CharField(_("title"), max_length=120)
    file = models.FileField(_("file"), upload_to="legal/%Y/%m/")
    sha256 = models.CharField(max_length=64, editable=False)
    added_at = models.DateTimeField(_("added at"))
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))

    class Meta:
        verbose_name = _("legal document")
        verbose_name_plural = _("legal documents")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.title
