"""Lists of any size: pages and counts that cost the same with a thousand rows and with twenty million."""

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property
from django.utils.translation import gettext
from unfold.views import ChangeList

from lending.selectors import finding

# Up to so many rows are counted, and can be leafed through: who looks for more than that filters or searches.
DEEPEST = 10_000


class BoundedPaginator(Paginator):
    """Counts exactly up to DEEPEST rows; beyond, `count` is what the planner expects, and pages end at DEEPEST."""

    template_name = "admin/parts/pagination.html"

    @cached_property
    def count(self) -> int:
        if not isinstance(self.object_list, QuerySet):
            return super().count
        exact = self.object_list.order_by()[: DEEPEST + 1].count()
        return exact if exact <= DEEPEST else max(finding.estimated_count(self.object_list), DEEPEST + 1)

    @property
    def is_estimate(self) -> bool:
        return self.count > DEEPEST

    @cached_property
    def num_pages(self) -> int:
        return min(super().num_pages, -(-DEEPEST // self.per_page))


class BoundedChangeList(ChangeList):
    """Without the years and months above a large list: to know which there are, all rows would be read."""

    date_hierarchy: Any
    search_help_text: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.date_hierarchy and finding.is_large(self.model):
            self.date_hierarchy = None
        if self.search_fields and finding.by_index(self.model, self.search_fields):
            self.search_help_text = gettext(
                "Beginnings of names, Chinese characters, whole numbers and references."
            )
