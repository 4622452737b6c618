"""Customers who ask for help with a loan."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.forms import ActionForm
from lending.admin.parts import record_link, state_label
from lending.models import ReliefRequest
from lending.services import restructure


class AnswerForm(ActionForm):
    answer = forms.CharField(
        label=_("Answer to the customer"), max_length=300, widget=forms.Textarea, help_text=_("They read it.")
    )


@admin.register(ReliefRequest)
class ReliefRequestAdmin(ServiceAdmin):
    """A request is granted by restructuring its loan: the buttons are on the loan's page."""

    list_display = ["number", "state_", "customer_link", "loan_link", "reason", "wish", "asked_at"]
    list_filter = [("state", ChoicesDropdownFilter), "reason", "wish", ("asked_at", RangeDateFilter)]
    list_select_related = ["customer", "loan"]
    search_fields = ["=id", "=loan__id", "customer__name"]
    date_hierarchy = "asked_at"
    fields = [
        *("state_", "customer_link", "loan_link", "reason", "wish", "words", "asked_at", "answered_at"),
        *("answered_by", "answer"),
    ]
    readonly_fields = ["state_", "customer_link", "loan_link"]
    actions_detail = ["decline"]

    @display(description=_("request"), ordering="pk")
    def number(self, request: ReliefRequest) -> str:
        return str(request)

    @display(description=_("state"), ordering="state")
    def state_(self, request: ReliefRequest) -> Any:
        return state_label(request)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, request: ReliefRequest) -> Any:
        return record_link(request.customer)

    @display(description=_("loan"))
    def loan_link(self, request: ReliefRequest) -> Any:
        return record_link(request.loan)

    @service_action(
        _("Decline"),
        permission="lending.change_reliefrequest",
        form=AnswerForm,
        available=lambda request: request.state == ReliefRequest.State.OPEN,
        icon="close",
        variant=ActionVariant.DANGER,
    )
    def decline(self, request: ReliefRequest, data: dict[str, Any], acting: Acting) -> Any:
        restructure.decline_relief(request_id=request.pk, answer=data["answer"], **acting.moment)
        return _("Declined. The customer is told.")
