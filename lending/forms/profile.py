"""Who the customer is: a person or a company, and what they agree to."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from lending.forms.base import HouseForm, MoneyField, TickField
from lending.forms.consents import TEXTS
from lending.models import Customer, Industry


class YesNoField(forms.TypedChoiceField):
    """A question that must be answered, with neither answer chosen before."""

    def __init__(self, **options: Any) -> None:
        choices = [("yes", _("Yes")), ("no", _("No"))]
        super().__init__(
            choices=choices, coerce=lambda answer: answer == "yes", widget=forms.RadioSelect, **options
        )


class IndustryField(forms.ModelChoiceField):
    """An industry by its name in the reader's language."""

    def label_from_instance(self, industry: Industry) -> str:
        return industry.local_name


class ProfileForm(HouseForm):
    """What both kinds of customer say, and their consents."""

    kind: str

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for purpose, consent in TEXTS.items():
            self.fields[f"consent_{purpose}"] = TickField(
                label=consent.title,
                help_text=consent.text,
                required=consent.needed,
                error_messages={"required": _("Without this consent we cannot decide about credit.")},
            )

    def details(self) -> dict[str, Any]:
        """The arguments of the service, without the consents."""
        return {name: value for name, value in self.cleaned_data.items() if not name.startswith("consent_")}

    def consents(self) -> list[str]:
        return [purpose for purpose in TEXTS if self.cleaned_data[f"consent_{purpose}"]]

    def clean_id_number(self) -> str:
        return "".join(self.cleaned_data["id_number"].split()).upper()


class PersonForm(ProfileForm):
    kind = Customer.Kind.PERSON

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("As on your identity card."))
    id_number = forms.CharField(
        label=_("Identity number"),
        max_length=40,
        help_text=_("18 characters. It is kept encrypted and shown masked."),
    )
    phone = forms.CharField(label=_("Mobile phone"), max_length=20)
    monthly_income = MoneyField(label=_("Monthly income after tax"), most=Decimal(10_000_000))
    is_student = YesNoField(label=_("Are you a student at a university or school?"))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["name"].widget.attrs["autocomplete"] = "name"
        self.fields["id_number"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
        self.fields["phone"].widget = forms.TextInput(
            {"type": "tel", "autocomplete": "tel", "inputmode": "tel"}
        )


class CompanyForm(ProfileForm):
    kind = Customer.Kind.COMPANY

    name = forms.CharField(
        label=_("Company name"), max_length=120, help_text=_("As on the business licence.")
    )
    id_number = forms.CharField(
        label=_("Unified social credit code"),
        max_length=40,
        help_text=_("18 characters, on the business licence."),
    )
    industry = IndustryField(Industry.objects.all(), label=_("Industry"), empty_label=_("Choose an industry"))
    phone = forms.CharField(label=_("Phone of the contact person"), max_length=20)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["name"].widget.attrs["autocomplete"] = "organization"
        self.fields["id_number"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
        self.fields["phone"].widget = forms.TextInput(
            {"type": "tel", "autocomplete": "tel", "inputmode": "tel"}
        )

    def details(self) -> dict[str, Any]:
        details = super().details()
        return details | {"industry_id": details.pop("industry").pk}


FORMS: dict[str, type[ProfileForm]] = {"person": PersonForm, "company": CompanyForm}
