"""Models: how they did, the table of points to print, and who lets them decide."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending.admin.base import Acting, ReadOnlyAdmin, ServiceAdmin, service_action
from lending.admin.parts import Section, label, link, record_link, state_label
from risk import features
from risk.admin.catalogue import Catalogue
from risk.models import Dataset, ModelVersion
from risk.selectors import points
from risk.services import models

State = ModelVersion.State
APPROVE, CHANGE = "risk.approve_modelversion", "risk.change_modelversion"

CATALOGUE = Catalogue()


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "segment", "as_of", "rows", "bad", "made_at"]
    list_filter = [("segment", ChoicesDropdownFilter)]
    fields = ["segment", "as_of", "target", "rows", "bad", "columns", "sha256", "made_at"]


@admin.register(ModelVersion)
class ModelVersionAdmin(ServiceAdmin):
    list_display = ["__str__", "state_", "auc", "ks", "bad_rate", "author", "approver", "created_at"]
    list_filter = [("segment", ChoicesDropdownFilter), ("state", ChoicesDropdownFilter)]
    list_select_related = ["author", "approver"]
    fields = [
        *("segment", "version", "state_", "dataset_link", "sha256"),
        *("author", "created_at", "approver", "approved_at", "retired_at"),
    ]
    readonly_fields = ["state_", "dataset_link"]
    actions_detail = ["challenge", "promote", "retire"]

    @display(description=_("state"), ordering="state")
    def state_(self, model: ModelVersion) -> Any:
        return state_label(model)

    @display(description=_("data set"))
    def dataset_link(self, model: ModelVersion) -> Any:
        return record_link(model.dataset)

    @display(description=_("AUC on later data"))
    def auc(self, model: ModelVersion) -> str:
        return _figure(model, "auc", ".3f")

    @display(description=_("KS on later data"))
    def ks(self, model: ModelVersion) -> str:
        return _figure(model, "ks", ".3f")

    @display(description=_("default rate of later data"))
    def bad_rate(self, model: ModelVersion) -> str:
        return _figure(model, "bad_rate", ".1%")

    def sections(self, request: HttpRequest, record: ModelVersion) -> Iterable[Section]:
        yield Section(
            _("Table of points"),
            links=[link(_("Read and print it"), reverse("admin:risk_modelversion_points", args=[record.pk]))],
        )
        if "test" in record.metrics:
            yield from _measured(record.metrics)

    @service_action(
        _("Let it challenge"),
        permission=CHANGE,
        available=lambda model: model.state == State.VALIDATED,
        icon="compare_arrows",
        confirm=_("It scores every application beside the champion and decides nothing."),
    )
    def challenge(self, model: ModelVersion, data: dict[str, Any], acting: Acting) -> Any:
        models.challenge(model_id=model.pk, **acting.moment)
        return _("The model scores in the shadow.")

    @service_action(
        _("Make it the champion"),
        permission=APPROVE,
        available=lambda model: model.state in (State.VALIDATED, State.CHALLENGER),
        icon="rocket_launch",
        variant=ActionVariant.SUCCESS,
        confirm=_(
            "It decides from now on, and the champion of today retires. You sign for its table of points."
        ),
    )
    def promote(self, model: ModelVersion, data: dict[str, Any], acting: Acting) -> Any:
        models.promote(model_id=model.pk, **acting.moment)
        return _("The model is the champion.")

    @service_action(
        _("Retire"),
        permission=CHANGE,
        available=lambda model: model.state != State.RETIRED,
        icon="inventory_2",
        variant=ActionVariant.DANGER,
        confirm=_("It scores nobody any more. Without a champion, every application goes to a person."),
    )
    def retire(self, model: ModelVersion, data: dict[str, Any], acting: Acting) -> Any:
        models.retire(model_id=model.pk, **acting.moment)
        return _("The model is retired.")

    # --- pages ---

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            CATALOGUE.path(self.admin_site),
            path("<int:model_id>/points/", view(self.points_page), name="risk_modelversion_points"),
            *super().get_urls(),
        ]

    def points_page(self, request: HttpRequest, model_id: int) -> HttpResponse:
        """The whole table of points of a model, to be read, printed and signed."""
        model = ModelVersion.objects.filter(pk=model_id).first()
        if not self.has_view_permission(request):
            raise PermissionDenied
        if model is None:
            raise Http404
        context = {"title": _("Table of points of %(model)s") % {"model": model}, "model": model}
        context |= {"card": model.scorecard, "tables": points.tables(model.scorecard)}
        context["grades"] = model.metrics.get("grades", [])
        return self._page(request, "risk/points.html", context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), **context})


def _figure(model: ModelVersion, name: str, format: str) -> str:
    value = model.metrics.get("test", {}).get(name)
    return "–" if value is None else f"{value:{format}}"


PARTS = {"train": _("earlier data, learned from"), "test": _("later data, never seen")}


def _measured(metrics: dict[str, Any]) -> Iterable[Section]:
    findings = [
        (label(text, "danger" if text.startswith("BLOCKS") else "warning"),) for text in metrics["findings"]
    ]
    yield Section(_("Findings"), [_("Finding")], findings or [(label(_("none"), "success"),)])
    yield Section(
        _("How it ranks and how true its level is"),
        [
            pgettext_lazy("sample", "On"),
            _("Rows"),
            _("Bad"),
            "AUC",
            "KS",
            "Brier",
            _("Mean PD"),
            _("Slope"),
            _("Intercept"),
        ],
        [
            (
                words,
                row["rows"],
                f"{row['bad_rate']:.1%}",
                f"{row['auc']:.3f}",
                f"{row['ks']:.3f}",
                f"{row['brier']:.4f}",
                f"{row['mean_pd']:.1%}",
                f"{row['calibration_slope']:.2f}",
                f"{row['calibration_intercept']:+.2f}",
            )
            for name, words in PARTS.items()
            for row in [metrics[name]]
        ],
        note=_("Scores have shifted by a PSI of %(psi)s.") % {"psi": f"{metrics['psi']['psi']:.3f}"},
    )
    yield Section(
        _("Grades on later data"),
        [_("Grade"), _("Rows"), _("Bad"), _("Predicted"), _("True rate, 95%"), ""],
        [
            (
                row["grade"],
                row["rows"],
                row["bad"],
                "–" if row["predicted"] is None else f"{row['predicted']:.1%}",
                f"{row['low']:.1%} – {row['high']:.1%}",
                label(_("fits"), "success") if row["fits"] else label(_("off"), "danger"),
            )
            for row in metrics["grades"]
        ],
    )
    yield Section(
        _("Features"),
        [_("Feature"), _("In the card"), _("Missing"), "PSI", _("Information value")],
        [
            (
                features.ALL[row["name"]].label if row["name"] in features.ALL else row["name"],
                _("yes") if row["used"] else _("no"),
                f"{row['missing']:.1%}",
                f"{row['psi']:.3f}",
                "–" if row["iv"] is None else f"{row['iv']:.3f}",
            )
            for row in metrics["features"]
        ],
    )
