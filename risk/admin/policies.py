"""Policies: drafts are edited and checked, tried on history, and set live by a second person."""

import json
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.parts import Section, link, money, page_of, record_link, state_label
from risk.admin.assessments import outcome_label
from risk.judgment import known_facts
from risk.models import PolicyVersion
from risk.reasons import reason_text
from risk.selectors.dry_run import on_history
from risk.services import policies

State = PolicyVersion.State
APPROVE, CHANGE, ADD = "risk.approve_policyversion", "risk.change_policyversion", "risk.add_policyversion"


class _Pretty(json.JSONEncoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"indent": 2, "ensure_ascii": False})


class PolicyForm(forms.ModelForm):
    """Rules and limits as JSON; what is wrong with them is said rule by rule."""

    class Meta:
        model = PolicyVersion
        fields = ["segment", "note", "rules", "matrix"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, rows in (("rules", 24), ("matrix", 12)):
            if name in self.fields:
                self.fields[name] = forms.JSONField(
                    label=self.fields[name].label,
                    encoder=_Pretty,
                    widget=UnfoldAdminTextareaWidget(attrs={"rows": rows, "spellcheck": "false"}),
                )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.errors:
            return values
        segment = values.get("segment") or self.instance.segment
        faults = policies.check(segment=segment, rules=values["rules"], matrix=values["matrix"])
        for name, wrong in faults.items():
            self.add_error(
                "matrix" if name in ("matrix", *values["matrix"]) else "rules", f"{name}: {', '.join(wrong)}"
            )
        return values


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ServiceAdmin):
    form = PolicyForm
    list_display = ["__str__", "state_", "rule_count", "note", "author", "approver", "approved_at"]
    list_filter = [("segment", ChoicesDropdownFilter), ("state", ChoicesDropdownFilter)]
    list_select_related = ["author", "approver"]
    actions_detail = ["shadow", "go_live", "copy", "retire"]

    @display(description=_("state"), ordering="state")
    def state_(self, policy: PolicyVersion) -> Any:
        return state_label(policy)

    @display(description=_("rules"))
    def rule_count(self, policy: PolicyVersion) -> int:
        return len(policy.rules)

    def get_fields(self, request: HttpRequest, obj: PolicyVersion | None = None) -> list[str]:
        if obj is None:
            return ["segment", "note", "rules", "matrix"]
        if self.has_change_permission(request, obj):
            return ["note", "rules", "matrix"]
        return [
            *("segment", "version", "state_", "note"),
            *("author", "created_at", "approver", "approved_at", "retired_at"),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: PolicyVersion | None = None) -> list[str]:
        return [] if obj is None or self.has_change_permission(request, obj) else ["state_"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADD)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        draft = obj is None or getattr(obj, "state", "") == State.DRAFT
        return draft and request.user.has_perm(CHANGE)

    def save_model(
        self, request: HttpRequest, obj: PolicyVersion, form: forms.ModelForm, change: bool
    ) -> None:
        acting, values = Acting.from_request(request), form.cleaned_data
        if change:
            policies.revise(policy_id=obj.pk, **values, **acting.moment)
        else:
            obj.pk = policies.draft(**values, **acting.moment).pk

    def sections(self, request: HttpRequest, record: PolicyVersion) -> Iterable[Section]:
        yield _rules(record)
        yield _limits(record)
        yield from _dry_run(record, asked="try" in request.GET)
        yield _names(record)

    @service_action(
        _("Run in the shadow"),
        permission=CHANGE,
        available=lambda policy: policy.state == State.DRAFT,
        icon="visibility",
        confirm=_("It answers beside the live policy and decides nothing. From now on it is frozen."),
    )
    def shadow(self, policy: PolicyVersion, data: dict[str, Any], acting: Acting) -> Any:
        policies.shadow(policy_id=policy.pk, **acting.moment)
        return _("The policy runs in the shadow.")

    @service_action(
        _("Go live"),
        permission=APPROVE,
        available=lambda policy: policy.state == State.SHADOW,
        icon="rocket_launch",
        variant=ActionVariant.SUCCESS,
        confirm=_("It decides from now on, and the live policy retires."),
    )
    def go_live(self, policy: PolicyVersion, data: dict[str, Any], acting: Acting) -> Any:
        policies.go_live(policy_id=policy.pk, **acting.moment)
        return _("The policy is live.")

    @service_action(
        _("Copy to a new draft"),
        permission=ADD,
        icon="content_copy",
        confirm=_("The draft starts with the rules and limits of this version."),
    )
    def copy(self, policy: PolicyVersion, data: dict[str, Any], acting: Acting) -> Any:
        draft = policies.draft(
            segment=policy.segment,
            rules=policy.rules,
            matrix=policy.matrix,
            note=str(_("Copy of %(policy)s") % {"policy": policy}),
            **acting.moment,
        )
        return HttpResponseRedirect(page_of(draft))

    @service_action(
        _("Retire"),
        permission=CHANGE,
        available=lambda policy: policy.state != State.RETIRED,
        icon="inventory_2",
        variant=ActionVariant.DANGER,
        confirm=_("It decides nothing any more. Without a live policy, every application goes to a person."),
    )
    def retire(self, policy: PolicyVersion, data: dict[str, Any], acting: Acting) -> Any:
        policies.retire(policy_id=policy.pk, **acting.moment)
        return _("The policy is retired.")


def _rules(policy: PolicyVersion) -> Section:
    kinds = {"KNOCK_OUT": _("declines"), "REFER": _("refers")}
    rows = [
        (rule["code"], kinds[rule["kind"]], rule["expression"], reason_text(rule["reason"]))
        for rule in policy.rules
    ]
    return Section(
        _("Rules"),
        [_("Code"), _("When it holds, it"), _("Rule"), _("Reason")],
        rows,
        note=_("A rule that cannot be answered refers to a person and never approves."),
    )


def _limits(policy: PolicyVersion) -> Section:
    rows = [
        (
            grade,
            outcome_label(row["outcome"]) if "outcome" in row else outcome_label("APPROVE"),
            row.get("share_of_income", "–"),
            row.get("multiple_of_spend", "–"),
            money(row.get("max")),
        )
        for grade, row in policy.matrix.items()
    ]
    columns = [_("Grade"), _("Outcome"), _("Times monthly income"), _("Times monthly spend"), _("At most")]
    return Section(_("Limits by grade"), columns, rows)


def _dry_run(policy: PolicyVersion, asked: bool) -> Iterable[Section]:
    """On request only: it judges thousands of applications again."""
    title = _("Tried on history")
    if not asked:
        yield Section(title, links=[link(_("Try it on the applications that were assessed"), "?try=1")])
        return
    run = on_history(policy)
    yield Section(
        title,
        [_("Then"), _("Now"), _("Applications")],
        [(outcome_label(then), outcome_label(now), count) for (then, now), count in run.moves.most_common()],
        note=_("%(total)s applications; approved then %(then)s, now %(now)s.")
        % {"total": run.total, "then": money(run.approved_then), "now": money(run.approved_now)},
    )
    yield Section(
        _("Those that would be decided otherwise"),
        [_("Application"), _("Customer"), _("Then"), _("Now"), _("Reasons")],
        [
            (
                record_link(one.application),
                record_link(one.application.customer),
                outcome_label(one.outcome),
                outcome_label(now),
                ", ".join(reasons),
            )
            for one, now, reasons in run.changed
        ],
    )


def _names(policy: PolicyVersion) -> Section:
    words = {float: _("number"), str: _("text"), bool: _("yes or no"), list: _("list")}
    rows = [(name, words[kind]) for name, kind in known_facts(policy.segment).items()]
    note = _("Besides these: score, pd (numbers) and grade (text). What is not known is null.")
    return Section(_("Names that rules may use"), [_("Name"), _("Type")], rows, note=note)
