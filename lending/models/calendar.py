import datetime

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMModelMixin, transition

from lending import fields


class BusinessDate(models.Model):
    """The day the books are on. One row; it moves forward only, when a day has been closed."""

    only = models.BooleanField(primary_key=True, default=True)
    date = models.DateField(_("business date"))

    class Meta:
        verbose_name = _("business date")
        verbose_name_plural = _("business date")
        constraints = [
            models.CheckConstraint(condition=models.Q(only=True), name="business_date_single_row"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="never_backwards",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func="""
                    IF NEW.date < OLD.date THEN
                        RAISE EXCEPTION 'the business date never goes back' USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return self.date.isoformat()

    @classmethod
    def current(cls) -> datetime.date:
        """The open business date; raises `BusinessDate.DoesNotExist` before the books are opened."""
        return cls.objects.values_list("date", flat=True).get()

    def advance(self) -> None:
        self.date += datetime.timedelta(days=1)


class BusinessDayState(models.TextChoices):
    OPEN = "OPEN", _("Open")
    CLOSING = "CLOSING", _("Closing")
    CLOSED = "CLOSED", _("Closed")


class BusinessDay(FSMModelMixin, models.Model):
    """One day of the books: whether it is open, being closed, or closed, and whether people work on it.

    The books are closed on every day of the calendar; that a day is a holiday is kept for what counts working days.
    """

    State = BusinessDayState

    date = models.DateField(_("business date"), primary_key=True)
    state = fields.state(BusinessDayState, BusinessDayState.OPEN, _("state"))
    working = models.BooleanField(_("working day"), default=True)
    holiday = models.CharField(_("holiday"), max_length=120, blank=True)
    # The moment that every step of the close takes for now, also after a kill: so a resumed close does the same.
    closing_at = models.DateTimeField(_("closing since"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("business day")
        verbose_name_plural = _("business days")
        ordering = ["-date"]
        constraints = [
            fields.known_states("business_day", BusinessDayState),
            models.UniqueConstraint(
                fields=["state"], condition=~models.Q(state="CLOSED"), name="business_day_one_open"
            ),
        ]

    def __str__(self) -> str:
        return self.date.isoformat()

    @transition(field="state", source=BusinessDayState.OPEN, target=BusinessDayState.CLOSING)
    def start_closing(self, *, at: datetime.datetime) -> None:
        """The steps of the close begin."""
        self.closing_at = at

    @transition(field="state", source=BusinessDayState.CLOSING, target=BusinessDayState.CLOSED)
    def close(self, *, at: datetime.datetime) -> None:
        """Every step is done."""
        self.closed_at = at
