"""What the reports on the history of the book have in common, and the list of loans behind their figures."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lending import clock
from lending.admin.parts import page_of
from lending.admin.reports import Answer, AsOfForm, Cell, Column, PeriodForm, Report, products_of
from lending.models import (
    AssetClass,
    ConcentrationMonth,
    Customer,
    Loan,
    LoanSnapshot,
)
from lending.selectors import classing
from lending.selectors import history as selectors
from lending.selectors.history import LOST, PAID, Filters

EMPTY = gettext_lazy("No month end has been written down yet: the close of the last day of a month does it.")
LOANS, PRINCIPAL = gettext_lazy("Loans"), gettext_lazy("Principal outstanding")
SEGMENTS = [("", gettext_lazy("all segments")), *Customer.Kind.choices]


def bucket_names() -> Callable[[int], str]:
    """The names of the buckets as of today: asked once for a page, since they are rule parameters."""
    names = classing.buckets(clock.today()).names
    return lambda number: names[min(number, len(names) - 1)]


def state_names() -> Callable[[str], str]:
    """What the states of a matrix of buckets are called."""
    left, names = {PAID: _("paid"), LOST: _("written off")}, bucket_names()
    return lambda state: left.get(state) or names(int(state))


def class_name(state: str) -> str:
    left = {PAID: _("paid"), LOST: _("written off")}
    return left.get(state) or str(AssetClass(int(state)).label)


class Narrowed(forms.Form):
    """By segment and grade, as all these reports can be."""

    kind = forms.ChoiceField(label=gettext_lazy("Segment"), required=False, choices=SEGMENTS)
    grade = forms.ChoiceField(label=gettext_lazy("Grade"), required=False)

    def narrow(self) -> None:
        grades = [(grade, grade) for grade in selectors.grades()]
        self.fields["grade"].choices = [("", _("all grades")), *grades]


class MonthsForm(Narrowed, PeriodForm):
    """A range of month ends."""

    field_order = ["since", "until", "product", "kind", "grade"]

    def prepare(self) -> None:
        super().prepare()
        self.narrow()


class MonthForm(Narrowed, AsOfForm):
    """One month end, of those that were written down."""

    on = forms.TypedChoiceField(
        label=gettext_lazy("Month end"), required=False, coerce=date.fromisoformat, empty_value=None
    )
    field_order = ["on", "product", "kind", "grade"]

    def prepare(self) -> None:
        super().prepare()
        self.narrow()
        self.fields["on"].choices = [(str(on), str(on)) for on in selectors.months()]


def filters(asked: dict[str, Any]) -> Filters:
    return Filters(
        products=products_of(asked),
        kind=asked.get("kind") or "",
        grade=asked.get("grade") or "",
        since=asked.get("since"),
        until=asked.get("until"),
    )


class HistoryReport(Report):
    """What these reports have in common. `narrowing` goes on to the loans behind a figure."""

    model = "bookmonth"
    permission = "lending.view_bookmonth"
    empty = EMPTY
    form = MonthForm

    def defaults(self, on: date) -> dict[str, Any]:
        return {"on": next(iter(selectors.months()), None)}

    @staticmethod
    def narrowing(asked: dict[str, Any]) -> dict[str, Any]:
        return {name: asked.get(name) for name in ("product", "kind", "grade")}


class OverMonths(HistoryReport):
    form = MonthsForm

    def defaults(self, on: date) -> dict[str, Any]:
        """The last year."""
        months = selectors.months()[:12]
        return {"since": months[-1], "until": months[0]} if months else {}


# --- the loans behind a figure ------------------------------------------------------------------------------------


class LoansForm(MonthForm):
    """The loans of a month end; what a figure means beside the visible fields comes with its link."""

    asset_class = forms.TypedChoiceField(
        label=gettext_lazy("Class"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", gettext_lazy("all classes")), *AssetClass.choices],
    )
    days_from = forms.IntegerField(label=gettext_lazy("Days past due, from"), required=False, min_value=0)
    days_to = forms.IntegerField(label=gettext_lazy("to"), required=False, min_value=0)
    non_performing = forms.BooleanField(required=False, widget=forms.HiddenInput)
    dimension = forms.ChoiceField(
        required=False,
        choices=[("", ""), *ConcentrationMonth.Dimension.choices],
        widget=forms.HiddenInput,
    )
    key = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput)
    from_bucket = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    from_class = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    to = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)


class LoansOn(HistoryReport):
    name = "loans"
    title = gettext_lazy("Loans at a month end")
    permission = "lending.view_loansnapshot"
    form = LoansForm
    tie = "loan_id"
    columns = (
        Column(gettext_lazy("Loan"), order="loan_id"),
        Column(gettext_lazy("Customer"), order="customer_id"),
        Column(gettext_lazy("Product"), order="product__code"),
        Column(gettext_lazy("State"), order="state"),
        Column(gettext_lazy("Days past due"), True, "days"),
        Column(gettext_lazy("Bucket"), order="bucket"),
        Column(gettext_lazy("Class"), order="asset_class"),
        Column(PRINCIPAL, True, "principal"),
        Column(gettext_lazy("Charges unpaid"), True, "charges"),
    )

    def answer(self, asked: dict[str, Any]) -> Answer:
        if not asked.get("on"):
            return Answer([])
        on, by = asked["on"], filters(asked)
        if asked.get("from_bucket") is not None or asked.get("from_class") is not None:
            rows = selectors.rolled(on, by, before=_before(asked), after=_after(asked))
        else:
            rows = selectors.loans_on(on, by, **_narrowed(asked))
        return Answer(rows, cells=partial(self.cells, bucket_names()), facts=[(_("Month end"), on)])

    @staticmethod
    def cells(names: Callable[[int], str], row: LoanSnapshot) -> list[Any]:
        loan = Loan(pk=row.loan_id)
        return [
            Cell(str(loan), page_of(loan)),
            Cell(row.customer.name, page_of(row.customer)),
            str(row.product),
            str(row.get_state_display()),
            row.days,
            names(row.bucket),
            str(row.get_asset_class_display()),
            row.principal,
            row.charges,
        ]


def _before(asked: dict[str, Any]) -> dict[str, Any]:
    named = {"bucket": asked.get("from_bucket"), "asset_class": asked.get("from_class")}
    return {name: value for name, value in named.items() if value is not None}


def _after(asked: dict[str, Any]) -> Q:
    to = asked.get("to") or ""
    if to == "cured":
        return selectors.CURED
    if not to:
        return Q()
    if not to.isdecimal():
        return Q(state=to)
    column = "asset_class" if asked.get("from_class") is not None else "bucket"
    return Q(**{column: int(to)}, state__in=Loan.OWING)


# How a place of the concentrations is found among the loans.
_PLACES = {
    "INDUSTRY": "customer__industry",
    "PRODUCT": "product_id",
    "GRADE": "",
    "REGION": "customer__region",
    "NAME": "customer_id",
    "GROUP": "customer__group_name",
}


def _narrowed(asked: dict[str, Any]) -> dict[str, Any]:
    """The conditions on the rows of a month end. Figures are of what is owed; so is the list."""
    found: dict[str, Any] = {"state__in": Loan.OWING}
    if asked.get("asset_class"):
        found["asset_class"] = asked["asset_class"]
    if asked.get("non_performing"):
        found["asset_class__gte"] = AssetClass.SUBSTANDARD
    for name, lookup in (("days_from", "days__gte"), ("days_to", "days__lte")):
        if asked.get(name) is not None:
            found[lookup] = asked[name]
    return found | _in_place(asked.get("dimension") or "", asked.get("key") or "")


def _in_place(dimension: str, key: str) -> dict[str, Any]:
    column = _PLACES.get(dimension, "")
    if not column:
        return {}
    if key.startswith("#") and key[1:].isdecimal():
        return {"customer_id": int(key[1:])}
    if dimension == "INDUSTRY" and not key:
        return {"customer__industry": None}
    if dimension == "PRODUCT" and not key.isdecimal():
        return {}
    return {column: key}


LOANS_ON = LoansOn()
