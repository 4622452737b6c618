"""What a customer says who cannot pay as agreed."""

from django import forms
from django.utils.translation import gettext_lazy as _

from lending.forms.base import HouseForm
from lending.models import ReliefRequest


class ReliefForm(HouseForm):
    """Why, and what would help."""

    reason = forms.ChoiceField(
        label=_("What has happened?"),
        choices=ReliefRequest.Reason.choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what fits best.")},
    )
    wish = forms.ChoiceField(
        label=_("What would help you?"),
        choices=ReliefRequest.Wish.choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose what fits best.")},
    )
    words = forms.CharField(
        label=_("Anything else we should know?"),
        required=False,
        max_length=1000,
        widget=forms.Textarea({"rows": 5}),
        help_text=_("A person reads it, not a computer."),
    )
