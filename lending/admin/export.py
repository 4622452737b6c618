"""Exports of lists: only the columns named, never what is masked on screen."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from import_export.admin import ExportMixin
from import_export.formats.base_formats import CSV, JSON
from import_export.resources import ModelResource, modelresource_factory
from unfold.contrib.import_export.forms import ExportForm

from lending import clock
from lending.services import exports


def columns(model: type, *names: str) -> type[ModelResource]:
    """A table of these columns, for `resource_classes`."""
    return modelresource_factory(model, meta_options={"fields": names, "export_order": names})


class ExportAdmin(ExportMixin):
    """A list that can be taken away as a file, as it is filtered, by those who may see it. Each export is an event."""

    export_form_class = ExportForm
    formats = [CSV, JSON]

    def get_export_data(
        self, file_format: Any, request: HttpRequest, queryset: QuerySet, **kwargs: Any
    ) -> Any:
        content = super().get_export_data(file_format, request, queryset, **kwargs)
        # The question as it was asked: "q" is what was searched for, the rest are filters.
        asked = {name: request.GET.getlist(name) for name in request.GET}
        exports.made(
            model=self.opts.label_lower,  # type: ignore[attr-defined]
            filters=asked,
            rows=queryset.count(),
            form=file_format.get_title(),
            by=request.user,
            at=clock.now(),
        )
        return content
