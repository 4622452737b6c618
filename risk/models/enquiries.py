"""Questions about a customer to a bureau or an identity check, by what consent, and what was answered."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from lending.models import Consent, Customer, User

# Regulation on the credit reporting industry, arts. 18 and 29: who asks about a person has that person's written
# consent, for this purpose. The consent's row is held until the enquiry is written, so that it cannot be withdrawn in
# between.
CONSENTED = """
    PERFORM 1 FROM lending_consent
    WHERE id = NEW.consent_id AND customer_id = NEW.customer_id AND withdrawn_at IS NULL
      AND purpose = CASE NEW.kind WHEN 'BUREAU' THEN 'BUREAU_QUERY' ELSE 'CREDIT_ASSESSMENT' END
    FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'an enquiry needs a consent of its customer for this purpose'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""


class Enquiry(models.Model):
    """That we asked, written down before we did. Append-only."""

    class Kind(models.TextChoices):
        BUREAU = "BUREAU", _("Credit bureau")
        IDENTITY = "IDENTITY", _("Identity check")

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="enquiries", verbose_name=_("customer")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    consent = models.ForeignKey(Consent, models.PROTECT, related_name="enquiries", verbose_name=_("consent"))
    reference = models.UUIDField(_("reference"), unique=True)
    source = models.CharField(_("source"), max_length=60)
    licence = models.CharField(_("licence of the source"), max_length=60)
    asked_at = models.DateTimeField(_("asked at"))
    asked_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("asked by")
    )

    class Meta:
        verbose_name = _("enquiry")
        verbose_name_plural = _("enquiries")
        ordering = ["-id"]
        permissions = [("ask_source", _("Can ask a bureau or check an identity"))]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["BUREAU", "IDENTITY"]), name="enquiry_kind_known"
            ),
            models.CheckConstraint(condition=~models.Q(licence=""), name="enquiry_source_has_a_licence"),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="with_consent", when=pgtrigger.Before, operation=pgtrigger.Insert, func=CONSENTED
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.customer}"


class EnquiryResult(models.Model):
    """What the source answered, word for word. Append-only."""

    class Outcome(models.TextChoices):
        FOUND = "FOUND", _("Found")
        NOT_FOUND = "NOT_FOUND", _("Not known there")
        MATCH = "MATCH", _("Matches")
        NO_MATCH = "NO_MATCH", _("Does not match")
        NO_ANSWER = "NO_ANSWER", _("No answer")

    enquiry = models.OneToOneField(Enquiry, models.PROTECT, related_name="result", verbose_name=_("enquiry"))
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome)
    figures = models.JSONField(_("figures"), default=dict)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("answer to an enquiry")
        verbose_name_plural = _("answers to enquiries")
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return str(self.get_outcome_display())

    @property
    def customer_id(self) -> int:
        return self.enquiry.customer_id
