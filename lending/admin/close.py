"""The business date and the daily close: what is done, what is to do, and the button."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending import clock
from lending.admin.base import Acting, ReadOnlyAdmin, ServiceAdmin, service_action
from lending.fields import ZERO
from lending.models import BusinessDate, DayClose
from lending.selectors import ledger
from lending.services import close
from lending.services.steps import name_of


@admin.register(BusinessDate)
class BusinessDateAdmin(ServiceAdmin):
    """One row: its list is the page of the daily close."""

    change_list_template = "admin/day_close.html"
    list_display = ["date"]
    actions_list = ["close_day"]

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        return super().changelist_view(request, _page() | (extra_context or {}))

    @service_action(
        _("Close the day"),
        permission="lending.change_businessdate",
        icon="event_available",
        variant=ActionVariant.PRIMARY,
        confirm=_("Every step that is not done runs now, in order; then the next business date opens."),
    )
    def close_day(self, _none: None, data: dict[str, Any], acting: Acting) -> Any:
        day = close.close_day(at=clock.closing(), watch=clock.wall)
        return _("%(day)s is closed; the books are on %(next)s.") % {"day": day, "next": clock.today()}


def _page() -> dict[str, Any]:
    """The open day with its steps, and the days closed last."""
    on = BusinessDate.objects.values_list("date", flat=True).first()
    done = {row.step: row for row in DayClose.objects.filter(date=on, state=DayClose.State.DONE)}
    return {
        "title": _("Day close"),
        "on": on,
        "steps": [(name_of(path), done.get(path)) for path in settings.CLOSE_STEPS],
        "latest": [
            (row.date, name_of(row.step), row.rows, row.finished_at)
            for row in DayClose.objects.exclude(date=on)[: 2 * len(settings.CLOSE_STEPS)]
        ],
        "difference": sum((abs(tie.difference) for tie in ledger.tie_out()), ZERO),
        "balance": sum((account.balance for account in ledger.trial_balance()), ZERO),
    }


@admin.register(DayClose)
class DayCloseAdmin(ReadOnlyAdmin):
    list_display = ["date", "words", "shard", "state", "rows", "started_at", "finished_at"]
    list_filter = [("date", RangeDateFilter), "state", "step"]
    date_hierarchy = "date"
    fields = [
        *(
            "date",
            "words",
            "step",
            "shard",
            "shards",
            "first_id",
            "last_id",
            "state",
            "rows",
            "attempt",
            "error",
        ),
        *("started_at", "finished_at"),
    ]
    readonly_fields = ["words"]

    @display(description=_("step"), ordering="step")
    def words(self, row: DayClose) -> Any:
        return name_of(row.step)
