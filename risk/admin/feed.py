"""What the platform told us: read only."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RangeDateTimeFilter
from unfold.decorators import display

from lending.admin.base import ReadOnlyAdmin
from lending.admin.parts import record_link
from risk.daysums import SUMS
from risk.models import CustomerDay, PlatformEvent


class _OfCustomer:
    """A column that leads to the customer."""

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, record: Any) -> Any:
        return record_link(record.customer)


@admin.register(PlatformEvent)
class PlatformEventAdmin(_OfCustomer, ReadOnlyAdmin):
    list_display = ["at", "kind", "customer_link", "order_ref", "amount", "source", "received_at"]
    list_filter = [("kind", ChoicesDropdownFilter), ("at", RangeDateTimeFilter)]
    list_select_related = ["customer"]
    search_fields = ["=external_id", "=order_ref", "=customer__platform_ref"]
    fields = [
        *("customer_link", "kind", "at", "order_ref", "amount", "data"),
        *("source", "external_id", "received_at", "received_from"),
    ]
    readonly_fields = ["customer_link"]


@admin.register(CustomerDay)
class CustomerDayAdmin(_OfCustomer, ReadOnlyAdmin):
    list_display = [
        *("day", "customer_link", "orders", "order_amount", "returns", "return_amount", "cancels"),
        *("deliveries", "late_deliveries", "disputes", "invoices", "invoice_amount"),
    ]
    list_filter = [("day", RangeDateFilter)]
    list_select_related = ["customer"]
    search_fields = ["customer__name", "=customer__platform_ref"]
    fields = ["customer_link", "day", *SUMS]
    readonly_fields = ["customer_link"]
