"""Provisions: the floor and the expected loss side by side, what is booked, the loans behind each figure, and the rates
of default that were counted with."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display

from lending.admin import charts
from lending.admin.base import ReadOnlyAdmin
from lending.admin.export import ExportAdmin, columns
from lending.admin.history import bucket_names
from lending.admin.parts import page_of, percent
from lending.admin.reports import Answer, AsOfForm, Cell, Column, Report, products_of
from lending.fields import ZERO
from lending.models import AssetClass, DefaultRate, LoanProvision, ProvisionMonth, Stage
from lending.selectors import provisions as selectors

FLOOR, EXPECTED = gettext_lazy("Regulatory floor"), gettext_lazy("Expected loss")
EMPTY = gettext_lazy("No provisions have been computed yet: the close of the last day of a month does it.")


class MonthForm(AsOfForm):
    on = forms.TypedChoiceField(
        label=gettext_lazy("Month end"), required=False, coerce=date.fromisoformat, empty_value=None
    )

    def prepare(self) -> None:
        super().prepare()
        self.fields["on"].choices = [(str(on), str(on)) for on in selectors.months()]


class GroupedForm(MonthForm):
    by = forms.ChoiceField(
        label=gettext_lazy("Grouped by"),
        required=False,
        choices=[
            ("product", gettext_lazy("Product")),
            ("asset_class", gettext_lazy("Class")),
            ("stage", gettext_lazy("Stage")),
            ("all", gettext_lazy("Product, class and stage")),
        ],
    )


class Provisions(Report):
    name = "report"
    model = "provisionmonth"
    title = gettext_lazy("Provisions")
    permission = "lending.view_provisionmonth"
    form = GroupedForm
    empty = EMPTY
    note = gettext_lazy(
        "The higher of the two sums of each product is booked; classes and stages show where it comes from."
    )
    columns = (
        Column(gettext_lazy("Product")),
        Column(gettext_lazy("Class")),
        Column(gettext_lazy("Stage")),
        Column(gettext_lazy("Loans"), True),
        Column(gettext_lazy("Principal outstanding"), True),
        Column(gettext_lazy("Exposure at default"), True),
        Column(FLOOR, True),
        Column(EXPECTED, True),
        Column(gettext_lazy("Required"), True),
        Column(gettext_lazy("Booked"), True),
    )

    def defaults(self, on: date) -> dict[str, Any]:
        return {"on": next(iter(selectors.months()), None), "by": "product"}

    def answer(self, asked: dict[str, Any]) -> Answer:
        if not asked.get("on"):
            return Answer([])
        on, by, products = asked["on"], asked.get("by") or "product", products_of(asked)
        found = selectors.sums(on, products)
        groups: dict[tuple[Any, ...], list[ProvisionMonth]] = {}
        for row in found:
            groups.setdefault(_key(row, by), []).append(row)
        booked = selectors.booked(on)
        rows = [_cells(rows, on, booked, asked | {"by": by}) for _group, rows in sorted(groups.items())]
        required = [one.required for one in selectors.by_product(on) if _wanted(one.product_id, products)]
        held = sum((amount for product, amount in booked.items() if _wanted(product, products)), ZERO)
        totals = [_("Total"), _("Total"), _("Total"), *_sums(found), sum(required, ZERO), held]
        shown = _SHOWN[by]
        return Answer(
            [[row[place] for place in shown] for row in rows],
            totals=[totals[place] for place in shown],
            facts=_facts(found, held),
            charts=_charts(found),
            columns=[self.columns[place] for place in shown],
        )


# Which columns say something, by what is grouped.
_SUMS = (3, 4, 5, 6, 7)
_SHOWN = {
    "product": (0, *_SUMS, 8, 9),
    "asset_class": (1, *_SUMS),
    "stage": (2, *_SUMS),
    "all": (0, 1, 2, *_SUMS),
}


def _wanted(product_id: int, products: Sequence[int] | None) -> bool:
    return products is None or product_id in products


def _key(row: ProvisionMonth, by: str) -> tuple[Any, ...]:
    whole = (str(row.product), row.asset_class, row.stage)
    return whole if by == "all" else (getattr(row, by) if by != "product" else str(row.product),)


def _sums(rows: Sequence[ProvisionMonth]) -> list[Any]:
    return [sum(row.loans for row in rows)] + [
        sum((getattr(row, name) for row in rows), ZERO) for name in selectors.AMOUNTS
    ]


def _cells(
    rows: Sequence[ProvisionMonth], on: date, booked: dict[int, Decimal], asked: dict[str, Any]
) -> list[Any]:
    """A line with all columns: its sums with the loans behind them, and what is required and booked of a product."""
    first, by = rows[0], asked["by"]
    loans, *amounts, floor, expected = _sums(rows)
    where: dict[str, Any] = {"on": on, "product": asked.get("product")}
    if by in ("product", "all"):
        where |= {"product": first.product.code, "version": first.product.version}
    for name in ("asset_class", "stage"):
        if by in (name, "all"):
            where[name] = getattr(first, name)
    return [
        str(first.product),
        str(first.get_asset_class_display()),
        str(first.get_stage_display()),
        Cell(loans, LOANS.url(**where)),
        *amounts,
        Cell(floor, LOANS.url(**where, sort="-8")),
        Cell(expected, LOANS.url(**where, sort="-9")),
        max(floor, expected),
        booked.get(first.product_id, ZERO),
    ]


def _facts(rows: Sequence[ProvisionMonth], held: Decimal) -> list[tuple[Any, Any]]:
    """The two ratios that a supervisor asks for (银监发〔2018〕7号), of what is booked."""
    owed = sum((row.principal for row in rows), ZERO)
    bad = sum((row.principal for row in rows if row.asset_class >= AssetClass.SUBSTANDARD), ZERO)
    return [
        (_("Provisions to loans"), percent(held / owed if owed else None)),
        (_("Provisions to non-performing loans"), percent(held / bad if bad else None)),
    ]


def _charts(rows: Sequence[ProvisionMonth]) -> list[dict[str, Any]]:
    def picture(title: Any, column: str, names: Sequence[tuple[int, Any]]) -> dict[str, Any]:
        lines = [
            charts.series(
                str(name),
                [
                    sum((getattr(row, amount) for row in rows if getattr(row, column) == value), ZERO)
                    for value, _label in names
                ],
                colour,
            )
            for name, amount, colour in ((FLOOR, "floor", "#f59e0b"), (EXPECTED, "expected", "primary-600"))
        ]
        return charts.chart("bar", title, [str(label) for _value, label in names], lines)

    if not rows:
        return []
    return [
        picture(_("By class"), "asset_class", AssetClass.choices),
        picture(_("By stage"), "stage", Stage.choices),
    ]


class LoansForm(MonthForm):
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    asset_class = forms.TypedChoiceField(
        label=gettext_lazy("Class"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", gettext_lazy("all classes")), *AssetClass.choices],
    )
    stage = forms.TypedChoiceField(
        label=gettext_lazy("Stage"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", gettext_lazy("all stages")), *Stage.choices],
    )


class LoanProvisions(Report):
    name = "loans"
    model = "provisionmonth"
    title = gettext_lazy("Provisions of loans")
    permission = "lending.view_loanprovision"
    form = LoansForm
    empty = EMPTY
    tie = "loan_id"
    columns = (
        Column(gettext_lazy("Loan"), order="loan_id"),
        Column(gettext_lazy("Product"), order="product__code"),
        Column(gettext_lazy("Class"), order="asset_class"),
        Column(gettext_lazy("Stage"), order="stage"),
        Column(gettext_lazy("Bucket"), order="bucket"),
        Column(gettext_lazy("Principal outstanding"), True, "principal"),
        Column(gettext_lazy("Exposure at default"), True, "exposure"),
        Column(gettext_lazy("Covered"), True, "coverage", share=True),
        Column(FLOOR, True, "floor"),
        Column(EXPECTED, True, "expected"),
        Column(gettext_lazy("Probability of default"), True, "pd", share=True),
        Column(gettext_lazy("Loss given default"), True, "lgd", share=True),
    )

    def defaults(self, on: date) -> dict[str, Any]:
        return {"on": next(iter(selectors.months()), None)}

    def answer(self, asked: dict[str, Any]) -> Answer:
        if not asked.get("on"):
            return Answer([])
        named = {"asset_class": asked.get("asset_class"), "stage": asked.get("stage")}
        if asked.get("version"):
            named["product__version"] = asked["version"]
        rows = selectors.loans(
            asked["on"], products_of(asked), **{name: value for name, value in named.items() if value}
        )
        sums, cells = selectors.totals(rows), partial(self.cells, bucket_names())
        totals = [_("Total"), "", "", "", "", sums["principal"], sums["exposure"], None]
        return Answer(rows, totals=[*totals, sums["floor"], sums["expected"], None, None], cells=cells)

    @staticmethod
    def cells(names: Callable[[int], str], row: LoanProvision) -> list[Any]:
        return [
            Cell(str(row.loan), page_of(row.loan)),
            str(row.product),
            str(row.get_asset_class_display()),
            str(row.get_stage_display()),
            names(row.bucket),
            row.principal,
            row.exposure,
            row.coverage,
            row.floor,
            row.expected,
            row.pd,
            row.lgd,
        ]


PROVISIONS, LOANS = Provisions(), LoanProvisions()
REPORTS: list[Report] = [PROVISIONS, LOANS]


@admin.register(ProvisionMonth)
class ProvisionMonthAdmin(ReadOnlyAdmin):
    """The sums that the page reads, and the pages."""

    list_display = ["date", "product", "asset_class", "stage", "loans", "principal", "floor", "expected"]
    list_filter = [("date", RangeDateFilter), "asset_class", "stage"]
    list_select_related = ["product"]
    date_hierarchy = "date"
    fields = [*list_display, "exposure"]

    def get_urls(self) -> list[Any]:
        return [*(report.path(self.admin_site) for report in REPORTS), *super().get_urls()]


@admin.register(DefaultRate)
class DefaultRateAdmin(ExportAdmin, ReadOnlyAdmin):
    """What each month end counted with; the house's own assumptions are rule parameters."""

    list_display = ["date", "bucket_", "grade", "rate_", "source", "loans"]
    list_filter = [("date", RangeDateFilter), "source"]
    date_hierarchy = "date"
    resource_classes = [columns(DefaultRate, "date", "bucket", "grade", "rate", "source", "loans")]
    fields = ["date", "bucket_", "grade", "rate_", "source", "loans"]
    readonly_fields = ["bucket_", "rate_"]

    @display(description=gettext_lazy("bucket"), ordering="bucket")
    def bucket_(self, row: DefaultRate) -> str:
        return f"M{row.bucket}"

    @display(description=gettext_lazy("chance of default in 12 months"), ordering="rate")
    def rate_(self, row: DefaultRate) -> str:
        return percent(row.rate)
