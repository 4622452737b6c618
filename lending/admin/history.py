"""Reports on the history of the book: portfolio at risk, ageing, roll rates, cures, vintages, concentrations, and the
loans behind each figure."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RangeDateFilter

from lending import clock
from lending.admin import charts
from lending.admin.base import ReadOnlyAdmin
from lending.admin.parts import page_of
from lending.admin.reports import Answer, AsOfForm, Cell, Column, PeriodForm, Report, products_of
from lending.models import (
    AssetClass,
    BookMonth,
    ConcentrationMonth,
    Customer,
    Industry,
    LoanSnapshot,
    Product,
)
from lending.selectors import classing
from lending.selectors import history as selectors
from lending.selectors.history import BAND_NAMES, LOST, PAID, Filters

EMPTY = gettext_lazy("No month end has been written down yet: the close of the last day of a month does it.")
LOANS, PRINCIPAL = gettext_lazy("Loans"), gettext_lazy("Principal outstanding")
SEGMENTS = [("", gettext_lazy("all segments")), *Customer.Kind.choices]
# Of each vintage or bucket a line: beyond so many nobody can tell them apart.
LINES = 9
BANDS_FROM = (0, 1, 31, 61, 91, 181, 361)


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
        return [
            Cell(str(row.loan), page_of(row.loan)),
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
    return Q(**{column: int(to)}, state__in=selectors.Loan.OWING)


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
    found: dict[str, Any] = {"state__in": selectors.Loan.OWING}
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


# --- reports ------------------------------------------------------------------------------------------------------


class AtRisk(OverMonths):
    name = "at_risk"
    title = gettext_lazy("Portfolio at risk")
    note = gettext_lazy(
        "Share of the principal in loans more than so many days past due; NPL: substandard or worse."
    )
    columns = (
        Column(gettext_lazy("Month end")),
        Column(LOANS, True),
        Column(PRINCIPAL, True),
        *(Column(f"PAR {days}", True, share=True) for days in selectors.PAR),
        Column("NPL", True, share=True),
    )

    def answer(self, asked: dict[str, Any]) -> Answer:
        rows = selectors.standings(filters(asked))
        return Answer(list(reversed([self._row(row, asked) for row in rows])), charts=self._charts(rows))

    def _row(self, row: selectors.Standing, asked: dict[str, Any]) -> list[Any]:
        where = {"on": row.date} | self.narrowing(asked)
        late = [
            Cell(row.par(days), LOANS_ON.url(**where, days_from=BANDS_FROM[band]))
            for days, band in selectors.PAR.items()
        ]
        return [
            Cell(row.date, AGEING.url(**where)),
            Cell(row.loans, LOANS_ON.url(**where)),
            row.principal,
            *late,
            Cell(row.npl, LOANS_ON.url(**where, non_performing=1)),
        ]

    @staticmethod
    def _charts(rows: list[selectors.Standing]) -> list[dict[str, Any]]:
        if not rows:
            return []
        labels = [f"{row.date:%Y-%m}" for row in rows]
        named = [(f"PAR {days}", [row.par(days) for row in rows]) for days in selectors.PAR]
        owed = charts.series(_("Principal outstanding"), [row.principal for row in rows], "primary-600")
        return [
            charts.shares(
                "line", _("Portfolio at risk"), labels, [*named, ("NPL", [row.npl for row in rows])]
            ),
            charts.chart("bar", _("Principal outstanding"), labels, [owed]),
        ]


class Ageing(HistoryReport):
    name = "ageing"
    title = gettext_lazy("Ageing")
    sortable = False
    columns = (
        Column(gettext_lazy("Days past due")),
        Column(LOANS, True),
        Column(PRINCIPAL, True),
        Column(gettext_lazy("Share"), True, share=True),
        Column(gettext_lazy("Charges unpaid"), True),
    )

    def answer(self, asked: dict[str, Any]) -> Answer:
        if not asked.get("on"):
            return Answer([])
        ages = selectors.ageing(asked["on"], filters(asked))
        whole = sum((age.principal for age in ages), Decimal(0))
        rows = [
            [
                BAND_NAMES[age.band],
                Cell(age.loans, LOANS_ON.url(**self._where(age.band, asked))),
                age.principal,
                age.principal / whole if whole else None,
                age.charges,
            ]
            for age in ages
        ]
        owed = charts.series(_("Principal outstanding"), [age.principal for age in ages[1:]], "#f97316")
        totals = [_("Total"), sum(age.loans for age in ages), whole, None, sum(age.charges for age in ages)]
        picture = charts.chart("bar", _("Principal past due, by days"), list(BAND_NAMES[1:]), [owed])
        return Answer(rows, totals=totals, charts=[picture] if whole else [])

    def _where(self, band: int, asked: dict[str, Any]) -> dict[str, Any]:
        last = BANDS_FROM[band + 1] - 1 if band + 1 < len(BANDS_FROM) else None
        return {"on": asked["on"], "days_from": BANDS_FROM[band], "days_to": last} | self.narrowing(asked)


AGEING = Ageing()


class RollsForm(MonthsForm):
    by = forms.ChoiceField(
        label=gettext_lazy("Grouped by"),
        required=False,
        choices=[("bucket", gettext_lazy("Bucket")), ("class", gettext_lazy("Class"))],
    )
    measure = forms.ChoiceField(
        label=gettext_lazy("Of"), required=False, choices=[("loans", LOANS), ("principal", PRINCIPAL)]
    )


class Rolls(OverMonths):
    name = "rolls"
    title = gettext_lazy("Roll rates")
    note = gettext_lazy(
        "Of what stood in a bucket at one month end, the share in each a month later. Figures lead to the loans of the "
        "last month in the range."
    )
    form = RollsForm
    sortable = False

    def answer(self, asked: dict[str, Any]) -> Answer:
        classes, by = asked.get("by") == "class", filters(asked)
        measure = asked.get("measure") or "loans"
        matrix = selectors.rolls(by, classes=classes, measure=measure)
        live = [state for state in matrix.states if state not in (PAID, LOST)]
        name = class_name if classes else state_names()
        last = next((on for on in selectors.months() if not by.until or on <= by.until), None)
        columns = [Column(_("From")), Column(LOANS if measure == "loans" else PRINCIPAL, True)]
        columns += [Column(name(state), True, share=True) for state in matrix.states]
        totals = dict(zip(matrix.states, matrix.totals, strict=True))
        rows = [
            [
                name(before),
                int(totals[before]) if measure == "loans" else totals[before],
                *(self._cell(matrix, before, after, classes, last, asked) for after in matrix.states),
            ]
            for before in live
            if totals[before]
        ]
        return Answer(rows, columns=columns, charts=self._charts(matrix, live, name) if rows else [])

    def _cell(self, matrix: Any, before: str, after: str, classes: bool, last: Any, asked: Any) -> Any:
        share = matrix.share(before, after)
        # Who was well and stayed so is most of the book: nobody looks for these one by one.
        if not share or last is None or before == after == ("1" if classes else "0"):
            return share
        column = "from_class" if classes else "from_bucket"
        return Cell(share, LOANS_ON.url(on=last, **{column: before}, to=after, **self.narrowing(asked)))

    @staticmethod
    def _charts(matrix: Any, live: list[str], name: Any) -> list[dict[str, Any]]:
        """Where the loans of each bucket went."""
        seen = [state for state in live if any(matrix.shares()[matrix.states.index(state)])]
        named = [(name(after), [matrix.share(before, after) for before in seen]) for after in matrix.states]
        picture = charts.shares(
            "bar", _("A month later"), [name(state) for state in seen], named, stacked=True
        )
        return [picture]


class Cures(OverMonths):
    name = "cures"
    title = gettext_lazy("Cure rates")
    note = gettext_lazy(
        "Of the loans that were late at the month end before, those that were current or paid a month later."
    )
    columns = (
        Column(gettext_lazy("Month end")),
        Column(gettext_lazy("Bucket before")),
        Column(LOANS, True),
        Column(gettext_lazy("Cured"), True),
        Column(gettext_lazy("Share"), True, share=True),
    )

    def answer(self, asked: dict[str, Any]) -> Answer:
        cures, names = selectors.cures(filters(asked)), bucket_names()
        rows = [
            [
                cure.date,
                names(cure.bucket),
                Cell(cure.loans, self._url(cure, asked)),
                Cell(cure.cured, self._url(cure, asked, to="cured")),
                cure.share,
            ]
            for cure in reversed(cures)
        ]
        days = sorted({cure.date for cure in cures})
        shares = {(cure.date, cure.bucket): cure.share for cure in cures}
        named = [
            (names(bucket), [shares.get((on, bucket)) for on in days])
            for bucket in sorted({cure.bucket for cure in cures})
        ]
        picture = charts.shares("line", _("Cure rates"), [f"{on:%Y-%m}" for on in days], named)
        return Answer(rows, charts=[picture] if rows else [])

    def _url(self, cure: selectors.Cure, asked: dict[str, Any], **more: Any) -> str:
        return LOANS_ON.url(on=cure.date, from_bucket=cure.bucket, **more, **self.narrowing(asked))


class VintagesForm(MonthsForm):
    bucket = forms.TypedChoiceField(
        label=gettext_lazy("That reached"), required=False, coerce=int, empty_value=2
    )
    measure = forms.ChoiceField(
        label=gettext_lazy("Of"),
        required=False,
        choices=[
            ("lent", gettext_lazy("Amount lent")),
            ("principal", gettext_lazy("Principal when they got there")),
            ("loans", LOANS),
        ],
    )

    def prepare(self) -> None:
        super().prepare()
        names = classing.buckets(clock.today()).names
        self.fields["bucket"].choices = [(number, name) for number, name in enumerate(names) if number]


class Vintages(OverMonths):
    name = "vintages"
    title = gettext_lazy("Vintages")
    note = gettext_lazy(
        "Of what was paid out in a month, the share that ever reached the bucket, by months since."
    )
    form = VintagesForm

    def defaults(self, on: date) -> dict[str, Any]:
        return super().defaults(on) | {"bucket": 2, "measure": "lent"}

    def answer(self, asked: dict[str, Any]) -> Answer:
        bucket = asked.get("bucket") or 2
        found = selectors.vintages(filters(asked), bucket=bucket, measure=asked.get("measure") or "lent")
        width = max((len(one.shares) for one in found), default=0)
        columns = [
            Column(_("Paid out in")),
            Column(LOANS, True),
            Column(_("Amount lent"), True),
            *(Column(f"{month}", True, share=True) for month in range(width)),
        ]
        where = self.narrowing(asked)
        rows = [
            [
                Cell(f"{one.cohort:%Y-%m}", COHORT.url(cohort=one.cohort, bucket=bucket, **where)),
                one.loans,
                one.lent,
                *one.shares,
                *[None] * (width - len(one.shares)),
            ]
            for one in reversed(found)
        ]
        named = [(f"{one.cohort:%Y-%m}", one.shares) for one in found[-LINES:]]
        picture = charts.shares("line", _("Vintages"), [str(month) for month in range(width)], named)
        return Answer(rows, columns=columns, charts=[picture] if rows else [])


class CohortForm(VintagesForm):
    since = until = None  # type: ignore[assignment]
    measure = None  # type: ignore[assignment]
    cohort = forms.DateField(label=gettext_lazy("Paid out in"), required=False)
    field_order = ["cohort", "bucket", "product", "kind", "grade"]


class Cohort(HistoryReport):
    name = "cohort"
    title = gettext_lazy("Loans of a vintage")
    permission = "lending.view_loan"
    note = gettext_lazy("The loans paid out in the month that ever reached the bucket, as they are today.")
    form = CohortForm
    columns = (
        Column(gettext_lazy("Loan"), order="pk"),
        Column(gettext_lazy("Customer"), order="customer_id"),
        Column(gettext_lazy("Product"), order="product__code"),
        Column(gettext_lazy("State"), order="state"),
        Column(gettext_lazy("Disbursed on"), order="disbursed_on"),
        Column(gettext_lazy("Worst bucket so far"), order="peak_bucket"),
        Column(gettext_lazy("Amount lent"), True, "principal_amount"),
        Column(PRINCIPAL, True, "principal"),
    )

    def defaults(self, on: date) -> dict[str, Any]:
        return {"cohort": on.replace(day=1), "bucket": 2}

    def answer(self, asked: dict[str, Any]) -> Answer:
        month = (asked.get("cohort") or clock.today()).replace(day=1)
        rows = selectors.of_vintage(month, filters(asked), asked.get("bucket") or 2)
        return Answer(rows, cells=partial(self.cells, bucket_names()))

    @staticmethod
    def cells(names: Callable[[int], str], loan: Any) -> list[Any]:
        return [
            Cell(str(loan), page_of(loan)),
            Cell(loan.customer.name, page_of(loan.customer)),
            str(loan.product),
            str(loan.get_state_display()),
            loan.disbursed_on,
            names(loan.peak_bucket),
            loan.principal_amount,
            loan.principal,
        ]


COHORT = Cohort()


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
        shown = places[:LINES]
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


AT_RISK = AtRisk()
REPORTS: list[Report] = [
    AT_RISK,
    AGEING,
    Rolls(),
    Cures(),
    Vintages(),
    Concentrations(),
    LOANS_ON,
    COHORT,
]


@admin.register(BookMonth)
class BookMonthAdmin(ReadOnlyAdmin):
    """The sums that the reports read, as they are, and the reports."""

    list_display = [
        "date",
        "product",
        "grade",
        "cohort",
        "state",
        "bucket",
        "asset_class",
        "loans",
        "principal",
    ]
    list_filter = [("date", RangeDateFilter), "asset_class"]
    list_select_related = ["product"]
    date_hierarchy = "date"
    fields = [*list_display, "charges"]

    def get_urls(self) -> list[Any]:
        return [*(report.path(self.admin_site) for report in REPORTS), *super().get_urls()]
