"""What the buttons of a loan ask before they act."""

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from lending import clock
from lending.admin.forms import KeyedForm, amount_field
from lending.admin.parts import money
from lending.services import adjust, loans, restructure

PARTS = [("INTEREST", _("Interest")), ("FEE", _("Fee")), ("PENALTY", _("Penalty"))]
SHAPES = [
    (adjust.LOWER, _("Same term, smaller instalments")),
    (adjust.SHORTEN, _("Same instalment, shorter term")),
]
REFUNDS = [
    ("GOODWILL", _("Goodwill, at our cost")),
    ("MERCHANT_REFUND", _("Refund by the merchant")),
    ("PAYOUT_REFUND", _("The payout came back")),
]
KEEP = ("KEEP", _("leave overdue"))
CARRY = ("CARRY", _("carry forward to the later instalments"))
CAPITALISE = ("CAPITALISE", _("add to the principal"))
WAIVE = ("WAIVE", _("waive"))
SKIPPED = [
    ("CARRY", _("due with the first instalment after the holiday")),
    ("CAPITALISE", _("added to the balance after the holiday")),
    ("PAY", _("paid during the holiday")),
]


class NotedForm(KeyedForm):
    note = forms.CharField(label=_("Reason"), max_length=300, widget=forms.Textarea)


class ReceivedForm(KeyedForm):
    amount = amount_field()
    channel = forms.CharField(label=_("Channel"), max_length=20, initial="bank")


class DatedForm(ReceivedForm):
    value_on = forms.DateField(label=_("Value date"), help_text=_("The day on which the money arrived."))

    def prepare(self) -> None:
        super().prepare()
        self.fields["value_on"].initial = clock.today()


class RepayForm(DatedForm):
    def prepare(self) -> None:
        super().prepare()
        self.fields["value_on"].help_text = _(
            "The day on which the money arrived. A payment of a day to come is held and posted when that day closes."
        )


class PrepayForm(DatedForm):
    kind = forms.ChoiceField(label=_("What changes"), choices=SHAPES)
    field_order = ["amount", "kind", "channel", "value_on"]


class SettleForm(KeyedForm):
    channel = forms.CharField(label=_("Channel"), max_length=20, initial="bank")

    def prepare(self) -> None:
        super().prepare()
        owed = loans.payoff(self.subject, clock.today()).total
        self.fields["channel"].help_text = _("Settles the loan for %(amount)s.") % {"amount": money(owed)}


class QuoteForm(forms.Form):
    """The day for which an early settlement is quoted."""

    on = forms.DateField()


class DisburseForm(KeyedForm):
    amount = amount_field()

    def prepare(self) -> None:
        super().prepare()
        left = adjust.undisbursed(self.subject)
        self.fields["amount"].initial = left
        self.fields["amount"].help_text = _("Not yet paid out: %(amount)s.") % {"amount": money(left)}


class ChargeForm(NotedForm):
    kind = forms.ChoiceField(label=_("What"), choices=PARTS[1:])
    amount = amount_field()
    field_order = ["kind", "amount", "note"]


class WaiveForm(ChargeForm):
    kind = forms.ChoiceField(label=_("What"), choices=PARTS)


class RefundForm(ChargeForm):
    kind = forms.ChoiceField(label=_("What"), choices=REFUNDS)


class CreditForm(NotedForm):
    amount = amount_field()
    field_order = ["amount", "note"]

    def prepare(self) -> None:
        super().prepare()
        self.fields["amount"].initial = self.subject.credit


class ChargebackForm(NotedForm):
    amount = amount_field()
    field_order = ["amount", "note"]

    def prepare(self) -> None:
        super().prepare()
        self.fields["amount"].initial = adjust.chargeable(self.subject)


class ReliefForm(NotedForm):
    """A restructuring: what it says of the loan goes into `details`, as the engine reads them."""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        agreed = {
            name: _plain(value)
            for name, value in data.items()
            if name not in ("key", "note") and not name.startswith("overdue_") and value not in (None, "")
        }
        return data | {"details": agreed | self._overdue()}

    def _overdue(self) -> dict[str, Any]:
        chosen = {
            name.removeprefix("overdue_"): value
            for name, value in self.cleaned_data.items()
            if name.startswith("overdue_")
        }
        return {"overdue": chosen} if chosen else {}


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)


class ArrearsForm(ReliefForm):
    """What becomes of what has fallen due."""

    overdue_interest = forms.ChoiceField(
        label=_("Overdue interest"), choices=[CARRY, CAPITALISE, WAIVE], initial="CARRY"
    )
    overdue_fee = forms.ChoiceField(
        label=_("Overdue fees"), choices=[CARRY, CAPITALISE, WAIVE], initial="CARRY"
    )
    overdue_penalty = forms.ChoiceField(label=_("Penalties"), choices=[CARRY, WAIVE], initial="CARRY")


class RescheduleForm(ArrearsForm):
    annual_rate = forms.DecimalField(
        label=_("Annual rate"),
        min_value=0,
        max_value=1,
        max_digits=9,
        decimal_places=8,
        required=False,
        help_text=_("nominal yearly fraction, 0.12 is 12%"),
    )
    instalments = forms.IntegerField(label=_("Instalments"), min_value=1, max_value=360, required=False)
    first_due_on = forms.DateField(label=_("First due date"), required=False)
    accrued = forms.ChoiceField(
        label=_("Interest of the running period"),
        choices=[("CARRY", _("due with the first new instalment")), CAPITALISE, WAIVE],
    )
    field_order = ["annual_rate", "instalments", "first_due_on", "accrued"]

    def clean_first_due_on(self) -> date | None:
        first: date | None = self.cleaned_data["first_due_on"]
        if first and first <= clock.today():
            raise forms.ValidationError(_("The date must lie in the future."))
        return first


class HardshipForm(RescheduleForm):
    skip = forms.IntegerField(label=_("Instalments skipped first"), min_value=0, max_value=24, initial=0)
    skipped_interest = forms.ChoiceField(label=_("Interest of the holiday"), choices=SKIPPED)
    field_order = ["annual_rate", "instalments", "skip", "skipped_interest", "first_due_on", "accrued"]

    def prepare(self) -> None:
        super().prepare()
        for name, value in restructure.hardship_plan(self.subject, clock.today()).items():
            self.fields[name].initial = value


class HolidayForm(ReliefForm):
    instalments = forms.IntegerField(label=_("Instalments skipped"), min_value=1, max_value=24, initial=1)
    skipped_interest = forms.ChoiceField(label=_("Interest of the holiday"), choices=SKIPPED)
    overdue_principal = forms.ChoiceField(
        label=_("Overdue principal"), choices=[KEEP, ("MOVE", _("spread over the later instalments"))]
    )
    overdue_interest = forms.ChoiceField(
        label=_("Overdue interest"), choices=[KEEP, CARRY, CAPITALISE, WAIVE]
    )
    overdue_penalty = forms.ChoiceField(label=_("Penalties"), choices=[KEEP, CARRY, WAIVE])
    field_order = ["instalments", "skipped_interest"]


class ReageForm(ReliefForm):
    instalments = forms.IntegerField(label=_("Instalments"), min_value=1, max_value=60, initial=3)
    first_due_on = forms.DateField(label=_("First due date"), required=False)
    field_order = ["instalments", "first_due_on"]
    clean_first_due_on = RescheduleForm.clean_first_due_on
