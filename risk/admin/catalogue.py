"""The catalogue of features: what models and policies may use, and for how many customers it is known."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lending import clock
from lending.admin.reports import Answer, Column, Report, ReportForm
from risk import features
from risk.features import Feature
from risk.models import Segment
from risk.selectors.coverage import coverage


class CatalogueForm(ReportForm):
    segment = forms.ChoiceField(label=_("Segment"), required=False)
    source = forms.ChoiceField(label=_("Source"), required=False)
    search = forms.CharField(label=_("Search"), required=False, max_length=60)

    def prepare(self) -> None:
        self.fields["segment"].choices = [("", _("all segments")), *Segment.choices]
        self.fields["source"].choices = [("", _("all sources")), *features.SOURCES.items()]


class Catalogue(Report):
    name, title = "features", _("Features")
    note = _("Known: the share of the newest customers for whom the feature has a value at this moment.")
    permission = "risk.view_modelversion"
    form = CatalogueForm
    url_name = "risk_modelversion_features"  # type: ignore[assignment]
    columns = (
        Column(_("Segment")),
        Column(_("Name")),
        Column(_("Feature")),
        Column(_("Source")),
        Column(_("Window in days"), number=True),
        Column(_("Unit")),
        Column(_("A higher value is")),
        Column(_("Personal data")),
        Column(_("Known"), number=True),
        Column(_("What the customer is told")),
    )

    def defaults(self, on: date) -> dict[str, Any]:
        return {}

    def answer(self, asked: dict[str, Any]) -> Answer:
        rows, facts = [], []
        for segment in [asked["segment"]] if asked.get("segment") else Segment.values:
            looked_at, known = coverage(segment, clock.now())
            mine = list(_matching(segment, asked))
            facts.append((Segment(segment).label, _counted(len(mine), looked_at)))
            rows += [_row(segment, feature, known) for feature in mine]
        return Answer(rows, facts=facts)


def _counted(many: int, looked_at: int) -> str:
    return gettext("%(many)s features, looked at for %(customers)s customers") % {
        "many": many,
        "customers": looked_at,
    }


def _matching(segment: str, asked: dict[str, Any]) -> Iterator[Feature]:
    words = str(asked.get("search") or "").lower().split()
    for feature in features.BY_SEGMENT[segment]:
        if asked.get("source") and feature.source != asked["source"]:
            continue
        text = f"{feature.name} {feature.label} {feature.reason} {feature.source_words}".lower()
        if all(word in text for word in words):
            yield feature


def _row(segment: str, feature: Feature, known: dict[str, float]) -> list[Any]:
    return [
        Segment(segment).label,
        feature.name,
        str(feature.label),
        str(feature.source_words),
        feature.window or "–",
        str(feature.unit),
        str(feature.sign_words),
        gettext("yes") if feature.personal else gettext("no"),
        f"{known[feature.name]:.0%}" if known else "–",
        str(feature.reason),
    ]
