"""What the daily close has done, and what it had to leave undone."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields
from lending.models.loan import Loan
from lending.models.user import User


class DayCloseState(models.TextChoices):
    WAITING = "WAITING", _("Waiting")
    RUNNING = "RUNNING", _("Running")
    DONE = "DONE", _("Done")
    FAILED = "FAILED", _("Failed")


class DayClose(FSMModelMixin, models.Model):
    """One step of one daily close over one range of loans: the queue that workers claim from, and the run log.

    The row is marked done in the transaction of the work itself, so a second run finds nothing to do. Who works on a
    row holds its lock; a row that says it is running and is not locked belonged to a worker that died, and anybody
    may take it.
    """

    State = DayCloseState

    date = models.DateField(_("business date"))
    step = models.CharField(_("step"), max_length=64)
    shard = models.PositiveSmallIntegerField(_("shard"), default=1)
    shards = models.PositiveSmallIntegerField(_("shards"), default=1)
    first_id = models.BigIntegerField(_("from loan"), default=0)
    last_id = models.BigIntegerField(_("to loan"), default=models.BigIntegerField.MAX_BIGINT)
    state = fields.state(DayCloseState, DayCloseState.WAITING, _("state"))
    rows = models.PositiveIntegerField(_("rows"), default=0)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    error = models.CharField(_("error"), max_length=500, blank=True)
    # By the clock of whoever ran it, for people to watch; nothing is decided by it.
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("step of a close")
        verbose_name_plural = _("steps of the closes")
        ordering = ["-date", "id"]
        constraints = [
            fields.known_states("day_close", DayCloseState),
            models.UniqueConstraint(fields=["date", "step", "shard"], name="day_close_once"),
            models.CheckConstraint(
                condition=Q(shard__gte=1, shard__lte=models.F("shards")), name="day_close_shard_fits"
            ),
        ]
        indexes = [models.Index(fields=["date"], condition=~Q(state="DONE"), name="day_close_undone")]

    def __str__(self) -> str:
        return f"{self.date} {self.step} {self.shard}/{self.shards}"

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it has not finished."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @transition(
        field="state", source=[DayCloseState.WAITING, DayCloseState.RUNNING], target=DayCloseState.RUNNING
    )
    def start(self, *, at: datetime) -> None:
        """A worker takes it, perhaps from one that died."""
        self.attempt += 1
        self.started_at, self.finished_at, self.error = at, None, ""

    @transition(field="state", source=DayCloseState.RUNNING, target=DayCloseState.DONE)
    def finish(self, *, rows: int, at: datetime) -> None:
        """The work and this word of it commit together."""
        self.rows, self.finished_at = rows, at

    @transition(field="state", source=DayCloseState.RUNNING, target=DayCloseState.FAILED)
    def fail(self, *, error: str, at: datetime) -> None:
        """It was rolled back; somebody has to look, or to try again."""
        self.error, self.finished_at = error[:500], at

    @transition(field="state", source=DayCloseState.FAILED, target=DayCloseState.WAITING)
    def retry(self) -> None:
        """Anybody may take it once more."""


class CloseExceptionState(models.TextChoices):
    OPEN = "OPEN", _("Open")
    RESOLVED = "RESOLVED", _("Resolved")


class CloseException(FSMModelMixin, models.Model):
    """A loan that a step of the close could not deal with: set aside, so that the others go on.

    While it is open, the steps that go over loans leave this loan out.
    """

    State = CloseExceptionState

    loan = models.ForeignKey(Loan, models.PROTECT, related_name="+", verbose_name=_("loan"))
    step = models.CharField(_("step"), max_length=64)
    date = models.DateField(_("business date"))
    reason = models.CharField(_("reason"), max_length=500)
    state = fields.state(CloseExceptionState, CloseExceptionState.OPEN, _("state"))
    opened_at = models.DateTimeField(_("opened at"))
    attempts = models.PositiveSmallIntegerField(_("tries since"), default=0)
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)
    resolved_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("resolved by")
    )
    note = models.CharField(_("note"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("loan set aside")
        verbose_name_plural = _("loans set aside")
        ordering = ["-id"]
        constraints = [
            fields.known_states("close_exception", CloseExceptionState),
            models.UniqueConstraint(
                fields=["loan", "step"], condition=Q(state="OPEN"), name="close_exception_open_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.loan} · {self.date}"

    @transition(field="state", source=CloseExceptionState.OPEN, target=CloseExceptionState.RESOLVED)
    def resolve(self, *, by: User | None, at: datetime, note: str) -> None:
        """The steps take the loan in again."""
        self.resolved_by, self.resolved_at, self.note = by, at, note[:300]
