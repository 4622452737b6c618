"""The reports of the books: trial balance, statement, day book, balance sheet, profit and loss, tie-out."""

import tempfile
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lending import beancount, clock, sheets
from lending.admin.forms import ActionForm
from lending.admin.parts import page_of
from lending.admin.reports import (
    Answer,
    AsOfForm,
    Cell,
    Column,
    LinesForm,
    Report,
    ReportForm,
    products_of,
)
from lending.fields import ZERO
from lending.models import Account, BusinessDate, JournalLine, Loan, Product, Role
from lending.selectors import book_export, ledger

DEBIT, CREDIT = gettext_lazy("Debit"), gettext_lazy("Credit")


def side(amount: Decimal, sign: int) -> Decimal | None:
    """The amount on its side of a line, nothing on the other; debit is +1."""
    return sign * amount if sign * amount > 0 else None


class AccountStatement(Report):
    name = "statement"
    title = gettext_lazy("Account statement")
    permission = "lending.view_journalline"
    form = LinesForm
    columns = (
        Column(gettext_lazy("Booked on"), order="entry__booked_on"),
        Column(gettext_lazy("Value date"), order="entry__value_on"),
        Column(gettext_lazy("Entry"), order="entry_id"),
        Column(gettext_lazy("Memo"), order="entry__memo"),
        Column(gettext_lazy("Product"), order="entry__product__code"),
        Column(gettext_lazy("Loan"), order="loan_id"),
        Column(DEBIT, True, "amount"),
        Column(CREDIT, True),
        Column(gettext_lazy("Balance"), True),
    )

    def defaults(self, on: date) -> dict[str, Any]:
        first = Account.objects.order_by("code").values_list("code", flat=True).first()
        return {**super().defaults(on), "account": first or ""}

    def answer(self, asked: dict[str, Any]) -> Answer:
        account = asked.get("account") or ""
        opening, lines = ledger.statement(
            account, since=asked.get("since"), until=asked.get("until"), products=products_of(asked)
        )
        moved = ledger.sums(since=asked.get("since"), until=asked.get("until"), products=products_of(asked))
        sums = moved.get(account, ledger.Moved())
        return Answer(
            lines,
            totals=[_("Total"), "", "", "", "", "", sums.debit, sums.credit, opening + sums.balance],
            facts=[(_("Opening balance"), opening), (_("Closing balance"), opening + sums.balance)],
            cells=self.cells,
        )

    @staticmethod
    def cells(line: Any) -> list[Any]:
        return [*_of_entry(line), side(line.amount, 1), side(line.amount, -1), line.balance]


def _of_entry(line: JournalLine) -> list[Any]:
    entry = line.entry
    return [
        entry.booked_on,
        entry.value_on,
        Cell(f"J{entry.pk:08d}", page_of(entry)),
        entry.memo,
        entry.product.code if entry.product else "",
        Cell(str(line.loan) if line.loan else "", page_of(line.loan)),
    ]


class DayBook(AccountStatement):
    name = "day_book"
    title = gettext_lazy("Day book")
    columns = (
        *AccountStatement.columns[:6],
        Column(gettext_lazy("Account"), order="account_id"),
        *AccountStatement.columns[6:8],
    )

    def defaults(self, on: date) -> dict[str, Any]:
        return {"since": on, "until": on}

    def answer(self, asked: dict[str, Any]) -> Answer:
        period = {"since": asked.get("since"), "until": asked.get("until"), "products": products_of(asked)}
        account = asked.get("account") or ""
        moved = ledger.sums(**period)
        sums = [moved.get(account, ledger.Moved())] if account else list(moved.values())
        debit, credit = (sum((getattr(one, part) for one in sums), ZERO) for part in ("debit", "credit"))
        return Answer(
            ledger.lines(account=account, **period),
            totals=[_("Total"), *[""] * 6, debit, credit],
            cells=self.cells,
        )

    @staticmethod
    def cells(line: Any) -> list[Any]:
        account = Cell(str(line.account), STATEMENT.url(account=line.account_id))
        return [*_of_entry(line), account, side(line.amount, 1), side(line.amount, -1)]


STATEMENT = AccountStatement()


class TrialBalanceForm(AsOfForm):
    since = forms.DateField(label=gettext_lazy("From"), required=False)
    field_order = ["on", "since", "product"]


class TrialBalance(Report):
    name = "trial_balance"
    title = gettext_lazy("Trial balance")
    form = TrialBalanceForm
    columns = (
        Column(gettext_lazy("Account")),
        Column(gettext_lazy("Kind")),
        Column(gettext_lazy("Opening"), True),
        Column(DEBIT, True),
        Column(CREDIT, True),
        Column(gettext_lazy("Balance"), True),
    )

    def defaults(self, on: date) -> dict[str, Any]:
        return {"on": on}

    def answer(self, asked: dict[str, Any]) -> Answer:
        on = asked.get("on") or clock.today()
        rows = ledger.trial_balance(on, asked.get("since"), products_of(asked))
        shown = [
            [
                Cell(
                    str(row.account),
                    STATEMENT.url(
                        account=row.account.pk,
                        since=asked.get("since") or on.replace(day=1),
                        until=on,
                        product=asked.get("product"),
                    ),
                ),
                str(row.account.get_kind_display()),
                row.opening,
                row.debit,
                row.credit,
                row.closing,
            ]
            for row in rows
        ]
        parts = ("opening", "debit", "credit", "closing")
        totals = [sum((getattr(row, part) for row in rows), ZERO) for part in parts]
        return Answer(shown, totals=[_("Total"), "", *totals])


class BalanceSheet(Report):
    name = "balance_sheet"
    title = gettext_lazy("Balance sheet")
    form = AsOfForm
    sortable = False
    columns = (Column(gettext_lazy("Account")), Column(gettext_lazy("Balance"), True))
    note = gettext_lazy("Profit is what was earned since the books began and not distributed.")

    def defaults(self, on: date) -> dict[str, Any]:
        return {"on": on}

    def answer(self, asked: dict[str, Any]) -> Answer:
        on = asked.get("on") or clock.today()
        sheet = ledger.balance_sheet(on, products_of(asked))
        link = {"since": on.replace(day=1), "until": on, "product": asked.get("product")}
        profit = Cell(_("Profit to date"), PROFIT.url(until=on, product=asked.get("product")))
        table = _Table(link)
        table.block(_("Assets"), sheet.assets)
        table.block(_("Liabilities"), sheet.liabilities)
        equity = table.block(_("Equity"), sheet.equity, (profit, sheet.profit))
        liabilities = sum((amount for _account, amount in sheet.liabilities), ZERO)
        table.total(_("Liabilities and equity"), liabilities + equity)
        return Answer(table.rows, sums=frozenset(table.sums))


class ProfitAndLoss(Report):
    name = "profit_and_loss"
    title = gettext_lazy("Profit and loss")
    sortable = False
    columns = (Column(gettext_lazy("Account")), Column(gettext_lazy("Amount"), True))

    def answer(self, asked: dict[str, Any]) -> Answer:
        since, until = asked.get("since") or date.min, asked.get("until") or clock.today()
        income, expense = ledger.profit_and_loss(since, until, products_of(asked))
        table = _Table({"since": asked.get("since"), "until": until, "product": asked.get("product")})
        earned, spent = table.block(_("Income"), income), table.block(_("Expenses"), expense)
        table.total(_("Profit"), earned - spent)
        return Answer(table.rows, sums=frozenset(table.sums))


class _Table:
    """Blocks of accounts, each with its sum."""

    def __init__(self, link: dict[str, Any]) -> None:
        self.link, self.rows, self.sums = link, [], []

    def block(
        self, title: str, accounts: list[tuple[Account, Decimal]], *more: tuple[Cell, Decimal]
    ) -> Decimal:
        for account, amount in accounts:
            self.rows.append([Cell(str(account), STATEMENT.url(account=account.pk, **self.link)), amount])
        self.rows += [[cell, amount] for cell, amount in more]
        amount = sum((amount for _row, amount in (*accounts, *more)), ZERO)
        self.total(title, amount)
        return amount

    def total(self, title: str, amount: Decimal) -> None:
        self.sums.append(len(self.rows))
        self.rows.append([title, amount])


PROFIT = ProfitAndLoss()


class TieOut(Report):
    name = "tie_out"
    title = gettext_lazy("Loans against the books")
    form = AsOfForm
    columns = (
        Column(gettext_lazy("Product")),
        Column(gettext_lazy("Control account")),
        Column(gettext_lazy("Books"), True),
        Column(gettext_lazy("Loans"), True),
        Column(gettext_lazy("Difference"), True),
        Column(""),
    )
    note = gettext_lazy(
        "Today as it stands now; a day that is over as its close found it, with accrued and suspended interest."
    )

    def defaults(self, on: date) -> dict[str, Any]:
        return {"on": on}

    def answer(self, asked: dict[str, Any]) -> Answer:
        on, today = asked.get("on") or clock.today(), clock.today()
        rows = ledger.tie_out_by_product(None if on >= today else on)
        wanted = products_of(asked)
        if wanted is not None:
            rows = [row for row in rows if row.product_id in wanted]
        names = {product.pk: product for product in Product.objects.all()}
        shown = [
            [
                str(names.get(row.product_id, "–")),
                str(Role(row.role).label),
                row.books,
                row.loans,
                row.difference,
                Cell(_("Offenders"), OFFENDERS.url(product=row.product_id)) if row.difference else "",
            ]
            for row in rows
        ]
        totals = [sum((abs(row.difference) for row in rows), ZERO)]
        return Answer(shown, totals=[_("Total"), "", None, None, *totals, ""])


class OffendersForm(ReportForm):
    product = forms.ModelChoiceField(
        label=gettext_lazy("Product"), queryset=Product.objects.order_by("code", "version"), required=False
    )


class Offenders(Report):
    name = "offenders"
    title = gettext_lazy("Loans that do not agree")
    form = OffendersForm
    columns = (
        Column(gettext_lazy("Loan")),
        Column(gettext_lazy("Owed"), True),
        Column(gettext_lazy("By its instalments"), True),
        Column(gettext_lazy("Principal"), True),
        Column(gettext_lazy("By its entries"), True),
        Column(gettext_lazy("Credit balance"), True),
        Column(gettext_lazy("By its entries"), True),
    )
    note = gettext_lazy("As they stand today; the first 500. The whole book is read.")

    def defaults(self, on: date) -> dict[str, Any]:
        return {}

    def answer(self, asked: dict[str, Any]) -> Answer:
        product = asked.get("product")
        return Answer(
            [
                [
                    Cell(str(Loan(pk=row.loan_id)), page_of(Loan(pk=row.loan_id))),
                    row.owed,
                    row.owed_by_instalments,
                    row.principal,
                    row.principal_booked,
                    row.credit,
                    row.credit_booked,
                ]
                for row in ledger.offenders(BusinessDate.current(), product.pk if product else None)
            ]
        )


OFFENDERS = Offenders()
TRIAL = TrialBalance()
REPORTS: list[Report] = [
    TRIAL,
    STATEMENT,
    DayBook(),
    BalanceSheet(),
    PROFIT,
    TieOut(),
    OFFENDERS,
]


class ExportForm(ActionForm):
    """The journal of a period as a file; without days all of it."""

    since = forms.DateField(label=gettext_lazy("From"), required=False)
    until = forms.DateField(label=gettext_lazy("To"), required=False)
    format = forms.ChoiceField(
        label=gettext_lazy("Format"),
        choices=[("beancount", "Beancount"), ("csv", "CSV"), ("xlsx", "XLSX")],
    )

    def clean(self) -> dict[str, Any]:
        asked = super().clean() or {}
        if asked.get("since") and asked.get("until") and asked["since"] > asked["until"]:
            self.add_error("until", _("The period ends before it begins."))
        return asked


def export_path(site: Any) -> URLPattern:
    return path(
        "export-books/", site.admin_view(partial(export_page, site)), name="lending_account_export_books"
    )


def export_page(site: Any, request: HttpRequest) -> HttpResponse:
    """Asks for a period and a format, and streams the file."""
    if not request.user.has_perm("lending.view_journalline"):
        raise PermissionDenied
    form = ExportForm(request.GET or None)
    if form.is_valid():
        return export_file(**form.cleaned_data)
    request.current_app = site.name
    context = {**site.each_context(request), "title": _("Export of the books"), "form": form}
    return TemplateResponse(request, "admin/export_books.html", context)


def export_file(since: date | None, until: date | None, format: str) -> HttpResponse:
    if format == "xlsx":
        file = tempfile.TemporaryFile()  # noqa: SIM115  (the response closes it)
        sheets.write_xlsx(file, "journal", book_export.COLUMNS, book_export.table(since, until))
        file.seek(0)
        return FileResponse(file, as_attachment=True, filename="books.xlsx")
    if format == "csv":
        pieces = sheets.csv_lines(book_export.COLUMNS, book_export.table(since, until))
        kind, name = "text/csv", "books.csv"
    else:
        pieces, kind, name = beancount.text(since, until), "text/plain", "books.beancount"
    response = StreamingHttpResponse(pieces, content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
