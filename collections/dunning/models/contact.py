from datetime import datetime
from typing import Any

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from dunning.models.case import Case
from dunning.models.strategy import Channel
from lending import fields
from lending.models import Customer, Notice, User


class Party(models.TextChoices):
    DEBTOR = "DEBTOR", _("The customer")
    CONTACT = "CONTACT", _("A contact the customer named")
    THIRD_PARTY = "THIRD_PARTY", _("Somebody else")


class Outcome(models.TextChoices):
    PROMISED = "PROMISED", _("Promised to pay")
    SAYS_PAID = "SAYS_PAID", _("Says it is paid")
    CALL_BACK = "CALL_BACK", _("Asks to be called back")
    HARDSHIP = "HARDSHIP", _("Cannot pay now")
    DISPUTES = "DISPUTES", _("Disputes the debt")
    UNWILLING = "UNWILLING", _("Does not want to pay")
    ASKED_TO_STOP = "ASKED_TO_STOP", _("Asks not to be contacted this way")
    WRONG_PERSON = "WRONG_PERSON", _("The number belongs to somebody else")
    DECEASED = "DECEASED", _("The customer is said to be dead")
    INCAPABLE = "INCAPABLE", _("The customer is said to be without legal capacity")
    INFORMED = "INFORMED", _("Informed")
    NO_ANSWER = "NO_ANSWER", _("No answer")
    BUSY = "BUSY", _("Busy")
    NUMBER_DEAD = "NUMBER_DEAD", _("The number is not in use")
    NOT_THERE = "NOT_THERE", _("Nobody there")


UNANSWERED = frozenset({Outcome.NO_ANSWER, Outcome.BUSY, Outcome.NUMBER_DEAD, Outcome.NOT_THERE})


class ContactState(models.TextChoices):
    PLANNED = "PLANNED", _("Planned")
    REFUSED = "REFUSED", _("Not made")
    DONE = "DONE", _("Done")
    CANCELLED = "CANCELLED", _("No longer needed")


class Contact(FSMModelMixin, models.Model):
    """One contact with a customer about what is owed: planned, made, or refused, and by which rule.

    A planned call is a task on the collector's list. A message is done when its notice was sent. Kept for
    five years (消费金融公司管理办法, and a reading of GB/T 45251-2025): the database lets nobody delete one.
    """

    State = ContactState

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="contacts", verbose_name=_("customer")
    )
    case = models.ForeignKey(
        Case, models.PROTECT, null=True, blank=True, related_name="contacts", verbose_name=_("case")
    )
    state = fields.state(State, State.PLANNED, _("state"))
    channel = models.CharField(_("channel"), max_length=8, choices=Channel)
    party = models.CharField(_("with"), max_length=12, choices=Party, default=Party.DEBTOR)
    purpose = models.CharField(_("purpose"), max_length=12)
    # Which step of the strategy this is, for which due date: each is taken once.
    step = models.CharField(_("step"), max_length=40, blank=True)
    due_on = models.DateField(_("for the due date"), null=True, blank=True)
    amount = fields.money(_("amount claimed"), null=True, blank=True, default=None)
    planned_for = models.DateTimeField(_("planned for"))
    at = models.DateTimeField(_("at"), null=True, blank=True)
    by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    number_digest = models.CharField(max_length=64, blank=True, editable=False)
    number_masked = models.CharField(_("number"), max_length=20, blank=True)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome, blank=True)
    connected = models.BooleanField(_("reached"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True)
    rule = models.CharField(_("rule that refused"), max_length=24, blank=True)
    rule_params = models.JSONField(_("figures of the rule"), default=dict, blank=True)
    notice = models.OneToOneField(
        Notice, models.PROTECT, null=True, blank=True, related_name="contact", verbose_name=_("notice")
    )

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["-id"]
        constraints = [
            fields.known_states("contact", ContactState),
            models.CheckConstraint(
                condition=Q(channel__in=sorted(Channel.values)), name="contact_channel_known"
            ),
            models.CheckConstraint(condition=Q(party__in=sorted(Party.values)), name="contact_party_known"),
            models.CheckConstraint(
                condition=Q(state="REFUSED") & ~Q(rule="") | ~Q(state="REFUSED") & Q(rule=""),
                name="contact_refused_names_its_rule",
            ),
            models.CheckConstraint(
                condition=~Q(state="DONE") | Q(at__isnull=False), name="contact_done_has_time"
            ),
            models.UniqueConstraint(
                fields=["customer", "due_on", "step", "channel"],
                condition=Q(state__in=["PLANNED", "DONE"]) & ~Q(step=""),
                name="contact_step_once",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-id"], name="contact_timeline"),
            models.Index(fields=["planned_for"], condition=Q(state="PLANNED"), name="contact_to_make"),
        ]
        triggers = [pgtrigger.Protect(name="kept", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} · {self.get_state_display()}"

    @transition(field="state", source=State.PLANNED, target=State.REFUSED)
    def refuse(self, *, rule: str, params: dict[str, Any]) -> None:
        """The gate said no."""
        self.rule, self.rule_params = rule, params

    @transition(field="state", source=State.PLANNED, target=State.DONE)
    def done(self, *, at: datetime) -> None:
        """It was made."""
        self.at = at

    @transition(field="state", source=State.PLANNED, target=State.CANCELLED)
    def cancel(self) -> None:
        """The reason for it is gone, or it could not be delivered."""


class StopRequest(models.Model):
    """Somebody asked not to be contacted by a channel, or at a number."""

    customer = models.ForeignKey(
        Customer, models.PROTECT, related_name="stop_requests", verbose_name=_("customer")
    )
    channel = models.CharField(_("channel"), max_length=8, choices=Channel, blank=True)
    number_digest = models.CharField(max_length=64, blank=True, editable=False)
    asked_at = models.DateTimeField(_("asked at"))
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("stop request")
        verbose_name_plural = _("stop requests")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(channel="") | ~Q(number_digest=""), name="stop_request_says_what"
            ),
            models.UniqueConstraint(
                fields=["customer", "channel", "number_digest"],
                condition=Q(lifted_at=None),
                name="stop_request_once",
            ),
        ]

    def __str__(self) -> str:
        return str(self.get_channel_display() or _("number"))


class DayCount(models.Model):
    """How often something was done on a day, and how often it may be: a row to lock, and a check that holds.

    `subject` is the customer for calls and visits, and the fingerprint of the number for dials, so that two
    customers behind one number, two collectors and two agencies count together.
    """

    class Kind(models.TextChoices):
        CALL = "CALL", _("calls with a conversation")
        DIAL = "DIAL", _("unanswered dials to a number")
        VISIT = "VISIT", _("visits")

    kind = models.CharField(_("what"), max_length=5, choices=Kind)
    subject = models.CharField(max_length=64)
    day = models.DateField(_("day"), help_text=_("at the customer's place"))
    count = models.PositiveSmallIntegerField(_("times"), default=0)
    most = models.PositiveSmallIntegerField(_("at most"))

    class Meta:
        verbose_name = _("daily count")
        verbose_name_plural = _("daily counts")
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject", "day"], name="day_count_once"),
            models.CheckConstraint(condition=Q(count__lte=F("most")), name="day_count_within_rule"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.count}/{self.most}"
