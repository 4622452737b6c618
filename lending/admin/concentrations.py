"""How much of the book stands in one place: industry, product, grade, region, one name, one name and its group."""

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lending.admin import charts
from lending.admin.history_loans import (
    LOANS,
    LOANS_ON,
    PRINCIPAL,
    HistoryReport,
    MonthForm,
)
from lending.admin.reports import Answer, Cell, Column
from lending.models import (
    ConcentrationMonth,
    Customer,
    Industry,
    Product,
)
from lending.selectors import history as selectors

# The largest places that are drawn.
DRAWN = 9


class ConcentrationForm(MonthForm):
    product = grade = None  # type: ignore[assignment]
    dimension = forms.ChoiceField(
        label=gettext_lazy("Grouped by"), required=False, choices=ConcentrationMonth.Dimension.choices
    )
    field_order = ["on", "dimension", "kind"]

    def prepare(self) -> None:
        self.fields["on"].choices = [(str(on), str(on)) for on in selectors.months()]


class Concentrations(HistoryReport):
    name = "concentration"
    title = gettext_lazy("Concentration")
    note = gettext_lazy("Of names and groups, the 50 largest of each segment.")
    form = ConcentrationForm
    columns = (
        Column(gettext_lazy("Where")),
        Column(LOANS, True),
        Column(PRINCIPAL, True),
        Column(gettext_lazy("Share"), True, share=True),
        Column(gettext_lazy("More than 30 days past due"), True),
        Column(gettext_lazy("Non-performing"), True),
    )

    def defaults(self, on: date) -> dict[str, Any]:
        return super().defaults(on) | {"dimension": "INDUSTRY"}

    def answer(self, asked: dict[str, Any]) -> Answer:
        if not asked.get("on"):
            return Answer([])
        dimension = asked.get("dimension") or "INDUSTRY"
        places = selectors.concentration(asked["on"], dimension, asked.get("kind") or "")
        names = _place_names(dimension, [place.key for place in places])
        where = {"on": asked["on"], "dimension": dimension, "kind": asked.get("kind")}
        rows = [
            [
                Cell(names[place.key], self._url(where, place.key)),
                place.loans,
                place.principal,
                place.share,
                place.late,
                place.non_performing,
            ]
            for place in places
        ]
        shown = places[:DRAWN]
        owed = charts.series(_("Principal outstanding"), [place.principal for place in shown], "primary-600")
        picture = charts.chart(
            "bar", _("Principal outstanding"), [str(names[place.key]) for place in shown], [owed], lying=True
        )
        return Answer(rows, charts=[picture] if rows else [])

    @staticmethod
    def _url(where: dict[str, Any], key: str) -> str:
        if where["dimension"] == "GRADE":
            return LOANS_ON.url(on=where["on"], kind=where["kind"], grade=key) if key else ""
        return LOANS_ON.url(**where, key=key)


def _place_names(dimension: str, keys: list[str]) -> dict[str, str]:
    """What the places are called; persons and companies by their name."""
    ids = [int(key[1:]) for key in keys if key.startswith("#")]
    found = {f"#{one.pk}": one.name for one in Customer.objects.filter(pk__in=ids)}
    if dimension == "INDUSTRY":
        found |= {one.code: one.local_name for one in Industry.objects.all()}
    if dimension == "PRODUCT":
        found |= {str(one.pk): str(one) for one in Product.objects.all()}
    return {key: found.get(key, key) or _("unknown") for key in keys}
