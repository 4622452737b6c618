"""How applications were judged: read only, with every fact and step."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from lending.admin.base import ReadOnlyAdmin
from lending.admin.parts import Section, label, money, percent, record_link
from lending.models import Application
from risk import features
from risk.admin.fairness import Fairness
from risk.models import Assessment
from risk.reasons import reason_text
from risk.selectors import decisions

VIEW = "risk.view_assessment"
TONES = {"APPROVE": "success", "REFER": "warning", "DECLINE": "danger"}


def figure(value: float | None) -> str:
    """A feature's value as people read it; a dash for what is not known."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:,.4g}"


def outcome_label(outcome: str) -> Any:
    return label(Assessment.Outcome(outcome).label, TONES[outcome])


def price(assessment: Assessment) -> str:
    """The rates that the policy set, in words; else the product's own."""
    found = [
        f"{name}: {percent(rate)}"
        for name, rate in (
            (_("annual rate"), assessment.annual_rate),
            (_("fee rate per instalment"), assessment.fee_rate),
        )
        if rate is not None
    ]
    return "; ".join(found) or (str(_("the product's own")) if assessment.limit is not None else "–")


@admin.register(Assessment)
class AssessmentAdmin(ReadOnlyAdmin):
    list_display = ["at", "application_link", "outcome_", "grade", "score_", "limit", "model", "policy"]
    list_filter = [
        ("outcome", ChoicesDropdownFilter),
        "grade",
        ("at", RangeDateTimeFilter),
        ("application__customer__kind", ChoicesDropdownFilter),
    ]
    list_select_related = ["application__customer", "model", "policy"]
    search_fields = ["=application__id", "application__customer__name"]
    fields = [
        *("application_link", "customer_link", "outcome_", "reasons_in_words", "grade", "score_", "pd_"),
        *("limit", "rates", "model_link", "policy_link", "as_of", "at"),
    ]
    readonly_fields = [
        *("application_link", "customer_link", "outcome_", "reasons_in_words", "score_", "pd_"),
        *("rates", "model_link", "policy_link"),
    ]

    def get_urls(self) -> list[Any]:
        return [Fairness().path(self.admin_site), *super().get_urls()]

    @display(description=_("application"), ordering="application")
    def application_link(self, assessment: Assessment) -> Any:
        return record_link(assessment.application)

    @display(description=_("customer"))
    def customer_link(self, assessment: Assessment) -> Any:
        return record_link(assessment.application.customer)

    @display(description=_("outcome"), ordering="outcome")
    def outcome_(self, assessment: Assessment) -> Any:
        return outcome_label(assessment.outcome)

    @display(description=_("reasons"))
    def reasons_in_words(self, assessment: Assessment) -> str:
        return " ".join(reason_text(code) for code in assessment.reasons) or "–"

    @display(description=_("score"), ordering="score")
    def score_(self, assessment: Assessment) -> str:
        return "–" if assessment.score is None else f"{assessment.score:.0f}"

    @display(description=_("probability of default"), ordering="pd")
    def pd_(self, assessment: Assessment) -> str:
        return "–" if assessment.pd is None else f"{assessment.pd:.2%}"

    @display(description=_("price"))
    def rates(self, assessment: Assessment) -> str:
        return price(assessment)

    @display(description=_("model"))
    def model_link(self, assessment: Assessment) -> Any:
        return record_link(assessment.model)

    @display(description=_("policy"))
    def policy_link(self, assessment: Assessment) -> Any:
        return record_link(assessment.policy)

    def sections(self, request: HttpRequest, record: Assessment) -> Iterable[Section]:
        yield _points(record)
        yield _facts(record)
        yield _trace(record)
        yield _shadow(record)
        yield _fingerprints(record)


def _points(assessment: Assessment) -> Section:
    """What each feature was and gave or took, most lost first; what the card does not use comes last."""
    points: dict[str, float] = {}
    if assessment.model is not None and assessment.score is not None:
        points = dict(assessment.model.scorecard.score(assessment.features).contributions)
    rows = [
        (features.ALL[name].label if name in features.ALL else name, figure(value), _signed(points.get(name)))
        for name, value in sorted(
            assessment.features.items(), key=lambda one: (one[0] not in points, points.get(one[0], 0))
        )
    ]
    return Section(_("Features and points"), [_("Feature"), _("Value"), _("Points")], rows)


def _signed(points: float | None) -> str:
    return "–" if points is None else f"{points:+.1f}"


def _facts(assessment: Assessment) -> Section:
    told = {**assessment.inputs["facts"], **assessment.inputs["bounds"]}
    return Section(
        _("Facts"), [_("Fact"), _("Value")], [(name, _told(value)) for name, value in told.items()]
    )


def _told(value: Any) -> Any:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return "–" if value is None else value


def _trace(assessment: Assessment) -> Section:
    rows = [(step.get("rule") or "–", _answer(step)) for step in assessment.trace]
    return Section(_("How it came about"), [_("Rule"), _("Answer")], rows)


def _answer(step: Mapping[str, Any]) -> Any:
    if "error" in step:
        return label(step["error"], "warning")
    if step.get("stricter_than"):
        over = ", ".join(f"{name} ({value})" for name, value in step["stricter_than"].items())
        words = {"result": step["result"], "by": step["by"], "over": over}
        return _("%(result)s by %(by)s, stricter than %(over)s") % words
    if step.get("by"):
        return _("%(result)s by %(by)s") % {"result": step["result"], "by": step["by"]}
    if isinstance(step.get("result"), bool):
        return label(_("yes"), "danger") if step["result"] else _("no")
    if step.get("note") == "no rules":
        return label(_("The policy has no rule."), "warning")
    return step.get("result") or step.get("note", "")


def _fingerprints(assessment: Assessment) -> Section:
    """What it was made from, and whether it comes out the same now."""
    names = {"inputs": _("Inputs"), "model": _("Model"), "policy": _("Policy"), "answer": _("Answer")}
    again = decisions.replay(assessment)
    checked = label(_("the same, byte for byte"), "success")
    if not again.same:
        checked = label("; ".join(again.differences), "danger")
    kept = assessment.fingerprints
    rows = [(names.get(name, name), kept.get(name) or "–") for name in names]
    return Section(_("Fingerprints"), rows=[*rows, (_("Made again now"), checked)], facts=True)


def _shadow(assessment: Assessment) -> Section:
    rows = [
        (
            f"M{one['model']} · P{one['policy']}",
            outcome_label(one["outcome"]),
            one["grade"],
            money(one["limit"]),
            ", ".join(one["reasons"]),
        )
        for one in assessment.shadow
    ]
    columns = [_("Model and policy"), _("Outcome"), _("Grade"), _("Limit"), _("Reasons")]
    return Section(
        _("In the shadow"), columns, rows, note=_("What they would have said; it decided nothing.")
    )


def application_sections(application: Application) -> Iterable[Section]:
    """The assessment on the application's own page."""
    assessment = Assessment.objects.filter(application=application).select_related("model", "policy").first()
    if assessment is None:
        return
    rows = [
        (_("Outcome"), outcome_label(assessment.outcome)),
        (_("Reasons"), " ".join(reason_text(code) for code in assessment.reasons) or "–"),
        (_("Grade"), assessment.grade or "–"),
        (_("Score"), "–" if assessment.score is None else f"{assessment.score:.0f}"),
        (_("Limit"), money(assessment.limit)),
        (_("Price"), price(assessment)),
        (_("Assessment"), record_link(assessment, _("Features, rules and steps"))),
    ]
    yield Section(_("Score and policy"), rows=rows, facts=True, permission=VIEW)
