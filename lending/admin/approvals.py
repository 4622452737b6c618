"""The inbox of the second person: what one asked for, another allows or refuses."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending.admin import timeline
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.forms import ActionForm
from lending.admin.parts import Section, record_link, state_label
from lending.models import (
    AccountingPeriod,
    Application,
    ApprovalRequest,
    CreditLine,
    Loan,
    Product,
    Transaction,
    UnappliedMoney,
)
from lending.services import approvals
from lending.services import commands as _commands  # noqa: F401  (so that every command has its name here)

CHECK = "lending.check_approval"
# What a payload's ids are about.
SUBJECTS = {
    "application_id": Application,
    "period_id": AccountingPeriod,
    "line_id": CreditLine,
    "loan_id": Loan,
    "product_id": Product,
    "transaction_id": Transaction,
    "unapplied_id": UnappliedMoney,
}


def _pending(request: ApprovalRequest) -> bool:
    return request.state == ApprovalRequest.State.PENDING


class RemarkForm(ActionForm):
    remark = forms.CharField(label=_("Remark"), max_length=300, widget=forms.Textarea)


class AllowForm(ActionForm):
    remark = forms.CharField(label=_("Remark"), max_length=300, required=False, widget=forms.Textarea)


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ServiceAdmin):
    list_display = [
        "number",
        "what",
        "state_",
        "customer_link",
        "amount",
        "reason",
        "maker",
        "made_at",
        "expires_on",
    ]
    list_filter = [("state", ChoicesDropdownFilter), "command", ("made_at", RangeDateFilter)]
    list_select_related = ["customer", "maker"]
    search_fields = ["=id", "reason", "customer__name", "maker__username"]
    date_hierarchy = "made_at"
    fields = [
        *("what", "state_", "customer_link", "amount", "reason", "maker", "made_at", "expires_on", "checker"),
        *("checked_at", "remark"),
    ]
    readonly_fields = ["what", "state_", "customer_link"]
    actions_detail = ["approve", "reject", "withdraw"]

    @display(description=_("request"), ordering="pk")
    def number(self, request: ApprovalRequest) -> str:
        return str(request)

    @display(description=_("what"), ordering="command")
    def what(self, request: ApprovalRequest) -> Any:
        known = approvals.COMMANDS.get(request.command)
        return known.label if known else request.command

    @display(description=_("state"), ordering="state")
    def state_(self, request: ApprovalRequest) -> Any:
        return state_label(request)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, request: ApprovalRequest) -> Any:
        return record_link(request.customer)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """To the maker the request can only be taken back, to all others only be decided."""
        record = self.get_object(request, str(object_id))
        own = record is not None and record.maker_id == request.user.pk
        actions = super().get_actions_detail(request, object_id)
        return [action for action in actions if (action.path == "withdraw") == own]

    def sections(self, request: HttpRequest, record: ApprovalRequest) -> Iterable[Section]:
        rows = [(_name(name), _value(name, value)) for name, value in record.payload.items() if name != "key"]
        yield Section(_("What will be done"), rows=rows, facts=True)

    @service_action(
        _("Approve"),
        permission=CHECK,
        form=AllowForm,
        available=_pending,
        icon="check",
        variant=ActionVariant.SUCCESS,
        confirm=_("It is done at once, in your name as the second person."),
    )
    def approve(self, request: ApprovalRequest, data: dict[str, Any], acting: Acting) -> Any:
        approvals.approve(request_id=request.pk, remark=data["remark"], **acting.day)
        return _("Approved and done.")

    @service_action(
        _("Reject"),
        permission=CHECK,
        form=RemarkForm,
        available=_pending,
        icon="close",
        variant=ActionVariant.DANGER,
    )
    def reject(self, request: ApprovalRequest, data: dict[str, Any], acting: Acting) -> Any:
        approvals.reject(request_id=request.pk, remark=data["remark"], **acting.moment)
        return _("Rejected.")

    @service_action(_("Withdraw"), permission="lending.add_approvalrequest", available=_pending, icon="undo")
    def withdraw(self, request: ApprovalRequest, data: dict[str, Any], acting: Acting) -> Any:
        approvals.withdraw(request_id=request.pk, **acting.moment)
        return _("Taken back.")


def _name(name: str) -> str:
    return SUBJECTS[name]._meta.verbose_name if name in SUBJECTS else timeline.name_of(name)


def _value(name: str, value: Any) -> Any:
    return record_link(SUBJECTS[name](pk=value)) if name in SUBJECTS else timeline.text_of(name, value)
