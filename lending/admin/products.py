"""The shelf: drafts are edited, go live and are frozen; what they cost is shown while they are written."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from lending.admin import allocation, product_preview
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.forms import ReasonForm
from lending.admin.parts import Section, link, page_of, percent, state_label
from lending.errors import Refused
from lending.models import Product
from lending.selectors import products as selectors
from lending.services import desk, products

State = Product.State
CHANGE = "lending.change_product"
PREVIEW = "_preview"

FIELDSETS: list[tuple[Any, tuple[str, ...], Any]] = [
    (
        _("Product"),
        ("code", "name", "name_zh", "kind", "audience", "for_suppliers", "lender_type", "currency"),
        _("The code stays the same from version to version."),
    ),
    (
        _("Amount and instalments"),
        (
            *("min_amount", "default_amount", "max_amount", "tenors", "default_tenor", "every", "unit"),
            "max_open_loans",
        ),
        _("Applications and offers stay between the smallest and the largest."),
    ),
    (
        _("Price"),
        (
            *("method", "annual_rate", "min_annual_rate", "max_annual_rate"),
            *("fee_rate", "min_fee_rate", "max_fee_rate", "single_is_free"),
            *("upfront_fee_rate", "upfront_fee_amount"),
        ),
        _(
            "An officer may offer another price between the lowest and the highest; the cap holds for the highest."
        ),
    ),
    (
        _("What others charge"),
        (
            *("insurance_rate", "insurance_due", "insurer", "guarantee_rate", "guarantee_due", "guarantor"),
            *("other_cost", "other_cost_name", "other_cost_name_zh", "other_cost_payee"),
        ),
        _("Paid to them beside the loan; it counts in the annual cost and stands on the cost sheet."),
    ),
    (
        _("How interest is counted"),
        (
            "day_count",
            "interest_period",
            "interest_free_days",
            "rounding",
            "residue",
            "instalment_multiple_of",
        ),
        "",
    ),
    (
        _("How it is paid back"),
        (
            *("down_payment_rate", "grace_principal_instalments", "grace_interest_instalments"),
            *("allocation", "settlement_fee"),
        ),
        "",
    ),
    (
        _("When it is late"),
        (
            *("penalty_rate", "penalty_grace_days", "penalty_cap_rate", "penalty_year_days"),
            *("overdue_grace_days", "class_scale"),
        ),
        "",
    ),
    (
        _("Security, bills, and how long things hold"),
        ("required_coverage", "statement_day", "days_to_pay", "authorisation_days", "offer_days"),
        "",
    ),
    (_("Relief"), ("max_restructurings", "restructuring_months", "watch_months"), ""),
]


class ProductForm(forms.ModelForm):
    """The terms of a draft."""

    class Meta:
        model = Product
        fields = [name for _title, names, _help in FIELDSETS for name in names]
        widgets = {"tenors": UnfoldAdminTextInputWidget()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in selectors.RATES:
            # 0.12 and 0, where the column's eight decimals would show as 0.12000000 and 0E-8.
            if isinstance(rate := self.initial.get(name), Decimal):
                self.initial[name] = f"{rate.normalize():f}"

    def _post_clean(self) -> None:
        super()._post_clean()
        if set(self.errors) - {NON_FIELD_ERRORS}:
            return
        try:
            products.check(self.instance)
        except Refused as refusal:
            # It knows the field where a constraint of the database only has a name.
            self.errors.pop(NON_FIELD_ERRORS, None)
            self.add_error(refusal.field if refusal.field in self.fields else None, str(refusal))


def _percent(shown: Any) -> str:
    """A rate as it is read; what the admin shows for nothing stays."""
    return percent(shown) if isinstance(shown, Decimal) or re.fullmatch(r"[\d.]+", str(shown)) else str(shown)


@admin.register(Product)
class ProductAdmin(allocation.AllocationPage, ServiceAdmin):
    form = ProductForm
    change_form_template = "admin/product.html"
    list_display = ["code", "version", "state_", "name", "name_zh", "kind", "audience", "method", "price"]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("audience", ChoicesDropdownFilter),
        ("method", ChoicesDropdownFilter),
    ]
    search_fields = ["code", "name", "name_zh"]
    fieldsets = [
        (title, {"fields": list(names), "description": description})
        for title, names, description in FIELDSETS
    ]
    readonly_preprocess_fields = dict.fromkeys(selectors.RATES, _percent)
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

    # --- the preview ---------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.preview_view)
        return [path("preview/", view, name="lending_product_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """The preview alone, of the terms as they stand in the form: asked for by the page on each change."""
        if not request.user.has_perm("lending.view_product"):
            raise PermissionDenied
        return TemplateResponse(
            request, "admin/parts/product_preview.html", {"preview": _of_form(request.POST)}
        )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        typed = getattr(request, "typed_in", None)
        return _holding(form, typed) if typed is not None else form

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """The button "Preview" shows the page again with what was typed in, and saves nothing."""
        product = self.get_object(request, object_id) if object_id else None
        if request.method == "POST" and PREVIEW in request.POST:
            request.typed_in, request.method = request.POST, "GET"  # type: ignore[attr-defined]
        if request.method == "POST" or hasattr(request, "typed_in"):
            preview = _of_form(request.POST, product)
        else:
            preview = product_preview.of(product, request.GET) if product else None
        try:
            context = {**(extra_context or {}), "preview": preview}
            return super().changeform_view(request, object_id, form_url, context)
        except Refused as refusal:  # the draft was changed, or put forward, by somebody else meanwhile
            self.message_user(request, str(refusal), level="ERROR")
            return HttpResponseRedirect(self.url_after(product))

    def sections(self, request: HttpRequest, record: Product) -> Iterable[Section]:
        yield allocation.section(record)
        before = selectors.version_before(record)
        if before is None:
            return
        yield Section(
            _("What changes against version %(version)s") % {"version": before.version},
            [_("Term"), _("Version %(version)s") % {"version": before.version}, _("This version")],
            [(change.label, change.before, change.after) for change in selectors.changes(before, record)],
            links=[link(_("Version %(version)s") % {"version": before.version}, page_of(before))],
        )

    # --- buttons -------------------------------------------------------------------------------------------------

    @service_action(
        _("Put on sale"),
        permission=CHANGE,
        form=ReasonForm,
        available=lambda product: product.state == State.DRAFT,
        icon="rocket_launch",
        variant=ActionVariant.SUCCESS,
        confirm=_(
            "A second person decides. Then the terms are frozen, and the version on sale is taken off."
        ),
    )
    def go_live(self, product: Product, data: dict[str, Any], acting: Acting) -> Any:
        desk.ask_go_live(product_id=product.pk, reason=data["reason"], **acting.day)
        return _("A second person is asked to put it on sale.")

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


def _holding(form: type[forms.ModelForm], data: Any) -> type[forms.ModelForm]:
    """The form, filled in with `data` although nothing is being saved."""

    def fill(self: Any, *args: Any, **kwargs: Any) -> None:
        form.__init__(self, data, instance=kwargs.get("instance"))

    return type(form.__name__, (form,), {"__init__": fill})


def _of_form(data: Any, product: Product | None = None) -> product_preview.Preview:
    """The preview of terms that are being typed in; they need neither a name nor a free code for it."""
    form = ProductForm(data, instance=Product(version=0))
    form.fields = {name: field for name, field in form.fields.items() if name in _PRICED}
    form._post_clean = lambda: None  # type: ignore[method-assign]
    if not form.is_valid():
        return product_preview.of(None, data)
    typed = Product(**(_UNNAMED | form.cleaned_data))
    return product_preview.of(typed, data)


_UNNAMED = {"code": "draft", "name": "-", "name_zh": "-", "version": 0}
_PRICED = [name for name in ProductForm.Meta.fields if name not in ("code", "name", "name_zh")]
