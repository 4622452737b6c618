from datetime import date, datetime
from typing import Any

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models.customer import Customer
from lending.models.product import Product
from lending.models.user import User


class ApplicationState(models.TextChoices):
    DRAFT = "DRAFT", _("Draft")
    SUBMITTED = "SUBMITTED", _("Submitted")
    REFERRED = "REFERRED", _("With an officer")
    APPROVED = "APPROVED", _("Approved")
    DECLINED = "DECLINED", _("Declined")
    OFFERED = "OFFERED", _("Offer made")
    ACCEPTED = "ACCEPTED", _("Accepted")
    BOOKED = "BOOKED", _("Booked")
    WITHDRAWN = "WITHDRAWN", _("Withdrawn")
    EXPIRED = "EXPIRED", _("Expired")


class Application(FSMModelMixin, models.Model):
    """A customer's request for a line or a loan, up to the contract."""

    State = ApplicationState

    OPEN = (State.DRAFT, State.SUBMITTED, State.REFERRED, State.APPROVED, State.OFFERED, State.ACCEPTED)

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="applications", verbose_name=_("customer")
    )
    product = models.ForeignKey(
        Product, models.PROTECT, related_name="applications", verbose_name=_("product")
    )
    state = fields.state(State, State.DRAFT, _("state"))
    amount = fields.money(_("amount asked for"))
    tenor = models.PositiveSmallIntegerField(_("tenor"), null=True, blank=True)
    purpose = models.CharField(_("purpose"), max_length=200, blank=True)
    answers = models.JSONField(_("answers"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created at"))
    submitted_at = models.DateTimeField(_("submitted at"), null=True, blank=True)
    # The decision: reasons are codes, put into words in the reader's language.
    reasons = ArrayField(models.CharField(max_length=60), verbose_name=_("reasons"), default=list, blank=True)
    approved_amount = fields.money(_("approved amount"), null=True, blank=True, default=None)
    first_tranche = fields.money(
        _("first tranche"),
        null=True,
        blank=True,
        default=None,
        help_text=_("what is paid out at once of a loan that goes out in parts"),
    )
    grade = models.CharField(_("grade"), max_length=2, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    decision_note = models.TextField(_("note on the decision"), blank=True)
    review_requested_at = models.DateTimeField(_("review by a person asked for at"), null=True, blank=True)
    review_due_on = models.DateField(_("review due on"), null=True, blank=True)
    # Who asked for an approval after a decline; who allowed it is the one who decided.
    overridden_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("override asked for by")
    )

    class Meta:
        verbose_name = _("application")
        verbose_name_plural = _("applications")
        ordering = ["-id"]
        permissions = [("decide_application", _("Can decide applications"))]
        constraints = [
            fields.known_states("application", ApplicationState),
            models.CheckConstraint(condition=Q(amount__gt=0), name="application_amount_positive"),
            models.CheckConstraint(
                condition=Q(first_tranche=None) | Q(first_tranche__gt=0), name="application_tranche_positive"
            ),
            models.UniqueConstraint(
                fields=["customer"],
                condition=Q(state__in=["DRAFT", "SUBMITTED", "REFERRED", "APPROVED", "OFFERED", "ACCEPTED"]),
                name="application_one_open",
            ),
            # PIPL art. 24(3): what a person was asked to look at again, a person closes.
            models.CheckConstraint(
                condition=Q(review_requested_at=None)
                | Q(state__in=["REFERRED", "WITHDRAWN", "EXPIRED"])
                | Q(decided_by__isnull=False),
                name="application_review_closed_by_a_person",
            ),
            # A decline is overridden by two people or not at all.
            models.CheckConstraint(
                condition=Q(review_requested_at=None)
                | ~Q(state__in=["APPROVED", "OFFERED", "ACCEPTED", "BOOKED"])
                | (Q(overridden_by__isnull=False) & ~Q(overridden_by=F("decided_by"))),
                name="application_override_by_two",
            ),
        ]
        indexes = [models.Index(fields=["state", "submitted_at"], name="application_queue")]
        triggers = [
            pgtrigger.Trigger(
                name="decline_stands",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__state="DECLINED")
                & ~pgtrigger.Q(new__state__in=["DECLINED", "REFERRED"]),
                func="""
                    RAISE EXCEPTION 'what was declined is booked only after a person has looked at it again'
                        USING ERRCODE = 'check_violation';
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"A{self.pk:08d}" if self.pk else str(_("new application"))

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @transition(field="state", source=State.DRAFT, target=State.SUBMITTED)
    def submit(self, *, at: Any) -> None:
        """The customer has answered everything and asks for a decision."""
        self.submitted_at = at

    @transition(field="state", source=State.SUBMITTED, target=State.REFERRED)
    def refer(self) -> None:
        """The policy leaves the decision to a person."""

    @transition(field="state", source=[State.SUBMITTED, State.REFERRED], target=State.APPROVED)
    def approve(self) -> None:
        """Good for the approved amount."""

    @transition(field="state", source=[State.SUBMITTED, State.REFERRED], target=State.DECLINED)
    def decline(self) -> None:
        """No, with reasons."""

    @transition(field="state", source=State.DECLINED, target=State.REFERRED)
    def ask_review(self, *, at: datetime, due_on: date | None = None) -> None:
        """The customer wants a person to look again, by that day (PIPL art. 24(3))."""
        self.review_requested_at, self.review_due_on = at, due_on

    @transition(field="state", source=State.APPROVED, target=State.OFFERED)
    def offer(self) -> None:
        """The customer can now read the full cost and accept."""

    @transition(field="state", source=State.OFFERED, target=State.ACCEPTED)
    def accept(self) -> None:
        """The customer confirmed the disclosure sheet."""

    @transition(field="state", source=State.ACCEPTED, target=State.BOOKED)
    def book(self) -> None:
        """The line is open or the loan paid out."""

    @transition(
        field="state",
        source=[State.DRAFT, State.SUBMITTED, State.REFERRED, State.APPROVED, State.OFFERED],
        target=State.WITHDRAWN,
    )
    def withdraw(self) -> None:
        """The customer changed their mind."""

    @transition(field="state", source=[State.DRAFT, State.OFFERED], target=State.EXPIRED)
    def expire(self) -> None:
        """Nobody acted in time."""


def only_from_an_offer() -> pgtrigger.Trigger:
    """For what an application brings, a line or a loan: nothing is booked from one that was declined, withdrawn or
    never decided."""
    return pgtrigger.Trigger(
        name="only_from_an_offer",
        operation=pgtrigger.Insert,
        when=pgtrigger.Before,
        condition=pgtrigger.Condition("NEW.application_id IS NOT NULL"),
        func="""
            IF NOT EXISTS (
                SELECT FROM lending_application
                WHERE id = NEW.application_id AND state IN ('OFFERED', 'ACCEPTED', 'BOOKED')
            ) THEN
                RAISE EXCEPTION 'nothing is booked from an application without an offer'
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        """,
    )


class Document(models.Model):
    """A file a customer handed in with an application."""

    class Kind(models.TextChoices):
        IDENTITY = "IDENTITY", _("Identity paper")
        INCOME = "INCOME", _("Proof of income")
        LICENCE = "LICENCE", _("Business licence")
        STATEMENTS = "STATEMENTS", _("Financial statements")
        OTHER = "OTHER", _("Other")

    application = models.ForeignKey(
        Application, models.PROTECT, related_name="documents", verbose_name=_("application")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    file = models.FileField(_("file"), upload_to="documents/%Y/%m/")
    sha256 = models.CharField(max_length=64, editable=False)
    uploaded_at = models.DateTimeField(_("uploaded at"))

    class Meta:
        verbose_name = _("document")
        verbose_name_plural = _("documents")
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.get_kind_display())


class Offer(models.Model):
    """The terms put before the customer, with the disclosure sheet that was shown, word for word."""

    application = models.ForeignKey(
        Application, models.PROTECT, related_name="offers", verbose_name=_("application")
    )
    amount = fields.money(_("amount"))
    tenor = models.PositiveSmallIntegerField(_("tenor"), null=True, blank=True)
    # The price, where it is not the product's own.
    annual_rate = fields.rate(_("annual rate"), null=True, blank=True, default=None)
    fee_rate = fields.rate(_("fee rate per instalment"), null=True, blank=True, default=None)
    annual_cost = fields.rate(_("annual cost"), help_text=_("all-in, yearly fraction"))
    sheet = models.JSONField(_("disclosure sheet"))
    sheet_sha256 = models.CharField(max_length=64, editable=False)
    made_at = models.DateTimeField(_("made at"))
    expires_on = models.DateField(_("expires on"))
    shown_at = models.DateTimeField(_("shown at"), null=True, blank=True)
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)

    class Meta:
        verbose_name = _("offer")
        verbose_name_plural = _("offers")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="offer_amount_positive"),
            models.CheckConstraint(
                condition=Q(accepted_at=None) | Q(shown_at__lte=models.F("accepted_at")),
                name="offer_shown_before_accepted",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="as_it_was_accepted",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__accepted_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.application} · {self.amount}"
