"""Bills and payments, as they are: only read here."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RangeNumericFilter
from unfold.decorators import display

from lending.admin.base import ReadOnlyAdmin
from lending.admin.export import ExportAdmin, columns
from lending.admin.filters import LatestValuesFilter
from lending.admin.parts import Section, money, record_link, state_label
from lending.fields import ZERO
from lending.models import Payment, Statement


@admin.register(Statement)
class StatementAdmin(ExportAdmin, ReadOnlyAdmin):
    list_display = ["statement_on", "customer_link", "line", "amount", "open", "due_on"]
    list_filter = [
        ("statement_on", RangeDateFilter),
        ("due_on", RangeDateFilter),
        ("amount", RangeNumericFilter),
    ]
    list_select_related = ["customer", "line"]
    search_fields = ["=id", "customer__name", "customer__platform_ref"]
    date_hierarchy = "statement_on"
    resource_classes = [
        columns(Statement, "id", "customer__name", "line", "statement_on", "due_on", "amount")
    ]
    fields = ["customer_link", "line_link", "statement_on", "due_on", "amount", "open"]
    readonly_fields = ["customer_link", "line_link", "open"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Statement]:
        return super().get_queryset(request).annotate(open=Coalesce(Sum("instalments__outstanding"), ZERO))

    @display(description=_("still open"), ordering="open")
    def open(self, bill: Any) -> str:
        return money(bill.open)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, bill: Statement) -> Any:
        return record_link(bill.customer)

    @display(description=_("line"))
    def line_link(self, bill: Statement) -> Any:
        return record_link(bill.line)

    def sections(self, request: HttpRequest, record: Statement) -> Iterable[Section]:
        yield Section(
            _("Instalments"),
            [_("Loan"), _("Number"), _("Due on"), _("Total"), _("Outstanding"), _("Paid on")],
            [
                (
                    record_link(row.loan),
                    row.number,
                    row.due_on,
                    money(row.total),
                    money(row.outstanding),
                    row.paid_on,
                )
                for row in record.instalments.select_related("loan").order_by("due_on", "loan_id")
            ],
            permission="lending.view_instalment",
        )


@admin.register(Payment)
class PaymentAdmin(ExportAdmin, ReadOnlyAdmin):
    list_display = [
        "reference",
        "state_",
        "customer_link",
        "amount",
        "gateway",
        "started_at",
        "finished_at",
        "error",
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("started_at", RangeDateFilter),
        ("gateway", LatestValuesFilter),
    ]
    list_select_related = ["customer"]
    search_fields = ["reference", "customer__name", "customer__platform_ref"]
    date_hierarchy = "started_at"
    resource_classes = [
        columns(
            Payment,
            *("id", "reference", "state", "customer__name", "amount", "gateway", "started_at", "finished_at"),
            "error",
        )
    ]
    fields = [
        *("customer_link", "state_", "amount", "settles_link", "gateway", "reference", "started_at"),
        *("finished_at", "error"),
    ]
    readonly_fields = ["customer_link", "settles_link", "state_"]

    @display(description=_("state"), ordering="state")
    def state_(self, payment: Payment) -> Any:
        return state_label(payment)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, payment: Payment) -> Any:
        return record_link(payment.customer)

    @display(description=_("settles the loan"))
    def settles_link(self, payment: Payment) -> Any:
        return record_link(payment.settles)
