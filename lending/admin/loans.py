"""Loans and their transactions: what is owed, why, and what staff may post."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RangeNumericFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending import clock
from lending.admin import timeline
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.classes import ClassifiedAdmin, classification
from lending.admin.export import ExportAdmin, columns
from lending.admin.filters import DaysPastDueFilter
from lending.admin.loan_actions import POST, LoanActions, owing
from lending.admin.loan_forms import ChargebackForm, NotedForm, QuoteForm
from lending.admin.parts import Section, label, money, percent, record_link, state_label
from lending.models import Loan, Transaction
from lending.services import adjust, desk, loans, preview, unapplied


@admin.register(Loan)
class LoanAdmin(LoanActions, ClassifiedAdmin, ExportAdmin, ServiceAdmin):
    list_display = [
        *("number", "state_", "customer_link", "product", "principal_amount", "principal", "past_due"),
        *("class_", "disbursed_on", "matures_on"),
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("asset_class", ChoicesDropdownFilter),
        DaysPastDueFilter,
        ("product__kind", ChoicesDropdownFilter),
        ("principal", RangeNumericFilter),
        ("disbursed_on", RangeDateFilter),
    ]
    list_select_related = ["customer", "product"]
    search_fields = ["=id", "customer__name", "customer__platform_ref"]
    date_hierarchy = "disbursed_on"
    resource_classes = [
        columns(
            Loan,
            *("id", "state", "customer__name", "product__code", "principal_amount", "principal", "interest"),
            *("fee", "penalty", "oldest_due_on", "bucket", "asset_class", "disbursed_on", "matures_on"),
        )
    ]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    *("customer_link", "state_", "product", "line_link", "principal_amount", "cost"),
                    *("disbursed_on", "matures_on", "settled_on", "past_due", "payoff"),
                    "not_paid_out",
                ]
            },
        ),
        (
            _("Position in the books"),
            {"fields": ["principal", "interest", "fee", "penalty", "credit"]},
        ),
        ClassifiedAdmin.CLASSIFICATION,
    ]
    readonly_fields = [
        *("customer_link", "line_link", "state_", "past_due", "payoff", "cost", "not_paid_out"),
        *ClassifiedAdmin.CLASSIFIED_FIELDS,
    ]
    actions_detail = [
        {
            "title": _("Money"),
            "icon": "payments",
            "items": [
                *("repay", "prepay", "settle", "disburse", "charge", "refund", "refund_credit", "recover"),
            ],
        },
        {
            "title": _("Relief"),
            "icon": "volunteer_activism",
            "items": ["reschedule", "hardship", "holiday", "reamortise", "reage", "waive"],
        },
        {
            "title": _("End"),
            "icon": "gavel",
            "items": ["accelerate", "write_off", *ClassifiedAdmin.CLASSIFYING],
        },
    ]

    @display(description=_("loan"), ordering="pk")
    def number(self, loan: Loan) -> str:
        return str(loan)

    @display(description=_("state"), ordering="state")
    def state_(self, loan: Loan) -> Any:
        return state_label(loan)

    @display(description=_("days past due"), ordering="oldest_due_on")
    def past_due(self, loan: Loan) -> Any:
        days = loan.days_past_due(clock.today())
        return label(days, "danger" if days > 30 else "warning") if days else "–"

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, loan: Loan) -> Any:
        return record_link(loan.customer)

    @display(description=_("line"))
    def line_link(self, loan: Loan) -> Any:
        return record_link(loan.line)

    @display(description=_("annual cost"))
    def cost(self, loan: Loan) -> str:
        return percent(loan.annual_cost)

    @display(description=_("settles today for"))
    def payoff(self, loan: Loan) -> str:
        return money(loans.payoff(loan, clock.today()).total) if owing(loan) else "–"

    @display(description=_("not yet paid out"))
    def not_paid_out(self, loan: Loan) -> str:
        left = adjust.undisbursed(loan)
        return money(left) if left else "–"

    def sections(self, request: HttpRequest, record: Loan) -> Iterable[Section]:
        return _sections(record, _quote_day(request))


def _sections(loan: Loan, on: date) -> Iterable[Section]:
    yield _instalments(loan, clock.today())
    yield _payoff(loan, on)
    yield classification(loan)
    yield _relief(loan)
    yield _transactions(loan)
    yield _journal(loan)


def _quote_day(request: HttpRequest) -> date:
    """The day for which an early settlement is quoted: ?on=2026-05-01, or today."""
    form = QuoteForm(request.GET)
    return form.cleaned_data["on"] if form.is_valid() else clock.today()


def _another_day(on: date) -> SafeString:
    """What the quote is for, and a field to ask for another day."""
    return format_html(
        '<form method="get">{} <label>{} <input type="date" name="on" value="{}" class="{}"></label> '
        '<button class="staff-link">{}</button></form>',
        _("What ends the loan on %(day)s.") % {"day": on.isoformat()},
        _("Another day"),
        on.isoformat(),
        "border border-base-200 rounded-default px-2 dark:bg-base-900 dark:border-base-700",
        _("Quote"),
    )


def _relief(loan: Loan) -> Section:
    return Section(
        _("Relief"),
        [_("Request"), _("State"), _("Asked at"), _("Reason"), _("Wish"), _("Answer")],
        [
            (
                record_link(row),
                state_label(row),
                row.asked_at,
                row.get_reason_display(),
                row.get_wish_display(),
                row.answer,
            )
            for row in loan.relief_requests.all()
        ],
        permission="lending.view_reliefrequest",
    )


def _instalments(loan: Loan, on: date) -> Section:
    rows = [
        (
            row.number,
            row.due_on,
            money(row.principal),
            money(row.interest),
            money(row.fee),
            money(row.penalty),
            money(row.total),
            money(row.paid),
            money(row.waived),
            label(money(row.outstanding), "danger")
            if row.outstanding and row.due_on < on
            else money(row.outstanding),
            row.paid_on,
        )
        for row in loan.instalments.all()
    ]
    columns_ = [
        *(_("Number"), _("Due on"), _("Principal"), _("Interest"), _("Fee"), _("Penalty"), _("Total")),
        *(_("Paid"), _("Waived"), _("Outstanding"), _("Paid on")),
    ]
    return Section(_("Instalments"), columns_, rows, permission="lending.view_instalment")


def _payoff(loan: Loan, on: date) -> Section:
    """What settles the loan today, part by part."""
    if not owing(loan):
        return Section(_("Early settlement"), permission="lending.view_loan", note=_("Nothing is owed."))
    on = max(on, loan.disbursed_on)
    figure = loans.payoff(loan, on)
    parts = [(_("Principal"), figure.principal), (_("Interest"), figure.interest), (_("Fee"), figure.fee)]
    rows = [(name, money(amount)) for name, amount in [*parts, (_("Penalty"), figure.penalty)]]
    return Section(
        _("Early settlement"),
        rows=[*rows, (_("Total"), money(figure.total))],
        facts=True,
        note=_another_day(on),
    )


def _transactions(loan: Loan) -> Section:
    return Section(
        _("Transactions"),
        [
            *(_("Transaction"), _("Value date"), _("Booked on"), _("Amount"), _("Principal"), _("Interest")),
            *(_("Fee"), _("Penalty"), _("By"), _("Note")),
        ],
        [
            (
                record_link(row),
                row.value_on,
                row.booked_on,
                money(row.amount),
                money(row.principal),
                money(row.interest),
                money(row.fee),
                money(row.penalty),
                row.by,
                row.note,
            )
            for row in loan.transactions.select_related("by")
        ],
        permission="lending.view_transaction",
    )


def _journal(loan: Loan) -> Section:
    return Section(
        _("Journal lines"),
        [_("Entry"), _("Booked on"), _("Account"), _("Debit"), _("Credit")],
        [
            (
                record_link(row.entry),
                row.entry.booked_on,
                record_link(row.account),
                money(row.amount) if row.amount > 0 else "",
                money(-row.amount) if row.amount < 0 else "",
            )
            for row in loan.journal_lines.select_related("entry", "account")
        ],
        permission="lending.view_journalline",
    )


def _reversible(row: Transaction) -> bool:
    return row.type != Transaction.Type.REVERSAL and not hasattr(row, "reversed_by")


def _try(
    row: Transaction, service: Callable[..., Any], data: dict[str, Any], acting: Acting
) -> preview.Preview:
    return preview.try_out(row.loan_id, lambda: service(transaction_id=row.pk, **data, **acting.day))


@admin.register(Transaction)
class TransactionAdmin(ExportAdmin, ServiceAdmin):
    list_display = [
        "number",
        "type",
        "loan",
        "customer_link",
        "amount",
        "value_on",
        "booked_on",
        "channel",
        "by",
    ]
    list_filter = [("type", ChoicesDropdownFilter), ("booked_on", RangeDateFilter), "channel"]
    list_select_related = ["loan__customer", "by"]
    search_fields = ["=id", "=loan__id", "=key", "loan__customer__name"]
    date_hierarchy = "booked_on"
    ordering = ["-id"]
    resource_classes = [
        columns(
            Transaction,
            *("id", "type", "kind", "loan", "amount", "principal", "interest", "fee", "penalty", "credit"),
            *("value_on", "booked_on", "channel", "by__username", "note"),
        )
    ]
    fields = [
        *(
            "loan_link",
            "type",
            "kind",
            "amount",
            "principal",
            "interest",
            "fee",
            "penalty",
            "credit",
            "value_on",
        ),
        *("booked_on", "at", "by", "channel", "key", "reverses_link", "reversed_link", "note", "agreed"),
    ]
    readonly_fields = ["loan_link", "reverses_link", "reversed_link", "agreed"]
    actions_detail = ["reverse", "charge_back", "set_aside"]

    @display(description=_("transaction"), ordering="pk")
    def number(self, row: Transaction) -> str:
        return f"T{row.pk:08d}"

    @display(description=_("customer"), ordering="loan__customer__name")
    def customer_link(self, row: Transaction) -> Any:
        return record_link(row.loan.customer)

    @display(description=_("loan"))
    def loan_link(self, row: Transaction) -> Any:
        return record_link(row.loan)

    @display(description=_("reverses"))
    def reverses_link(self, row: Transaction) -> Any:
        return record_link(row.reverses)

    @display(description=_("agreed"))
    def agreed(self, row: Transaction) -> str:
        return timeline.details_in_words(row.details) or "–"

    @display(description=_("reversed by"))
    def reversed_link(self, row: Transaction) -> Any:
        return record_link(getattr(row, "reversed_by", None))

    @service_action(
        _("Reverse"),
        permission=POST,
        form=NotedForm,
        available=_reversible,
        icon="undo",
        variant=ActionVariant.DANGER,
        confirm=_("The loan is counted again as if it had never been posted. A second person must allow it."),
        preview=lambda row, data, acting: _try(row, loans.reverse, data, acting),
    )
    def reverse(self, row: Transaction, data: dict[str, Any], acting: Acting) -> Any:
        desk.ask_reversal(transaction_id=row.pk, key=data["key"], reason=data["note"], **acting.day)
        return _("A second person is asked to allow it.")

    @service_action(
        _("Chargeback"),
        permission=POST,
        form=ChargebackForm,
        available=lambda row: adjust.chargeable(row) > 0,
        icon="keyboard_return",
        confirm=_("The bank took the payment back. It is owed again from today; the past stays as it was."),
        preview=lambda row, data, acting: _try(row, adjust.charge_back, data, acting),
    )
    def charge_back(self, row: Transaction, data: dict[str, Any], acting: Acting) -> Any:
        adjust.charge_back(transaction_id=row.pk, **data, **acting.day)
        return _("The chargeback is booked.")

    @service_action(
        _("Hold as unapplied"),
        permission=POST,
        form=NotedForm,
        available=lambda row: row.type in ("REPAYMENT", "RECOVERY") and not hasattr(row, "reversed_by"),
        icon="pending",
        confirm=_(
            "For a payment on the wrong loan: it is reversed, and its money held until the right one is known. "
            "A second person must allow it."
        ),
    )
    def set_aside(self, row: Transaction, data: dict[str, Any], acting: Acting) -> Any:
        unapplied.ask_set_aside(transaction_id=row.pk, key=data["key"], reason=data["note"], **acting.day)
        return _("A second person is asked to allow it.")
