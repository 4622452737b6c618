"""The monthly readings of models: what tripped, and what an analyst says to it."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.forms import ActionForm
from lending.admin.parts import Section, link, record_link
from risk.admin import model_sections as sections
from risk.models import Reading
from risk.services import monitoring

ANSWER = "risk.answer_reading"


class AnswerForm(ActionForm):
    answer = forms.CharField(
        label=_("What is behind it, and what is done"), widget=forms.Textarea, max_length=500
    )


class Answered(admin.SimpleListFilter):
    title = _("alarm")
    parameter_name = "alarm"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("not answered")), ("answered", _("answered"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "open":
            return queryset.exclude(level=Reading.Level.STABLE).filter(answered_at=None)
        return queryset.exclude(answered_at=None) if self.value() == "answered" else queryset


@admin.register(Reading)
class ReadingAdmin(ServiceAdmin):
    list_display = ["month_", "model", "level_", "decisions", "psi_", "matured", "auc_", "ks_", "answered_by"]
    list_filter = [
        ("level", ChoicesDropdownFilter),
        Answered,
        ("model", RelatedDropdownFilter),
        ("model__segment", ChoicesDropdownFilter),
    ]
    list_select_related = ["model", "answered_by"]
    fields = [
        *("month_", "model_link", "level_", "alarms", "decisions", "psi_", "matured", "bad", "auc_", "ks_"),
        *("at", "answer", "answered_by", "answered_at"),
    ]
    readonly_fields = ["month_", "model_link", "level_", "alarms", "psi_", "auc_", "ks_"]
    actions_detail = ["reply"]

    @display(description=_("month"), ordering="month")
    def month_(self, reading: Reading) -> str:
        return date_format(reading.month, "YEAR_MONTH_FORMAT")

    @display(description=_("model"))
    def model_link(self, reading: Reading) -> Any:
        return record_link(reading.model)

    @display(description=_("verdict"), ordering="level")
    def level_(self, reading: Reading) -> Any:
        return sections.level_label(reading.level)

    @display(description=_("alarms"))
    def alarms(self, reading: Reading) -> str:
        told = (f"{sections.figure_words(one['figure'])} {one['value']:.3f}" for one in reading.alarms)
        return ", ".join(told) or "–"

    @display(description=_("PSI of the score"), ordering="psi")
    def psi_(self, reading: Reading) -> str:
        return sections.number(reading.psi)

    @display(description=_("AUC on known ends"), ordering="auc")
    def auc_(self, reading: Reading) -> str:
        return sections.number(reading.auc)

    @display(description=_("KS on known ends"), ordering="ks")
    def ks_(self, reading: Reading) -> str:
        return sections.number(reading.ks)

    def sections(self, request: HttpRequest, record: Reading) -> Iterable[Section]:
        page = reverse("admin:risk_modelversion_monitoring", args=[record.model_id])
        yield Section(_("All months of this model"), links=[link(_("Charts and tables"), page)])
        yield from sections.reading(record)

    @service_action(
        _("Answer the alarm"),
        permission=ANSWER,
        form=AnswerForm,
        available=lambda reading: reading.level != Reading.Level.STABLE and not reading.answered_at,
        icon="reply",
    )
    def reply(self, reading: Reading, data: dict[str, Any], acting: Acting) -> Any:
        monitoring.answer(reading_id=reading.pk, text=data["answer"], **acting.moment)
        return _("The answer is kept.")
