"""What a customer says about their own line."""

from django import forms
from django.utils.translation import gettext_lazy as _

from lending.forms.base import HouseForm, TickField


class AppealForm(HouseForm):
    """Why a cut or a suspension was wrong, in the customer's own words."""

    text = forms.CharField(
        label=_("What should we know?"),
        min_length=10,
        max_length=2000,
        widget=forms.Textarea({"rows": 6}),
        help_text=_("Say what happened. A person reads it, not a computer."),
    )


class CloseForm(HouseForm):
    """The end of a line."""

    agreed = TickField(
        label=_("I want to close my credit line."),
        error_messages={"required": _("Tick the box to close the line.")},
    )
