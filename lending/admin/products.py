"""The shelf: drafts are edited, go live and are frozen; what they cost is shown before they do."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from lending import clock, engine
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.parts import Section, label, link, money, page_of, percent, state_label
from lending.engine.daycount import DAY_COUNTS
from lending.errors import Refused
from lending.models import Product
from lending.selectors import rules
from lending.services import offers, products

State = Product.State
CHANGE = "lending.change_product"


class ProductForm(forms.ModelForm):
    """The terms of a draft."""

    class Meta:
        model = Product
        fields = [
            *("code", "name", "name_zh", "kind", "audience", "lender_type", "currency", "method"),
            *(
                "annual_rate",
                "fee_rate",
                "single_is_free",
                "upfront_fee_rate",
                "day_count",
                "interest_period",
            ),
            *("tenors", "min_amount", "max_amount", "penalty_rate", "penalty_grace_days"),
            *("overdue_grace_days", "class_scale", "authorisation_days", "offer_days"),
        ]
        widgets = {
            "tenors": UnfoldAdminTextInputWidget(),
            "day_count": UnfoldAdminSelectWidget(choices=[(one, one) for one in DAY_COUNTS]),
            "interest_period": UnfoldAdminSelectWidget(
                choices=[("PERIOD", _("by period")), ("DAILY", _("by day"))]
            ),
        }

    def _post_clean(self) -> None:
        super()._post_clean()
        if self.errors:
            return
        try:
            products.check(self.instance)
        except Refused as refusal:
            self.add_error(refusal.field if refusal.field in self.fields else None, str(refusal))


@admin.register(Product)
class ProductAdmin(ServiceAdmin):
    form = ProductForm
    list_display = ["code", "version", "state_", "name", "name_zh", "kind", "audience", "method", "price"]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("audience", ChoicesDropdownFilter),
        ("method", ChoicesDropdownFilter),
    ]
    search_fields = ["code", "name", "name_zh"]
    fieldsets = [
        (
            _("Product"),
            {"fields": ["code", "name", "name_zh", "kind", "audience", "lender_type", "currency"]},
        ),
        (
            _("Price"),
            {
                "fields": [
                    *("method", "annual_rate", "fee_rate", "single_is_free", "upfront_fee_rate", "day_count"),
                    *("interest_period", "tenors", "min_amount", "max_amount"),
                ]
            },
        ),
        (
            _("When late, and how long things hold"),
            {
                "fields": [
                    *("penalty_rate", "penalty_grace_days", "overdue_grace_days", "class_scale"),
                    *("authorisation_days", "offer_days"),
                ]
            },
        ),
    ]
    readonly_preprocess_fields = dict.fromkeys(
        ("annual_rate", "fee_rate", "upfront_fee_rate", "penalty_rate"), percent
    )
    actions_detail = ["go_live", "new_version", "retire"]

    @display(description=_("state"), ordering="state")
    def state_(self, product: Product) -> Any:
        return state_label(product)

    @display(description=_("price"))
    def price(self, product: Product) -> str:
        rate, fee = percent(product.annual_rate), percent(product.fee_rate)
        return f"{rate} + {fee}" if product.annual_rate and product.fee_rate else max(rate, fee, key=len)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("lending.add_product")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        draft = obj is None or getattr(obj, "state", "") == State.DRAFT
        return draft and request.user.has_perm(CHANGE)

    def save_model(self, request: HttpRequest, obj: Product, form: forms.ModelForm, change: bool) -> None:
        acting = Acting.from_request(request)
        if change:
            products.edit(product_id=obj.pk, values=form.cleaned_data, **acting.moment)
        else:
            obj.pk = products.create(values=form.cleaned_data, **acting.moment).pk

    def sections(self, request: HttpRequest, record: Product) -> Iterable[Section]:
        return _preview(record, _amount(request, record))

    @service_action(
        _("Go live"),
        permission=CHANGE,
        available=lambda product: product.state == State.DRAFT,
        icon="rocket_launch",
        variant=ActionVariant.SUCCESS,
        confirm=_("The terms are frozen from now on, and the version on sale is taken off."),
    )
    def go_live(self, product: Product, data: dict[str, Any], acting: Acting) -> Any:
        products.go_live(product_id=product.pk, **acting.day)
        return _("The product is on sale.")

    @service_action(
        _("New version"),
        permission="lending.add_product",
        available=lambda product: product.state != State.DRAFT,
        icon="content_copy",
        confirm=_("A draft is made with the terms of this version."),
    )
    def new_version(self, product: Product, data: dict[str, Any], acting: Acting) -> Any:
        draft = products.new_version(product_id=product.pk, **acting.moment)
        return HttpResponseRedirect(page_of(draft))

    @service_action(
        _("Retire"),
        permission=CHANGE,
        available=lambda product: product.state == State.LIVE,
        icon="inventory_2",
        variant=ActionVariant.DANGER,
        confirm=_("No new business; what was sold lives on."),
    )
    def retire(self, product: Product, data: dict[str, Any], acting: Acting) -> Any:
        products.retire(product_id=product.pk, **acting.moment)
        return _("The product is taken off sale.")


def _amount(request: HttpRequest, product: Product) -> Decimal:
    """The amount of the preview: ?amount=, or the smallest one."""
    try:
        amount = Decimal(request.GET.get("amount", "")).quantize(Decimal("0.01"))
    except InvalidOperation:
        return product.min_amount
    return amount if product.min_amount <= amount <= product.max_amount else product.min_amount


def _preview(product: Product, amount: Decimal) -> Iterable[Section]:
    """What a customer would pay: each number of instalments, and the schedule of the longest."""
    on = clock.today()
    try:
        plans = offers.sheet(product, amount, None, on)["plans"]
        cap = rules.parameter("ALL_IN_COST_CAP", on, lender_type=product.lender_type)
    except (engine.TermsError, rules.MissingRule) as problem:
        yield Section(_("What it costs"), note=str(problem))
        return
    links = [link(money(one), f"?amount={one}") for one in (product.min_amount, product.max_amount)]
    yield Section(
        _("What it costs"),
        [_("Instalments"), _("First instalment"), _("Fees and interest"), _("Total"), _("Annual cost")],
        [
            (
                plan["tenor"],
                money(plan["rows"][0]["total"]),
                money(Decimal(plan["total"]) - amount + Decimal(plan["upfront_fee"])),
                money(plan["total"]),
                label(
                    percent(plan["annual_cost"]),
                    "danger" if Decimal(plan["annual_cost"]) > cap else "success",
                ),
            )
            for plan in plans
        ],
        links=links,
        note=_("For %(amount)s today; the legal cap is %(cap)s a year.")
        % {"amount": money(amount), "cap": percent(cap)},
    )
    yield Section(
        _("Schedule in %(tenor)s instalments") % {"tenor": plans[-1]["tenor"]},
        [_("Due on"), _("Principal"), _("Interest"), _("Fee"), _("Total"), _("Left")],
        [
            (
                row["due_on"],
                *(money(row[part]) for part in ("principal", "interest", "fee", "total", "balance")),
            )
            for row in plans[-1]["rows"]
        ],
    )
