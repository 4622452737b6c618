"""Customers: the list, and everything about one of them on one page."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending import clock, fields
from lending.admin import customer_page
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import ActionForm, ReasonForm
from lending.admin.parts import state_label
from lending.models import Customer
from lending.services import customers

State = Customer.State


class RevealForm(ActionForm):
    field = forms.ChoiceField(
        label=_("Show"), choices=[("phone", _("Phone")), ("id_number", _("Identity number"))]
    )


class GroupForm(ReasonForm):
    group = forms.CharField(
        label=_("Group of related parties"),
        max_length=80,
        required=False,
        help_text=_("The same name for all who count as one debtor; empty for none."),
    )
    field_order = ["group", "reason"]

    def prepare(self) -> None:
        self.fields["group"].initial = self.subject.group_name


@admin.register(Customer)
class CustomerAdmin(ExportAdmin, ServiceAdmin):
    """The page is a dossier of its own (customer_page.py); here are the list and the buttons."""

    change_form_template = "admin/customer.html"
    list_display = ["name", "kind", "state_", "platform_ref", "industry", "region", "registered_on"]
    list_filter = [
        ("kind", ChoicesDropdownFilter),
        ("state", ChoicesDropdownFilter),
        ("industry", RelatedDropdownFilter),
        ("registered_on", RangeDateFilter),
    ]
    list_select_related = ["industry"]
    search_fields = ["name", "platform_ref", "email"]
    search_help_text = _("Name, platform reference, e-mail, or a whole phone or identity number")
    date_hierarchy = "registered_on"
    resource_classes = [
        columns(
            Customer, "id", "platform_ref", "kind", "state", "name", "industry", "region", "registered_on"
        )
    ]
    fields = ["name", "kind", "platform_ref"]
    actions_detail = ["reveal", "group", "block", "unblock"]

    @display(description=_("state"), ordering="state")
    def state_(self, customer: Customer) -> Any:
        return state_label(customer)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """Encrypted numbers are found by their fingerprint, so only whole."""
        found, many = super().get_search_results(request, queryset, search_term)
        if len(search_term) >= 7:
            print_ = fields.digest(search_term)
            found |= queryset.filter(id_number_digest=print_) | queryset.filter(phone_digest=print_)
        return found, many

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        customer = self.get_object(request, object_id) if object_id else None
        page = {}
        if customer is not None and self.has_view_permission(request, customer):
            page = {"page": customer_page.build(customer, clock.today(), request.user)}
        return super().changeform_view(request, object_id, form_url, page | (extra_context or {}))

    @service_action(
        _("Reveal"),
        permission="lending.reveal_customer",
        form=RevealForm,
        icon="visibility",
        confirm=_("That you looked is written into the customer's timeline."),
    )
    def reveal(self, customer: Customer, data: dict[str, Any], acting: Acting) -> HttpResponse:
        value = customers.reveal(customer_id=customer.pk, field=data["field"], **acting.moment)
        name = dict(RevealForm.base_fields["field"].choices)[data["field"]]
        # Shown once in this answer, and kept nowhere: a message would travel in a cookie.
        context = {
            **self.admin_site.each_context(acting.request),
            "opts": self.opts,
            "original": customer,
            "title": customer.name,
            "name": name,
            "value": value,
            "back": self.url_after(customer),
        }
        return TemplateResponse(acting.request, "admin/revealed.html", context)

    @service_action(
        _("Group"),
        permission="lending.change_customer",
        form=GroupForm,
        icon="hub",
        confirm=_("Who stands behind whom."),
    )
    def group(self, customer: Customer, data: dict[str, Any], acting: Acting) -> Any:
        customers.put_in_group(customer_id=customer.pk, **data, **acting.moment)
        return _("The group is noted.")

    @service_action(
        _("Block"),
        permission="lending.change_customer",
        form=ReasonForm,
        icon="block",
        variant=ActionVariant.DANGER,
        available=lambda customer: customer.state in (State.PROSPECT, State.ACTIVE),
        confirm=_("No new business with this customer: fraud, sanctions, or their own wish."),
    )
    def block(self, customer: Customer, data: dict[str, Any], acting: Acting) -> Any:
        customers.block(customer_id=customer.pk, reason=data["reason"], **acting.moment)
        return _("The customer is blocked.")

    @service_action(
        _("Unblock"),
        permission="lending.change_customer",
        form=ReasonForm,
        icon="lock_open",
        available=lambda customer: customer.state == State.BLOCKED,
    )
    def unblock(self, customer: Customer, data: dict[str, Any], acting: Acting) -> Any:
        customers.unblock(customer_id=customer.pk, reason=data["reason"], **acting.moment)
        return _("Business goes on as before.")
