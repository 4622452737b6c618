"""Companies' accounts: entered, corrected, taken in from a file, and looked at year beside year."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from lending import tables
from lending.accounts import FIGURES, MAY_BE_NEGATIVE
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import ActionForm
from lending.admin.parts import Section, link, money, record_link
from lending.models import Customer
from risk import features
from risk.engine import spread
from risk.models import FinancialStatement
from risk.selectors.spread import years
from risk.services import filings, statement_files

ADD = "risk.add_financialstatement"
FORMS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
DAYS = ("receivable_days", "inventory_days", "payable_days")


class FiguresForm(ActionForm):
    """One year's figures; those that the company does not report stay empty."""

    def prepare(self) -> None:
        for name, words in FIGURES.items():
            self.fields[name] = forms.DecimalField(
                label=words,
                max_digits=18,
                decimal_places=2,
                required=False,
                min_value=None if name in MAY_BE_NEGATIVE else Decimal(0),
                initial=self.subject.figures.get(name) if self.subject else None,
            )


class EnterForm(FiguresForm):
    company = forms.CharField(
        label=_("Company"), max_length=64, help_text=_("the platform's reference or the credit code")
    )
    year = forms.IntegerField(label=_("Year"), min_value=1990, max_value=2200)

    def clean_company(self) -> Customer:
        found = statement_files.companies([self.cleaned_data["company"].strip()])
        if not found:
            raise forms.ValidationError(_("No company has this reference or credit code."))
        return Customer.objects.get(pk=next(iter(found.values())))


class UploadForm(ActionForm):
    file = forms.FileField(label=_("File"))
    partly = forms.BooleanField(
        label=_("File the lines that are right, though others are not"), required=False
    )

    def prepare(self) -> None:
        links = [
            link(form.upper(), reverse("admin:risk_financialstatement_template", args=[form]))
            for form in FORMS
        ]
        self.fields["file"].help_text = format_html(
            "{} {} {} · {}",
            _("CSV or XLSX, a line for each company and year, at most 2,000 lines."),
            _("An empty file to fill in:"),
            *links,
        )


@admin.register(FinancialStatement)
class FinancialStatementAdmin(ExportAdmin, ServiceAdmin):
    list_display = ["company_link", "year", "revenue", "net_profit", "total_assets", "filed_at", "filed_by"]
    list_filter = ["year", ("filed_at", RangeDateTimeFilter)]
    list_select_related = ["company", "filed_by"]
    search_fields = ["company__name", "=company__platform_ref"]
    resource_classes = [
        columns(FinancialStatement, "company__platform_ref", "company__name", "year", "figures", "filed_at")
    ]
    fields = ["company_link", "year", "filed_at", "filed_by"]
    readonly_fields = ["company_link"]
    actions_list = ["enter", "take_in"]
    actions_detail = ["correct"]

    @display(description=_("company"), ordering="company__name")
    def company_link(self, record: FinancialStatement) -> Any:
        return record_link(record.company)

    @display(description=FIGURES["revenue"])
    def revenue(self, record: FinancialStatement) -> str:
        return money(record.figures.get("revenue"))

    @display(description=FIGURES["net_profit"])
    def net_profit(self, record: FinancialStatement) -> str:
        return money(record.figures.get("net_profit"))

    @display(description=FIGURES["total_assets"])
    def total_assets(self, record: FinancialStatement) -> str:
        return money(record.figures.get("total_assets"))

    def sections(self, request: HttpRequest, record: FinancialStatement) -> Iterable[Section]:
        yield figures_section(record)
        yield from spread_sections(record.company_id)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.template_view)
        return [
            path("template/<slug:form>/", view, name="risk_financialstatement_template"),
            *super().get_urls(),
        ]

    def template_view(self, request: HttpRequest, form: str) -> HttpResponse:
        """An empty file with the right columns."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if form not in FORMS:
            raise Http404
        content = tables.write(list(statement_files.LABELS.values()), [], form)
        disposition = f'attachment; filename="statements.{form}"'
        return HttpResponse(content, content_type=FORMS[form], headers={"Content-Disposition": disposition})

    @service_action(_("Enter a year"), permission=ADD, form=EnterForm, icon="add")
    def enter(self, _record: None, data: dict[str, Any], acting: Acting) -> Any:
        company, year = data.pop("company"), data.pop("year")
        filings.file_statement(company_id=company.pk, year=year, figures=data, **acting.moment)
        return _("The accounts of %(company)s for %(year)s are filed.") % {"company": company, "year": year}

    @service_action(_("Take in a file"), permission=ADD, form=UploadForm, icon="upload_file")
    def take_in(self, _record: None, data: dict[str, Any], acting: Acting) -> Any:
        upload = data["file"]
        if upload.size > tables.MAX_BYTES:
            raise tables.fault("too_large", _("The file is larger than 25 MB: divide it."))
        taken = statement_files.take_in(
            name=upload.name, content=upload.read(), partly=data["partly"], **acting.moment
        )
        if taken.refused or taken.unknown:
            return self._report(acting.request, taken)
        return _("%(count)s lines are filed.") % {"count": taken.filed}

    @service_action(
        _("Correct"),
        permission=ADD,
        form=FiguresForm,
        icon="edit",
        confirm=_("What was filed stays as it was; decisions from now on are made with the correction."),
    )
    def correct(self, record: FinancialStatement, data: dict[str, Any], acting: Acting) -> Any:
        filings.file_statement(company_id=record.company_id, year=record.year, figures=data, **acting.moment)
        return _("The correction is filed.")

    def _report(self, request: HttpRequest, taken: statement_files.Taken) -> HttpResponse:
        """Line by line what was not filed, and why."""
        request.current_app = self.admin_site.name
        rows = [
            (one.number, one.company, one.year, statement_files.LABELS.get(one.field, one.field), one.message)
            for one in taken.refused
        ]
        table = Section(
            _("Lines that were not filed"),
            [_("Line"), _("Company"), _("Year"), _("Column"), _("Problem")],
            rows,
        )
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Take in a file"),
            "taken": taken,
            "sections": [table] if rows else [],
            "back": self.url_after(None),
        }
        return TemplateResponse(request, "admin/statements_taken.html", context)


def figures_section(record: FinancialStatement) -> Section:
    rows = [(words, money(record.figures.get(name))) for name, words in FIGURES.items()]
    return Section(_("Figures of %(year)s") % {"year": record.year}, rows=rows, facts=True)


def spread_sections(company_id: int, **more: Any) -> Iterable[Section]:
    """The years side by side, newest first, each with how it moved against the year before."""
    found = years(company_id)
    yield _side_by_side(
        _("Year beside year"), found, spread.figures(found, list(FIGURES)), FIGURES, _money, _percent, **more
    )
    labels = {name: features.ALL[name].label for name in spread.RATIOS}
    yield _side_by_side(_("Ratios"), found, spread.ratios(found), labels, _ratio, _difference, **more)


def _side_by_side(
    title: Any,
    found: dict[int, Any],
    rows: Sequence[spread.Spread],
    labels: Any,
    value: Callable[[str, Decimal], str],
    change: Callable[[Decimal], str],
    **more: Any,
) -> Section:
    heads = [part for year in found for part in (str(year), _("Change"))]
    cells = [(labels[row.name], *(_cells(row, value, change))) for row in rows]
    return Section(title, [_("Figure"), *heads], cells, **more)


def _cells(
    row: spread.Spread, value: Callable[[str, Decimal], str], change: Callable[[Decimal], str]
) -> Iterable[str]:
    for amount, moved in zip(row.values, row.changes, strict=True):
        yield "–" if amount is None else value(row.name, amount)
        yield "" if moved is None else change(moved)


def _money(_name: str, amount: Decimal) -> str:
    return money(amount)


def _percent(share: Decimal) -> str:
    return f"{share:+.1%}"


def _ratio(name: str, value: Decimal) -> str:
    return f"{value:.0f}" if name in DAYS else f"{value:.2f}"


def _difference(moved: Decimal) -> str:
    return f"{moved:+.2f}"
