"""Leave to use what is forbidden: analysts ask, the compliance officer answers in writing."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.forms import ActionForm, ReasonForm
from lending.admin.parts import state_label
from risk.models import FeatureWaiver, Segment
from risk.services import waivers

State = FeatureWaiver.State
ASK, GIVE = "risk.ask_waiver", "risk.give_waiver"


class AskForm(ReasonForm):
    feature = forms.CharField(label=_("Forbidden name"), max_length=60)
    segment = forms.ChoiceField(label=_("Segment"), choices=Segment.choices)
    scope = forms.ChoiceField(label=_("For"), choices=FeatureWaiver.Scope.choices)
    ends_on = forms.DateField(label=_("Until"))
    reason = forms.CharField(label=_("Reason"), max_length=2000, widget=forms.Textarea)
    field_order = ["feature", "segment", "scope", "ends_on", "reason"]


class OpinionForm(ActionForm):
    opinion = forms.CharField(label=_("In writing"), max_length=2000, widget=forms.Textarea)


def _asked(waiver: FeatureWaiver) -> bool:
    return waiver.state == State.ASKED


def _given(waiver: FeatureWaiver) -> bool:
    return waiver.state == State.GIVEN


@admin.register(FeatureWaiver)
class FeatureWaiverAdmin(ServiceAdmin):
    list_display = ["feature", "segment", "scope", "state_", "ends_on", "asked_by", "decided_by"]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("segment", ChoicesDropdownFilter),
        ("ends_on", RangeDateFilter),
    ]
    list_select_related = ["asked_by", "decided_by"]
    search_fields = ["feature", "reason", "opinion"]
    fields = [
        *("feature", "segment", "scope", "state_", "reason", "ends_on", "asked_by", "asked_at"),
        *("opinion", "decided_by", "decided_at"),
    ]
    readonly_fields = ["state_"]
    actions_list = ["ask"]
    actions_detail = ["give", "refuse", "revoke"]

    @display(description=_("state"), ordering="state")
    def state_(self, waiver: FeatureWaiver) -> Any:
        return state_label(waiver)

    @service_action(
        _("Ask for leave"),
        permission=ASK,
        form=AskForm,
        icon="add",
        confirm=_("The compliance officer answers in writing. Until then it stays forbidden."),
    )
    def ask(self, record: None, data: dict[str, Any], acting: Acting) -> Any:
        waivers.ask(**data, **acting.moment)
        return _("The compliance officer is asked.")

    @service_action(
        _("Give leave"),
        permission=GIVE,
        form=OpinionForm,
        available=_asked,
        icon="gavel",
        variant=ActionVariant.DANGER,
        confirm=_("People may then be judged by this until the day named. Say why that is lawful."),
    )
    def give(self, waiver: FeatureWaiver, data: dict[str, Any], acting: Acting) -> Any:
        waivers.decide(waiver_id=waiver.pk, give=True, opinion=data["opinion"], **acting.moment)
        return _("Leave is given.")

    @service_action(_("Refuse leave"), permission=GIVE, form=OpinionForm, available=_asked, icon="block")
    def refuse(self, waiver: FeatureWaiver, data: dict[str, Any], acting: Acting) -> Any:
        waivers.decide(waiver_id=waiver.pk, give=False, opinion=data["opinion"], **acting.moment)
        return _("It stays forbidden.")

    @service_action(_("Revoke leave"), permission=GIVE, form=OpinionForm, available=_given, icon="undo")
    def revoke(self, waiver: FeatureWaiver, data: dict[str, Any], acting: Acting) -> Any:
        waivers.revoke(waiver_id=waiver.pk, opinion=data["opinion"], **acting.moment)
        return _("It is forbidden again.")
