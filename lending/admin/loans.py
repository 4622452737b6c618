"""Loans and their transactions: what is owed, why, and what staff may post."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RangeNumericFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.paginator import InfinitePaginator

from lending import clock
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.classes import ClassifiedAdmin, classification
from lending.admin.export import ExportAdmin, columns
from lending.admin.filters import DaysPastDueFilter
from lending.admin.forms import KeyedForm, amount_field
from lending.admin.parts import Section, label, money, percent, record_link, state_label
from lending.models import Loan, Transaction
from lending.services import desk, loans, unapplied

POST = "lending.post_transaction"
RELIEF = "lending.change_loan"
PARTS = [("INTEREST", _("Interest")), ("FEE", _("Fee")), ("PENALTY", _("Penalty"))]


def _owing(loan: Loan) -> bool:
    return loan.state in Loan.OWING


def _written_off(loan: Loan) -> bool:
    return loan.state == Loan.State.WRITTEN_OFF


class NotedForm(KeyedForm):
    note = forms.CharField(label=_("Reason"), max_length=300, widget=forms.Textarea)


class ReceivedForm(KeyedForm):
    amount = amount_field()
    channel = forms.CharField(label=_("Channel"), max_length=20, initial="bank")


class RepayForm(ReceivedForm):
    value_on = forms.DateField(label=_("Value date"), help_text=_("The day on which the money arrived."))

    def prepare(self) -> None:
        super().prepare()
        self.fields["value_on"].initial = clock.today()


class SettleForm(KeyedForm):
    channel = forms.CharField(label=_("Channel"), max_length=20, initial="bank")

    def prepare(self) -> None:
        super().prepare()
        owed = loans.payoff(self.subject, clock.today()).total
        self.fields["channel"].help_text = _("Settles the loan for %(amount)s.") % {"amount": money(owed)}


class ChargeForm(NotedForm):
    kind = forms.ChoiceField(label=_("What"), choices=PARTS[1:])
    amount = amount_field()
    field_order = ["kind", "amount", "note"]


class WaiveForm(ChargeForm):
    kind = forms.ChoiceField(label=_("What"), choices=PARTS)


@admin.register(Loan)
class LoanAdmin(ClassifiedAdmin, ExportAdmin, ServiceAdmin):
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
        *("customer_link", "line_link", "state_", "past_due", "payoff", "cost"),
        *ClassifiedAdmin.CLASSIFIED_FIELDS,
    ]
    actions_detail = [
        "repay",
        "settle",
        {
            "title": _("More"),
            "icon": "more_horiz",
            "items": [*("charge", "waive", "write_off", "recover"), *ClassifiedAdmin.CLASSIFYING],
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
        return money(loans.payoff(loan, clock.today()).total) if _owing(loan) else "–"

    def sections(self, request: HttpRequest, record: Loan) -> Iterable[Section]:
        return _sections(record, clock.today())

    @service_action(_("Repayment"), permission=POST, form=RepayForm, available=_owing, icon="payments")
    def repay(self, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        loans.repay(loan_id=loan.pk, **data, **acting.day)
        return _("The repayment is booked.")

    @service_action(_("Settle"), permission=POST, form=SettleForm, available=_owing, icon="task_alt")
    def settle(self, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        loans.settle(loan_id=loan.pk, **data, **acting.day)
        return _("The loan is settled.")

    @service_action(_("Charge"), permission=POST, form=ChargeForm, available=_owing, icon="add_card")
    def charge(self, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        loans.charge(loan_id=loan.pk, **data, **acting.day)
        return _("The charge is booked.")

    @service_action(
        _("Waive"),
        permission=RELIEF,
        form=WaiveForm,
        available=_owing,
        icon="money_off",
        confirm=_("A second person must allow it."),
    )
    def waive(self, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        reason = data.pop("note")
        desk.ask_waiver(loan_id=loan.pk, reason=reason, **data, **acting.day)
        return _("A second person is asked to allow it.")

    @service_action(
        _("Write off"),
        permission="lending.write_off_loan",
        form=NotedForm,
        available=_owing,
        icon="delete_sweep",
        variant=ActionVariant.DANGER,
        confirm=_(
            "The loan is given up in the books; the debt itself stands. A second person must allow it."
        ),
    )
    def write_off(self, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        desk.ask_write_off(loan_id=loan.pk, key=data["key"], reason=data["note"], **acting.day)
        return _("A second person is asked to allow it.")

    @service_action(
        _("Recovery"), permission=POST, form=ReceivedForm, available=_written_off, icon="currency_exchange"
    )
    def recover(self, loan: Loan, data: dict[str, Any], acting: Acting) -> Any:
        loans.recover(loan_id=loan.pk, **data, **acting.day)
        return _("The recovery is booked.")


def _sections(loan: Loan, on: date) -> Iterable[Section]:
    yield _instalments(loan, on)
    yield _payoff(loan, on)
    yield classification(loan)
    yield _transactions(loan)
    yield _journal(loan)


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
    if not _owing(loan):
        return Section(_("Early settlement"), permission="lending.view_loan", note=_("Nothing is owed."))
    figure = loans.payoff(loan, on)
    parts = [(_("Principal"), figure.principal), (_("Interest"), figure.interest), (_("Fee"), figure.fee)]
    rows = [(name, money(amount)) for name, amount in [*parts, (_("Penalty"), figure.penalty)]]
    return Section(
        _("Early settlement"),
        rows=[*rows, (_("Total"), money(figure.total))],
        facts=True,
        note=on.isoformat(),
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


@admin.register(Transaction)
class TransactionAdmin(ExportAdmin, ServiceAdmin):
    paginator, show_full_result_count = InfinitePaginator, False
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
        *("booked_on", "at", "by", "channel", "key", "reverses_link", "reversed_link", "note"),
    ]
    readonly_fields = ["loan_link", "reverses_link", "reversed_link"]
    actions_detail = ["reverse", "set_aside"]

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

    @display(description=_("reversed by"))
    def reversed_link(self, row: Transaction) -> Any:
        return record_link(getattr(row, "reversed_by", None))

    @service_action(
        _("Reverse"),
        permission=POST,
        form=NotedForm,
        available=lambda row: (
            row.type not in ("REVERSAL", "DISBURSEMENT") and not hasattr(row, "reversed_by")
        ),
        icon="undo",
        variant=ActionVariant.DANGER,
        confirm=_("The loan is counted again as if it had never been posted. A second person must allow it."),
    )
    def reverse(self, row: Transaction, data: dict[str, Any], acting: Acting) -> Any:
        desk.ask_reversal(transaction_id=row.pk, key=data["key"], reason=data["note"], **acting.day)
        return _("A second person is asked to allow it.")

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
