"""Approval and bad rates by group: for people to look at; nothing is blocked by it."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lending.admin.reports import Answer, Column, Report, SpanForm
from risk.engine.fairness import FEWEST, Group, Rate
from risk.selectors import fairness

WORDS = {
    "": gettext_lazy("not known"),
    "M": gettext_lazy("Male"),
    "F": gettext_lazy("Female"),
    "true": gettext_lazy("yes"),
    "false": gettext_lazy("no"),
}
DAYS = 365


class FairnessForm(SpanForm):
    by = forms.ChoiceField(label=gettext_lazy("Grouped by"), required=False)
    field_order = ["by", "since", "until"]

    def prepare(self) -> None:
        self.fields["by"].choices = [(name, fairness.NAMES[name]) for name in fairness.groupings()]


class Fairness(Report):
    name = "fairness"
    title = gettext_lazy("Fairness by group")
    note = gettext_lazy(
        "Decisions on persons. Below four fifths of the best group's approval rate, look into it: a flag is a "
        "question, not a finding, and nothing is blocked by it. Intervals are Wilson's, at 95%."
    )
    permission = "risk.view_assessment"
    form = FairnessForm
    sortable = False
    empty = gettext_lazy("Nothing was decided in this period.")
    columns: Sequence[Column] = (
        Column(gettext_lazy("Group of people")),
        Column(gettext_lazy("Decided"), number=True),
        Column(gettext_lazy("Approved"), number=True),
        Column(gettext_lazy("Approval rate"), number=True, share=True),
        Column(gettext_lazy("Interval (95%)"), number=True),
        Column(gettext_lazy("Against the best"), number=True, share=True),
        Column(gettext_lazy("Four fifths")),
        Column(gettext_lazy("Matured"), number=True),
        Column(gettext_lazy("Bad rate"), number=True, share=True),
        Column(gettext_lazy("Interval (95%)"), number=True),
    )

    @property
    def url_name(self) -> str:
        return "risk_assessment_fairness"

    def defaults(self, on: date) -> dict[str, Any]:
        first = next(iter(fairness.groupings()), "")
        return {"by": first, "since": on - timedelta(days=DAYS), "until": on, "on": on}

    def answer(self, asked: dict[str, Any]) -> Answer:
        defaults = self.defaults(asked["on"])
        asked = defaults | {name: value for name, value in asked.items() if value}
        if not asked["by"]:
            return Answer([], facts=[(_("Groups"), _("This site groups decisions by nothing."))])
        groups = fairness.by_group(asked["by"], since=asked["since"], until=asked["until"], on=asked["on"])
        return Answer([_row(group) for group in groups])


def _row(group: Group) -> list[Any]:
    return [
        WORDS.get(group.name, group.name),
        group.approved.count,
        group.approved.hits,
        _share(group.approved.share),
        _interval(group.approved),
        _share(group.ratio),
        _flag(group),
        group.bad.count,
        _share(group.bad.share),
        _interval(group.bad),
    ]


def _share(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(f"{value:.4f}")


def _interval(rate: Rate) -> str:
    low, high = rate.interval
    return f"{low:.1%} – {high:.1%}" if rate.count else "–"


def _flag(group: Group) -> str:
    if group.approved.count < FEWEST:
        return _("too few")
    if group.surely:
        return _("below, with its whole interval")
    return _("below") if group.flagged else "–"
