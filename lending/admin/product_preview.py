"""What a product would cost, shown beside its terms while they are being written."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold import widgets

from lending import clock, engine, words
from lending.errors import Refused
from lending.models import Product
from lending.selectors import pricing
from lending.selectors.cost import Cap, cap

YEARS_AHEAD = 30


class PreviewForm(forms.Form):
    """For which loan the preview is: how much, in how many instalments, from which day."""

    preview_amount = forms.DecimalField(
        label=_("Amount"), min_value=Decimal("0.01"), max_digits=18, decimal_places=2, required=False
    )
    preview_tenor = forms.IntegerField(label=_("Instalments"), min_value=1, max_value=1200, required=False)
    preview_on = forms.DateField(label=_("Paid out on"), required=False)

    def __init__(self, data: QueryDict | None, product: Product | None) -> None:
        super().__init__(_filled(data, product))
        self.fields["preview_amount"].widget = widgets.UnfoldAdminDecimalFieldWidget(attrs={"step": "0.01"})
        self.fields["preview_tenor"].widget = widgets.UnfoldAdminIntegerFieldWidget()
        self.fields["preview_on"].widget = forms.DateInput(
            format="%Y-%m-%d", attrs={"type": "date", "class": " ".join(widgets.INPUT_CLASSES)}
        )

    def clean_preview_on(self) -> date:
        today = clock.today()
        day = self.cleaned_data["preview_on"] or today
        if abs(day - today) > timedelta(days=366 * YEARS_AHEAD):
            raise forms.ValidationError(_("This day is too far away."))
        return day


def _filled(data: QueryDict | None, product: Product | None) -> dict[str, Any]:
    """What was chosen; what was not is the product's usual."""
    chosen = {name: data[name] for name in PreviewForm.base_fields if data and data.get(name)}
    usual: dict[str, Any] = {"preview_on": clock.today()}
    if product is not None:
        usual |= {"preview_amount": product.usual_amount, "preview_tenor": product.usual_tenor}
    return usual | chosen


@dataclass(frozen=True, slots=True)
class TenorRow:
    """One number of instalments: its cost at the usual and at the highest price, and the room below the cap."""

    quote: pricing.Quote
    annual_cost: Decimal
    highest: Decimal
    headroom: Decimal
    chosen: bool

    @property
    def points(self) -> str:
        """The room in percentage points; below zero it is what the refusal to go on sale would name."""
        return f"-{words.points(-self.headroom)}" if self.headroom < 0 else f"{self.headroom * 100:.2f}"


@dataclass(frozen=True, slots=True)
class Preview:
    """The figures of a preview, or why there are none."""

    form: PreviewForm
    problem: str = ""
    limit: Cap | None = None
    rows: tuple[TenorRow, ...] = ()
    shown: pricing.Quote | None = None


def of(product: Product | None, data: QueryDict | None) -> Preview:
    """The preview of these terms for what `data` chooses. Never raises for terms that cannot be computed."""
    form = PreviewForm(data, product)
    if product is None:
        return Preview(form, gettext("Correct the terms above: then the preview is shown."))
    if not form.is_valid():
        return Preview(form, gettext("Choose an amount, a number of instalments and a day."))
    try:
        return _figures(product, form)
    except Refused as refusal:
        return Preview(form, str(refusal))
    except engine.TermsError as error:
        return Preview(form, f"{_label(product, error.field)}: {gettext(error.message)}")
    except ValueError:
        return Preview(form, gettext("No annual cost can be computed for these terms."))


def _label(product: Product, field: str) -> str:
    from lending.services.products import FIELDS

    name = FIELDS.get(field, field)
    known = {column.name: column.verbose_name for column in product._meta.fields}
    return str(known.get(name, name))


def _figures(product: Product, form: PreviewForm) -> Preview:
    amount = form.cleaned_data["preview_amount"] or product.usual_amount
    tenor = form.cleaned_data["preview_tenor"] or product.usual_tenor
    on = form.cleaned_data["preview_on"]
    limit = cap(product.lender_type, on)
    rows = tuple(_row(product, amount, one, on, limit, tenor) for one in sorted(product.tenors))
    shown = next((row.quote for row in rows if row.chosen), None)
    if shown is None:
        return Preview(form, gettext("This number of instalments is not on offer."), limit, rows)
    return Preview(form, "", limit, rows, shown)


def _row(product: Product, amount: Decimal, tenor: int, on: date, limit: Cap, chosen: int) -> TenorRow:
    usual = pricing.quote(product, amount, tenor, on)
    highest = limit.measure(pricing.dearest(product, tenor, on).annual_cost)
    measured = limit.measure(usual.annual_cost)
    return TenorRow(usual, measured, highest, limit.limit - highest, tenor == chosen)
