"""Strategies: read here, drafted, changed and put in force by buttons."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from dunning.models import Strategy, StrategyStep
from dunning.models.strategy import Stage
from dunning.services import strategy as strategies
from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.forms import ActionForm
from lending.admin.parts import Section, money, state_label

CHANGE, PUBLISH = "dunning.change_strategy", "dunning.publish_strategy"
State = Strategy.State


def _draft(strategy: Strategy) -> bool:
    return strategy.state == State.DRAFT


class StepForm(ActionForm):
    """A step as it shall be; the code of a step that is there changes that one."""

    code = forms.SlugField(label=_("Code"), max_length=40)
    day = forms.IntegerField(
        label=_("Day"),
        min_value=-60,
        max_value=3650,
        help_text=_("Days after the oldest due date; below zero is before it."),
    )
    channel = forms.ChoiceField(label=_("Channel"), choices=StrategyStep.CHANNELS)
    template = forms.CharField(label=_("Message template"), max_length=60, required=False)
    stage = forms.ChoiceField(label=_("Stage"), choices=Stage.choices)
    min_amount = forms.DecimalField(
        label=_("Smallest overdue amount"), min_value=Decimal(0), max_digits=18, decimal_places=2, initial=0
    )


class RemoveForm(ActionForm):
    code = forms.ChoiceField(label=_("Step"))

    def prepare(self) -> None:
        steps = [(step.code, f"{step} · {step.code}") for step in self.subject.steps.all()]
        cast(forms.ChoiceField, self.fields["code"]).choices = steps


@admin.register(Strategy)
class StrategyAdmin(ServiceAdmin):
    list_display = ["name", "version", "state_", "steps_", "open_cases"]
    list_filter = [("state", ChoicesDropdownFilter)]
    search_fields = ["name"]
    fields = ["name", "version", "state_", "open_cases"]
    readonly_fields = ["state_", "open_cases"]
    actions_detail = ["publish", "set_step", "remove_step", "new_version"]

    @display(description=_("state"), ordering="state")
    def state_(self, strategy: Strategy) -> Any:
        return state_label(strategy)

    @display(description=_("steps"))
    def steps_(self, strategy: Strategy) -> int:
        return strategy.steps.count()

    @display(description=_("open cases"))
    def open_cases(self, strategy: Strategy) -> int:
        return strategy.cases.exclude(state="CLOSED").count()

    def sections(self, request: HttpRequest, record: Strategy) -> Iterable[Section]:
        yield Section(
            _("Steps"),
            [
                _("Day"),
                _("Code"),
                _("Channel"),
                _("Message template"),
                _("Stage"),
                _("Smallest overdue amount"),
            ],
            [
                (
                    f"{step.day:+d}",
                    step.code,
                    step.get_channel_display(),
                    step.template or "–",
                    step.get_stage_display(),
                    money(step.min_amount),
                )
                for step in record.steps.all()
            ],
            permission="dunning.view_strategystep",
        )

    @service_action(
        _("Put in force"),
        permission=PUBLISH,
        available=_draft,
        icon="rocket_launch",
        variant=ActionVariant.PRIMARY,
        confirm=_("New cases follow it from now on. Cases that are open stay with theirs."),
    )
    def publish(self, strategy: Strategy, data: dict[str, Any], acting: Acting) -> Any:
        strategies.publish(strategy_id=strategy.pk, **acting.moment)
        return _("The strategy is in force.")

    @service_action(_("Set a step"), permission=CHANGE, form=StepForm, available=_draft, icon="edit")
    def set_step(self, strategy: Strategy, data: dict[str, Any], acting: Acting) -> Any:
        strategies.set_step(strategy_id=strategy.pk, **data, **acting.moment)
        return _("The step is set.")

    @service_action(_("Remove a step"), permission=CHANGE, form=RemoveForm, available=_draft, icon="delete")
    def remove_step(self, strategy: Strategy, data: dict[str, Any], acting: Acting) -> Any:
        strategies.remove_step(strategy_id=strategy.pk, code=data["code"], **acting.moment)
        return _("The step is removed.")

    @service_action(_("Draft a new version"), permission=CHANGE, icon="content_copy")
    def new_version(self, strategy: Strategy, data: dict[str, Any], acting: Acting) -> Any:
        draft = strategies.new_version(strategy_id=strategy.pk, **acting.moment)
        return _("%(draft)s is drafted.") % {"draft": draft}
