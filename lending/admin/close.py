"""The daily close: the run as it happens, the buttons, the days before, and the loans that were set aside."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from lending import clock, nudge
from lending.admin.base import Acting, ReadOnlyAdmin, ServiceAdmin, service_action
from lending.admin.forms import ActionForm
from lending.admin.parts import label, record_link, state_label
from lending.fields import ZERO
from lending.models import BusinessDate, BusinessDay, CloseException, DayClose, Loan
from lending.selectors import close as selectors
from lending.selectors import finding, ledger
from lending.services import close, exceptions
from lending.services.steps import name_of

# A book with loans beyond this number is closed by the workers while the page shows how far they are.
AT_ONCE = 20_000


def _ready(_none: None) -> bool:
    return not close.unfinished()


def _under_way(_none: None) -> bool:
    return not _ready(None)


@admin.register(BusinessDate)
class BusinessDateAdmin(ServiceAdmin):
    """One row: its list is the page of the daily close."""

    change_list_template = "admin/day_close.html"
    list_display = ["date"]
    actions_list = ["close_day", "go_on"]

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        whole = not getattr(request, "htmx", False)
        return super().changelist_view(request, _page(whole=whole) | (extra_context or {}))

    @service_action(
        _("Close the day"),
        permission="lending.change_businessdate",
        icon="event_available",
        variant=ActionVariant.PRIMARY,
        confirm=_("Every step that is not done runs now, in order; then the next business date opens."),
        available=_ready,
    )
    def close_day(self, _none: None, data: dict[str, Any], acting: Acting) -> Any:
        return _close()

    @service_action(
        _("Go on with the close"),
        permission="lending.change_businessdate",
        icon="resume",
        variant=ActionVariant.PRIMARY,
        confirm=_("What failed or was left is tried again; what is done stays done."),
        available=_under_way,
    )
    def go_on(self, _none: None, data: dict[str, Any], acting: Acting) -> Any:
        if _large():
            nudge.closers(close.unfinished()[0])
            return _("The workers go on with the close: this page shows how far they are.")
        close.lend_a_hand(watch=clock.wall, retry=True)
        return _("The close is done; the books are on %(day)s.") % {"day": clock.today()}


def _close() -> Any:
    on = clock.today()
    if _large():
        nudge.closers(close.begin(at=clock.closing(), on=on))
        return _("The workers are closing the day: this page shows how far they are.")
    close.close_day(at=clock.closing(), on=on, watch=clock.wall)
    return _("%(day)s is closed; the books are on %(next)s.") % {"day": on, "next": clock.today()}


def _large() -> bool:
    return (Loan.objects.aggregate(newest=Max("pk"))["newest"] or 0) > AT_ONCE


def _page(*, whole: bool) -> dict[str, Any]:
    """The open day with its steps and the days closed last; what is costly only when the whole page is asked for."""
    under_way = close.unfinished()
    day = under_way[0] if under_way else BusinessDay.objects.filter(state=BusinessDay.State.OPEN).first()
    context: dict[str, Any] = {
        "title": _("Daily close"),
        "day": day,
        "under_way": bool(under_way),
        "steps": [_step_cells(step) for step in selectors.run(day.date, clock.wall())] if day else [],
        "latest": [_closed_cells(row) for row in selectors.history(day.date)] if day else [],
        "aside": selectors.set_aside()[0],
        "whole": whole,
    }
    if whole:
        ties, context["tied_on"] = _ties()
        context["difference"] = sum((abs(tie.difference) for tie in ties), ZERO)
        context["balance"] = sum((account.balance for account in ledger.trial_balance()), ZERO)
    return context


def _ties() -> tuple[list[ledger.TieOut], date | None]:
    """The books against the loans: as they stand; of a large book, as the last close found them, and on which day."""
    last = BusinessDay.objects.filter(state=BusinessDay.State.CLOSED).order_by("-date").first()
    if last and finding.is_large(Loan):
        return ledger.tie_out_by_product(last.date), last.date
    return ledger.tie_out(), None


def _step_cells(step: selectors.StepRun) -> dict[str, Any]:
    worst = step.worst
    several = len(step.parts) > 1
    return {
        "name": step.name,
        "state": _state(worst, any(part.left for part in step.parts)) if worst else _("not planned yet"),
        "shards": f"{step.done}/{len(step.parts)}" if several else "",
        "figures": _figures(step.rows, step.seconds, step.per_second) if step.done else ("–", "–", "–"),
        "attempt": max((part.row.attempt for part in step.parts), default=0),
        "error": worst.error if worst else "",
        "parts": [_part_cells(part) for part in step.parts] if several else [],
    }


def _part_cells(part: selectors.Part) -> dict[str, Any]:
    row = part.row
    return {
        "name": gettext("shard %(number)s of %(all)s") % {"number": row.shard, "all": row.shards},
        "state": _state(row, part.left),
        "figures": _figures(row.rows, part.seconds, part.per_second),
        "attempt": row.attempt,
        "error": row.error,
    }


def _state(row: DayClose, left: bool) -> Any:
    return label(_("Interrupted"), "warning") if left else state_label(row)


def _figures(rows: int, seconds: float | None, per_second: float | None) -> tuple[str, str, str]:
    return (
        number_format(rows, force_grouping=True),
        "–" if seconds is None else number_format(seconds, 2),
        "–" if per_second is None else number_format(round(per_second), force_grouping=True),
    )


def _closed_cells(row: selectors.Closed) -> Sequence[Any]:
    per_second = row.rows / row.seconds if row.seconds else None
    return (
        record_link(row.day),
        row.day.closed_at,
        *_figures(row.rows, row.seconds, per_second),
        row.shards,
        row.attempts,
        row.aside,
    )


@admin.register(BusinessDay)
class BusinessDayAdmin(ReadOnlyAdmin):
    """Every day of the books, and whether people worked on it."""

    list_display = ["date", "state_mark", "working", "holiday_words", "closed_at"]
    list_filter = [("date", RangeDateFilter), "state", "working"]
    date_hierarchy = "date"
    fields = ["date", "state", "working", "holiday_words", "closing_at", "closed_at"]
    readonly_fields = ["holiday_words"]

    @display(description=_("state"), ordering="state")
    def state_mark(self, day: BusinessDay) -> Any:
        return state_label(day)

    @display(description=_("holiday"), ordering="holiday")
    def holiday_words(self, day: BusinessDay) -> str:
        return gettext(day.holiday) if day.holiday else "–"


# The holidays of China, as the calendar calls them: named here, so that our catalogue has them.
HOLIDAYS = (
    _("New Year's Day"),
    _("Spring Festival"),
    _("Tomb-sweeping Day"),
    _("Labour Day"),
    _("Dragon Boat Festival"),
    _("Mid-autumn Festival"),
    _("National Day"),
)


@admin.register(DayClose)
class DayCloseAdmin(ReadOnlyAdmin):
    list_display = ["date", "words", "shard", "state_mark", "rows", "started_at", "finished_at"]
    list_filter = [("date", RangeDateFilter), "state", "step"]
    date_hierarchy = "date"
    fields = [
        *(
            "date",
            "words",
            "step",
            "shard",
            "shards",
            "first_id",
            "last_id",
            "state",
            "rows",
            "attempt",
            "error",
        ),
        *("started_at", "finished_at"),
    ]
    readonly_fields = ["words"]

    @display(description=_("step"), ordering="step")
    def words(self, row: DayClose) -> Any:
        return name_of(row.step)

    @display(description=_("state"), ordering="state")
    def state_mark(self, row: DayClose) -> Any:
        return state_label(row)


class ResolveForm(ActionForm):
    note = forms.CharField(label=_("What was done"), max_length=300, widget=forms.Textarea)


def _unresolved(row: CloseException) -> bool:
    return row.state == CloseException.State.OPEN


@admin.register(CloseException)
class CloseExceptionAdmin(ServiceAdmin):
    """The loans that the close left out, with the reason, to be worked off."""

    list_display = ["loan_link", "date", "words", "reason", "state_mark", "attempts"]
    list_filter = ["state", ("date", RangeDateFilter), "step"]
    list_select_related = ["loan"]
    search_fields = ["=loan__id", "reason"]
    fields = [
        *("loan_link", "date", "words", "reason", "state", "opened_at", "attempts"),
        *("resolved_at", "resolved_by", "note"),
    ]
    readonly_fields = ["loan_link", "words"]
    actions_detail = ["retry", "resolve"]

    @display(description=_("loan"), ordering="loan")
    def loan_link(self, row: CloseException) -> Any:
        return record_link(row.loan)

    @display(description=_("step"), ordering="step")
    def words(self, row: CloseException) -> Any:
        return name_of(row.step)

    @display(description=_("state"), ordering="state")
    def state_mark(self, row: CloseException) -> Any:
        return state_label(row)

    @service_action(
        _("Try again"),
        permission="lending.change_closeexception",
        icon="refresh",
        variant=ActionVariant.PRIMARY,
        confirm=_(
            "The loan is brought up to date and what it missed is booked today; the close takes it in again."
        ),
        available=_unresolved,
    )
    def retry(self, row: CloseException, data: dict[str, Any], acting: Acting) -> Any:
        exceptions.retry(exception_id=row.pk, **acting.day)
        return _("The loan is up to date, and the close takes it in again.")

    @service_action(
        _("Mark as resolved"),
        permission="lending.change_closeexception",
        form=ResolveForm,
        icon="done",
        confirm=_("For a loan that has been put right already: the close takes it in again."),
        available=_unresolved,
    )
    def resolve(self, row: CloseException, data: dict[str, Any], acting: Acting) -> Any:
        exceptions.resolve(exception_id=row.pk, note=data["note"], **acting.day)
        return _("The close takes the loan in again.")
