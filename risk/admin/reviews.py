"""Limits over life: what the review did, night by night, and the scores that it went by."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RangeNumericFilter
from unfold.decorators import display

from lending.admin.base import Acting, ReadOnlyAdmin, ServiceAdmin, service_action
from lending.admin.export import ExportAdmin, columns
from lending.admin.parts import Section, money, percent, record_link
from risk.models import BehaviourScore, LineReview, ReviewDay, ScoreNight
from risk.review_words import review_text
from risk.services import rescoring


class _OfCustomer:
    @display(description=_("customer"), ordering="customer__name")
    def customer_link(self, record: Any) -> Any:
        return record_link(record.customer)


@admin.register(LineReview)
class LineReviewAdmin(_OfCustomer, ExportAdmin, ReadOnlyAdmin):
    list_display = ["on", "outcome", "customer_link", "line_link", "limit_before", "limit_after", "why"]
    list_filter = [
        ("outcome", ChoicesDropdownFilter),
        ("on", RangeDateFilter),
        ("limit_after", RangeNumericFilter),
    ]
    list_select_related = ["customer", "line", "offer"]
    search_fields = ["=line__id", "customer__name", "=customer__platform_ref"]
    date_hierarchy = "on"
    resource_classes = [
        columns(
            LineReview,
            *("id", "on", "outcome", "line", "customer__name", "limit_before", "limit_after", "reasons"),
        )
    ]
    fields = [
        *("on", "outcome", "customer_link", "line_link", "limit_before", "limit_after", "why"),
        *("offer_link", "at"),
    ]
    readonly_fields = ["customer_link", "line_link", "offer_link", "why"]

    @display(description=_("line"), ordering="line")
    def line_link(self, review: LineReview) -> Any:
        return record_link(review.line)

    @display(description=_("offer"))
    def offer_link(self, review: LineReview) -> Any:
        return record_link(review.offer)

    @display(description=_("reason"))
    def why(self, review: LineReview) -> str:
        return review_text(review)

    def sections(self, request: HttpRequest, record: LineReview) -> Iterable[Section]:
        seen = record.seen
        pd, score = seen["pd"], seen["score"]
        yield Section(
            _("What it saw"),
            rows=[
                (_("Score"), "–" if score is None else f"{score:.0f}"),
                (_("Probability of default"), "–" if pd is None else f"{pd:.2%}"),
                (_("Grade"), seen["grade"] or "–"),
                (_("Used"), money(seen["used"])),
                (_("Share of the limit used"), percent(seen["utilisation"])),
                (_("Days overdue"), seen["overdue_days"]),
                (_("Days open"), seen["open_days"]),
            ],
            facts=True,
        )


@admin.register(ReviewDay)
class ReviewDayAdmin(ExportAdmin, ReadOnlyAdmin):
    list_display = ["on", "lines", "kept_", "offered", "cut", "reapproved"]
    list_filter = [("on", RangeDateFilter)]
    date_hierarchy = "on"
    fields = ["on", "lines", "kept_", "offered", "cut", "reapproved"]
    readonly_fields = ["kept_"]
    resource_classes = [columns(ReviewDay, *("on", "lines", "offered", "cut", "reapproved"))]

    @display(description=_("kept"))
    def kept_(self, day: ReviewDay) -> int:
        return day.kept


def _failed(night: ScoreNight) -> bool:
    return night.chunks.filter(done_at=None, attempts__gte=rescoring.TRIES).exists()


@admin.register(ScoreNight)
class ScoreNightAdmin(ServiceAdmin):
    list_display = ["on", "as_of", "customers", "progress", "scored", "failed"]
    list_filter = [("on", RangeDateFilter)]
    fields = ["on", "as_of", "customers", "progress", "scored", "failed"]
    readonly_fields = ["progress", "scored", "failed"]
    actions_detail = ["retry"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScoreNight]:
        given_up = Q(chunks__done_at=None, chunks__attempts__gte=rescoring.TRIES)
        return (
            super()
            .get_queryset(request)
            .annotate(
                chunk_count=Count("chunks"),
                done_count=Count("chunks", Q(chunks__done_at__isnull=False)),
                failed_count=Count("chunks", given_up),
                scored_sum=Sum("chunks__scored"),
            )
        )

    @display(description=_("chunks done"))
    def progress(self, night: Any) -> str:
        return f"{night.done_count} / {night.chunk_count}"

    @display(description=_("scored"))
    def scored(self, night: Any) -> int:
        return night.scored_sum or 0

    @display(description=_("given up"))
    def failed(self, night: Any) -> int:
        return night.failed_count

    def sections(self, request: HttpRequest, record: ScoreNight) -> Iterable[Section]:
        rows = record.chunks.exclude(error="")[:50]
        yield Section(
            _("Chunks that failed"),
            [_("Customers"), _("Attempts"), _("Error"), _("Done at")],
            [(one, one.attempts, one.error, one.done_at) for one in rows],
        )

    @service_action(_("Try again"), permission="risk.change_scorenight", available=_failed, icon="refresh")
    def retry(self, night: ScoreNight, data: dict[str, Any], acting: Acting) -> Any:
        rescoring.retry(night_id=night.pk)
        return _("The next run takes these customers up again.")


@admin.register(BehaviourScore)
class BehaviourScoreAdmin(_OfCustomer, ExportAdmin, ReadOnlyAdmin):
    list_display = ["on", "customer_link", "score_", "pd_", "grade", "model"]
    list_filter = [("on", RangeDateFilter), "grade"]
    list_select_related = ["customer", "model"]
    search_fields = ["customer__name", "=customer__platform_ref"]
    date_hierarchy = "on"
    show_full_result_count = False
    fields = ["on", "customer_link", "score_", "pd_", "grade", "model"]
    readonly_fields = ["customer_link", "score_", "pd_"]
    resource_classes = [columns(BehaviourScore, *("on", "customer__name", "score", "pd", "grade"))]

    @display(description=_("score"), ordering="score")
    def score_(self, one: BehaviourScore) -> str:
        return f"{one.score:.0f}"

    @display(description=_("probability of default"), ordering="pd")
    def pd_(self, one: BehaviourScore) -> str:
        return f"{one.pd:.2%}"
