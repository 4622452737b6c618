"""Filters that the lists of the staff admin share."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter

from lending import clock
from lending.models import Application, CreditLine, Loan
from lending.selectors import reapproval


class ReviewFilter(DropdownFilter):
    """Applications that a person was asked to look at again."""

    title = _("review by a person")
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("waiting")), ("late", _("overdue")), ("done", _("answered"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Application]) -> QuerySet[Application]:
        asked = queryset.exclude(review_requested_at=None)
        waiting = asked.filter(state=Application.State.REFERRED)
        found = {
            "open": waiting,
            "late": waiting.filter(review_due_on__lt=clock.today()),
            "done": asked.exclude(state=Application.State.REFERRED),
        }
        return found.get(str(self.value()), queryset)


class DaysPastDueFilter(DropdownFilter):
    """Loans at least so many days past due."""

    title = _("days past due")
    parameter_name = "past_due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("0", _("not past due")), *[(str(days), f"{days}+") for days in (1, 31, 61, 91)]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Loan]) -> QuerySet[Loan]:
        if self.value() is None or not str(self.value()).isdigit():
            return queryset
        owing, days = queryset.filter(state__in=Loan.OWING), int(self.value())
        first = clock.today() - timedelta(days=max(days, 1))
        return owing.filter(oldest_due_on__lte=first) if days else owing.exclude(oldest_due_on__lte=first)


class ReapprovalFilter(DropdownFilter):
    """Lines by how soon they must be approved again."""

    title = _("yearly approval")
    parameter_name = "approval"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("late", _("overdue")), ("soon", _("due within 30 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CreditLine]) -> QuerySet[CreditLine]:
        found = {"late": reapproval.overdue, "soon": reapproval.due_soon}.get(str(self.value()))
        return queryset.filter(pk__in=found(clock.today()).values("pk")) if found else queryset
