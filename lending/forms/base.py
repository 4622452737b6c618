"""What all forms share: amounts, one-time keys, and how a refusal becomes words next to a field."""

import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django_fsm import TransitionNotAllowed

from lending import words
from lending.errors import Refused

GROUPED = re.compile(r"^\d{1,3}([,，]\d{3})+(\.\d+)?$")

CHANGED_MEANWHILE = _("This has changed in the meantime, so nothing was done. Please look at the page again.")


class MoneyField(forms.DecimalField):
    """An amount with at most two decimals; `¥1,234.50` is understood.

    Above zero unless `least` says otherwise.
    """

    default_error_messages = {
        "invalid": _("Enter an amount in figures, such as 1200.50."),
        "max_decimal_places": _("Enter at most two decimals."),
        "max_digits": _("This amount is too long."),
        "max_whole_digits": _("This amount is too long."),
        "not_positive": _("Enter an amount above zero."),
        "too_little": _("Enter at least %(limit)s."),
        "too_much": _("Enter at most %(limit)s."),
    }

    def __init__(self, *, least: Decimal | None = None, most: Decimal | None = None, **options: Any) -> None:
        self.least, self.most = least, most
        super().__init__(max_digits=18, decimal_places=2, widget=forms.TextInput, **options)

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        if isinstance(value, str):
            value = value.strip().lstrip("¥￥").strip()
            value = re.sub("[,，]", "", value) if GROUPED.match(value) else value
        return super().to_python(value)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is None:
            return
        if value <= 0 and (self.least is None or self.least > 0):
            raise forms.ValidationError(self.error_messages["not_positive"], code="not_positive")
        self._within(value)

    def _within(self, value: Decimal) -> None:
        for code, limit, outside in (
            ("too_little", self.least, self.least is not None and value < self.least),
            ("too_much", self.most, self.most is not None and value > self.most),
        ):
            if outside:
                raise forms.ValidationError(
                    self.error_messages[code], code=code, params={"limit": words.round_money(limit)}
                )

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {"inputmode": "decimal", "autocomplete": "off"}


class TickField(forms.BooleanField):
    """One box to tick, shown with its words behind it."""

    tick = True


class HouseForm(forms.Form):
    """A form whose answers go to one service."""

    required_css_class = "required"

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("label_suffix", "")
        super().__init__(*args, **options)

    def attempt(self, service: Callable[..., Any], **arguments: Any) -> Any:
        """What the service returns, or None when it refuses: its words are then an error of this form."""
        try:
            return service(**arguments)
        except Refused as refusal:
            self.add_error(refusal.field if refusal.field in self.fields else None, refusal.message)
        except TransitionNotAllowed:
            self.add_error(None, CHANGED_MEANWHILE)
        return None


class KeyedForm(HouseForm):
    """A form that moves money: sent twice, it is recognised by its key and done once."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def reference(self, *parts: object) -> str:
        """The key in the name of those parts, so that nobody's key meets a stranger's."""
        return "-".join([*map(str, parts), self.cleaned_data["key"].hex[:12]])
