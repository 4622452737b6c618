"""The books: accounts, the trial balance and the journal. Nobody changes them, not even here."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from lending import clock
from lending.admin.base import ReadOnlyAdmin
from lending.admin.export import ExportAdmin, columns
from lending.admin.parts import Section, money, record_link
from lending.fields import ZERO
from lending.models import Account, JournalEntry, JournalLine
from lending.selectors import ledger

STATEMENT_LINES = 200


@admin.register(Account)
class AccountAdmin(ExportAdmin, ReadOnlyAdmin):
    list_display = ["code", "local_name", "kind", "debit", "credit", "balance"]
    list_filter = [("kind", ChoicesDropdownFilter)]
    search_fields = ["code", "name", "name_zh"]
    resource_classes = [columns(Account, "code", "name", "name_zh", "kind")]
    fields = ["code", "name", "name_zh", "kind", "balance"]
    readonly_fields = ["balance"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        return ledger.trial_balance()

    @display(description=_("name"))
    def local_name(self, account: Account) -> str:
        return account.local_name

    @display(description=_("debit"))
    def debit(self, account: Any) -> str:
        return money(account.debit)

    @display(description=_("credit"))
    def credit(self, account: Any) -> str:
        return money(account.credit)

    @display(description=_("balance"))
    def balance(self, account: Any) -> str:
        return money(account.balance)

    def sections(self, request: HttpRequest, record: Account) -> Iterable[Section]:
        yield Section(
            _("Account statement"),
            [_("Booked on"), _("Entry"), _("Loan"), _("Debit"), _("Credit"), _("Balance")],
            [
                (
                    row.entry.booked_on,
                    record_link(row.entry),
                    record_link(row.loan),
                    money(row.amount) if row.amount > 0 else "",
                    money(-row.amount) if row.amount < 0 else "",
                    money(balance),
                )
                for row, balance in ledger.account_statement(record.pk, STATEMENT_LINES)
            ],
            permission="lending.view_journalline",
            note=_("The latest %(count)s lines, newest first.") % {"count": STATEMENT_LINES},
        )

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.trial_balance)
        return [path("trial-balance/", page, name="lending_account_trial_balance"), *super().get_urls()]

    def trial_balance(self, request: HttpRequest) -> HttpResponse:
        """Every account as of a day, with the control accounts against the loans they stand for."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        on = parse_on(request.GET.get("on", "")) or clock.today()
        rows = list(ledger.trial_balance(on))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Trial balance"),
            "on": on,
            "rows": [
                (record_link(row), row.get_kind_display(), row.debit, row.credit, row.balance) for row in rows
            ],
            "debit": sum((row.debit for row in rows), ZERO),
            "credit": sum((row.credit for row in rows), ZERO),
            "balance": sum((row.balance for row in rows), ZERO),
            "ties": ledger.tie_out(),
        }
        return TemplateResponse(request, "admin/trial_balance.html", context)


def parse_on(text: str) -> date | None:
    """The day of a query, None for anything that is no day."""
    try:
        return parse_date(text)
    except ValueError:
        return None


@admin.register(JournalEntry)
class JournalEntryAdmin(ExportAdmin, ReadOnlyAdmin):
    paginator, show_full_result_count = InfinitePaginator, False
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
    paginator, show_full_result_count = InfinitePaginator, False
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
