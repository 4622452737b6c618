"""Direct debits: what customers signed, and what became of each debit and attempt."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import ReasonForm
from lending.admin.parts import Section, money, record_link, state_label
from lending.models import Debit, Mandate
from lending.models.mandate import STANDING
from lending.services import debits, mandates

CHANGE = "lending.change_mandate"


@admin.register(Mandate)
class MandateAdmin(ExportAdmin, ServiceAdmin):
    list_display = [
        "number",
        "state_",
        "customer_link",
        "limit_per_debit",
        "valid_from",
        "valid_to",
        "signed_at",
    ]
    list_filter = [("state", ChoicesDropdownFilter), ("signed_at", RangeDateFilter)]
    list_select_related = ["customer"]
    search_fields = ["=id", "customer__name", "customer__platform_ref"]
    date_hierarchy = "signed_at"
    resource_classes = [
        columns(
            Mandate, "id", "state", "customer__name", "limit_per_debit", "valid_from", "valid_to", "signed_at"
        )
    ]
    fields = [
        *(
            "customer_link",
            "state_",
            "limit_per_debit",
            "valid_from",
            "valid_to",
            "signed_at",
            "text_version",
        ),
        *("ended_at", "reason"),
    ]
    readonly_fields = ["customer_link", "state_"]
    actions_detail = ["suspend", "resume", "revoke"]

    @display(description=_("debit mandate"), ordering="pk")
    def number(self, mandate: Mandate) -> str:
        return str(mandate)

    @display(description=_("state"), ordering="state")
    def state_(self, mandate: Mandate) -> Any:
        return state_label(mandate)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, mandate: Mandate) -> Any:
        return record_link(mandate.customer)

    def sections(self, request: HttpRequest, record: Mandate) -> Iterable[Section]:
        yield Section(
            _("Accounts"),
            [_("Tried as number"), _("Bank"), _("Account number"), _("Closed")],
            [(row.position, row.bank, row.masked_number, row.closed_at) for row in record.accounts.all()],
        )
        yield Section(
            _("Debits"),
            [_("Direct debit"), _("State"), _("Due on"), _("Announced"), _("Collected"), _("Next try on")],
            [
                (
                    record_link(row),
                    state_label(row),
                    row.due_on,
                    money(row.amount),
                    money(row.collected),
                    row.next_on,
                )
                for row in record.debits.all()[:50]
            ],
            permission="lending.view_debit",
        )

    @service_action(
        _("Suspend"),
        permission=CHANGE,
        form=ReasonForm,
        available=lambda mandate: mandate.state == Mandate.State.ACTIVE,
        icon="pause",
        variant=ActionVariant.WARNING,
    )
    def suspend(self, mandate: Mandate, data: dict[str, Any], acting: Acting) -> Any:
        mandates.suspend(mandate_id=mandate.pk, reason=data["reason"], **acting.moment)
        return _("Nothing is taken for now.")

    @service_action(
        _("Resume"),
        permission=CHANGE,
        available=lambda mandate: mandate.state == Mandate.State.SUSPENDED,
        icon="play_arrow",
    )
    def resume(self, mandate: Mandate, data: dict[str, Any], acting: Acting) -> Any:
        mandates.resume(mandate_id=mandate.pk, **acting.moment)
        return _("Debits go on.")

    @service_action(
        _("Revoke"),
        permission=CHANGE,
        form=ReasonForm,
        available=lambda mandate: mandate.state in STANDING,
        icon="block",
        variant=ActionVariant.DANGER,
        confirm=_("The customer is told, and can sign a new one."),
    )
    def revoke(self, mandate: Mandate, data: dict[str, Any], acting: Acting) -> Any:
        mandates.revoke(mandate_id=mandate.pk, reason=data["reason"], **acting.moment)
        return _("The mandate has ended.")


@admin.register(Debit)
class DebitAdmin(ExportAdmin, ServiceAdmin):
    list_display = [
        *("number", "state_", "customer_link", "due_on", "amount", "collected", "next_on", "reason"),
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        ("due_on", RangeDateFilter),
        ("next_on", RangeDateFilter),
    ]
    list_select_related = ["customer"]
    search_fields = ["=id", "customer__name", "customer__platform_ref", "=attempts__reference"]
    date_hierarchy = "due_on"
    resource_classes = [
        columns(Debit, "id", "state", "customer__name", "due_on", "amount", "collected", "next_on", "reason")
    ]
    fields = [
        *("customer_link", "mandate_link", "state_", "due_on", "amount", "collected", "next_on", "reason"),
        *("planned_at", "finished_at"),
    ]
    readonly_fields = ["customer_link", "mandate_link", "state_"]
    actions_detail = ["stop"]

    @display(description=_("direct debit"), ordering="pk")
    def number(self, debit: Debit) -> str:
        return str(debit)

    @display(description=_("state"), ordering="state")
    def state_(self, debit: Debit) -> Any:
        return state_label(debit)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, debit: Debit) -> Any:
        return record_link(debit.customer)

    @display(description=_("debit mandate"))
    def mandate_link(self, debit: Debit) -> Any:
        return record_link(debit.mandate)

    def sections(self, request: HttpRequest, record: Debit) -> Iterable[Section]:
        yield Section(
            _("Attempts"),
            [_("Reference"), _("State"), _("On"), _("Account"), _("Amount"), _("Answer"), _("Payment")],
            [
                (
                    row.reference,
                    state_label(row),
                    row.on,
                    row.account,
                    money(row.amount),
                    row.code,
                    record_link(row.payment),
                )
                for row in record.attempts.select_related("account", "payment")
            ],
        )

    @service_action(
        _("Call off"),
        permission="lending.change_debit",
        available=lambda debit: debit.state == Debit.State.PLANNED,
        icon="block",
        variant=ActionVariant.DANGER,
        confirm=_("Nothing is taken for this due day any more."),
    )
    def stop(self, debit: Debit, data: dict[str, Any], acting: Acting) -> Any:
        debits.stop(debit_id=debit.pk, **acting.moment)
        return _("The debit is called off.")
