"""What every room leans on: events, notices, approvals, rule parameters, and answered API requests."""

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models.customer import Customer
from lending.models.user import User


class Event(models.Model):
    """Something that happened: audit trail, timeline and outbox in one append-only table."""

    kind = models.CharField(_("what"), max_length=60)
    subject_type = models.CharField(_("subject type"), max_length=60)
    subject_id = models.BigIntegerField(_("subject"))
    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="events",
        verbose_name=_("customer"),
        db_index=False,  # event_timeline below begins with it
    )
    actor = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("who")
    )
    at = models.DateTimeField(_("when"))
    data = models.JSONField(_("details"), default=dict)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["customer", "-id"], name="event_timeline"),
            models.Index(fields=["subject_type", "subject_id"], name="event_subject"),
            models.Index(fields=["at"], condition=Q(kind="customer.updated"), name="event_details_changed"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.kind


class NoticeTemplate(models.Model):
    """The words of a message in one language; the newest version is used, the old ones stay."""

    code = models.CharField(_("code"), max_length=60)
    channel = models.CharField(_("channel"), max_length=8)
    language = models.CharField(_("language"), max_length=10)
    version = models.PositiveIntegerField(_("version"), default=1)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    body = models.TextField(_("body"))

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        ordering = ["code", "channel", "language", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["code", "channel", "language", "version"], name="template_version_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} · {self.channel} · {self.language} v{self.version}"


class NoticeState(models.TextChoices):
    PENDING = "PENDING", _("Waiting")
    SENT = "SENT", _("Sent")
    DELIVERED = "DELIVERED", _("Delivered")
    FAILED = "FAILED", _("Failed")
    SUPPRESSED = "SUPPRESSED", _("Suppressed")


class Notice(FSMModelMixin, models.Model):
    """A message owed to a customer."""

    class Channel(models.TextChoices):
        SMS = "SMS", _("SMS")
        EMAIL = "EMAIL", _("E-mail")
        LETTER = "LETTER", _("Letter")
        IN_APP = "IN_APP", _("In the app")

    State = NoticeState

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="notices", verbose_name=_("customer"))
    state = fields.state(State, State.PENDING, _("state"))
    channel = models.CharField(_("channel"), max_length=8, choices=Channel)
    template = models.ForeignKey(
        NoticeTemplate, models.PROTECT, related_name="+", verbose_name=_("message template")
    )
    purpose = models.CharField(_("purpose"), max_length=12, default="SERVICE")
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    body = models.TextField(_("body"))
    key = models.CharField(_("key"), max_length=120, unique=True, help_text=_("one message per key"))
    send_after = models.DateTimeField(_("not before"))
    created_at = models.DateTimeField(_("created at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.CharField(_("error"), max_length=300, blank=True)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["-id"]
        constraints = [fields.known_states("notice", NoticeState)]
        indexes = [
            models.Index(fields=["send_after"], condition=Q(state="PENDING"), name="notice_to_send"),
            models.Index(fields=["id"], condition=Q(state="FAILED"), name="notice_failed"),
        ]

    def __str__(self) -> str:
        return self.subject or self.body[:60]

    @transition(field="state", source=State.PENDING, target=State.SENT)
    def sent(self) -> None:
        """The gateway took it."""

    @transition(field="state", source=State.SENT, target=State.DELIVERED)
    def delivered(self) -> None:
        """The gateway says that it arrived."""

    @transition(field="state", source=[State.PENDING, State.SENT], target=State.FAILED)
    def fail(self, *, error: str) -> None:
        """It will not be tried again."""
        self.error = error[:300]

    @transition(field="state", source=State.PENDING, target=State.SUPPRESSED)
    def suppress(self, *, error: str) -> None:
        """A rule forbids it."""
        self.error = error[:300]


class ApprovalRequestState(models.TextChoices):
    PENDING = "PENDING", _("Waiting for a second person")
    APPROVED = "APPROVED", _("Approved")
    REJECTED = "REJECTED", _("Rejected")
    WITHDRAWN = "WITHDRAWN", _("Withdrawn")
    EXPIRED = "EXPIRED", _("Expired")


class ApprovalRequest(FSMModelMixin, models.Model):
    """Something sensitive that one person asked for and another must allow."""

    State = ApprovalRequestState

    state = fields.state(State, State.PENDING, _("state"))
    command = models.CharField(_("command"), max_length=60)
    payload = models.JSONField(_("details"))
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("customer")
    )
    amount = fields.money(_("amount"), null=True, blank=True, default=None)
    reason = models.CharField(_("reason"), max_length=300)
    maker = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("asked by"))
    made_at = models.DateTimeField(_("asked at"))
    checker = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    checked_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    remark = models.CharField(_("remark"), max_length=300, blank=True)
    expires_on = models.DateField(_("expires on"))

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        ordering = ["-id"]
        permissions = [("check_approval", _("Can decide approvals"))]
        constraints = [
            fields.known_states("approval", ApprovalRequestState),
            models.CheckConstraint(
                condition=Q(checker=None) | ~Q(checker=F("maker")), name="approval_maker_is_not_checker"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["APPROVED", "REJECTED"]) | Q(checker__isnull=False),
                name="approval_decided_by_someone",
            ),
        ]

    def __str__(self) -> str:
        return f"R{self.pk:08d}" if self.pk else self.command

    @transition(field="state", source=State.PENDING, target=State.APPROVED)
    def approve(self, *, checker: User) -> None:
        """A second person allows it."""
        self.checker = checker

    @transition(field="state", source=State.PENDING, target=State.REJECTED)
    def reject(self, *, checker: User) -> None:
        """A second person refuses it."""
        self.checker = checker

    @transition(field="state", source=State.PENDING, target=State.WITHDRAWN)
    def withdraw(self) -> None:
        """The maker takes it back."""

    @transition(field="state", source=State.PENDING, target=State.EXPIRED)
    def expire(self) -> None:
        """Nobody decided in time."""


class RuleParameter(models.Model):
    """A number set by law or policy, with the dates it holds for, where it comes from and how sure we are."""

    class Certainty(models.TextChoices):
        VERIFIED = "V", _("text of the rule was read")
        PRESS = "P", _("read on a secondary page")
        MEMORY = "M", _("unverified")
        POLICY = "H", _("house policy")

    code = models.CharField(_("code"), max_length=60)
    jurisdiction = models.CharField(_("jurisdiction"), max_length=8, default="CN")
    lender_type = models.CharField(_("lender type"), max_length=20, blank=True)
    value = models.DecimalField(_("value"), max_digits=18, decimal_places=6)
    unit = models.CharField(_("unit"), max_length=20)
    valid_from = models.DateField(_("valid from"))
    valid_to = models.DateField(_("valid to"), null=True, blank=True)
    instrument = models.CharField(_("instrument"), max_length=200)
    article = models.CharField(_("article"), max_length=60, blank=True)
    certainty = models.CharField(_("how sure"), max_length=1, choices=Certainty)

    class Meta:
        verbose_name = _("rule parameter")
        verbose_name_plural = _("rule parameters")
        ordering = ["code", "jurisdiction", "lender_type", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["code", "jurisdiction", "lender_type", "valid_from"], name="rule_once_per_start"
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")), name="rule_dates_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} = {self.value.normalize():f} {self.unit}"


class ApiRequest(models.Model):
    """An answered API request: the same key gets the same answer, and another body under it is refused."""

    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    key = models.CharField(max_length=100)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("API request")
        verbose_name_plural = _("API requests")
        permissions = [("use_platform_api", _("Can use the platform API"))]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="api_request_once")]

    def __str__(self) -> str:
        return self.key
