"""What a score comes from: frozen data, versions of models and policies, and the assessments made."""

from datetime import datetime
from functools import lru_cache
from typing import Any

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models import Application, User
from risk.engine.policy import Rule
from risk.engine.scorecard import Scorecard
from risk.judgment import fingerprint
from risk.models.segment import Segment


def _known_segment(model: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(segment__in=Segment.values), name=f"{model}_segment_known")


def _two_people(model: str) -> models.CheckConstraint:
    """Nobody approves what they made; what the system made needs one person."""
    return models.CheckConstraint(
        condition=Q(approver=None) | Q(author=None) | ~Q(approver=F("author")),
        name=f"{model}_author_is_not_approver",
    )


def _frozen_after_draft(*columns: str) -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name="frozen_after_draft",
        operation=pgtrigger.Update,
        when=pgtrigger.Before,
        condition=pgtrigger.AnyChange(*columns),
        func="""
            IF OLD.state <> 'DRAFT' THEN
                RAISE EXCEPTION 'a version is frozen once it is no draft' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        """,
    )


def _returns_only_as_champion() -> pgtrigger.Trigger:
    """What was retired stays so, unless it was in charge before and somebody signs for it anew."""
    return pgtrigger.Trigger(
        name="returns_only_as_champion",
        operation=pgtrigger.Update,
        when=pgtrigger.Before,
        condition=pgtrigger.Q(old__state="RETIRED") & ~pgtrigger.Q(new__state="RETIRED"),
        func="""
            IF NEW.state <> 'CHAMPION' OR OLD.approved_at IS NULL
                OR NEW.approved_at IS NOT DISTINCT FROM OLD.approved_at THEN
                RAISE EXCEPTION 'a retired model returns only as the champion it was, signed anew'
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        """,
    )


class Dataset(models.Model):
    """The rows a model was trained and tested on: a file that never changes, and what its columns mean."""

    segment = models.CharField(_("segment"), max_length=8, choices=Segment)
    as_of = models.DateTimeField(_("as of"))
    target = models.CharField(_("target"), max_length=300)
    rows = models.PositiveIntegerField(_("rows"))
    bad = models.PositiveIntegerField(_("bad"))
    columns = ArrayField(models.CharField(max_length=60), verbose_name=_("columns"))
    file = models.FileField(_("file"), upload_to="datasets/%Y/%m/")
    sha256 = models.CharField(_("fingerprint"), max_length=64)
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("data set")
        verbose_name_plural = _("data sets")
        ordering = ["-id"]
        constraints = [_known_segment("dataset")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"D{self.pk} · {self.get_segment_display()} · {self.rows}"


class ModelState(models.TextChoices):
    DRAFT = "DRAFT", _("Draft")
    VALIDATED = "VALIDATED", _("Validated")
    CHALLENGER = "CHALLENGER", _("Challenger")
    CHAMPION = "CHAMPION", _("Champion")
    RETIRED = "RETIRED", _("Retired")


class ModelVersion(FSMModelMixin, models.Model):
    """A trained scorecard: its table of points word for word, what it was trained on and how it did."""

    State = ModelState

    segment = models.CharField(_("segment"), max_length=8, choices=Segment)
    version = models.PositiveIntegerField(_("version"))
    state = fields.state(State, State.DRAFT, _("state"))
    dataset = models.ForeignKey(
        Dataset, models.PROTECT, null=True, blank=True, related_name="models", verbose_name=_("data set")
    )
    # Text and not jsonb: the fingerprint is that of these very characters.
    card = models.TextField(_("table of points"))
    sha256 = models.CharField(_("fingerprint"), max_length=64)
    metrics = models.JSONField(_("metrics"), default=dict)
    author = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("author")
    )
    approver = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("approved by")
    )
    created_at = models.DateTimeField(_("created at"))
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True)

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ["segment", "-version"]
        permissions = [("approve_modelversion", _("Can approve models"))]
        constraints = [
            fields.known_states("model_version", ModelState),
            _known_segment("model_version"),
            _two_people("model_version"),
            models.UniqueConstraint(fields=["segment", "version"], name="model_version_once"),
            models.UniqueConstraint(
                fields=["segment"], condition=Q(state="CHAMPION"), name="model_one_champion_per_segment"
            ),
            models.CheckConstraint(
                condition=~Q(state="CHAMPION") | Q(approver__isnull=False), name="model_champion_was_approved"
            ),
        ]
        triggers = [
            _frozen_after_draft("segment", "version", "dataset", "card", "sha256", "metrics", "author"),
            _returns_only_as_champion(),
        ]

    def __str__(self) -> str:
        return f"{self.get_segment_display()} M{self.version}"

    @property
    def scorecard(self) -> Scorecard:
        """The table of points; raises ValueError when it is not the one that was approved."""
        return _scorecard(self.card, self.sha256)

    @transition(field="state", source=State.DRAFT, target=State.VALIDATED)
    def validate(self) -> None:
        """The tests on later data are done and nothing blocks its use."""

    @transition(field="state", source=State.VALIDATED, target=State.CHALLENGER)
    def challenge(self) -> None:
        """It scores in the shadow of the champion."""

    @transition(field="state", source=[State.VALIDATED, State.CHALLENGER], target=State.CHAMPION)
    def promote(self, *, approver: User, at: datetime) -> None:
        """It decides from now on."""
        self.approver, self.approved_at = approver, at

    @transition(field="state", source=State.RETIRED, target=State.CHAMPION)
    def reinstate(self, *, approver: User, at: datetime) -> None:
        """It decides again: its successor was found wanting."""
        self.approver, self.approved_at, self.retired_at = approver, at, None

    @transition(
        field="state",
        source=[State.DRAFT, State.VALIDATED, State.CHALLENGER, State.CHAMPION],
        target=State.RETIRED,
    )
    def retire(self, *, at: datetime) -> None:
        """It scores nobody any more; what it decided can still be replayed."""
        self.retired_at = at


@lru_cache(maxsize=32)
def _scorecard(text: str, sha256: str) -> Scorecard:
    card = Scorecard.from_json(text)
    if card.sha256 != sha256:
        raise ValueError("the table of points does not have the fingerprint that was approved")
    return card


class PolicyState(models.TextChoices):
    DRAFT = "DRAFT", _("Draft")
    SHADOW = "SHADOW", _("In the shadow")
    LIVE = "LIVE", _("Live")
    RETIRED = "RETIRED", _("Retired")


class PolicyVersion(FSMModelMixin, models.Model):
    """The rules and the limits by grade that decide for one segment."""

    State = PolicyState

    segment = models.CharField(_("segment"), max_length=8, choices=Segment)
    version = models.PositiveIntegerField(_("version"))
    state = fields.state(State, State.DRAFT, _("state"))
    rules = models.JSONField(
        _("rules"), default=list, help_text=_("code, kind, expression and reason of each")
    )
    matrix = models.JSONField(_("limits by grade"), default=dict)
    note = models.CharField(_("what changed, and why"), max_length=300, blank=True)
    author = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("author")
    )
    approver = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("approved by")
    )
    created_at = models.DateTimeField(_("created at"))
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True)

    class Meta:
        verbose_name = _("policy")
        verbose_name_plural = _("policies")
        ordering = ["segment", "-version"]
        permissions = [("approve_policyversion", _("Can approve policies"))]
        constraints = [
            fields.known_states("policy_version", PolicyState),
            _known_segment("policy_version"),
            _two_people("policy_version"),
            models.UniqueConstraint(fields=["segment", "version"], name="policy_version_once"),
            models.UniqueConstraint(
                fields=["segment"], condition=Q(state="LIVE"), name="policy_one_live_per_segment"
            ),
            # The first policy ships with the system and has neither author nor approver.
            models.CheckConstraint(
                condition=~Q(state="LIVE") | Q(approver__isnull=False) | Q(author=None),
                name="policy_live_was_approved",
            ),
        ]
        triggers = [_frozen_after_draft("segment", "version", "rules", "matrix", "author")]

    def __str__(self) -> str:
        return f"{self.get_segment_display()} P{self.version}"

    @property
    def compiled_rules(self) -> list[Rule]:
        return [Rule(**rule) for rule in self.rules]

    @property
    def sha256(self) -> str:
        """The fingerprint of rules and matrix: a version that was changed behind our back shows."""
        return fingerprint([self.segment, self.version, self.rules, self.matrix])

    @transition(field="state", source=State.DRAFT, target=State.SHADOW)
    def shadow(self) -> None:
        """It answers beside the live policy and decides nothing."""

    @transition(field="state", source=State.SHADOW, target=State.LIVE)
    def go_live(self, *, approver: User | None, at: datetime) -> None:
        """It decides from now on."""
        self.approver, self.approved_at = approver, at

    @transition(field="state", source=[State.DRAFT, State.SHADOW, State.LIVE], target=State.RETIRED)
    def retire(self, *, at: datetime) -> None:
        """It decides nothing any more; what it decided can still be replayed."""
        self.retired_at = at


class Assessment(models.Model):
    """One judgment of one application, with all it was made from, so that it replays to the same answer."""

    class Outcome(models.TextChoices):
        APPROVE = "APPROVE", _("Approve")
        REFER = "REFER", _("Refer to an officer")
        DECLINE = "DECLINE", _("Decline")

    application = models.OneToOneField(
        Application, models.PROTECT, related_name="assessment", verbose_name=_("application")
    )
    as_of = models.DateTimeField(_("facts as of"))
    inputs = models.JSONField(_("facts"))
    model = models.ForeignKey(
        ModelVersion, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("model")
    )
    policy = models.ForeignKey(
        PolicyVersion, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("policy")
    )
    score = models.FloatField(_("score"), null=True, blank=True)
    pd = models.FloatField(_("probability of default"), null=True, blank=True)
    grade = models.CharField(_("grade"), max_length=2, blank=True)
    outcome = models.CharField(_("outcome"), max_length=8, choices=Outcome)
    reasons = ArrayField(models.CharField(max_length=60), verbose_name=_("reasons"), default=list, blank=True)
    limit = fields.money(_("limit"), null=True, blank=True, default=None)
    # The price, where the policy sets one; else the product's own.
    annual_rate = fields.rate(_("annual rate"), null=True, blank=True, default=None)
    fee_rate = fields.rate(_("fee rate per instalment"), null=True, blank=True, default=None)
    trace = models.JSONField(_("how it came about"), default=list)
    # SHA-256 of the inputs, the model, the policy and the answer as they were; `manage.py replay_decision` compares.
    fingerprints = models.JSONField(_("fingerprints"), default=dict)
    # What challengers and policies in the shadow would have said; it decided nothing.
    shadow = models.JSONField(_("in the shadow"), default=list)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("assessment")
        verbose_name_plural = _("assessments")
        ordering = ["-id"]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.application} · {self.get_outcome_display()}"

    @property
    def customer_id(self) -> int:
        return self.application.customer_id

    @property
    def features(self) -> dict[str, Any]:
        return self.inputs["features"]
