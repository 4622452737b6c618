"""Higher limits that customers may take or leave."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RangeNumericFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import ReasonForm
from lending.admin.parts import Section, money, percent, record_link, state_label
from lending.models import LimitOffer
from lending.services import limit_offers

STEER, CHECK = "lending.steer_line", "lending.check_approval"


def _proposed(offer: LimitOffer) -> bool:
    return offer.state == LimitOffer.State.PROPOSED


def _open(offer: LimitOffer) -> bool:
    return offer.state in LimitOffer.OPEN


@admin.register(LimitOffer)
class LimitOfferAdmin(ExportAdmin, ServiceAdmin):
    list_display = [
        "line_link",
        "state_",
        "customer_link",
        "before",
        "to",
        "made_on",
        "expires_on",
        "decided_at",
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("to", RangeNumericFilter),
        ("made_on", RangeDateFilter),
        ("expires_on", RangeDateFilter),
    ]
    list_select_related = ["line", "customer"]
    search_fields = ["=id", "=line__id", "customer__name", "customer__platform_ref"]
    date_hierarchy = "made_on"
    resource_classes = [
        columns(
            LimitOffer,
            *("id", "line", "customer__name", "state", "before", "to", "made_on", "expires_on", "decided_at"),
        )
    ]
    fields = [
        *("line_link", "customer_link", "state_", "before", "to", "made_on", "expires_on"),
        *("decided_at", "decided_by"),
    ]
    readonly_fields = ["line_link", "customer_link", "state_"]
    actions_detail = ["release", "withdraw"]

    @display(description=_("line"), ordering="line")
    def line_link(self, offer: LimitOffer) -> Any:
        return record_link(offer.line)

    @display(description=_("state"), ordering="state")
    def state_(self, offer: LimitOffer) -> Any:
        return state_label(offer)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, offer: LimitOffer) -> Any:
        return record_link(offer.customer)

    def sections(self, request: HttpRequest, record: LimitOffer) -> Iterable[Section]:
        yield Section(
            _("Cost as the customer saw it"),
            [_("Instalments"), _("First"), _("In all"), _("Cost"), _("A year")],
            [
                (
                    plan["tenor"],
                    money(plan["instalment"]),
                    money(plan["total"]),
                    money(plan["cost"]),
                    percent(plan["annual_cost"]),
                )
                for plan in record.shown
            ],
        )

    @service_action(
        _("Let it out"),
        permission=CHECK,
        available=_proposed,
        icon="send",
        confirm=_("The customer is told, and may take it or leave it."),
    )
    def release(self, offer: LimitOffer, data: dict[str, Any], acting: Acting) -> Any:
        limit_offers.release(offer_id=offer.pk, **acting.day)
        return _("The offer is out.")

    @service_action(
        _("Withdraw"),
        permission=STEER,
        form=ReasonForm,
        available=_open,
        icon="undo",
        variant=ActionVariant.DANGER,
    )
    def withdraw(self, offer: LimitOffer, data: dict[str, Any], acting: Acting) -> Any:
        limit_offers.withdraw(offer_id=offer.pk, reason=data["reason"], **acting.moment)
        return _("The offer is withdrawn.")
