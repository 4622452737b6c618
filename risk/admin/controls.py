"""Controls, the queue of alerts, and the customers' appeals."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.forms import ActionForm, ReasonForm
from lending.admin.parts import Section, money, record_link, state_label
from risk.models import Alert, Appeal, Control
from risk.reasons import control_text
from risk.review_words import review_text
from risk.services import alerts, appeals, controls

JUDGE, DECIDE, CHANGE = "risk.judge_alert", "risk.decide_appeal", "risk.change_control"
LEVELS = [
    *("active", "window_days", "minimum_count", "trip", "release"),
    *("action", "cut_share", "cooldown_days", "usual_floor"),
]


@admin.register(Control)
class ControlAdmin(ServiceAdmin):
    list_display = [
        *("code", "kind", "active", "window_days", "trip", "release", "action", "open_alerts", "right_share"),
    ]
    fields = ["code", "kind", *LEVELS]
    readonly_fields = ["code", "kind"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Control]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                open_count=Count("alerts", Q(alerts__state=Alert.State.OPEN)),
                right_count=Count("alerts", Q(alerts__outcome=Alert.Outcome.TRUE_POSITIVE)),
                judged_count=Count("alerts", ~Q(alerts__outcome="") & Q(alerts__isnull=False)),
            )
        )

    @display(description=_("open alerts"))
    def open_alerts(self, control: Any) -> int:
        return control.open_count

    @display(description=_("rightly so"))
    def right_share(self, control: Any) -> str:
        """Of the alerts that people judged, how many were right."""
        return f"{control.right_count} / {control.judged_count}" if control.judged_count else "–"

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(CHANGE)

    def save_model(self, request: HttpRequest, obj: Control, form: forms.ModelForm, change: bool) -> None:
        acting = Acting.from_request(request)
        values = {name: form.cleaned_data[name] for name in LEVELS}
        controls.set_levels(control_id=obj.pk, **values, **acting.moment)


class JudgeForm(ActionForm):
    outcome = forms.ChoiceField(label=_("Was it right?"), choices=Alert.Outcome.choices)


class _OnLine:
    """Columns of what is about a customer's line."""

    @display(description=_("state"), ordering="state")
    def state_(self, record: Any) -> Any:
        return state_label(record)

    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, record: Any) -> Any:
        return record_link(record.customer)

    @display(description=_("line"))
    def line_link(self, record: Any) -> Any:
        return record_link(record.line)


def _open(record: Any) -> bool:
    return record.state == "OPEN"


@admin.register(Alert)
class AlertAdmin(_OnLine, ServiceAdmin):
    list_display = ["at", "state_", "customer_link", "control", "figure", "action", "cut_", "outcome"]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("control", RelatedDropdownFilter),
        ("action", ChoicesDropdownFilter),
        ("outcome", ChoicesDropdownFilter),
        ("at", RangeDateTimeFilter),
    ]
    list_select_related = ["customer", "control", "line"]
    search_fields = ["customer__name", "=customer__platform_ref"]
    fields = [
        *("customer_link", "line_link", "control", "state_", "what_it_saw", "action", "cut_", "at"),
        *("outcome", "closed_at", "closed_by"),
    ]
    readonly_fields = ["customer_link", "line_link", "state_", "what_it_saw", "cut_"]
    actions_detail = ["judge", "lift"]

    @display(description=_("what it saw"))
    def what_it_saw(self, alert: Alert) -> str:
        return control_text(alert.explanation, alert.figure)

    @display(description=_("limit"))
    def cut_(self, alert: Alert) -> str:
        return (
            f"{money(alert.limit_before)} → {money(alert.limit_after)}"
            if alert.limit_after is not None
            else "–"
        )

    def sections(self, request: HttpRequest, record: Alert) -> Iterable[Section]:
        yield Section(
            _("Appeals"),
            [_("Appeal"), _("State"), _("What the customer says"), _("Answer")],
            [(record_link(one), state_label(one), one.text, one.answer) for one in record.appeals.all()],
            permission="risk.view_appeal",
        )

    @service_action(_("Judge it"), permission=JUDGE, form=JudgeForm, icon="gavel")
    def judge(self, alert: Alert, data: dict[str, Any], acting: Acting) -> Any:
        alerts.judge(alert_id=alert.pk, outcome=data["outcome"], **acting.moment)
        return _("The alert is judged.")

    @service_action(
        _("Lift it"),
        permission=JUDGE,
        form=ReasonForm,
        available=_open,
        icon="lock_open",
        confirm=_("What it took from the line is given back, and the customer is told."),
    )
    def lift(self, alert: Alert, data: dict[str, Any], acting: Acting) -> Any:
        alerts.lift(alert_id=alert.pk, note=data["reason"], **acting.moment)
        return _("The alert is lifted.")


class AnswerForm(ActionForm):
    answer = forms.CharField(
        label=_("Answer"), help_text=_("The customer reads it."), max_length=2000, widget=forms.Textarea
    )


@admin.register(Appeal)
class AppealAdmin(_OnLine, ServiceAdmin):
    list_display = ["opened_at", "state_", "customer_link", "line_link", "alert", "decided_by", "decided_at"]
    list_filter = [("state", ChoicesDropdownFilter), ("opened_at", RangeDateTimeFilter)]
    list_select_related = ["customer", "line", "alert__control", "alert__customer", "decided_by"]
    search_fields = ["customer__name", "=customer__platform_ref"]
    fields = [
        *("customer_link", "line_link", "state_", "opened_at", "text", "alert_link", "review_link"),
        "what_it_saw",
        *("answer", "decided_by", "decided_at"),
    ]
    readonly_fields = ["customer_link", "line_link", "state_", "alert_link", "review_link", "what_it_saw"]
    actions_detail = ["uphold", "reject"]

    @display(description=_("alert"))
    def alert_link(self, appeal: Appeal) -> Any:
        return record_link(appeal.alert)

    @display(description=_("review of the limit"))
    def review_link(self, appeal: Appeal) -> Any:
        return record_link(appeal.review)

    @display(description=_("what the control saw"))
    def what_it_saw(self, appeal: Appeal) -> str:
        if appeal.alert:
            return control_text(appeal.alert.explanation, appeal.alert.figure)
        return review_text(appeal.review) if appeal.review else "–"

    @service_action(
        _("Uphold"),
        permission=DECIDE,
        form=AnswerForm,
        available=_open,
        icon="thumb_up",
        variant=ActionVariant.SUCCESS,
        confirm=_("What controls took from the line is given back."),
    )
    def uphold(self, appeal: Appeal, data: dict[str, Any], acting: Acting) -> Any:
        appeals.decide(appeal_id=appeal.pk, uphold=True, answer=data["answer"], **acting.moment)
        return _("The appeal is upheld and the line given back.")

    @service_action(
        _("Reject"),
        permission=DECIDE,
        form=AnswerForm,
        available=_open,
        icon="thumb_down",
        variant=ActionVariant.DANGER,
        confirm=_("The line stays as it is."),
    )
    def reject(self, appeal: Appeal, data: dict[str, Any], acting: Acting) -> Any:
        appeals.decide(appeal_id=appeal.pk, uphold=False, answer=data["answer"], **acting.moment)
        return _("The appeal is rejected.")
