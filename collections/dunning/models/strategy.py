import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from dunning.engine import strategy as engine
from lending import fields


class Channel(models.TextChoices):
    CALL = "CALL", _("Call")
    SMS = "SMS", _("SMS")
    EMAIL = "EMAIL", _("E-mail")
    LETTER = "LETTER", _("Letter")
    IN_APP = "IN_APP", _("In the app")
    VISIT = "VISIT", _("Visit")


class Stage(models.TextChoices):
    REMINDING = "REMINDING", _("Reminding")
    CALLING = "CALLING", _("Calling")
    DEMANDING = "DEMANDING", _("Demanding")
    LEGAL = "LEGAL", _("Legal")


class StrategyState(models.TextChoices):
    DRAFT = "DRAFT", _("Draft")
    LIVE = "LIVE", _("Live")
    RETIRED = "RETIRED", _("Retired")


class Strategy(FSMModelMixin, models.Model):
    """What is done about arrears, day by day: one version, frozen once live.

    A case stays with the version it began with.
    """

    State = StrategyState

    name = models.CharField(_("name"), max_length=80)
    version = models.PositiveIntegerField(_("version"), default=1)
    state = fields.state(State, State.DRAFT, _("state"))

    class Meta:
        verbose_name = _("strategy")
        verbose_name_plural = _("strategies")
        ordering = ["name", "-version"]
        permissions = [("publish_strategy", _("Can put a collection strategy in force"))]
        constraints = [
            fields.known_states("strategy", StrategyState),
            models.UniqueConstraint(fields=["name", "version"], name="strategy_version_once"),
            models.UniqueConstraint(fields=["state"], condition=Q(state="LIVE"), name="strategy_one_live"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @transition(field="state", source=State.DRAFT, target=State.LIVE)
    def go_live(self) -> None:
        """New cases follow it from now on; its steps cannot change any more."""

    @transition(field="state", source=State.LIVE, target=State.RETIRED)
    def retire(self) -> None:
        """No new case follows it; those that do go on."""


class StrategyStep(models.Model):
    """One thing to do, `day` days after the oldest due date (before it when negative)."""

    LEGAL_MATTER = "LEGAL"
    CHANNELS = [*Channel.choices, (LEGAL_MATTER, _("Legal matter"))]

    strategy = models.ForeignKey(Strategy, models.PROTECT, related_name="steps", verbose_name=_("strategy"))
    code = models.SlugField(_("code"), max_length=40)
    day = models.SmallIntegerField(
        _("day"), help_text=_("days after the oldest due date; below zero is before it")
    )
    channel = models.CharField(_("channel"), max_length=8, choices=CHANNELS)
    template = models.CharField(_("message template"), max_length=60, blank=True)
    stage = models.CharField(_("stage"), max_length=16, choices=Stage, default=Stage.REMINDING)
    min_amount = fields.money(_("smallest overdue amount"))

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ["strategy", "day", "code"]
        constraints = [
            models.UniqueConstraint(fields=["strategy", "code"], name="step_code_once"),
            models.CheckConstraint(
                condition=Q(channel__in=["CALL", "SMS", "EMAIL", "LETTER", "IN_APP", "VISIT", "LEGAL"]),
                name="step_channel_known",
            ),
            models.CheckConstraint(condition=Q(stage__in=sorted(Stage.values)), name="step_stage_known"),
            models.CheckConstraint(
                condition=Q(channel__in=["CALL", "VISIT", "LEGAL"]) | ~Q(template=""),
                name="step_message_has_words",
            ),
            fields.not_negative("step", "min_amount"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="frozen_once_live",
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                when=pgtrigger.Before,
                func="""
                    IF EXISTS (
                        SELECT FROM dunning_strategy
                        WHERE id = COALESCE(NEW.strategy_id, OLD.strategy_id) AND state <> 'DRAFT'
                    ) THEN
                        RAISE EXCEPTION 'the steps of a strategy are frozen once it is live'
                            USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN COALESCE(NEW, OLD);
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day:+d} {self.get_channel_display()}"

    def as_plain(self) -> engine.Step:
        return engine.Step(self.code, self.day, self.channel, self.template, self.stage, self.min_amount)
