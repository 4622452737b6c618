"""Policies: drafts are edited and checked, tried on history, and set live by a second person."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.parts import Section, label, link, money, page_of, percent, state_label
from risk.admin.assessments import outcome_label
from risk.admin.policy_editor import HEADS, MatrixTable, RulesTable, TableField, fault_text
from risk.engine import policy_diff, terms
from risk.engine.scorecard import BANDS
from risk.models import DryRun, PolicyVersion
from risk.reasons import reason_text
from risk.services import dry_runs, policies

RULE_PARTS = {"kind": _("When it holds, it"), "expression": _("Rule"), "reason": _("Reason")}
State = PolicyVersion.State
APPROVE, CHANGE, ADD = "risk.approve_policyversion", "risk.change_policyversion", "risk.add_policyversion"


class PolicyForm(forms.ModelForm):
    """Rules and limits in tables; what is wrong is said at the line it is wrong in."""

    rules = TableField(label=_("Rules"), empty=list, widget=RulesTable)
    matrix = TableField(label=_("Limits and prices"), empty=dict, widget=MatrixTable)

    class Meta:
        model = PolicyVersion
        fields = ["segment", "note", "rules", "matrix"]

    class Media:
        css: ClassVar[dict[str, list[str]]] = {"all": ["staff/policy.css"]}
        js: ClassVar[list[str]] = ["staff/policy.js"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk and "rules" in self.fields:
            self.fields["rules"].widget.segments = [self.instance.segment]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.errors:
            return values
        segment = values.get("segment") or self.instance.segment
        found = policies.check(segment=segment, rules=values["rules"], matrix=values["matrix"])
        faults = {name: [fault_text(fault) for fault in wrong] for name, wrong in found.items()}
        rows = {*map(str, values["matrix"]), *BANDS}
        for name, wrong in faults.items():
            field = "matrix" if name == "matrix" or name.partition(".")[0] in rows else "rules"
            self.add_error(field, f"{name}: {', '.join(wrong)}")
        for field in ("rules", "matrix"):
            self.fields[field].widget.faults = faults
        return values


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ServiceAdmin):
    form = PolicyForm
    list_display = ["__str__", "state_", "rule_count", "note", "author", "approver", "approved_at"]
    list_filter = [("segment", ChoicesDropdownFilter), ("state", ChoicesDropdownFilter)]
    list_select_related = ["author", "approver"]
    actions_detail = ["try_on_history", "shadow", "go_live", "copy", "retire"]

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
        yield from _against_live(record)
        yield _dry_run(record)

    @service_action(
        _("Try on history"),
        permission=CHANGE,
        icon="science",
        confirm=_("It judges the newest %(most)s applications of its segment again and changes none of them.")
        % {"most": dry_runs.MOST},
    )
    def try_on_history(self, policy: PolicyVersion, data: dict[str, Any], acting: Acting) -> Any:
        run = dry_runs.run(policy_id=policy.pk, **acting.day)
        return HttpResponseRedirect(page_of(run))

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
    note = _("A rule that cannot be answered refers to a person and never approves.")
    if not rows:
        note = _("There is no rule. Each decision writes that down.")
    return Section(
        _("Rules"),
        [_("Code"), _("When it holds, it"), _("Rule"), _("Reason")],
        rows,
        note=note,
    )


def _limits(policy: PolicyVersion) -> Section:
    rows = [
        (
            name,
            _where(row),
            outcome_label(row["outcome"]) if "outcome" in row else outcome_label("APPROVE"),
            *(row.get(base, "–") for base in terms.BASES),
            money(terms.amount(row.get("max"))),
            *(percent(terms.amount(row.get(price))) for price in terms.PRICES),
        )
        for grade in sorted(policy.matrix)
        for name, row in terms.rows_of(policy.matrix, grade)
    ]
    heads = [HEADS[name] for name in (*terms.BASES, "max", *terms.PRICES)]
    note = _("Where several rows hold, the lowest limit, the highest price and the strictest outcome do.")
    return Section(_("Limits and prices"), [_("Grade"), _("Where"), _("Outcome"), *heads], rows, note=note)


def _where(row: Mapping[str, Any]) -> str:
    """The conditions of a row in words."""
    found = [f"{HEADS[name]}: {row[name]}" for name in terms.CONDITIONS if name in row]
    return "; ".join(found) or str(_("always"))


def _against_live(policy: PolicyVersion) -> Iterable[Section]:
    """What the version does otherwise than the live one."""
    live = (
        PolicyVersion.objects.filter(segment=policy.segment, state=State.LIVE).exclude(pk=policy.pk).first()
    )
    if live is None:
        return
    words = {
        policy_diff.ADDED: _("added"),
        policy_diff.REMOVED: _("removed"),
        policy_diff.CHANGED: _("changed"),
    }
    tones = {policy_diff.ADDED: "success", policy_diff.REMOVED: "danger", policy_diff.CHANGED: "warning"}
    changes = policy_diff.rules(live.rules, policy.rules) + policy_diff.matrix(live.matrix, policy.matrix)
    rows = [
        (
            label(words[one.kind], tones[one.kind]),
            one.where,
            HEADS.get(one.part, RULE_PARTS.get(one.part, "")),
            one.before,
            one.after,
        )
        for one in changes
    ]
    yield Section(
        _("Against the live version %(live)s") % {"live": live},
        ["", _("Rule or row"), _("What"), _("Live"), _("Here")],
        rows,
        links=[link(live, page_of(live))],
        note="" if rows else _("Nothing differs."),
    )


def _dry_run(policy: PolicyVersion) -> Section:
    run = DryRun.objects.filter(policy=policy).first()
    if run is None:
        return Section(_("Tried on history"), note=_("Not tried yet."))
    text = _("%(changed)s of %(total)s applications would be decided otherwise.")
    return Section(
        _("Tried on history"),
        links=[link(_("Who would change, and what it would have cost"), page_of(run))],
        note=text % {"changed": run.changed, "total": run.total},
        permission="risk.view_dryrun",
    )
