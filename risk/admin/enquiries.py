"""What bureaus and identity checks were asked and said."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import ActionForm
from lending.admin.parts import Section, record_link
from lending.errors import Refused
from lending.models import Customer
from risk.models import Enquiry
from risk.services import enquiries

FIGURES = {
    "score": _("Score of the bureau"),
    "open_accounts": _("Open accounts elsewhere"),
    "overdue_accounts": _("Overdue accounts elsewhere"),
    "enquiries_6m": _("Enquiries in six months"),
}


class AskForm(ActionForm):
    customer = forms.CharField(
        label=_("Customer"), help_text=_("number or platform reference"), max_length=64
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=Enquiry.Kind.choices)


def figures_in_words(figures: dict[str, Any]) -> str:
    return "; ".join(f"{FIGURES.get(name, name)}: {value}" for name, value in figures.items()) or "–"


@admin.register(Enquiry)
class EnquiryAdmin(ExportAdmin, ServiceAdmin):
    list_display = ["asked_at", "kind", "customer_link", "source", "outcome", "figures_", "asked_by"]
    list_filter = [
        ("kind", ChoicesDropdownFilter),
        ("result__outcome", ChoicesDropdownFilter),
        ("asked_at", RangeDateTimeFilter),
    ]
    list_select_related = ["customer", "result", "asked_by"]
    search_fields = ["customer__name", "=customer__platform_ref", "=reference"]
    date_hierarchy = "asked_at"
    resource_classes = [
        columns(Enquiry, *("asked_at", "kind", "customer__name", "source", "consent", "result__outcome"))
    ]
    fields = [
        *("kind", "customer_link", "consent", "source", "licence", "reference", "asked_at", "asked_by"),
        "outcome",
    ]
    readonly_fields = ["customer_link", "outcome"]
    actions_list = ["ask"]

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, enquiry: Enquiry) -> Any:
        return record_link(enquiry.customer)

    @display(description=_("outcome"), ordering="result__outcome")
    def outcome(self, enquiry: Enquiry) -> str:
        return str(enquiry.result) if hasattr(enquiry, "result") else "–"

    @display(description=_("figures"))
    def figures_(self, enquiry: Enquiry) -> str:
        return figures_in_words(enquiry.result.figures) if hasattr(enquiry, "result") else "–"

    def sections(self, request: HttpRequest, record: Enquiry) -> Iterable[Section]:
        found = record.result.figures if hasattr(record, "result") else {}
        rows = [(FIGURES.get(name, name), value) for name, value in found.items()]
        yield Section(_("Answer"), rows=rows, facts=True)

    @service_action(
        _("Ask"),
        permission="risk.ask_source",
        form=AskForm,
        icon="search",
        confirm=_("The customer's consent is checked first, and the enquiry is kept whatever comes of it."),
    )
    def ask(self, record: None, data: dict[str, Any], acting: Acting) -> Any:
        customer = _find(data["customer"])
        result = enquiries.ask(customer_id=customer.pk, kind=data["kind"], **acting.moment)
        return _("Answer: %(outcome)s") % {"outcome": result}


def _find(text: str) -> Customer:
    found = Customer.objects.filter(platform_ref=text.strip()).first()
    if found is None and text.strip().isdigit() and len(text.strip()) < 19:
        found = Customer.objects.filter(pk=int(text)).first()
    if found is None:
        raise Refused("customer", _("There is no such customer."), field="customer")
    return found
