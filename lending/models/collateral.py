from datetime import date
from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models.customer import Customer


class CollateralState(models.TextChoices):
    PROPOSED = "PROPOSED", _("Proposed")
    VERIFIED = "VERIFIED", _("Verified")
    PLEDGED = "PLEDGED", _("Pledged")
    RELEASED = "RELEASED", _("Released")
    ENFORCED = "ENFORCED", _("Enforced")
    LAPSED = "LAPSED", _("Lapsed")


class Collateral(FSMModelMixin, models.Model):
    """Something that secures what a customer owes, with its value after haircut."""

    class Kind(models.TextChoices):
        PROPERTY = "PROPERTY", _("Property")
        EQUIPMENT = "EQUIPMENT", _("Equipment")
        RECEIVABLE = "RECEIVABLE", _("Receivable pledge")
        INSURANCE = "INSURANCE", _("Guarantee insurance")
        GUARANTOR = "GUARANTOR", _("Guarantor")
        DEPOSIT = "DEPOSIT", _("Deposit")

    State = CollateralState

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="collateral", verbose_name=_("customer")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    state = fields.state(State, State.PROPOSED, _("state"))
    description = models.CharField(_("description"), max_length=200)
    value = fields.money(_("value"))
    haircut = fields.rate(
        _("haircut"),
        default=Decimal("0.3"),
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text=_("share of the value that is not counted"),
    )
    valued_on = models.DateField(_("valued on"))
    register_no = models.CharField(
        _("register number"),
        max_length=64,
        blank=True,
        help_text=_("a receivable pledge exists only once registered (Civil Code art. 445)"),
    )
    third_party = models.CharField(_("insurer, guarantor or debtor"), max_length=120, blank=True)
    expires_on = models.DateField(_("expires on"), null=True, blank=True)

    class Meta:
        verbose_name = _("collateral")
        verbose_name_plural = _("collateral")
        ordering = ["-id"]
        constraints = [
            fields.known_states("collateral", CollateralState),
            models.CheckConstraint(
                condition=Q(value__gt=0, haircut__gte=0, haircut__lte=1), name="collateral_value_and_haircut"
            ),
            models.CheckConstraint(
                condition=~Q(kind="RECEIVABLE", state="PLEDGED", register_no=""),
                name="collateral_receivable_pledged_only_registered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.description}"

    def lending_value(self, on: date) -> Decimal:
        """The value after haircut while pledged and in force, else nothing."""
        expired = self.expires_on is not None and self.expires_on < on
        if self.state != self.State.PLEDGED or expired:
            return fields.ZERO
        return (self.value * (1 - self.haircut)).quantize(fields.ZERO)

    @transition(field="state", source=State.PROPOSED, target=State.VERIFIED)
    def verify(self) -> None:
        """Someone has seen that it exists and what it is worth."""

    @transition(field="state", source=State.VERIFIED, target=State.PLEDGED)
    def pledge(self) -> None:
        """It now secures the customer's debt."""

    @transition(field="state", source=[State.PROPOSED, State.VERIFIED, State.PLEDGED], target=State.RELEASED)
    def release(self) -> None:
        """It is given back."""

    @transition(field="state", source=State.PLEDGED, target=State.ENFORCED)
    def enforce(self) -> None:
        """It was taken to pay the debt."""

    @transition(field="state", source=[State.VERIFIED, State.PLEDGED], target=State.LAPSED)
    def lapse(self) -> None:
        """It ran out before it was used."""
