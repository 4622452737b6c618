from datetime import datetime
from typing import Any

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models.customer import Customer
from lending.models.line import CreditLine
from lending.models.user import User


class LimitOfferState(models.TextChoices):
    PROPOSED = "PROPOSED", _("To be looked at by a person")
    OFFERED = "OFFERED", _("Offered")
    ACCEPTED = "ACCEPTED", _("Accepted")
    DECLINED = "DECLINED", _("Declined")
    EXPIRED = "EXPIRED", _("Expired")
    WITHDRAWN = "WITHDRAWN", _("Withdrawn")


class LimitOffer(FSMModelMixin, models.Model):
    """A higher limit that a customer may take or leave. Until they take it, nothing changes."""

    State = LimitOfferState
    OPEN = (LimitOfferState.PROPOSED, LimitOfferState.OFFERED)

    line = models.ForeignKey(
        CreditLine, models.PROTECT, related_name="limit_offers", verbose_name=_("credit line")
    )
    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="limit_offers", verbose_name=_("customer")
    )
    state = fields.state(State, State.OFFERED, _("state"))
    before = fields.money(_("limit before"))
    to = fields.money(_("limit offered"))
    made_on = models.DateField(_("made on"))
    expires_on = models.DateField(_("valid until"))
    # What it costs to use, as the customer saw it when they answered.
    shown = models.JSONField(_("cost as shown"), default=list)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )

    class Meta:
        verbose_name = _("limit offer")
        verbose_name_plural = _("limit offers")
        ordering = ["-id"]
        constraints = [
            fields.known_states("limit_offer", LimitOfferState),
            models.CheckConstraint(condition=Q(to__gt=F("before")), name="limit_offer_is_a_raise"),
            models.CheckConstraint(
                condition=Q(expires_on__gte=F("made_on")), name="limit_offer_ends_after_it_began"
            ),
            models.UniqueConstraint(
                fields=["line"], condition=Q(state__in=["PROPOSED", "OFFERED"]), name="limit_offer_one_open"
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_on"],
                condition=Q(state__in=["PROPOSED", "OFFERED"]),
                name="limit_offer_to_expire",
            ),
        ]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.line}: {self.before} → {self.to}"

    @transition(field="state", source=State.PROPOSED, target=State.OFFERED)
    def release(self) -> None:
        """A person has looked at it: the customer may see it."""

    @transition(field="state", source=State.OFFERED, target=State.ACCEPTED)
    def accept(self, *, by: User | None, at: datetime, shown: list[Any]) -> None:
        """The customer takes it."""
        self.decided_by, self.decided_at, self.shown = by, at, shown

    @transition(field="state", source=State.OFFERED, target=State.DECLINED)
    def decline(self, *, by: User | None, at: datetime) -> None:
        """The customer leaves it."""
        self.decided_by, self.decided_at = by, at

    @transition(field="state", source=[State.PROPOSED, State.OFFERED], target=State.EXPIRED)
    def expire(self) -> None:
        """Nobody answered in time."""

    @transition(field="state", source=[State.PROPOSED, State.OFFERED], target=State.WITHDRAWN)
    def withdraw(self, *, by: User | None, at: datetime) -> None:
        """The line has changed, or staff took it back."""
        self.decided_by, self.decided_at = by, at
