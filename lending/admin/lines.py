"""Credit lines and what was bought on them: read here, steered by buttons."""

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
from lending.admin.base import Acting, ReadOnlyAdmin, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.filters import ReapprovalFilter
from lending.admin.forms import KeyedForm, ReasonForm, amount_field
from lending.admin.parts import Section, money, percent, record_link, state_label
from lending.models import ApprovalRequest, CreditLine, LimitChange, LineHold, Purchase
from lending.selectors import reapproval
from lending.services import desk, lines, purchases

State = CreditLine.State
STEER = "lending.steer_line"


def _open(line: CreditLine) -> bool:
    return line.state != State.CLOSED


def _held(line: CreditLine) -> bool:
    return line.state == State.SUSPENDED


class LiftForm(ReasonForm):
    cause = forms.ChoiceField(label=_("Hold"))
    field_order = ["cause", "reason"]

    def prepare(self) -> None:
        held = self.subject.holds.filter(lifted_at=None)
        self.fields["cause"].choices = [(hold.cause, f"{hold} · {hold.note}".rstrip(" ·")) for hold in held]


class LimitForm(ReasonForm):
    """The limit that shall hold from now on."""

    to = amount_field(_("New limit"))
    field_order = ["to", "reason"]

    def prepare(self) -> None:
        self.fields["to"].help_text = _("Present limit: %(limit)s") % {
            "limit": money(self.subject.base_limit)
        }


class CutForm(LimitForm):
    to = forms.DecimalField(label=_("New limit"), min_value=0, max_digits=18, decimal_places=2)


class RestoreForm(LimitForm):
    """Proposes what the limit was before the last cut."""

    def prepare(self) -> None:
        super().prepare()
        last = self.subject.limit_changes.filter(kind=LimitChange.Kind.CUT).first()
        self.fields["to"].initial = last.before if last else self.subject.base_limit


class TemporaryLimitForm(ReasonForm):
    amount = amount_field(_("On top of the base limit"))
    starts_on = forms.DateField(label=_("From"))
    ends_on = forms.DateField(label=_("To"))
    reason = forms.CharField(label=_("Reason"), max_length=200, widget=forms.Textarea)
    field_order = ["amount", "starts_on", "ends_on", "reason"]

    def prepare(self) -> None:
        self.fields["starts_on"].initial = clock.today()


@admin.register(CreditLine)
class CreditLineAdmin(ExportAdmin, ServiceAdmin):
    list_display = [
        "number",
        "state_",
        "customer_link",
        "product",
        "base_limit",
        "used",
        "held",
        "opened_on",
        "reviewed_on",
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("customer__kind", ChoicesDropdownFilter),
        ("base_limit", RangeNumericFilter),
        ("opened_on", RangeDateFilter),
        ReapprovalFilter,
    ]
    list_select_related = ["customer", "product"]
    search_fields = ["=id", "customer__name", "customer__platform_ref"]
    date_hierarchy = "opened_on"
    resource_classes = [
        columns(
            CreditLine,
            *("id", "state", "customer__name", "product__code", "base_limit", "used", "held", "opened_on"),
            "reviewed_on",
        )
    ]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    *("customer_link", "state_", "product", "base_limit", "limit_today", "used", "held"),
                    *("free_today", "statement_day", "opened_on", "reviewed_on", "approved_until"),
                ]
            },
        )
    ]
    readonly_fields = ["customer_link", "state_", "limit_today", "free_today", "approved_until"]
    actions_detail = [
        "suspend",
        "lift_hold",
        {
            "title": _("Limit"),
            "icon": "speed",
            "items": ["cut", "restore", "raise_limit", "temporary_limit"],
        },
        "reapprove",
        "close_line",
    ]

    @display(description=_("line"), ordering="pk")
    def number(self, line: CreditLine) -> str:
        return str(line)

    @display(description=_("state"), ordering="state")
    def state_(self, line: CreditLine) -> Any:
        return state_label(line)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, line: CreditLine) -> Any:
        return record_link(line.customer)

    @display(description=_("limit today"))
    def limit_today(self, line: CreditLine) -> str:
        return money(line.limit(clock.today()))

    @display(description=_("free today"))
    def free_today(self, line: CreditLine) -> str:
        return money(line.free(clock.today()))

    @display(description=_("must be approved again by"))
    def approved_until(self, line: CreditLine) -> Any:
        return reapproval.holds_until(line, clock.today()) or "–"

    def sections(self, request: HttpRequest, record: CreditLine) -> Iterable[Section]:
        return _sections(record)

    @service_action(
        _("Suspend"),
        permission=STEER,
        form=ReasonForm,
        available=_open,
        icon="block",
        variant=ActionVariant.DANGER,
        confirm=_("No new purchases until the hold is lifted; what is owed stays as agreed."),
    )
    def suspend(self, line: CreditLine, data: dict[str, Any], acting: Acting) -> Any:
        cause = LineHold.Cause.STAFF
        lines.place_hold(line_id=line.pk, cause=cause, note=data["reason"], **acting.moment)
        return _("The line is suspended.")

    @service_action(_("Lift a hold"), permission=STEER, form=LiftForm, available=_held, icon="lock_open")
    def lift_hold(self, line: CreditLine, data: dict[str, Any], acting: Acting) -> Any:
        lines.lift_hold(line_id=line.pk, cause=data["cause"], note=data["reason"], **acting.moment)
        return _("The hold is lifted.")

    @service_action(
        _("Cut the limit"),
        permission=STEER,
        form=CutForm,
        available=_open,
        icon="trending_down",
        variant=ActionVariant.DANGER,
    )
    def cut(self, line: CreditLine, data: dict[str, Any], acting: Acting) -> Any:
        lines.cut(line_id=line.pk, to=data["to"], cause=data["reason"], **acting.moment)
        return _("The limit is cut.")

    @service_action(
        _("Restore the limit"),
        permission=STEER,
        form=RestoreForm,
        available=_open,
        icon="settings_backup_restore",
    )
    def restore(self, line: CreditLine, data: dict[str, Any], acting: Acting) -> Any:
        lines.restore(line_id=line.pk, to=data["to"], cause=data["reason"], **acting.moment)
        return _("The limit is restored.")

    @service_action(
        _("Raise the limit"),
        permission=STEER,
        form=LimitForm,
        available=_open,
        icon="trending_up",
        confirm=_("A second person must allow it."),
    )
    def raise_limit(self, line: CreditLine, data: dict[str, Any], acting: Acting) -> Any:
        desk.ask_raise(line_id=line.pk, to=data["to"], reason=data["reason"], **acting.day)
        return _("A second person is asked to allow it.")

    @service_action(
        _("Temporary limit"), permission=STEER, form=TemporaryLimitForm, available=_open, icon="schedule"
    )
    def temporary_limit(self, line: CreditLine, data: dict[str, Any], acting: Acting) -> Any:
        result = desk.give_temporary_limit(line_id=line.pk, **data, **acting.day)
        if isinstance(result, ApprovalRequest):
            return _("A second person is asked to allow it.")
        return _("The temporary limit is given.")

    @service_action(
        _("Approve for another year"),
        permission=STEER,
        form=ReasonForm,
        available=_open,
        icon="event_available",
        confirm=_("Say what you looked at. A large limit needs a second person."),
    )
    def reapprove(self, line: CreditLine, data: dict[str, Any], acting: Acting) -> Any:
        result = desk.reapprove_line(line_id=line.pk, note=data["reason"], **acting.day)
        if isinstance(result, ApprovalRequest):
            return _("A second person is asked to allow it.")
        return _("The line is approved for another year.")

    @service_action(
        _("Close the line"),
        permission=STEER,
        form=ReasonForm,
        available=_open,
        icon="cancel",
        variant=ActionVariant.DANGER,
        confirm=_("No further purchases; what is owed stays owed."),
    )
    def close_line(self, line: CreditLine, data: dict[str, Any], acting: Acting) -> Any:
        lines.close(line_id=line.pk, note=data["reason"], **acting.moment)
        return _("The line is closed.")


def _sections(line: CreditLine) -> Iterable[Section]:
    yield Section(
        _("Holds"),
        [_("Cause"), _("Note"), _("Placed at"), _("By"), _("Lifted at"), _("By")],
        [
            (hold, hold.note, hold.placed_at, hold.placed_by, hold.lifted_at, hold.lifted_by)
            for hold in line.holds.select_related("placed_by", "lifted_by")
        ],
        permission="lending.view_linehold",
    )
    yield Section(
        _("Limit changes"),
        [_("When"), _("Kind"), _("Before"), _("After"), _("Cause"), _("By")],
        [
            (row.at, row.get_kind_display(), money(row.before), money(row.after), row.cause, row.by)
            for row in line.limit_changes.select_related("by")
        ],
        permission="lending.view_limitchange",
    )
    yield Section(
        _("Temporary limits"),
        [_("Amount"), _("From"), _("To"), _("Reason")],
        [(money(row.amount), row.starts_on, row.ends_on, row.reason) for row in line.temporary_limits.all()],
        permission="lending.view_temporarylimit",
    )
    yield Section(
        _("Offers of a higher limit"),
        [_("Offer"), _("State"), _("Until"), _("Answered")],
        [
            (
                record_link(row, f"{money(row.before)} → {money(row.to)}"),
                state_label(row),
                row.expires_on,
                row.decided_at,
            )
            for row in line.limit_offers.all()
        ],
        permission="lending.view_limitoffer",
    )
    yield Section(
        _("Purchases"),
        [_("Order"), _("State"), _("What"), _("Amount"), _("Instalments"), _("At"), _("Loan")],
        [
            (
                record_link(row),
                state_label(row),
                row.description,
                money(row.amount),
                row.tenor,
                row.authorised_at,
                record_link(row.loan),
            )
            for row in line.purchases.select_related("loan")[:50]
        ],
        permission="lending.view_purchase",
    )


@admin.register(LimitChange)
class LimitChangeAdmin(ReadOnlyAdmin):
    list_display = ["at", "line", "customer_link", "kind", "before", "after", "cause", "by"]
    list_filter = [("kind", ChoicesDropdownFilter), ("at", RangeDateFilter)]
    list_select_related = ["line__customer", "by"]
    search_fields = ["=line__id", "line__customer__name", "cause"]
    date_hierarchy = "at"

    @display(description=_("customer"), ordering="line__customer__name")
    def customer_link(self, change: LimitChange) -> Any:
        return record_link(change.line.customer)


class RefundForm(KeyedForm):
    amount = amount_field()

    def prepare(self) -> None:
        super().prepare()
        self.fields["amount"].initial = self.subject.captured - self.subject.refunded


@admin.register(Purchase)
class PurchaseAdmin(ExportAdmin, ServiceAdmin):
    list_display = ["order_ref", "state_", "customer_link", "description", "amount", "tenor", "authorised_at"]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("amount", RangeNumericFilter),
        ("authorised_at", RangeDateFilter),
        "tenor",
    ]
    list_select_related = ["customer"]
    search_fields = ["order_ref", "customer__name", "customer__platform_ref"]
    date_hierarchy = "authorised_at"
    resource_classes = [
        columns(
            Purchase,
            *("id", "order_ref", "state", "customer__name", "amount", "captured", "refunded", "tenor"),
            "authorised_at",
        )
    ]
    fields = [
        *(
            "customer_link",
            "line_link",
            "state_",
            "order_ref",
            "description",
            "amount",
            "captured",
            "refunded",
        ),
        *("tenor", "cost", "loan_link", "authorised_at", "expires_on"),
    ]
    readonly_fields = ["customer_link", "line_link", "loan_link", "state_", "cost"]
    actions_detail = ["void", "refund"]

    @display(description=_("state"), ordering="state")
    def state_(self, purchase: Purchase) -> Any:
        return state_label(purchase)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, purchase: Purchase) -> Any:
        return record_link(purchase.customer)

    @display(description=_("line"))
    def line_link(self, purchase: Purchase) -> Any:
        return record_link(purchase.line)

    @display(description=_("annual cost shown"))
    def cost(self, purchase: Purchase) -> str:
        return percent(purchase.annual_cost)

    @display(description=_("loan"))
    def loan_link(self, purchase: Purchase) -> Any:
        return record_link(purchase.loan)

    @service_action(
        _("Void"),
        permission="lending.change_purchase",
        available=lambda purchase: purchase.state == Purchase.State.AUTHORISED,
        icon="cancel",
        variant=ActionVariant.DANGER,
        confirm=_("The order was called off: the hold on the line is released."),
    )
    def void(self, purchase: Purchase, data: dict[str, Any], acting: Acting) -> Any:
        purchases.void(purchase_id=purchase.pk, **acting.moment)
        return _("The purchase is void.")

    @service_action(
        _("Refund"),
        permission="lending.change_purchase",
        form=RefundForm,
        available=lambda purchase: purchase.state == Purchase.State.CAPTURED,
        icon="undo",
        confirm=_("The goods came back to the merchant: the loan goes down by the amount."),
    )
    def refund(self, purchase: Purchase, data: dict[str, Any], acting: Acting) -> Any:
        purchases.refund(purchase_id=purchase.pk, amount=data["amount"], key=data["key"], **acting.day)
        return _("The refund is booked.")
