"""What secures the debts: taken down, verified, pledged, given back."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending import clock
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import ActionForm, ReasonForm, amount_field
from lending.admin.parts import money, percent, record_link, state_label
from lending.errors import Refused
from lending.models import Collateral, Customer
from lending.services import collateral

State = Collateral.State
CHANGE = "lending.change_collateral"


class ProposeForm(ActionForm):
    customer = forms.CharField(label=_("Customer"), help_text=_("The platform reference of the customer."))
    kind = forms.ChoiceField(label=_("Kind"), choices=Collateral.Kind.choices)
    description = forms.CharField(label=_("Description"), max_length=200)
    value = amount_field(_("Value"))
    haircut = forms.DecimalField(
        label=_("Haircut"),
        min_value=0,
        max_value=1,
        initial=Decimal("0.3"),
        help_text=_("Share of the value that is not counted, 0.3 is 30%."),
    )
    valued_on = forms.DateField(label=_("Valued on"))
    register_no = forms.CharField(label=_("Register number"), max_length=64, required=False)
    third_party = forms.CharField(label=_("Insurer, guarantor or debtor"), max_length=120, required=False)
    expires_on = forms.DateField(label=_("Expires on"), required=False)

    def prepare(self) -> None:
        self.fields["valued_on"].initial = clock.today()


class RevalueForm(ReasonForm):
    value = amount_field(_("Value"))
    valued_on = forms.DateField(label=_("Valued on"))
    field_order = ["value", "valued_on", "reason"]

    def prepare(self) -> None:
        self.fields["value"].initial, self.fields["valued_on"].initial = self.subject.value, clock.today()


class RegisterForm(ActionForm):
    register_no = forms.CharField(label=_("Register number"), max_length=64)


def _in(*states: str) -> Any:
    return lambda item: item.state in states


@admin.register(Collateral)
class CollateralAdmin(ExportAdmin, ServiceAdmin):
    list_display = [
        "description",
        "kind",
        "state_",
        "customer_link",
        "value",
        "counts_for",
        "valued_on",
        "expires_on",
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("expires_on", RangeDateFilter),
        ("valued_on", RangeDateFilter),
    ]
    list_select_related = ["customer"]
    search_fields = ["description", "register_no", "third_party", "customer__name", "customer__platform_ref"]
    date_hierarchy = "valued_on"
    resource_classes = [
        columns(
            Collateral,
            *("id", "customer__name", "kind", "state", "description", "value", "haircut", "valued_on"),
            *("register_no", "third_party", "expires_on"),
        )
    ]
    fields = [
        *("customer_link", "state_", "kind", "description", "value", "haircut", "counts_for", "valued_on"),
        *("register_no", "third_party", "expires_on"),
    ]
    readonly_fields = ["customer_link", "state_", "counts_for"]
    readonly_preprocess_fields = {"haircut": percent}
    actions_list = ["propose"]
    actions_detail = [
        "verify",
        "pledge",
        "release",
        {"title": _("More"), "icon": "more_horiz", "items": ["revalue", "register", "enforce", "lapse"]},
    ]

    @display(description=_("state"), ordering="state")
    def state_(self, item: Collateral) -> Any:
        return state_label(item)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, item: Collateral) -> Any:
        return record_link(item.customer)

    @display(description=_("counts for"))
    def counts_for(self, item: Collateral) -> str:
        return money(item.lending_value(clock.today()))

    @service_action(
        _("Take down collateral"), permission="lending.add_collateral", form=ProposeForm, icon="add"
    )
    def propose(self, _none: None, data: dict[str, Any], acting: Acting) -> Any:
        customer = Customer.objects.filter(platform_ref=data.pop("customer")).first()
        if customer is None:
            raise Refused("customer", _("There is no such customer."), field="customer")
        collateral.propose(customer_id=customer.pk, **data, **acting.day)
        return _("The collateral is taken down.")

    @service_action(
        _("Verify"), permission=CHANGE, form=ReasonForm, available=_in(State.PROPOSED), icon="verified"
    )
    def verify(self, item: Collateral, data: dict[str, Any], acting: Acting) -> Any:
        collateral.move(collateral_id=item.pk, step="verify", note=data["reason"], **acting.moment)
        return _("The collateral is verified.")

    @service_action(
        _("Pledge"), permission=CHANGE, form=ReasonForm, available=_in(State.VERIFIED), icon="shield_lock"
    )
    def pledge(self, item: Collateral, data: dict[str, Any], acting: Acting) -> Any:
        collateral.move(collateral_id=item.pk, step="pledge", note=data["reason"], **acting.moment)
        return _("It now secures the customer's debt.")

    @service_action(
        _("Release"),
        permission=CHANGE,
        form=ReasonForm,
        available=_in(State.PROPOSED, State.VERIFIED, State.PLEDGED),
        icon="remove_moderator",
    )
    def release(self, item: Collateral, data: dict[str, Any], acting: Acting) -> Any:
        collateral.move(collateral_id=item.pk, step="release", note=data["reason"], **acting.moment)
        return _("The collateral is given back.")

    @service_action(
        _("Enforce"),
        permission=CHANGE,
        form=ReasonForm,
        available=_in(State.PLEDGED),
        icon="gavel",
        variant=ActionVariant.DANGER,
        confirm=_("It is taken to pay the debt."),
    )
    def enforce(self, item: Collateral, data: dict[str, Any], acting: Acting) -> Any:
        collateral.move(collateral_id=item.pk, step="enforce", note=data["reason"], **acting.moment)
        return _("The collateral is enforced.")

    @service_action(
        _("Lapse"),
        permission=CHANGE,
        form=ReasonForm,
        available=_in(State.VERIFIED, State.PLEDGED),
        icon="event_busy",
    )
    def lapse(self, item: Collateral, data: dict[str, Any], acting: Acting) -> Any:
        collateral.move(collateral_id=item.pk, step="lapse", note=data["reason"], **acting.moment)
        return _("The collateral has lapsed.")

    @service_action(_("Value again"), permission=CHANGE, form=RevalueForm, icon="price_change")
    def revalue(self, item: Collateral, data: dict[str, Any], acting: Acting) -> Any:
        note = data.pop("reason")
        collateral.revalue(collateral_id=item.pk, note=note, **data, **acting.day)
        return _("The new value is written down.")

    @service_action(
        _("Register number"),
        permission=CHANGE,
        form=RegisterForm,
        available=_in(State.PROPOSED, State.VERIFIED),
        icon="app_registration",
    )
    def register(self, item: Collateral, data: dict[str, Any], acting: Acting) -> Any:
        collateral.note_register(collateral_id=item.pk, register_no=data["register_no"], **acting.moment)
        return _("The register number is written down.")
