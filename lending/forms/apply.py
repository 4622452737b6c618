"""An application: how much, for how long, what for, and the figures and papers behind it."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from lending import accounts, words
from lending.accounts import FIGURES, MAY_BE_NEGATIVE
from lending.forms.base import HouseForm, MoneyField, TickField
from lending.models import Customer, Document, Product

# What every company knows, and what it may leave empty; earnings before interest and tax are worked out.
ASKED = (
    *("revenue", "costs", "interest_expense", "net_profit", "cash", "current_assets", "total_assets"),
    *("current_liabilities", "total_liabilities"),
)
OPTIONAL = ("equity", "receivables", "inventory", "payables", "operating_cash_flow")

LARGEST_FILE = 10 * 1024 * 1024
# How files of these kinds begin: the name alone proves nothing.
SIGNATURES = {
    ".pdf": b"%PDF-",
    ".png": b"\x89PNG\r\n\x1a\n",
    ".jpg": b"\xff\xd8\xff",
    ".jpeg": b"\xff\xd8\xff",
}


class StatementForm(HouseForm):
    """The figures of one business year, in yuan."""

    def __init__(self, *args: Any, year: int, **options: Any) -> None:
        super().__init__(*args, prefix=f"y{year}", **options)
        self.year = year
        for name in (*ASKED, *OPTIONAL):
            self.fields[name] = MoneyField(
                label=FIGURES[name],
                least=Decimal("-1e12") if name in MAY_BE_NEGATIVE else Decimal(0),
                most=Decimal("1e12"),
                required=name in ASKED,
                help_text="" if name in ASKED else _("May be left empty."),
            )

    def clean(self) -> dict[str, Any]:
        for name, fault in accounts.faults(self._figures()):
            self.add_error(name, fault)
        return self.cleaned_data

    def _figures(self) -> dict[str, Decimal]:
        return {name: amount for name, amount in self.cleaned_data.items() if amount is not None}

    def as_answer(self) -> dict[str, Any]:
        """{"year": 2025, "figures": {"revenue": "1200000.00", ..., "ebit": "90000.00"}}: amounts as text.

        Earnings before interest and tax are revenue less costs.
        """
        figures = self._figures()
        figures["ebit"] = figures["revenue"] - figures["costs"]
        return {"year": self.year, "figures": {name: str(amount) for name, amount in figures.items()}}


class ApplyForm(HouseForm):
    """How much of one product, within what it allows."""

    field_order = ["amount", "tenor", "purpose", "needed_on"]

    purpose = forms.CharField(
        label=_("What is it for?"),
        max_length=200,
        help_text=_("Not for housing, shares or other investments."),
    )
    needed_on = forms.DateField(
        label=_("When do you need it?"),
        required=False,
        help_text=_("Leave it empty if any day is fine."),
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
    )

    def __init__(self, *args: Any, product: Product, customer: Customer, on: date, **options: Any) -> None:
        super().__init__(*args, **options)
        self.on = on
        self._fit_to(product)
        years = (on.year - 1, on.year - 2) if customer.kind == Customer.Kind.COMPANY else ()
        self.statements = [StatementForm(*args, year=year, **options) for year in years]

    def _fit_to(self, product: Product) -> None:
        least, most = (
            words.round_money(end, product.currency) for end in (product.min_amount, product.max_amount)
        )
        self.fields["amount"] = MoneyField(
            label=_("How much?"),
            least=product.min_amount,
            most=product.max_amount,
            initial=product.default_amount,
            help_text=_("From %(least)s to %(most)s.") % {"least": least, "most": most},
        )
        if product.kind == Product.Kind.LINE:
            del self.fields["purpose"], self.fields["needed_on"]
        else:
            self.fields["tenor"] = forms.TypedChoiceField(
                label=_("Over how many months?") if product.is_monthly else _("In how many instalments?"),
                coerce=int,
                initial=product.default_tenor,
                choices=[(tenor, tenor) for tenor in sorted(product.tenors)],
            )
        self.order_fields(self.field_order)

    def is_valid(self) -> bool:
        # Every part is checked, so that all that is wrong shows at once.
        return all([super().is_valid(), *(statement.is_valid() for statement in self.statements)])

    def clean_needed_on(self) -> date | None:
        day = self.cleaned_data["needed_on"]
        if day is not None and day < self.on:
            raise forms.ValidationError(_("This day is in the past."), code="past")
        return day

    def arguments(self) -> dict[str, Any]:
        """What the service takes; `answers` holds what only the decision needs."""
        answers: dict[str, Any] = {}
        if self.statements:
            answers["statements"] = [statement.as_answer() for statement in self.statements]
        if day := self.cleaned_data.get("needed_on"):
            answers["needed_on"] = day.isoformat()
        return {
            "amount": self.cleaned_data["amount"],
            "tenor": self.cleaned_data.get("tenor"),
            "purpose": self.cleaned_data.get("purpose", ""),
            "answers": answers,
        }


class DocumentForm(HouseForm):
    """One paper: a PDF or a picture, at most ten megabytes."""

    kind = forms.ChoiceField(label=_("What is it?"), choices=Document.Kind.choices)
    file = forms.FileField(
        label=_("File"),
        help_text=_("PDF, JPG or PNG, at most 10 MB."),
        widget=forms.FileInput({"accept": ",".join(SIGNATURES)}),
        error_messages={"empty": _("This file is empty.")},
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        signature = SIGNATURES.get(Path(file.name).suffix.lower())
        if file.size > LARGEST_FILE:
            raise forms.ValidationError(_("This file is larger than 10 MB."), code="large")
        if signature is None or not file.read(len(signature)) == signature:
            raise forms.ValidationError(_("This is not a PDF, JPG or PNG file."), code="type")
        file.seek(0)
        return file


class AcceptForm(HouseForm):
    """The customer's yes to what the sheet says."""

    agreed = TickField(
        label=_("I have read the full cost above and accept the offer."),
        error_messages={"required": _("Tick the box to accept the offer.")},
    )
