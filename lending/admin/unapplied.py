"""Money in suspense: who it belongs to, what it pays, and how it goes back."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RangeNumericFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending import clock
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import KeyedForm, amount_field
from lending.admin.parts import Section, money, page_of, record_link, state_label
from lending.models import Transaction, UnappliedMoney
from lending.selectors import payin
from lending.services import unapplied

APPLY = "lending.apply_unapplied"
TARGET_HELP = _("A loan (L00000123), or a customer: the reference, or the name if only one has it.")


def _held(row: UnappliedMoney) -> bool:
    return row.state == UnappliedMoney.State.HELD


class ReceiveForm(KeyedForm):
    amount = amount_field()
    received_on = forms.DateField(label=_("Received on"))
    customer = forms.CharField(
        label=_("Customer"), max_length=120, required=False, help_text=_("Empty when nobody knows.")
    )
    payer = forms.CharField(label=_("Payer"), max_length=120, required=False)
    reference = forms.CharField(label=_("Reference"), max_length=200, required=False)
    channel = forms.CharField(label=_("Channel"), max_length=20, initial="bank")
    automatic = forms.BooleanField(
        label=_("Use it by itself when something falls due"), required=False, initial=True
    )

    def prepare(self) -> None:
        super().prepare()
        self.fields["received_on"].initial = clock.today()


class ApplyForm(KeyedForm):
    target = forms.CharField(label=_("Loan or customer"), max_length=120, help_text=TARGET_HELP)
    amount = amount_field()

    def prepare(self) -> None:
        super().prepare()
        self.fields["amount"].initial = self.subject.left
        if self.subject.customer:
            self.fields["target"].initial = self.subject.customer.platform_ref


class NamePayerForm(KeyedForm):
    target = forms.CharField(label=_("Customer"), max_length=120)
    automatic = forms.BooleanField(
        label=_("Use it by itself when something falls due"), required=False, initial=True
    )

    def prepare(self) -> None:
        super().prepare()
        self.fields["automatic"].initial = self.subject.automatic
        if self.subject.customer:
            self.fields["target"].initial = self.subject.customer.platform_ref


class PayBackForm(KeyedForm):
    amount = amount_field()
    reason = forms.CharField(label=_("Reason"), max_length=300, widget=forms.Textarea)

    def prepare(self) -> None:
        super().prepare()
        self.fields["amount"].initial = self.subject.left


@admin.register(UnappliedMoney)
class UnappliedMoneyAdmin(ExportAdmin, ServiceAdmin):
    list_display = [
        *("number", "state_", "amount", "left", "customer_link", "payer", "reference", "reason"),
        *("received_on", "automatic"),
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        ("received_on", RangeDateFilter),
        ("left", RangeNumericFilter),
        "automatic",
        "channel",
    ]
    list_select_related = ["customer"]
    search_fields = ["=id", "payer", "reference", "=key", "customer__name", "customer__platform_ref"]
    date_hierarchy = "received_on"
    resource_classes = [
        columns(
            UnappliedMoney,
            *("id", "state", "amount", "left", "customer__name", "payer", "reference", "reason"),
            *("received_on", "channel"),
        )
    ]
    fields = [
        *("customer_link", "state_", "amount", "left", "reason", "payer", "reference", "channel"),
        *("loan", "value_on", "received_on", "held_at", "automatic", "key"),
    ]
    readonly_fields = ["customer_link", "state_"]
    actions_list = ["receive"]
    actions_detail = ["apply", "name_payer", "pay_back"]

    @display(description=_("unapplied money"), ordering="pk")
    def number(self, row: UnappliedMoney) -> str:
        return str(row)

    @display(description=_("state"), ordering="state")
    def state_(self, row: UnappliedMoney) -> Any:
        return state_label(row)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, row: UnappliedMoney) -> Any:
        return record_link(row.customer)

    def sections(self, request: HttpRequest, record: UnappliedMoney) -> Iterable[Section]:
        moves = list(record.moves.select_related("customer", "by"))
        yield Section(
            _("What became of it"),
            [_("What"), _("Amount"), _("Customer"), _("Booked on"), _("By")],
            [
                (
                    row.get_kind_display(),
                    money(row.amount),
                    record_link(row.customer),
                    row.on,
                    row.by or _("the system"),
                )
                for row in moves
            ],
        )
        paid = Transaction.objects.filter(payment_key__in=[row.key for row in moves]).select_related("loan")
        yield Section(
            _("Transactions"),
            [_("Transaction"), _("Loan"), _("Amount"), _("Value date")],
            [(record_link(row), record_link(row.loan), money(row.amount), row.value_on) for row in paid],
            permission="lending.view_transaction",
        )

    @service_action(
        _("Take in money"),
        permission="lending.add_unappliedmoney",
        form=ReceiveForm,
        icon="add",
        confirm=_(
            "Money that cannot be placed yet: it is booked in suspense until it is applied or paid back."
        ),
    )
    def receive(self, _record: None, data: dict[str, Any], acting: Acting) -> Any:
        name = data.pop("customer")
        customer = payin.customer_named(name) if name else None
        unapplied.hold(customer_id=customer.pk if customer else None, **data, **acting.day)
        return _("The money is held.")

    @service_action(
        _("Apply"),
        permission=APPLY,
        form=ApplyForm,
        available=_held,
        icon="payments",
        variant=ActionVariant.PRIMARY,
    )
    def apply(self, row: UnappliedMoney, data: dict[str, Any], acting: Acting) -> Any:
        goal = payin.target(data.pop("target"))
        unapplied.apply(unapplied_id=row.pk, **goal, **data, **acting.day)
        return _("The money is applied.")

    @service_action(
        _("Name the payer"), permission=APPLY, form=NamePayerForm, available=_held, icon="person_search"
    )
    def name_payer(self, row: UnappliedMoney, data: dict[str, Any], acting: Acting) -> Any:
        customer = payin.customer_named(data["target"])
        unapplied.name_payer(
            unapplied_id=row.pk, customer_id=customer.pk, automatic=data["automatic"], **acting.moment
        )
        return _("The payer is known now.")

    @service_action(
        _("Pay back"),
        permission=APPLY,
        form=PayBackForm,
        available=_held,
        icon="undo",
        variant=ActionVariant.DANGER,
        confirm=_("The money goes back to where it came from. A second person must allow it."),
    )
    def pay_back(self, row: UnappliedMoney, data: dict[str, Any], acting: Acting) -> Any:
        unapplied.ask_refund(unapplied_id=row.pk, **data, **acting.day)
        return _("A second person is asked to allow it.")

    def url_after(self, record: Any) -> str:
        return page_of(record) or super().url_after(record)
