"""Tables parted by month: made from their models, and given a partition before the month begins.

Django makes a plain table of a model; `install` puts a parted one of the same columns, keys and indexes in its place
while it is empty. It runs in a migration, and after every migration for databases that are made from the models.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.apps import apps as installed
from django.db import connection, models

# A model is parted by the column that it names so.
MARK = "PARTITION_BY"


def parted() -> list[type[models.Model]]:
    return [model for model in installed.get_models() if hasattr(model, MARK)]


def install(
    tables: Iterable[tuple[type[models.Model], str]] | None = None, schema_editor: Any = None
) -> None:
    """Make parted tables of plain ones. `tables` are models with the column to part by, as a migration knows them."""
    tables = [(model, getattr(model, MARK)) for model in parted()] if tables is None else list(tables)
    plain = [(model, column) for model, column in tables if _kind(model._meta.db_table) == "r"]
    if not plain:
        return
    if schema_editor is not None:
        _replace(plain, schema_editor)
        return
    with connection.schema_editor() as editor:
        _replace(plain, editor)


def _replace(plain: Iterable[tuple[type[models.Model], str]], editor: Any) -> None:
    for model, column in plain:
        table = editor.quote_name(model._meta.db_table)
        # Fails, as it should, where somebody has put rows into the plain table.
        editor.execute(
            f"DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM {table}), 'the plain table is not empty'; END $$"  # noqa: S608
        )
        editor.execute(f"DROP TABLE {table}")
        sql, params = editor.table_sql(model)
        editor.execute(f"{sql} PARTITION BY RANGE ({editor.quote_name(column)})", params or None)
        for index in editor._model_indexes_sql(model):
            editor.execute(index)


def ensure(model: type[models.Model], on: date, months: int = 2) -> int:
    """Make the partitions for the month of that day and those after it; returns how many were missing."""
    made, month = 0, on.replace(day=1)
    for _number in range(months):
        after = (month + timedelta(days=32)).replace(day=1)
        made += _make(model._meta.db_table, month, after)
        month = after
    return made


def analyse(model: type[models.Model], on: date) -> None:
    """Let the planner know what has just been written into the month of that day."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {connection.ops.quote_name(f'{model._meta.db_table}_{on:%Y_%m}')}")


def _make(table: str, first: date, after: date) -> int:
    name = f"{table}_{first:%Y_%m}"
    if _kind(name):
        return 0
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        # Made by itself and then attached: readers and writers of the other months need not stop.
        cursor.execute(f"CREATE TABLE {quote(name)} (LIKE {quote(table)} INCLUDING ALL)")
        bounds = f"FROM ('{first}') TO ('{after}')"
        cursor.execute(f"ALTER TABLE {quote(table)} ATTACH PARTITION {quote(name)} FOR VALUES {bounds}")
    return 1


def _kind(table: str) -> str:
    """r for a plain table, p for a parted one, nothing where there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relkind FROM pg_class WHERE oid = to_regclass(%s)", [f'"{table}"'])
        row = cursor.fetchone()
    return str(row[0]) if row else ""
