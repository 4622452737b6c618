"""What the platform and the companies told us: read only."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RangeDateTimeFilter
from unfold.decorators import display

from lending.admin.base import ReadOnlyAdmin
from lending.admin.parts import Section, money, record_link
from risk.daysums import SUMS
from risk.models import CustomerDay, FinancialStatement, PlatformEvent
from risk.models.company import FIGURES


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


@admin.register(FinancialStatement)
class FinancialStatementAdmin(ReadOnlyAdmin):
    list_display = ["company_link", "year", "revenue", "net_profit", "filed_at"]
    list_select_related = ["company"]
    search_fields = ["company__name", "=company__platform_ref"]
    fields = ["company_link", "year", "filed_at", "filed_by"]
    readonly_fields = ["company_link"]

    @display(description=_("company"), ordering="company__name")
    def company_link(self, record: FinancialStatement) -> Any:
        return record_link(record.company)

    @display(description=FIGURES["revenue"])
    def revenue(self, record: FinancialStatement) -> str:
        return money(record.figures.get("revenue"))

    @display(description=FIGURES["net_profit"])
    def net_profit(self, record: FinancialStatement) -> str:
        return money(record.figures.get("net_profit"))

    def sections(self, request: HttpRequest, record: FinancialStatement) -> Iterable[Section]:
        yield figures_section(record)


def figures_section(record: FinancialStatement) -> Section:
    rows = [(words, money(record.figures.get(name))) for name, words in FIGURES.items()]
    return Section(_("Figures of %(year)s") % {"year": record.year}, rows=rows, facts=True)
