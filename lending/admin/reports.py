"""Reports: a question in a form, an answer in a table, on screen, on paper or as a file.

A report names its columns and makes its rows. A cell is a plain value, or a `Cell` with an address behind the figure.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lending import clock, sheets
from lending.admin.forms import ActionForm
from lending.admin.parts import link, money, percent
from lending.models import Account, Product

PER_PAGE = 100
# A printed page is made in one go; longer answers are for files.
PRINTED = 5000


@dataclass(frozen=True, slots=True)
class Cell:
    """A value with what is behind it."""

    value: Any
    url: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """`order` is the field to sort a queryset by; rows that are lists are sorted by the column itself. A `share` is
    shown as a percentage."""

    title: Any
    number: bool = False
    order: str = ""
    share: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows (a list, or a queryset that `cells` turns into rows one by one), totals, and words above the table."""

    rows: Sequence[Any] | QuerySet[Any]
    totals: Sequence[Any] = ()
    facts: Sequence[tuple[Any, Any]] = ()
    cells: Callable[[Any], Sequence[Any]] = list
    # Rows that are sums of others, by their place.
    sums: frozenset[int] = frozenset()
    # Pictures of the same figures (lending/admin/charts.py).
    charts: Sequence[dict[str, Any]] = ()
    # Where the columns depend on what was asked; else they are the report's own.
    columns: Sequence[Column] = ()


class ReportForm(ActionForm):
    """What a report is asked for. Fields that are left empty ask for everything."""


def product_field() -> forms.ChoiceField:
    return forms.ChoiceField(label=gettext_lazy("Product"), required=False)


class AsOfForm(ReportForm):
    on = forms.DateField(label=gettext_lazy("As of"), required=False)
    product = product_field()

    def prepare(self) -> None:
        codes = Product.objects.order_by("code").values_list("code", flat=True).distinct()
        choices = [("", _("all products")), *((code, code) for code in codes)]
        self.fields["product"].choices = choices


class SpanForm(ReportForm):
    """From one day to another."""

    since = forms.DateField(label=gettext_lazy("From"), required=False)
    until = forms.DateField(label=gettext_lazy("To"), required=False)

    def clean(self) -> dict[str, Any]:
        asked = super().clean() or {}
        since, until = asked.get("since"), asked.get("until")
        if since and until and since > until:
            self.add_error("until", _("The period ends before it begins."))
        return asked


class PeriodForm(SpanForm, AsOfForm):
    """A period, by default the running month up to today."""

    on = None  # type: ignore[assignment]
    field_order = ["since", "until", "product"]


class LinesForm(PeriodForm):
    """A period and an account."""

    account = forms.ChoiceField(label=gettext_lazy("Account"), required=False)
    field_order = ["account", "since", "until", "product"]

    def prepare(self) -> None:
        super().prepare()
        accounts = [(one.pk, str(one)) for one in Account.objects.all()]
        self.fields["account"].choices = [("", _("all accounts")), *accounts]


class Report:
    """One report. Subclasses say what they are called and answer what is asked."""

    name: str
    title: Any
    note: Any = ""
    permission = "lending.view_account"
    form: type[ReportForm] = PeriodForm
    columns: Sequence[Column] = ()
    sortable = True
    # What is said instead of a table without rows.
    empty: Any = gettext_lazy("Nothing here.")
    # The model on whose pages it stands, and the field that settles the order of rows of a queryset.
    model = "account"
    tie = "id"

    def defaults(self, on: date) -> dict[str, Any]:
        """What is asked when nothing is, on that business date."""
        return {"since": on.replace(day=1), "until": on}

    def answer(self, asked: dict[str, Any]) -> Answer:
        raise NotImplementedError

    @property
    def url_name(self) -> str:
        return f"lending_{self.model}_{self.name}"

    def url(self, **asked: Any) -> str:
        query = {name: value for name, value in asked.items() if value not in (None, "")}
        return f"{reverse(f'admin:{self.url_name}')}?{urlencode(query)}"

    def path(self, site: Any) -> URLPattern:
        view = site.admin_view(partial(page, self, site))
        return path(f"{self.name.replace('_', '-')}/", view, name=self.url_name)


def products_of(asked: dict[str, Any]) -> list[int] | None:
    """The versions of the product asked for; None for every product."""
    if not asked.get("product"):
        return None
    return list(Product.objects.filter(code=asked["product"]).values_list("pk", flat=True))


def page(report: Report, site: Any, request: HttpRequest) -> HttpResponse:
    """The report as it is asked for in the address."""
    if not request.user.has_perm(report.permission):
        raise PermissionDenied
    defaults = report.defaults(clock.today())
    given = {name: value for name, value in request.GET.items() if name in report.form.base_fields}
    form = report.form(given or {name: value for name, value in defaults.items() if value})
    asked = defaults | form.cleaned_data if form.is_valid() else None
    answer = report.answer(asked) if asked is not None else Answer([])
    answer = _sorted(report, answer, request.GET.get("sort", ""))
    kind = request.GET.get("format", "")
    if asked is not None and kind in FILES:
        return FILES[kind](report, answer)
    context = _context(report, request, form, answer, PRINTED if kind == "print" else PER_PAGE)
    if kind == "print":
        return TemplateResponse(request, "admin/report_print.html", context)
    request.current_app = site.name
    return TemplateResponse(request, "admin/report.html", {**site.each_context(request), **context})


def _sorted(report: Report, answer: Answer, sort: str) -> Answer:
    """By the number of a column, with a minus for the largest first."""
    number = sort.removeprefix("-")
    columns = answer.columns or report.columns
    if not report.sortable or not number.isdecimal() or int(number) >= len(columns):
        return answer
    column, down = columns[int(number)], sort.startswith("-")
    if isinstance(answer.rows, QuerySet):
        if not column.order:
            return answer
        rows: Any = answer.rows.order_by(f"{'-' if down else ''}{column.order}", report.tie)
    else:
        rows = sorted(answer.rows, key=lambda row: _plain(answer.cells(row)[int(number)]), reverse=down)
    return replace(answer, rows=rows, sums=frozenset())


def _plain(cell: Any) -> Any:
    """What a column is sorted by: what is missing comes first, and words are never compared with numbers."""
    value = cell.value if isinstance(cell, Cell) else cell
    if isinstance(value, date):
        return (1, value.toordinal(), "")
    return (
        (1, value, "") if isinstance(value, (Decimal, int)) else (0, 0, "" if value is None else str(value))
    )


def _context(
    report: Report, request: HttpRequest, form: ReportForm, answer: Answer, per_page: int
) -> dict[str, Any]:
    columns = answer.columns or report.columns
    shown = Paginator(answer.rows, per_page).get_page(request.GET.get("page"))
    start = shown.start_index() - 1
    rows = [
        (
            [_shown(column, cell) for column, cell in zip(columns, answer.cells(row), strict=True)],
            start + number in answer.sums,
        )
        for number, row in enumerate(shown)
    ]
    query = request.GET.copy()
    for name in ("page", "format", "sort"):
        query.pop(name, None)
    return {
        "title": report.title,
        "report": report,
        "form": form,
        "columns": _heads(report, columns, request.GET.get("sort", ""), query.urlencode()),
        "charts": answer.charts,
        "rows": rows,
        "totals": [_shown(c, cell) for c, cell in zip(columns, answer.totals, strict=False)],
        "facts": [(name, _shown(Column(""), value)) for name, value in answer.facts],
        "page": shown,
        "query": query.urlencode(),
        "sort": request.GET.get("sort", ""),
    }


def _heads(report: Report, columns: Sequence[Column], sort: str, query: str) -> list[dict[str, Any]]:
    heads = []
    for number, column in enumerate(columns):
        down = sort == str(number)
        heads.append(
            {
                "title": column.title,
                "number": column.number,
                "mark": "↑" if down else "↓" if sort == f"-{number}" else "",
                "url": f"?{query}&sort={'-' if down else ''}{number}" if report.sortable else "",
            }
        )
    return heads


def _shown(column: Column, cell: Any) -> dict[str, Any]:
    value, url = (cell.value, cell.url) if isinstance(cell, Cell) else (cell, "")
    text = "" if value is None else value
    if isinstance(value, Decimal):
        text = percent(value) if column.share else money(value)
    elif isinstance(value, int) and column.number:
        text = number_format(value, force_grouping=True)
    if isinstance(value, date):
        text = value.isoformat()
    return {"text": link(text, url) if url and text != "" else text, "number": column.number}


def _rows(answer: Answer) -> Iterator[list[Any]]:
    rows: Iterable[Any] = answer.rows
    if isinstance(rows, QuerySet):
        rows = rows.iterator(chunk_size=2000)
    for row in rows:
        yield [cell.value if isinstance(cell, Cell) else cell for cell in answer.cells(row)]
    if answer.totals:
        yield [cell.value if isinstance(cell, Cell) else cell for cell in answer.totals]


def _csv(report: Report, answer: Answer) -> HttpResponse:
    lines = sheets.csv_lines([column.title for column in answer.columns or report.columns], _rows(answer))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{report.name}.csv"'
    return response


def _xlsx(report: Report, answer: Answer) -> HttpResponse:
    file = tempfile.TemporaryFile()  # noqa: SIM115  (the response closes it)
    titles = [column.title for column in answer.columns or report.columns]
    sheets.write_xlsx(file, str(report.title), titles, _rows(answer))
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=f"{report.name}.xlsx")


FILES: dict[str, Callable[[Report, Answer], HttpResponse]] = {"csv": _csv, "xlsx": _xlsx}
