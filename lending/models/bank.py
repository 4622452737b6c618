"""What the bank says came in and went out, line by line, and what became of each."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models.customer import Customer
from lending.models.user import User


class BankStatement(models.Model):
    """A statement of one of our accounts, as it was taken in."""

    account = models.CharField(_("our account"), max_length=40)
    name = models.CharField(_("file"), max_length=200)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    imported_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("imported by")
    )
    imported_at = models.DateTimeField(_("imported at"))
    known = models.PositiveIntegerField(_("lines known before"), default=0)
    # Lines that could not be read: [number, code, details].
    problems = models.JSONField(_("lines that cannot be read"), default=list)

    class Meta:
        verbose_name = _("bank statement")
        verbose_name_plural = _("bank statements")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.account} · {self.name}"


class BankLineState(models.TextChoices):
    OPEN = "OPEN", _("To be matched")
    POSTED = "POSTED", _("Posted")
    HELD = "HELD", _("Held")
    IGNORED = "IGNORED", _("Ignored")
    OUTGOING = "OUTGOING", _("Money out")
    FOREIGN = "FOREIGN", _("Other currency")


class BankLine(FSMModelMixin, models.Model):
    """One movement on our account. Its bank reference is unique, so that it posts once however often it is sent."""

    State = BankLineState

    statement = models.ForeignKey(
        BankStatement, models.PROTECT, related_name="lines", verbose_name=_("bank statement")
    )
    number = models.PositiveIntegerField(_("line"))
    account = models.CharField(_("our account"), max_length=40)
    bank_reference = models.CharField(_("bank reference"), max_length=80)
    state = fields.state(State, State.OPEN, _("state"))
    value_on = models.DateField(_("value date"))
    amount = fields.money(_("amount"), help_text=_("below zero for money out"))
    currency = models.CharField(_("currency"), max_length=3)
    payer = models.CharField(_("payer"), max_length=120, blank=True)
    payer_account = fields.EncryptedTextField(_("payer's account"), blank=True)
    payer_digest = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    text = models.CharField(_("reference"), max_length=300, blank=True)
    # [{"customer", "loan", "score", "reasons"}], best first; None until somebody looked.
    suggestions = models.JSONField(_("suggestions"), null=True, blank=True)
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("customer")
    )
    score = models.PositiveSmallIntegerField(_("score"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True)
    handled_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("handled by")
    )
    handled_at = models.DateTimeField(_("handled at"), null=True, blank=True)

    class Meta:
        verbose_name = _("bank line")
        verbose_name_plural = _("bank lines")
        ordering = ["-id"]
        permissions = [("match_bankline", _("Can match bank lines"))]
        constraints = [
            fields.known_states("bank_line", BankLineState),
            models.UniqueConstraint(fields=["account", "bank_reference"], name="bank_line_once"),
            models.CheckConstraint(
                condition=~Q(state__in=["OPEN", "POSTED", "HELD"]) | Q(amount__gt=0),
                name="bank_line_posts_money_in",
            ),
        ]
        indexes = [
            models.Index(fields=["value_on"], condition=Q(state="OPEN"), name="bank_line_open"),
        ]

    def __str__(self) -> str:
        return f"K{self.pk:08d}" if self.pk else self.bank_reference

    @property
    def masked_account(self) -> str:
        return fields.masked(self.payer_account or "", 4, 4)

    @transition(field="state", source=State.OPEN, target=State.POSTED)
    def post(self) -> None:
        """Its money reached a debt."""

    @transition(field="state", source=State.OPEN, target=State.HELD)
    def hold(self) -> None:
        """Its money lies in suspense."""

    @transition(field="state", source=State.OPEN, target=State.IGNORED)
    def ignore(self, *, reason: str) -> None:
        """It is no payment of a customer."""
        self.note = reason[:300]

    @transition(field="state", source=State.IGNORED, target=State.OPEN)
    def reopen(self) -> None:
        """It is one after all."""
        self.note = ""
