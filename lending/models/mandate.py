"""Leave to take what is due from a customer's bank account, and each time that was tried."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models.customer import Customer
from lending.models.loan import Payment

STANDING = ("PENDING", "ACTIVE", "SUSPENDED")


class MandateState(models.TextChoices):
    PENDING = "PENDING", _("Waiting for the bank")
    ACTIVE = "ACTIVE", _("Active")
    SUSPENDED = "SUSPENDED", _("Suspended")
    REVOKED = "REVOKED", _("Revoked")
    EXPIRED = "EXPIRED", _("Expired")


class Mandate(FSMModelMixin, models.Model):
    """What a customer signed: from which accounts, how much at most each time, and until when."""

    State = MandateState

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="mandates", verbose_name=_("customer")
    )
    state = fields.state(State, State.PENDING, _("state"))
    limit_per_debit = fields.money(_("at most each time"))
    valid_from = models.DateField(_("valid from"))
    valid_to = models.DateField(_("valid to"), null=True, blank=True)
    text_version = models.CharField(_("version of the text"), max_length=20)
    signed_at = models.DateTimeField(_("signed at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("debit mandate")
        verbose_name_plural = _("debit mandates")
        ordering = ["-id"]
        constraints = [
            fields.known_states("mandate", MandateState),
            models.CheckConstraint(condition=Q(limit_per_debit__gt=0), name="mandate_limit_positive"),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")), name="mandate_dates_in_order"
            ),
            models.UniqueConstraint(
                fields=["customer"], condition=Q(state__in=STANDING), name="mandate_one_standing"
            ),
        ]

    def __str__(self) -> str:
        return f"M{self.pk:08d}" if self.pk else str(self.customer)

    @transition(field="state", source=State.PENDING, target=State.ACTIVE)
    def activate(self) -> None:
        """The bank knows it."""

    @transition(field="state", source=State.ACTIVE, target=State.SUSPENDED)
    def suspend(self, *, reason: str) -> None:
        """Nothing is taken for now."""
        self.reason = reason[:300]

    @transition(field="state", source=State.SUSPENDED, target=State.ACTIVE)
    def resume(self) -> None:
        """Debits go on."""
        self.reason = ""

    @transition(field="state", source=list(STANDING), target=State.REVOKED)
    def revoke(self, *, reason: str) -> None:
        """The customer, or the house, took it back."""
        self.reason = reason[:300]

    @transition(field="state", source=list(STANDING), target=State.EXPIRED)
    def expire(self) -> None:
        """Its last day has passed."""


class MandateAccount(models.Model):
    """A bank account of a mandate: the first is tried first, the others when it fails."""

    PRIMARY, FALLBACKS = 1, 2

    mandate = models.ForeignKey(
        Mandate, models.PROTECT, related_name="accounts", verbose_name=_("debit mandate")
    )
    position = models.PositiveSmallIntegerField(_("tried as number"))
    bank = models.CharField(_("bank"), max_length=60)
    number = fields.EncryptedTextField(_("account number"))
    number_digest = models.CharField(max_length=64, db_index=True, editable=False)
    closed_at = models.DateTimeField(_("closed, says the bank"), null=True, blank=True)

    class Meta:
        verbose_name = _("mandate account")
        verbose_name_plural = _("mandate accounts")
        ordering = ["mandate", "position"]
        constraints = [
            models.CheckConstraint(condition=Q(position__range=(1, 3)), name="mandate_account_of_three"),
            models.UniqueConstraint(fields=["mandate", "position"], name="mandate_account_position_once"),
            models.UniqueConstraint(fields=["mandate", "number_digest"], name="mandate_account_once"),
        ]

    def __str__(self) -> str:
        return f"{self.bank} {self.masked_number}"

    @property
    def masked_number(self) -> str:
        return fields.masked(self.number or "", 4, 4)


class DebitState(models.TextChoices):
    PLANNED = "PLANNED", _("Planned")
    PAID = "PAID", _("Paid")
    STOPPED = "STOPPED", _("Not needed")
    FAILED = "FAILED", _("Failed")


class Debit(FSMModelMixin, models.Model):
    """What is to be taken for everything that a customer has to pay by one due day."""

    State = DebitState

    class Reason(models.TextChoices):
        CLOSED = "CLOSED", _("Nothing is owed any more")
        CURRENT = "CURRENT", _("It was paid otherwise")
        NO_AMOUNT = "NO_AMOUNT", _("The mandate allows no amount")
        MANDATE = "MANDATE", _("The mandate is not in force")
        NO_ACCOUNT = "NO_ACCOUNT", _("No account is left to try")
        TRIES = "TRIES", _("All tries failed")
        STAFF = "STAFF", _("Stopped by staff")

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="debits", verbose_name=_("customer"))
    mandate = models.ForeignKey(
        Mandate, models.PROTECT, related_name="debits", verbose_name=_("debit mandate")
    )
    state = fields.state(State, State.PLANNED, _("state"))
    due_on = models.DateField(_("due on"))
    amount = fields.money(_("announced"))
    collected = fields.money(_("collected"))
    next_on = models.DateField(_("next try on"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=12, choices=Reason, blank=True)
    planned_at = models.DateTimeField(_("planned at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("direct debit")
        verbose_name_plural = _("direct debits")
        ordering = ["-due_on", "-id"]
        constraints = [
            fields.known_states("debit", DebitState),
            models.UniqueConstraint(fields=["customer", "due_on"], name="debit_once_per_due_day"),
            fields.not_negative("debit", "amount", "collected"),
        ]
        indexes = [models.Index(fields=["next_on"], condition=Q(state="PLANNED"), name="debit_to_try")]

    def __str__(self) -> str:
        return f"D{self.pk:08d}" if self.pk else str(self.due_on)

    @transition(field="state", source=State.PLANNED, target=State.PAID)
    def succeed(self) -> None:
        """An account gave it."""

    @transition(field="state", source=State.PLANNED, target=State.STOPPED)
    def stop(self, *, reason: str) -> None:
        """There is nothing to take, or nobody who may."""
        self.reason = reason

    @transition(field="state", source=State.PLANNED, target=State.FAILED)
    def fail(self, *, reason: str) -> None:
        """No account gave it on any of the days."""
        self.reason = reason


class DebitAttemptState(models.TextChoices):
    SENT = "SENT", _("Sent")
    PAID = "PAID", _("Paid")
    FAILED = "FAILED", _("Failed")


class DebitAttempt(FSMModelMixin, models.Model):
    """One account, asked once. Its reference is what the gateway knows it by: asked again, it takes nothing twice."""

    State = DebitAttemptState

    debit = models.ForeignKey(Debit, models.PROTECT, related_name="attempts", verbose_name=_("direct debit"))
    number = models.PositiveSmallIntegerField(_("number"))
    account = models.ForeignKey(
        MandateAccount, models.PROTECT, related_name="+", verbose_name=_("mandate account")
    )
    state = fields.state(State, State.SENT, _("state"))
    amount = fields.money(_("amount"))
    on = models.DateField(_("on"))
    reference = models.CharField(_("reference"), max_length=64, unique=True)
    sent_at = models.DateTimeField(_("sent at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    code = models.CharField(_("answer"), max_length=20, blank=True)
    payment = models.OneToOneField(
        Payment, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("payment")
    )

    class Meta:
        verbose_name = _("debit attempt")
        verbose_name_plural = _("debit attempts")
        ordering = ["debit", "number"]
        constraints = [
            fields.known_states("debit_attempt", DebitAttemptState),
            models.UniqueConstraint(fields=["debit", "number"], name="debit_attempt_number_once"),
            models.UniqueConstraint(
                fields=["debit"], condition=Q(state="SENT"), name="debit_attempt_one_at_a_time"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="debit_attempt_positive"),
        ]

    def __str__(self) -> str:
        return self.reference

    @transition(field="state", source=State.SENT, target=State.PAID)
    def succeed(self) -> None:
        """The account gave it."""

    @transition(field="state", source=State.SENT, target=State.FAILED)
    def fail(self, *, code: str) -> None:
        """The account did not."""
        self.code = code[:20]
