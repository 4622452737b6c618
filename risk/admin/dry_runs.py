"""Trials of policies on the past: the sums, and a list to filter, click and take away."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeNumericFilter, RelatedDropdownFilter
from unfold.decorators import display

from lending.admin.base import ReadOnlyAdmin
from lending.admin.export import ExportAdmin, columns
from lending.admin.parts import Section, label, link, money, record_link
from risk.admin.assessments import outcome_label
from risk.models import DryRun, DryRunCase
from risk.reasons import reason_text
from risk.selectors import dry_run

FATES = {"NOT_TAKEN": "", "RUNNING": "info", "GOOD": "success", "BAD": "danger"}


def cases_url(run: DryRun, **filters: Any) -> str:
    query = "".join(f"&{name}={value}" for name, value in filters.items())
    return f"{reverse('admin:risk_dryruncase_changelist')}?run__id__exact={run.pk}{query}"


@admin.register(DryRun)
class DryRunAdmin(ReadOnlyAdmin):
    list_display = ["policy_link", "total", "changed", "by", "at"]
    list_select_related = ["policy", "by"]
    list_display_links = ["total"]
    fields = ["policy_link", "total", "changed", "by", "at"]
    readonly_fields = ["policy_link"]

    @display(description=_("policy"), ordering="policy")
    def policy_link(self, run: DryRun) -> Any:
        return record_link(run.policy)

    def sections(self, request: HttpRequest, record: DryRun) -> Iterable[Section]:
        found = dry_run.sums(record)
        yield _figures(record, found)
        rows = [
            (
                outcome_label(then),
                outcome_label(now),
                link(count, cases_url(record, outcome_then__exact=then, outcome_now__exact=now)),
                money(was),
                money(becomes),
            )
            for then, now, count, was, becomes in found.moves
        ]
        heads = [_("Then"), _("Now"), _("Applications"), _("Approved then"), _("Approved now")]
        links = [
            link(_("Those that would be decided otherwise"), cases_url(record, changed__exact=1)),
            link(_("All applications"), cases_url(record)),
        ]
        yield Section(_("Who would change"), heads, rows, links=links)


def _figures(run: DryRun, found: dry_run.Sums) -> Section:
    rows = [
        (_("Approved then"), money(found.approved_then)),
        (_("Approved now"), money(found.approved_now)),
        (_("Would have saved"), money(found.saved)),
        (_("Would have cost"), money(found.cost)),
        (_("Together"), money(found.net)),
        (_("Changes whose outcome nobody knows"), found.unknown),
        (_("Expected to go bad of what is newly approved"), money(found.expected_bad)),
    ]
    note = _(
        "Saved: principal lost on what would have been declined or lent less; cost: interest and fees earned on it. "
        "Counted only where the loans have ended or gone bad."
    )
    if run.policy_sha256 != run.policy.sha256:
        note = _("The policy has changed since: try it again. These are the figures of what it was.")
    return Section(_("What it would have cost or saved"), rows=rows, facts=True, note=note)


@admin.register(DryRunCase)
class DryRunCaseAdmin(ExportAdmin, ReadOnlyAdmin):
    list_display = [
        *("application_link", "customer_link", "then_", "now_", "limit_then", "limit_now", "reasons_"),
        *("fate_", "lent", "lost", "earned", "effect"),
    ]
    list_display_links = None
    list_filter = [
        ("run", RelatedDropdownFilter),
        "changed",
        ("outcome_then", ChoicesDropdownFilter),
        ("outcome_now", ChoicesDropdownFilter),
        ("fate", ChoicesDropdownFilter),
        ("effect", RangeNumericFilter),
    ]
    list_select_related = ["assessment__application__customer"]
    search_fields = ["=assessment__application__id", "assessment__application__customer__name"]
    resource_classes = [
        columns(
            DryRunCase,
            *("assessment__application", "assessment__application__customer__name", "outcome_then"),
            *("outcome_now", "limit_then", "limit_now", "reasons_now", "fate", "lent", "lost", "earned"),
            "effect",
        )
    ]
    fields = [
        *("application_link", "customer_link", "then_", "now_", "limit_then", "limit_now", "reasons_"),
        *("fate_", "lent", "lost", "earned", "effect"),
    ]
    readonly_fields = ["application_link", "customer_link", "then_", "now_", "reasons_", "fate_"]

    @display(description=_("application"), ordering="assessment__application")
    def application_link(self, case: DryRunCase) -> Any:
        return record_link(case.assessment.application)

    @display(description=_("customer"), ordering="assessment__application__customer__name")
    def customer_link(self, case: DryRunCase) -> Any:
        return record_link(case.assessment.application.customer)

    @display(description=_("then"), ordering="outcome_then")
    def then_(self, case: DryRunCase) -> Any:
        return record_link(case.assessment, outcome_label(case.outcome_then))

    @display(description=_("now"), ordering="outcome_now")
    def now_(self, case: DryRunCase) -> Any:
        return outcome_label(case.outcome_now)

    @display(description=_("reasons now"))
    def reasons_(self, case: DryRunCase) -> str:
        return " ".join(reason_text(code) for code in case.reasons_now) or "–"

    @display(description=_("what became of it"), ordering="fate")
    def fate_(self, case: DryRunCase) -> Any:
        return label(case.get_fate_display(), FATES[case.fate])
