"""Leave to take what is due from one's bank account."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from lending.forms.base import HouseForm, MoneyField, TickField


class MandateForm(HouseForm):
    """The first account, up to two more for when it fails, and how much at most."""

    bank_1 = forms.CharField(label=_("Bank"), max_length=60)
    number_1 = forms.CharField(label=_("Account number"), max_length=40)
    bank_2 = forms.CharField(label=_("Bank of the second account"), max_length=60, required=False)
    number_2 = forms.CharField(
        label=_("Second account"),
        max_length=40,
        required=False,
        help_text=_("Asked when the first one fails."),
    )
    bank_3 = forms.CharField(label=_("Bank of the third account"), max_length=60, required=False)
    number_3 = forms.CharField(label=_("Third account"), max_length=40, required=False)
    limit = MoneyField(label=_("At most each time"))
    valid_to = forms.DateField(
        label=_("Until"),
        required=False,
        help_text=_("Empty: until you end it."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    agreed = TickField(
        label=_("I allow that what is due is taken from these accounts, and that I am told before."),
        error_messages={"required": _("Tick the box to allow it.")},
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for place in (1, 2, 3):
            self.fields[f"number_{place}"].widget.attrs.update(inputmode="numeric", autocomplete="off")

    def accounts(self) -> list[tuple[str, str]]:
        """The accounts that were filled in, in their order."""
        data = self.cleaned_data
        pairs = [(data[f"bank_{place}"], data[f"number_{place}"]) for place in (1, 2, 3)]
        return [pair for pair in pairs if any(pair)]
