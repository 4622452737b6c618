"""Models: how they did, their pages, and who lets them decide."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending import clock
from lending.admin.base import Acting, ReadOnlyAdmin, ServiceAdmin, service_action
from lending.admin.forms import ActionForm, ReasonForm
from lending.admin.parts import Section, link, record_link, state_label
from risk.admin import model_pages
from risk.admin import model_sections as sections
from risk.admin.catalogue import Catalogue
from risk.models import Dataset, ModelVersion
from risk.selectors.models import REVIEW_AFTER, former_champion
from risk.services import models

State = ModelVersion.State
APPROVE, CHANGE = "risk.approve_modelversion", "risk.change_modelversion"
REVIEW = "risk.add_modelreview"


class ReviewForm(ActionForm):
    finding = forms.CharField(label=_("Finding"), widget=forms.Textarea, max_length=2000)
    next_on = forms.DateField(label=_("Next review"))

    def prepare(self) -> None:
        self.fields["next_on"].initial = clock.today() + REVIEW_AFTER


CATALOGUE = Catalogue()


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "segment", "as_of", "rows", "bad", "made_at"]
    list_filter = [("segment", ChoicesDropdownFilter)]
    fields = ["segment", "as_of", "target", "rows", "bad", "columns", "sha256", "made_at"]


@admin.register(ModelVersion)
class ModelVersionAdmin(ServiceAdmin):
    list_display = [
        *("__str__", "state_", "auc", "ks", "bad_rate", "author", "approver", "created_at", "next_review"),
    ]
    list_filter = [("segment", ChoicesDropdownFilter), ("state", ChoicesDropdownFilter)]
    list_select_related = ["author", "approver"]
    fields = [
        *("segment", "version", "state_", "dataset_link", "sha256"),
        *("author", "created_at", "approver", "approved_at", "retired_at", "next_review"),
    ]
    readonly_fields = ["state_", "dataset_link", "next_review"]
    actions_detail = ["challenge", "promote", "review", "roll_back", "retire"]

    @display(description=_("next review"))
    def next_review(self, model: ModelVersion) -> Any:
        return sections.review_label(model, clock.today())

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
            _("Pages of this model"),
            links=[link(words, reverse(f"admin:{name}", args=[record.pk])) for name, words in _pages(record)],
        )
        if "test" in record.metrics:
            yield from sections.measured(record.metrics)
            yield sections.rivals(record)
        yield sections.reviews(record)
        yield sections.monitoring(record)

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
        _("Write a review"),
        permission=REVIEW,
        form=ReviewForm,
        available=lambda model: model.state in (State.CHALLENGER, State.CHAMPION),
        icon="rate_review",
        confirm=_("Who made a model does not review it."),
    )
    def review(self, model: ModelVersion, data: dict[str, Any], acting: Acting) -> Any:
        models.review(model_id=model.pk, **data, **acting.day)
        return _("The review is kept.")

    @service_action(
        _("Back to the former champion"),
        permission=APPROVE,
        form=ReasonForm,
        available=lambda model: model.state == State.CHAMPION and former_champion(model) is not None,
        icon="undo",
        variant=ActionVariant.DANGER,
        confirm=_(
            "The former champion decides from now on, and this one retires. You sign for its table of points."
        ),
    )
    def roll_back(self, model: ModelVersion, data: dict[str, Any], acting: Acting) -> Any:
        former = models.roll_back(model_id=model.pk, **data, **acting.moment)
        return _("%(model)s is the champion again.") % {"model": former}

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
        def at(name: str, view: Any) -> Any:
            wrapped = self.admin_site.admin_view(partial(view, self))
            return path(f"<int:model_id>/{name}/", wrapped, name=f"risk_modelversion_{name}")

        return [
            CATALOGUE.path(self.admin_site),
            at("points", model_pages.points),
            at("card", model_pages.card),
            at("compare", model_pages.compare),
            at("monitoring", model_pages.monitoring),
            *super().get_urls(),
        ]


def _pages(model: ModelVersion) -> list[tuple[str, Any]]:
    found = [
        ("risk_modelversion_points", _("Table of points")),
        ("risk_modelversion_card", _("Model card")),
        ("risk_modelversion_monitoring", _("Monitoring")),
    ]
    if model.state != State.CHAMPION:
        found.append(("risk_modelversion_compare", _("Against the champion")))
    return found


def _figure(model: ModelVersion, name: str, format: str) -> str:
    value = model.metrics.get("test", {}).get(name)
    return "–" if value is None else f"{value:{format}}"
