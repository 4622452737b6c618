"""The months of the books: which are closed, by whom, and the button."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending.admin import books
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.forms import ReasonForm
from lending.admin.parts import link, state_label
from lending.models import AccountingPeriod
from lending.services import periods

State = AccountingPeriod.State
CHANGE = "lending.change_accountingperiod"


@admin.register(AccountingPeriod)
class AccountingPeriodAdmin(ServiceAdmin):
    list_display = ["month_", "state_", "closed_at", "closed_by", "reports"]
    list_display_links = ["month_"]
    list_filter = [("state", ChoicesDropdownFilter)]
    list_select_related = ["closed_by"]
    fields = ["month_", "last_day", "state_", "closed_at", "closed_by", "reports"]
    readonly_fields = ["month_", "last_day", "state_", "reports"]
    actions_detail = ["close_month", "ask_reopen"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("lending.view_accountingperiod")

    @display(description=_("month"), ordering="month")
    def month_(self, period: AccountingPeriod) -> str:
        return str(period)

    @display(description=_("last day"))
    def last_day(self, period: AccountingPeriod) -> Any:
        return period.last_day

    @display(description=_("state"), ordering="state")
    def state_(self, period: AccountingPeriod) -> Any:
        return state_label(period)

    @display(description=_("Reports"))
    def reports(self, period: AccountingPeriod) -> Any:
        return link(books.TRIAL.title, books.TRIAL.url(since=period.month, on=period.last_day))

    @service_action(
        _("Close the month"),
        permission=CHANGE,
        available=lambda period: period.state == State.OPEN,
        icon="lock",
        variant=ActionVariant.PRIMARY,
        confirm=_("No entry can be dated into this month any more. To open it again takes two people."),
    )
    def close_month(self, period: AccountingPeriod, data: dict[str, Any], acting: Acting) -> Any:
        periods.close_month(period_id=period.pk, **acting.day)
        return _("%(month)s is closed.") % {"month": period}

    @service_action(
        _("Ask to reopen"),
        permission=CHANGE,
        form=ReasonForm,
        available=lambda period: period.state == State.CLOSED,
        icon="lock_open",
        confirm=_("A second person must allow it."),
    )
    def ask_reopen(self, period: AccountingPeriod, data: dict[str, Any], acting: Acting) -> Any:
        periods.ask_reopen(period_id=period.pk, **data, **acting.day)
        return _("Asked: a second person must allow it.")
