"""Everything that the database says, in a form in which two databases can be compared.

Numbers of rows are no content: a run that was killed leaves gaps in them. What refers to a row refers to its content.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import models

from lending.models import DayClose

APPS = ("lending", "risk", "dunning")
# How often a step was tried, and when by the clock of the wall, is news about the machine.
LEFT_OUT = {DayClose: {"attempt", "started_at", "finished_at"}}


class Content:
    def __init__(self) -> None:
        self._rows: dict[type[models.Model], dict[Any, models.Model]] = {}
        self._known: dict[tuple[type[models.Model], Any], str] = {}

    def tables(self) -> dict[str, list[str]]:
        """The rows of each table of ours as text, in an order that no number decides."""
        found = [model for name in APPS for model in apps.get_app_config(name).get_models()]
        return {model._meta.label: sorted(map(self._text, self._all(model).values())) for model in found}

    def _all(self, model: type[models.Model]) -> dict[Any, models.Model]:
        if model not in self._rows:
            self._rows[model] = {row.pk: row for row in model._default_manager.all()}
        return self._rows[model]

    def _text(self, row: models.Model) -> str:
        return repr([(field.name, self._value(field, row)) for field in self._fields(type(row))])

    def _fields(self, model: type[models.Model]) -> Iterable[models.Field]:
        out = LEFT_OUT.get(model, set())
        return [
            f
            for f in model._meta.concrete_fields
            if f.name not in out and not isinstance(f, models.AutoField)
        ]

    def _value(self, field: models.Field, row: models.Model) -> Any:
        value = getattr(row, field.attname)
        if value is not None and isinstance(field, models.ForeignKey):
            return self._digest(field.remote_field.model, value)
        if field.name == "subject_id":
            model = apps.get_model(row.subject_type)
            return self._digest(model, value)
        if field.name in ("key", "reference"):
            return re.sub(r"\d+", "#", str(value))
        return value

    def _digest(self, model: type[models.Model], pk: Any) -> str:
        known = self._known.get((model, pk))
        if known is None:
            self._known[model, pk] = "itself"  # for rows that refer to each other
            row = self._all(model).get(pk)
            known = hashlib.sha256(self._text(row).encode()).hexdigest() if row else f"missing {pk}"
            self._known[model, pk] = known
        return known


def tables() -> dict[str, list[str]]:
    return Content().tables()
