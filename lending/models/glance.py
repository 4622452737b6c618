from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _


class DayGlance(models.Model):
    """What the first page of the staff shows of the whole book, as the close left it when this day opened."""

    date = models.DateField(_("business date"), primary_key=True)
    figures = models.JSONField(_("figures"), encoder=DjangoJSONEncoder)

    class Meta:
        verbose_name = _("figures of a day")
        verbose_name_plural = _("figures of a day")
        ordering = ["-date"]

    def __str__(self) -> str:
        return str(self.date)
