"""The books: accounts, the trial balance and the journal. Nobody changes them, not even here."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import display

from lending.admin.base import ReadOnlyAdmin
from lending.admin.export import ExportAdmin, columns
from lending.admin.parts import Section, money, record_link
from lending.fields import ZERO
from lending.models import JournalEntry, JournalLine

STATEMENT_LINES = 200


@admin.register(JournalEntry)
class JournalEntryAdmin(ExportAdmin, ReadOnlyAdmin):
    list_display = ["number", "booked_on", "value_on", "memo", "product", "amount"]
    list_filter = [("booked_on", RangeDateFilter), ("product", RelatedDropdownFilter)]
    list_select_related = ["product"]
    search_fields = ["=id", "key", "memo"]
    date_hierarchy = "booked_on"
    resource_classes = [columns(JournalEntry, "id", "booked_on", "value_on", "key", "memo", "product")]
    fields = ["booked_on", "value_on", "key", "memo", "product", "transaction_link"]
    readonly_fields = ["transaction_link"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[JournalEntry]:
        lines = JournalLine.objects.filter(amount__gt=0)
        return super().get_queryset(request).prefetch_related(Prefetch("lines", lines, to_attr="debits"))

    @display(description=_("entry"), ordering="pk")
    def number(self, entry: JournalEntry) -> str:
        return f"J{entry.pk:08d}"

    @display(description=_("amount"))
    def amount(self, entry: Any) -> str:
        return money(sum((line.amount for line in entry.debits), ZERO))

    @display(description=_("transaction"))
    def transaction_link(self, entry: JournalEntry) -> Any:
        return record_link(entry.transaction)

    def sections(self, request: HttpRequest, record: JournalEntry) -> Iterable[Section]:
        yield Section(
            _("Lines"),
            [_("Account"), _("Loan"), _("Debit"), _("Credit")],
            [
                (
                    record_link(row.account),
                    record_link(row.loan),
                    money(row.amount) if row.amount > 0 else "",
                    money(-row.amount) if row.amount < 0 else "",
                )
                for row in record.lines.select_related("account", "loan")
            ],
            permission="lending.view_journalline",
        )


@admin.register(JournalLine)
class JournalLineAdmin(ExportAdmin, ReadOnlyAdmin):
    list_display = ["entry", "booked_on", "account", "loan", "amount"]
    list_filter = [("account", RelatedDropdownFilter), ("entry__booked_on", RangeDateFilter)]
    list_select_related = ["entry", "account", "loan"]
    search_fields = ["=loan__id", "=entry__id"]
    ordering = ["-id"]
    resource_classes = [columns(JournalLine, "id", "entry", "entry__booked_on", "account", "loan", "amount")]
    fields = ["entry", "account", "loan", "amount"]

    @display(description=_("booked on"), ordering="entry__booked_on")
    def booked_on(self, row: JournalLine) -> date:
        return row.entry.booked_on
