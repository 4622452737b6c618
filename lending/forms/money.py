"""Buying, giving back, paying and settling."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from lending import words
from lending.forms.base import KeyedForm, MoneyField, TickField
from lending.services.purchases import Plan


class BuyForm(KeyedForm):
    """One of the plans on offer for a good."""

    def __init__(self, *args: Any, plans: Sequence[Plan], **options: Any) -> None:
        super().__init__(*args, **options)
        self.plans = plans
        self.fields["tenor"] = forms.TypedChoiceField(
            label=_("How do you want to pay?"),
            coerce=int,
            choices=[(plan.tenor, plan.tenor) for plan in plans],
            widget=forms.RadioSelect,
            error_messages={"required": _("Choose how you want to pay.")},
        )


class ReturnForm(KeyedForm):
    """Goods that go back, whole or in part."""

    def __init__(self, *args: Any, left: Decimal, **options: Any) -> None:
        super().__init__(*args, initial={"amount": left}, **options)
        self.fields["amount"] = MoneyField(label=_("Amount to return"), most=left)


class PayForm(KeyedForm):
    """An amount for the oldest debts first."""

    def __init__(self, *args: Any, owed: Decimal, due: Decimal, **options: Any) -> None:
        super().__init__(*args, initial={"amount": due or owed or None}, **options)
        self.fields["amount"] = MoneyField(label=_("Amount"), most=owed or None)

    def reference(self, *parts: object) -> str:
        """Another amount under the same key is another payment: people go back and change it."""
        return super().reference(*parts, int(self.cleaned_data["amount"] * 100))


class SettleForm(KeyedForm):
    """The whole rest of a loan, at the price that was shown."""

    quoted = forms.DecimalField(widget=forms.HiddenInput)
    agreed = TickField(
        label=_("I want to pay off this loan today."),
        error_messages={"required": _("Tick the box to pay off the loan.")},
    )

    def __init__(self, *args: Any, price: Decimal, **options: Any) -> None:
        super().__init__(*args, initial={"quoted": price}, **options)
        self.price = price

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("quoted") != self.price:
            # The page that comes back carries the new price.
            self.data = {**self.data, "quoted": str(self.price)}
            raise forms.ValidationError(_("The price has changed since. Look at it again, please."))
        return self.cleaned_data

    def reference(self, *parts: object) -> str:
        return super().reference(*parts, int(self.price * 100))


class LinkForm(KeyedForm):
    """From a link in a message: what is due now, or everything. The amounts are ours, never the form's."""

    what = forms.ChoiceField(label=_("What do you want to pay?"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, due: Decimal, owed: Decimal, **options: Any) -> None:
        super().__init__(*args, initial={"what": "due"}, **options)
        self.amounts = {"due": due, "all": owed}
        choices = [("due", _("What is due now: %(amount)s") % {"amount": words.money(due)})]
        if owed != due:
            choices.append(("all", _("Everything: %(amount)s") % {"amount": words.money(owed)}))
        field = self.fields["what"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @property
    def amount(self) -> Decimal:
        return self.amounts[self.cleaned_data["what"]]

    def reference(self, *parts: object) -> str:
        """Another amount under the same key is another payment."""
        return super().reference(*parts, int(self.amount * 100))
