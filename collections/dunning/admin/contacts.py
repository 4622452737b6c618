"""Contacts, promises, disputes and stop requests: read here, and answered by buttons."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from dunning.admin.cases import WORK, CallForm, told
from dunning.models import Contact, Dispute, Promise, StopRequest
from dunning.models.strategy import Channel
from dunning.services import contacts, disputes, promises
from dunning.words import rule_in_words
from lending.admin.base import Acting, ReadOnlyAdmin, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import ActionForm
from lending.admin.parts import record_link, state_label


class _OfCustomer(ReadOnlyAdmin):
    """What every list of collections shows of its rows."""

    list_select_related = ["customer"]
    search_fields = ["=id", "customer__name", "customer__platform_ref"]

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, record: Any) -> Any:
        return record_link(record.customer)

    @display(description=_("case"))
    def case_link(self, record: Any) -> Any:
        return record_link(record.case)

    @display(description=_("state"), ordering="state")
    def state_(self, record: Any) -> Any:
        return state_label(record)


def _task(contact: Contact) -> bool:
    return contact.state == Contact.State.PLANNED and contact.channel == Channel.CALL


@admin.register(Contact)
class ContactAdmin(ExportAdmin, _OfCustomer, ServiceAdmin):
    list_display = [
        *(
            "planned_for",
            "customer_link",
            "channel",
            "state_",
            "party",
            "outcome",
            "rule_",
            "step",
            "by",
            "at",
        ),
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("channel", ChoicesDropdownFilter),
        ("outcome", ChoicesDropdownFilter),
        ("party", ChoicesDropdownFilter),
        ("planned_for", RangeDateTimeFilter),
        "rule",
    ]
    list_select_related = ["customer", "by"]
    date_hierarchy = "planned_for"
    resource_classes = [
        columns(
            Contact,
            *("id", "customer__name", "case", "state", "channel", "party", "purpose", "step", "due_on"),
            *("planned_for", "at", "outcome", "connected", "rule", "by__username", "note"),
        )
    ]
    fields = [
        *("customer_link", "case_link", "state_", "channel", "party", "purpose", "step", "due_on", "amount"),
        *("planned_for", "at", "by", "number_masked", "outcome", "connected", "note", "rule_", "rule_params"),
        "notice_link",
    ]
    readonly_fields = ["customer_link", "case_link", "state_", "rule_", "notice_link"]
    actions_detail = ["log_call"]

    @display(description=_("rule that refused"), ordering="rule")
    def rule_(self, contact: Contact) -> str:
        return rule_in_words(contact.rule) if contact.rule else "–"

    @display(description=_("notice"))
    def notice_link(self, contact: Contact) -> Any:
        return record_link(contact.notice)

    @service_action(_("Log this call"), permission=WORK, form=CallForm, available=_task, icon="call")
    def log_call(self, contact: Contact, data: dict[str, Any], acting: Acting) -> Any:
        return told(contacts.log(contact_id=contact.pk, **data, **acting.moment))


def _open(record: Any) -> bool:
    return record.state == "OPEN"


@admin.register(Promise)
class PromiseAdmin(ExportAdmin, _OfCustomer, ServiceAdmin):
    list_display = [
        "due_on",
        "customer_link",
        "amount",
        "state_",
        "received",
        "taken_on",
        "taken_by",
        "judged_on",
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("due_on", RangeDateFilter),
        ("taken_on", RangeDateFilter),
    ]
    list_select_related = ["customer", "taken_by"]
    date_hierarchy = "due_on"
    resource_classes = [
        columns(
            Promise,
            *("id", "customer__name", "case", "state", "amount", "received", "taken_on", "due_on"),
            *("judged_on", "taken_by__username"),
        )
    ]
    fields = [
        *("customer_link", "case_link", "state_", "amount", "due_on", "taken_on", "taken_by", "received"),
        "judged_on",
    ]
    readonly_fields = ["customer_link", "case_link", "state_"]
    actions_detail = ["cancel"]

    @service_action(
        _("Cancel"),
        permission=WORK,
        available=_open,
        icon="cancel",
        variant=ActionVariant.DANGER,
        confirm=_("Another agreement takes its place; the strategy goes on today."),
    )
    def cancel(self, promise: Promise, data: dict[str, Any], acting: Acting) -> Any:
        promises.cancel(promise_id=promise.pk, **acting.day)
        return _("The promise is cancelled.")


class AnswerForm(ActionForm):
    outcome = forms.ChoiceField(
        label=_("Decision"),
        choices=[choice for choice in Dispute.State.choices if choice[0] != Dispute.State.OPEN],
    )
    answer = forms.CharField(label=_("Answer"), max_length=300, widget=forms.Textarea)


@admin.register(Dispute)
class DisputeAdmin(ExportAdmin, _OfCustomer, ServiceAdmin):
    list_display = ["opened_on", "customer_link", "loan_link", "amount", "state_", "answer_by", "resolved_on"]
    list_filter = [("state", ChoicesDropdownFilter), ("answer_by", RangeDateFilter)]
    list_select_related = ["customer", "loan"]
    date_hierarchy = "opened_on"
    resource_classes = [
        columns(
            Dispute,
            *("id", "customer__name", "loan", "state", "amount", "reason", "opened_on", "answer_by"),
            *("resolved_on", "answer"),
        )
    ]
    fields = [
        *("customer_link", "loan_link", "state_", "amount", "whole", "reason", "opened_on", "answer_by"),
        *("resolved_on", "answer"),
    ]
    readonly_fields = ["customer_link", "loan_link", "state_"]
    actions_detail = ["resolve"]

    @display(description=_("loan"))
    def loan_link(self, dispute: Dispute) -> Any:
        return record_link(dispute.loan)

    @service_action(
        _("Answer"), permission="dunning.change_dispute", form=AnswerForm, available=_open, icon="reply"
    )
    def resolve(self, dispute: Dispute, data: dict[str, Any], acting: Acting) -> Any:
        disputes.resolve(dispute_id=dispute.pk, **data, **acting.day)
        return _("The dispute is answered.")


@admin.register(StopRequest)
class StopRequestAdmin(_OfCustomer, ServiceAdmin):
    list_display = ["asked_at", "customer_link", "channel", "note", "lifted_at"]
    list_filter = [("channel", ChoicesDropdownFilter), ("asked_at", RangeDateTimeFilter)]
    fields = ["customer_link", "channel", "note", "asked_at", "lifted_at"]
    readonly_fields = ["customer_link"]
    actions_detail = ["lift"]

    @service_action(
        _("Lift"),
        permission=WORK,
        available=lambda stop: stop.lifted_at is None,
        icon="notifications_active",
        confirm=_("The customer agrees to be contacted this way again."),
    )
    def lift(self, stop: StopRequest, data: dict[str, Any], acting: Acting) -> Any:
        contacts.lift_stop(stop_id=stop.pk, **acting.moment)
        return _("The stop is lifted.")
