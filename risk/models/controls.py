"""Controls on behaviour, what they did to whom, and the customer's answer."""

from datetime import datetime
from decimal import Decimal

import pgtrigger
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models import CreditLine, Customer, User
from risk.engine import controls as engine


class Control(models.Model):
    """A figure over a customer's daily sums, watched with every event, and what happens when it trips."""

    class Kind(models.TextChoices):
        RETURN_SHARE = engine.RETURN_SHARE, _("Share returned")
        SPENDING_SURGE = engine.SPENDING_SURGE, _("Spending surge")
        VELOCITY = engine.VELOCITY, _("Orders in a short time")
        ADDRESS_CHURN = engine.ADDRESS_CHURN, _("New addresses")
        CASH_OUT = engine.CASH_OUT, _("Share easily turned into cash")

    class Action(models.TextChoices):
        ALERT = engine.ALERT, _("Alert")
        CUT = engine.CUT, _("Cut the limit")
        SUSPEND = engine.SUSPEND, _("Suspend the line")

    code = models.SlugField(_("code"), max_length=40, unique=True)
    kind = models.CharField(_("figure"), max_length=16, choices=Kind)
    active = models.BooleanField(_("active"), default=True)
    window_days = models.PositiveSmallIntegerField(_("window in days"))
    minimum_count = models.PositiveSmallIntegerField(
        _("fewest orders"), help_text=_("with fewer orders in the window there is no figure")
    )
    trip = models.DecimalField(_("trips at"), max_digits=12, decimal_places=4)
    release = models.DecimalField(_("releases below"), max_digits=12, decimal_places=4)
    action = models.CharField(_("action"), max_length=8, choices=Action, default=Action.ALERT)
    cut_share = models.DecimalField(
        _("share cut"), max_digits=5, decimal_places=4, default=Decimal(0), help_text=_("of the base limit")
    )
    cooldown_days = models.PositiveSmallIntegerField(
        _("cool-down in days"), default=30, help_text=_("the same facts do not trip it twice in this time")
    )
    usual_floor = fields.money(
        _("least usual spend"), help_text=_("a surge is measured against at least this much per window")
    )

    class Meta:
        verbose_name = _("control")
        verbose_name_plural = _("controls")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(release__lt=F("trip")), name="control_releases_below_trip"),
            models.CheckConstraint(
                condition=Q(
                    release__gte=0,
                    window_days__gte=1,
                    window_days__lte=365,
                    cut_share__gte=0,
                    cut_share__lte=1,
                    usual_floor__gte=0,
                ),
                name="control_levels_fit",
            ),
            models.CheckConstraint(
                condition=~Q(action="CUT") | Q(cut_share__gt=0), name="control_cut_has_share"
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @cached_property
    def spec(self) -> engine.ControlSpec:
        """The same for the engine; raises ValueError when the levels contradict each other."""
        names = engine.ControlSpec.__dataclass_fields__
        return engine.ControlSpec(**{name: getattr(self, name) for name in names})

    def clean(self) -> None:
        try:
            self.spec  # noqa: B018 - building it is the check
        except (TypeError, ValueError) as fault:
            raise ValidationError(_("These levels contradict each other: %s") % fault) from fault


class AlertState(models.TextChoices):
    OPEN = "OPEN", _("Open")
    RELEASED = "RELEASED", _("Cleared by itself")
    LIFTED = "LIFTED", _("Lifted")


class Alert(FSMModelMixin, models.Model):
    """A control that tripped on a customer: the figure, what was done to the line, and how it ended.

    It is the state of the control too: the control is active on a customer while their alert is open.
    """

    State = AlertState

    class Outcome(models.TextChoices):
        TRUE_POSITIVE = "TRUE", _("Rightly so")
        FALSE_POSITIVE = "FALSE", _("False alarm")

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="alerts", verbose_name=_("customer"))
    control = models.ForeignKey(Control, models.PROTECT, related_name="alerts", verbose_name=_("control"))
    line = models.ForeignKey(CreditLine, models.PROTECT, related_name="alerts", verbose_name=_("line"))
    state = fields.state(State, State.OPEN, _("state"))
    figure = models.DecimalField(_("figure"), max_digits=24, decimal_places=4)
    explanation = models.JSONField(_("explanation"))
    action = models.CharField(_("action taken"), max_length=8, choices=Control.Action)
    limit_before = fields.money(_("limit before"), null=True, blank=True, default=None)
    limit_after = fields.money(_("limit after"), null=True, blank=True, default=None)
    tripped_on = models.DateField(_("tripped on"))
    at = models.DateTimeField(_("at"))
    outcome = models.CharField(_("judged"), max_length=8, choices=Outcome, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    closed_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("closed by")
    )

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-id"]
        permissions = [("judge_alert", _("Can judge and lift alerts"))]
        constraints = [
            fields.known_states("alert", AlertState),
            models.UniqueConstraint(
                fields=["customer", "control"], condition=Q(state="OPEN"), name="alert_one_open_per_control"
            ),
            models.CheckConstraint(
                condition=~Q(action="CUT") | Q(limit_before__isnull=False, limit_after__isnull=False),
                name="alert_cut_keeps_both_limits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.control} · {self.customer}"

    @transition(field="state", source=State.OPEN, target=State.RELEASED)
    def release(self, *, at: datetime) -> None:
        """The figure is below its release level again."""
        self.closed_at = at

    @transition(field="state", source=State.OPEN, target=State.LIFTED)
    def lift(self, *, by: User, at: datetime) -> None:
        """A person ends it, on their own or upon an appeal."""
        self.closed_at, self.closed_by = at, by


class AppealState(models.TextChoices):
    OPEN = "OPEN", _("Open")
    UPHELD = "UPHELD", _("Upheld")
    REJECTED = "REJECTED", _("Rejected")


class Appeal(FSMModelMixin, models.Model):
    """A customer's objection to what a control did to their line, and the answer of a person."""

    State = AppealState

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="appeals", verbose_name=_("customer"))
    line = models.ForeignKey(CreditLine, models.PROTECT, related_name="appeals", verbose_name=_("line"))
    alert = models.ForeignKey(
        Alert, models.PROTECT, null=True, blank=True, related_name="appeals", verbose_name=_("alert")
    )
    review = models.ForeignKey(
        "risk.LineReview",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="appeals",
        verbose_name=_("review of the limit"),
    )
    state = fields.state(State, State.OPEN, _("state"))
    text = models.TextField(_("what the customer says"), max_length=2000)
    opened_at = models.DateTimeField(_("opened at"))
    answer = models.TextField(_("answer"), max_length=2000, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )

    class Meta:
        verbose_name = _("appeal")
        verbose_name_plural = _("appeals")
        ordering = ["-id"]
        permissions = [("decide_appeal", _("Can decide appeals"))]
        constraints = [
            fields.known_states("appeal", AppealState),
            models.UniqueConstraint(
                fields=["line"], condition=Q(state="OPEN"), name="appeal_one_open_per_line"
            ),
            models.CheckConstraint(
                condition=Q(state="OPEN") | (Q(decided_by__isnull=False) & ~Q(answer="")),
                name="appeal_decided_with_answer",
            ),
        ]
        triggers = [pgtrigger.Protect(name="no_delete", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.line} · {self.get_state_display()}"

    @transition(field="state", source=State.OPEN, target=State.UPHELD)
    def uphold(self, *, answer: str, by: User, at: datetime) -> None:
        """The customer is right: the line is given back."""
        self.answer, self.decided_by, self.decided_at = answer, by, at

    @transition(field="state", source=State.OPEN, target=State.REJECTED)
    def reject(self, *, answer: str, by: User, at: datetime) -> None:
        """The control was right."""
        self.answer, self.decided_by, self.decided_at = answer, by, at
