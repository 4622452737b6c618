"""Exports of lists: only the columns named, never what is masked on screen."""

from import_export.admin import ExportMixin
from import_export.formats.base_formats import CSV, JSON
from import_export.resources import ModelResource, modelresource_factory
from unfold.contrib.import_export.forms import ExportForm


def columns(model: type, *names: str) -> type[ModelResource]:
    """A table of these columns, for `resource_classes`."""
    return modelresource_factory(model, meta_options={"fields": names, "export_order": names})


class ExportAdmin(ExportMixin):
    """A list that can be taken away as a file, as it is filtered, by those who may see it."""

    export_form_class = ExportForm
    formats = [CSV, JSON]
