"""The small forms behind the buttons of the staff admin, in the admin's own dress."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold import widgets

_CLASSES = " ".join(widgets.INPUT_CLASSES)


# The admin's widget for each kind of field; the first that fits.
_WIDGETS: list[tuple[type[forms.Field], Callable[[Any], forms.Widget]]] = [
    # The browser's own picker: no script, and the reader's own order of day and month.
    (
        forms.DateField,
        lambda field: forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "class": _CLASSES}),
    ),
    (
        forms.MultipleChoiceField,
        lambda field: widgets.UnfoldAdminCheckboxSelectMultipleWidget(choices=field.choices),
    ),
    (forms.ChoiceField, lambda field: widgets.UnfoldAdminSelectWidget(choices=field.choices)),
    (forms.BooleanField, lambda field: widgets.UnfoldBooleanWidget()),
    (forms.FileField, lambda field: widgets.UnfoldAdminFileFieldWidget()),
    (
        forms.DecimalField,
        lambda field: widgets.UnfoldAdminDecimalFieldWidget(
            attrs={"step": "0.01" if field.decimal_places == 2 else "any"}
        ),
    ),
    (forms.IntegerField, lambda field: widgets.UnfoldAdminIntegerFieldWidget()),
    (forms.Field, lambda field: widgets.UnfoldAdminTextInputWidget()),
]


def _dressed(field: forms.Field) -> forms.Widget | None:
    """The admin's widget for a field, None to leave the field's own."""
    if isinstance(field.widget, forms.HiddenInput):
        return None
    if isinstance(field.widget, forms.Textarea):
        return widgets.UnfoldAdminTextareaWidget(attrs={"rows": 3})
    return next(make(field) for kind, make in _WIDGETS if isinstance(field, kind))


class ActionForm(forms.Form):
    """What an action asks before it acts; empty means that a click confirms. `subject` is its record."""

    def __init__(self, *args: Any, subject: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subject = subject
        self.prepare()
        for field in self.fields.values():
            if widget := _dressed(field):
                widget.attrs.update(field.widget_attrs(widget))
                widget.is_required = field.required
                field.widget = widget

    def prepare(self) -> None:
        """Set choices and first values from `self.subject`."""

    def answers(self) -> list[tuple[Any, Any]]:
        """What was filled in, each under its label and choices in words."""
        found = []
        for bound in self.visible_fields():
            value = self.cleaned_data.get(bound.name)
            choices = getattr(bound.field, "choices", None)
            found.append((bound.label, dict(choices).get(value, value) if choices else value))
        return found


class ReasonForm(ActionForm):
    """An action that must say why."""

    reason = forms.CharField(label=_("Reason"), max_length=300, widget=forms.Textarea)


class KeyedForm(ActionForm):
    """An action that moves money: its key comes with the form, so that a second click books nothing twice."""

    key = forms.CharField(max_length=100, widget=forms.HiddenInput)

    def prepare(self) -> None:
        self.fields["key"].initial = f"staff-{uuid4()}"


def amount_field(label: Any = None, **options: Any) -> forms.DecimalField:
    """An amount above zero in the currency's minor unit."""
    return forms.DecimalField(
        label=label or _("Amount"), min_value=Decimal("0.01"), max_digits=18, decimal_places=2, **options
    )
