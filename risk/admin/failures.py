"""Applications that could not be scored: look, try again, or give them to a person."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from lending.admin.base import Acting, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.parts import record_link, state_label
from risk.models import ScoringFailure
from risk.services import failures

State = ScoringFailure.State
RETRY = "risk.retry_scoring"


def _dead(failure: ScoringFailure) -> bool:
    return failure.state == State.DEAD


def _unsettled(failure: ScoringFailure) -> bool:
    return failure.state in (State.DEAD, State.RETRYING)


@admin.register(ScoringFailure)
class ScoringFailureAdmin(ExportAdmin, ServiceAdmin):
    list_display = [
        "application_link",
        "state_",
        "customer_link",
        "attempts",
        "failed_at",
        "next_try_at",
        "error",
    ]
    list_filter = [("state", ChoicesDropdownFilter), ("failed_at", RangeDateTimeFilter)]
    list_select_related = ["application__customer", "application__product"]
    search_fields = ["=application__id", "application__customer__name", "error"]
    resource_classes = [
        columns(
            ScoringFailure,
            *("application", "application__customer__name", "state", "attempts", "failed_at", "error"),
        )
    ]
    fields = ["application_link", "customer_link", "state_", "attempts", "error", "failed_at", "next_try_at"]
    readonly_fields = ["application_link", "customer_link", "state_"]
    actions_detail = ["retry", "refer"]

    @display(description=_("application"), ordering="application")
    def application_link(self, failure: ScoringFailure) -> Any:
        return record_link(failure.application)

    @display(description=_("customer"), ordering="application__customer__name")
    def customer_link(self, failure: ScoringFailure) -> Any:
        return record_link(failure.application.customer)

    @display(description=_("state"), ordering="state")
    def state_(self, failure: ScoringFailure) -> Any:
        return state_label(failure)

    @service_action(
        _("Try again"),
        permission=RETRY,
        available=_dead,
        icon="refresh",
        confirm=_("It is scored with the next run, as often as the first time."),
    )
    def retry(self, failure: ScoringFailure, data: dict[str, Any], acting: Acting) -> Any:
        failures.retry(failure_id=failure.pk, **acting.moment)
        return _("It is tried again with the next run.")

    @service_action(
        _("Give it to a person"),
        permission=RETRY,
        available=_unsettled,
        icon="person",
        confirm=_("An officer decides without a score; the customer is told that a person looks at it."),
    )
    def refer(self, failure: ScoringFailure, data: dict[str, Any], acting: Acting) -> Any:
        failures.refer(failure_id=failure.pk, **acting.day)
        return _("The application waits for an officer.")
