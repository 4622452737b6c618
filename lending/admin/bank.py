"""Bank statements, and the queue of lines that no rule could place: suggestions to accept, search, split, hold."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RangeNumericFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending import clock, tables
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.forms import ActionForm, ReasonForm
from lending.admin.parts import Section, link, money, page_of, record_link, state_label
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import BankLine, BankStatement, Customer, Loan, UnappliedMoney
from lending.selectors import payin
from lending.services import bank

MATCH = "lending.match_bankline"
QUEUE = "admin:lending_bankline_queue"
PARTS = 5  # loans that one line can be split over in one form
REASONS = {
    "LOAN_NUMBER": _("names the loan"),
    "PAYMENT_REFERENCE": _("names a payment"),
    "BILL_NUMBER": _("names a bill"),
    "CUSTOMER_REFERENCE": _("names the customer"),
    "KNOWN_ACCOUNT": _("paid from this account before"),
    "SAME_NAME": _("same name"),
    "AMOUNT_DUE": _("exactly what is due"),
    "AMOUNT_NEXT": _("exactly what comes next"),
    "AMOUNT_OF_ALL": _("exactly all that is owed"),
    "ABOVE_OWED": _("more than is owed"),
    "NOTHING_OWED": _("owes nothing"),
}


def _open(line: BankLine) -> bool:
    return line.state == BankLine.State.OPEN


class TakeInForm(ActionForm):
    file = forms.FileField(label=_("File"), help_text=_("CSV or XLSX, at most 25 MB and 100,000 lines."))
    account = forms.CharField(label=_("Our account"), max_length=40, initial="main")


class AcceptForm(ActionForm):
    choice = forms.IntegerField(widget=forms.HiddenInput, initial=0, min_value=0)
    queue = forms.CharField(widget=forms.HiddenInput, required=False)


class AssignForm(ActionForm):
    target = forms.CharField(
        label=_("Loan or customer"),
        max_length=120,
        help_text=_("A loan (L00000123), or a customer: the reference, or the name if only one has it."),
    )


class SplitForm(ActionForm):
    def prepare(self) -> None:
        for number in range(1, PARTS + 1):
            self.fields[f"loan_{number}"] = forms.CharField(
                label=_("Loan %(number)s") % {"number": number}, max_length=20, required=number == 1
            )
            self.fields[f"amount_{number}"] = forms.DecimalField(
                label=_("Amount"), max_digits=18, decimal_places=2, required=number == 1
            )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        shares = []
        for number in range(1, PARTS + 1):
            loan, amount = data.pop(f"loan_{number}", ""), data.pop(f"amount_{number}", None)
            if bool(loan) != (amount is not None):
                raise forms.ValidationError(_("Give a loan and its amount together."))
            if loan:
                shares.append((loan, amount))
        return {"shares": shares}


class HoldForm(ActionForm):
    customer = forms.CharField(
        label=_("Customer"), max_length=120, required=False, help_text=_("Empty when nobody knows.")
    )


@admin.register(BankStatement)
class BankStatementAdmin(ExportAdmin, ServiceAdmin):
    list_display = ["name", "account", "imported_at", "imported_by", "lines", "waiting", "known"]
    list_filter = ["account", ("imported_at", RangeDateFilter)]
    list_select_related = ["imported_by"]
    search_fields = ["name", "account"]
    date_hierarchy = "imported_at"
    resource_classes = [columns(BankStatement, "id", "account", "name", "imported_at", "known")]
    fields = ["account", "name", "imported_at", "imported_by", "known"]
    actions_list = ["take_in"]

    @display(description=_("lines"))
    def lines(self, statement: BankStatement) -> int:
        return statement.lines.count()

    @display(description=_("to be matched"))
    def waiting(self, statement: BankStatement) -> int:
        return statement.lines.filter(state=BankLine.State.OPEN).count()

    def sections(self, request: HttpRequest, record: BankStatement) -> Iterable[Section]:
        sums = record.lines.order_by().values_list("state").annotate(count=Count("pk"), sum=Sum("amount"))
        found = {state: (count, amount) for state, count, amount in sums}
        everything = f"{reverse('admin:lending_bankline_changelist')}?statement__id__exact={record.pk}"
        yield Section(
            _("Rows and sums"),
            [_("State"), _("Lines"), _("Amount")],
            [
                (state.label, found[state][0], money(found[state][1]))
                for state in BankLine.State
                if state in found
            ],
            links=[link(_("All"), everything), link(_("To be matched"), reverse(QUEUE))],
            note=_("Sure lines are posted by themselves within a minute; the others wait in the queue."),
        )
        if record.problems:
            yield Section(
                _("Lines that cannot be read"),
                [_("Line"), _("Problem")],
                [
                    (number, bank.UNREADABLE[code] % details)
                    for number, code, details in record.problems[:200]
                ],
            )

    @service_action(_("Take in a statement"), permission=MATCH, form=TakeInForm, icon="upload_file")
    def take_in(self, _record: None, data: dict[str, Any], acting: Acting) -> Any:
        upload = data["file"]
        if upload.size > tables.MAX_BYTES:
            raise tables.fault("too_large", _("The file is larger than 25 MB: divide it."))
        statement = bank.take_in(
            name=upload.name, content=upload.read(), account=data["account"], **acting.moment
        )
        return HttpResponseRedirect(page_of(statement))


@admin.register(BankLine)
class BankLineAdmin(ExportAdmin, ServiceAdmin):
    list_display = [
        *("number_", "state_", "value_on", "amount", "currency", "payer", "masked", "text", "customer_link"),
        *("score", "handled_by"),
    ]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("value_on", RangeDateFilter),
        ("amount", RangeNumericFilter),
        "account",
        "currency",
    ]
    list_select_related = ["customer", "handled_by"]
    search_fields = ["=id", "payer", "text", "=bank_reference", "=amount", "customer__name"]
    date_hierarchy = "value_on"
    resource_classes = [
        columns(
            BankLine,
            *("id", "state", "account", "bank_reference", "value_on", "amount", "currency", "payer", "text"),
            *("customer__name", "score", "note"),
        )
    ]
    fields = [
        *("state_", "value_on", "amount", "currency", "payer", "masked", "text", "account", "bank_reference"),
        *("customer_link", "score", "note", "handled_by", "handled_at", "statement"),
    ]
    readonly_fields = ["state_", "masked", "customer_link"]
    actions_detail = ["accept", "assign", "split", "set_aside", "ignore", "reopen"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup == "statement__id__exact" or super().lookup_allowed(lookup, value, request)

    @display(description=_("bank line"), ordering="pk")
    def number_(self, line: BankLine) -> str:
        return str(line)

    @display(description=_("state"), ordering="state")
    def state_(self, line: BankLine) -> Any:
        return state_label(line)

    @display(description=_("payer's account"))
    def masked(self, line: BankLine) -> str:
        return line.masked_account

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, line: BankLine) -> Any:
        return record_link(line.customer)

    def sections(self, request: HttpRequest, record: BankLine) -> Iterable[Section]:
        if _open(record):
            yield Section(
                _("Suggestions"),
                [_("Score"), _("Customer"), _("Loan"), _("Why"), _("Owed")],
                [
                    (
                        row["score"],
                        record_link(row["customer"]),
                        record_link(row["loan"]),
                        row["why"],
                        row["owed"],
                    )
                    for row in suggestions([record])[record.pk]
                ],
            )
        yield Section(
            _("Transactions"),
            [_("Transaction"), _("Loan"), _("Amount")],
            [
                (record_link(row), record_link(row.loan), money(row.amount))
                for row in bank.transactions(record)
            ],
            permission="lending.view_transaction",
        )
        held = UnappliedMoney.objects.filter(key=f"bank:{record.pk}:rest")
        yield Section(
            _("Unapplied money"),
            [_("Unapplied money"), _("Amount"), _("still held")],
            [(record_link(row), money(row.amount), money(row.left)) for row in held],
            permission="lending.view_unappliedmoney",
        )

    # --- the queue --------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.queue_view)
        return [path("queue/", page, name="lending_bankline_queue"), *super().get_urls()]

    def queue_view(self, request: HttpRequest) -> HttpResponse:
        """The lines that wait for a person, oldest first, each with its best suggestions and one click for each."""
        if not request.user.has_perm(MATCH) or not self.has_view_permission(request):
            raise PermissionDenied
        waiting = BankLine.objects.filter(state=BankLine.State.OPEN).exclude(suggestions__isnull=True)
        page = Paginator(waiting.order_by("value_on", "pk"), 25).get_page(request.GET.get("page"))
        found = suggestions(page.object_list)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Bank lines to be matched"),
            "page": page,
            "rows": [(line, found[line.pk][:3]) for line in page.object_list],
        }
        return TemplateResponse(request, "admin/bank_queue.html", context)

    # --- buttons ----------------------------------------------------------------------------------------

    @service_action(
        _("Accept"),
        permission=MATCH,
        form=AcceptForm,
        available=lambda line: _open(line) and bool(line.suggestions),
        icon="check",
        variant=ActionVariant.SUCCESS,
        confirm=_("The best suggestion is posted."),
    )
    def accept(self, line: BankLine, data: dict[str, Any], acting: Acting) -> Any:
        back = HttpResponseRedirect(reverse(QUEUE)) if data["queue"] else None
        try:
            bank.accept(line_id=line.pk, choice=data["choice"], **acting.day)
        except Refused as refusal:
            if back is None:
                raise
            messages.error(acting.request, f"{line}: {refusal}")
            return back
        if back is None:
            return _("The line is posted.")
        messages.success(acting.request, _("The line is posted."))
        return back

    @service_action(_("Assign"), permission=MATCH, form=AssignForm, available=_open, icon="person_search")
    def assign(self, line: BankLine, data: dict[str, Any], acting: Acting) -> Any:
        bank.assign(line_id=line.pk, **payin.target(data["target"]), **acting.day)
        return _("The line is posted.")

    @service_action(
        _("Split"),
        permission=MATCH,
        form=SplitForm,
        available=_open,
        icon="call_split",
        confirm=_("What is left of the line is held as unapplied."),
    )
    def split(self, line: BankLine, data: dict[str, Any], acting: Acting) -> Any:
        shares: list[tuple[int, Decimal]] = [
            (payin.loan_named(loan).pk, amount) for loan, amount in data["shares"]
        ]
        bank.split(line_id=line.pk, shares=shares, **acting.day)
        return _("The line is posted.")

    @service_action(_("Hold as unapplied"), permission=MATCH, form=HoldForm, available=_open, icon="pending")
    def set_aside(self, line: BankLine, data: dict[str, Any], acting: Acting) -> Any:
        customer = payin.customer_named(data["customer"]) if data["customer"] else None
        bank.set_aside(line_id=line.pk, customer_id=customer.pk if customer else None, **acting.day)
        return _("The money is held.")

    @service_action(
        _("Ignore"),
        permission=MATCH,
        form=ReasonForm,
        available=_open,
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def ignore(self, line: BankLine, data: dict[str, Any], acting: Acting) -> Any:
        bank.ignore(line_id=line.pk, reason=data["reason"], **acting.moment)
        return _("The line is ignored.")

    @service_action(
        _("Put back into the queue"),
        permission=MATCH,
        available=lambda line: line.state == BankLine.State.IGNORED,
        icon="undo",
    )
    def reopen(self, line: BankLine, data: dict[str, Any], acting: Acting) -> Any:
        bank.reopen(line_id=line.pk, **acting.moment)
        bank.look_again(line_id=line.pk, on=clock.today())
        return _("The line waits again.")


def suggestions(lines: Iterable[BankLine]) -> dict[int, list[dict[str, Any]]]:
    """The suggestions of the lines with their customers and loans, fetched once for all of them."""
    lines = list(lines)
    raw = [one for line in lines for one in line.suggestions or []]
    customers = Customer.objects.in_bulk({one["customer"] for one in raw})
    loans = Loan.objects.in_bulk({one["loan"] for one in raw if one["loan"]})
    owed = payin.owed_by(customers)
    return {
        line.pk: [
            {
                "customer": customers[one["customer"]],
                "loan": loans.get(one["loan"]),
                "score": one["score"],
                "why": " · ".join(str(REASONS[reason]) for reason in one["reasons"]),
                "owed": money(owed.get(one["customer"], ZERO)),
                "choice": number,
            }
            for number, one in enumerate(line.suggestions or [])
        ]
        for line in lines
    }
