import datetime

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _


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


class DayClose(models.Model):
    """One step of the daily close, done: the proof that it ran, and what makes a second run a no-op."""

    date = models.DateField(_("business date"))
    step = models.CharField(_("step"), max_length=64)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    finished_at = models.DateTimeField(_("finished at"))

    class Meta:
        verbose_name = _("closed step")
        verbose_name_plural = _("closed steps")
        ordering = ["-date", "id"]
        constraints = [models.UniqueConstraint(fields=["date", "step"], name="day_close_once")]

    def __str__(self) -> str:
        return f"{self.date} {self.step}"
