"""Many rows in few statements and few waits, for the paths that money takes.

Each statement has one text per model, whatever the number of rows: values go in as arrays. So the server plans it
once per connection, and the ORM need not write it anew each time. Within `together` several statements travel at
once instead of one by one. What is read and written is the same as through the ORM: whole rows, typed fields, its
errors.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import psycopg
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models.base import ModelState

M = TypeVar("M", bound=models.Model)
R = TypeVar("R")
if TYPE_CHECKING:
    Field = models.Field[Any, Any]
else:
    Field = models.Field


@contextmanager
def together() -> Iterator[None]:
    """Statements of this module inside it are sent without waiting for each other; an error shows at its end."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def _execute(sql: str, parameters: Sequence[Any]) -> psycopg.Cursor[Any]:
    """On a cursor that lets the server bind the values: Django's own writes them into the text."""
    connection.validate_no_broken_transaction()
    connection.ensure_connection()
    if connection.queries_logged:
        connection.queries_log.append({"sql": sql, "time": ""})
    send: Callable[..., psycopg.Cursor[Any]] = _send
    for wrapper in reversed(connection.execute_wrappers):
        send = partial(wrapper, send)
    return send(sql, parameters, False, {"connection": connection, "cursor": None})


def _send(sql: str, parameters: Sequence[Any], _many: bool, _context: Any) -> psycopg.Cursor[Any]:
    with connection.wrap_database_errors:
        return psycopg.Cursor(connection.connection).execute(sql, parameters)


class Query(Generic[R]):
    """A statement that is asked often, planned once per connection: call it with its values, or `read` several."""

    def start(self, *parameters: Any) -> psycopg.Cursor[Any]:
        """Send it; `rows` takes what came."""
        raise NotImplementedError

    def rows(self, cursor: psycopg.Cursor[Any]) -> list[R]:
        return cursor.fetchall()

    def __call__(self, *parameters: Any) -> list[R]:
        return self.rows(self.start(*parameters))


class Tuples(Query[tuple[Any, ...]]):
    """Plain rows of a statement that is fixed."""

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def start(self, *parameters: Any) -> psycopg.Cursor[Any]:
        return _execute(self._sql, parameters)


class Select(Query[M]):
    """Whole rows of one model by a condition that is fixed: what follows WHERE, values as %s."""

    def __init__(self, model: type[M], condition: str) -> None:
        self._model, self._condition = model, condition

    def start(self, *parameters: Any) -> psycopg.Cursor[Any]:
        return _execute(_select(self._model, self._condition), parameters)

    def rows(self, cursor: psycopg.Cursor[Any]) -> list[M]:
        names, converters = _reader(self._model)
        found = []
        for values in cursor.fetchall():
            row = dict(zip(names, values, strict=True))
            for name, convert in converters:
                row[name] = convert(row[name])
            found.append(_saved(self._model, row))
        return found


def _saved(model: type[M], values: dict[str, Any]) -> M:
    """The row as an object, as `Model.from_db` makes it, without a signal and a setter for each field: for models
    that have many rows, that is most of the price of reading them."""
    row = model.__new__(model)
    state = ModelState()
    state.adding, state.db = False, connection.alias
    row.__dict__ = values
    row._state = state
    return row


class Ids(Query[int]):
    """New primary keys of a model, so that rows which name each other can be written together."""

    def __init__(self, model: type[models.Model]) -> None:
        self._table = model._meta.db_table

    def start(self, *parameters: Any) -> psycopg.Cursor[Any]:
        sql = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
        return _execute(sql, [self._table, *parameters])

    def rows(self, cursor: psycopg.Cursor[Any]) -> list[int]:
        return [row[0] for row in cursor.fetchall()]


def read(*asked: tuple[Query[Any], Sequence[Any]]) -> list[list[Any]]:
    """What several of these bring, in one round trip; each sees what was committed when its turn came."""
    with together():
        cursors = [what.start(*parameters) for what, parameters in asked]
        return [what.rows(cursor) for (what, _), cursor in zip(asked, cursors, strict=True)]


def insert_many(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model; those without a primary key are not told the one that they get."""
    if not rows:
        return
    model = type(rows[0])
    with_key = rows[0].pk is not None
    columns = _columns(model, with_key)
    _execute(_insert(model, with_key), [_array(column, rows, pre_save=True) for column in columns])


def create_many(rows: Sequence[M], *, ignore_known: bool = False) -> list[M]:
    """Insert unsaved rows of one model in their order and tell them their primary keys; returns those written.

    With `ignore_known`, a row that breaks a unique constraint is left out and stays without a key. Waits for the
    answer, so it is not for use within `together`.
    """
    if not rows:
        return []
    model = type(rows[0])
    keys = _insert_new(model, rows) if ignore_known else _insert_all(model, rows)
    for row, key in zip(rows, keys, strict=True):
        row.pk = key
        row._state.adding, row._state.db = key is None, connection.alias
    return [row for row in rows if row.pk]


def _insert_all(model: type[M], rows: Sequence[M]) -> list[int]:
    """Keys are drawn in the order of the rows; in which order they come back is not promised."""
    arrays = [_array(column, rows, pre_save=True) for column in _columns(model, False)]
    return sorted(key for (key,) in _execute(f"{_insert(model, False)} RETURNING id", arrays).fetchall())


def _insert_new(model: type[M], rows: Sequence[M]) -> list[int | None]:
    keys = Ids(model)(len(rows))
    arrays = [_array(column, rows, pre_save=True) for column in _columns(model, False)]
    sql = f"{_insert(model, True)} ON CONFLICT DO NOTHING RETURNING id"
    written = {key for (key,) in _execute(sql, [keys, *arrays]).fetchall()}
    return [key if key in written else None for key in keys]


def update_many(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Write the named fields of saved rows of one model.

    One `UPDATE ... FROM unnest(...)`: unlike `bulk_update`, whose CASE per row and column grows with the square of
    the batch, its cost is linear.
    """
    if not rows:
        return
    model = type(rows[0])
    columns = [_field(model, name) for name in names]
    arrays = [[row.pk for row in rows], *(_array(column, rows) for column in columns)]
    _execute(_update(model, tuple(names)), arrays)


def _array(column: Field, rows: Sequence[models.Model], *, pre_save: bool = False) -> list[Any]:
    prepare, name = column.get_db_prep_save, column.attname
    if pre_save and column.pre_save.__func__ is not models.Field.pre_save:  # type: ignore[attr-defined]
        return [prepare(column.pre_save(row, add=True), connection) for row in rows]
    if isinstance(column, ArrayField):
        return [json.dumps(getattr(row, name)) for row in rows]
    if _goes_as_it_is(column):
        return [getattr(row, name) for row in rows]
    return [prepare(getattr(row, name), connection) for row in rows]


# Their values are what the driver takes; asking each field again for each row costs more than the statement.
AS_IT_IS = (models.CharField, models.IntegerField, models.DateField, models.DecimalField, models.BooleanField)


@cache
def _goes_as_it_is(column: Field) -> bool:
    kind = column.target_field if isinstance(column, models.ForeignKey) else column
    return type(kind).__module__.startswith("django.") and isinstance(kind, AS_IT_IS)


@cache
def _field(model: type[models.Model], name: str) -> Field:
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field)
    return field


@cache
def _columns(model: type[models.Model], with_key: bool) -> list[Field]:
    return [
        field
        for field in model._meta.concrete_fields
        if not field.generated and (with_key or not field.primary_key)
    ]


@cache
def _reader(model: type[models.Model]) -> tuple[list[str], list[tuple[str, Any]]]:
    """The names of all columns, and what turns a value of the driver into one of the field."""
    fields = model._meta.concrete_fields
    converters = []
    for field in fields:
        column = field.get_col(model._meta.db_table)
        for convert in field.get_db_converters(connection):
            converters.append((field.attname, lambda value, c=convert, e=column: c(value, e, connection)))
    return [field.attname for field in fields], converters


# In the texts every name is a table or column of a model, quoted; every value is a parameter.


@cache
def _select(model: type[models.Model], condition: str) -> str:
    names = ", ".join(_quoted(field) for field in model._meta.concrete_fields)
    return f"SELECT {names} FROM {_table(model)} WHERE {condition}"  # noqa: S608


@cache
def _insert(model: type[models.Model], with_key: bool) -> str:
    columns = _columns(model, with_key)
    names = ", ".join(map(_quoted, columns))
    values = ", ".join(_unnested(column, f"c{number}") for number, column in enumerate(columns))
    given = ", ".join(f"c{number}" for number in range(len(columns)))
    source = f"unnest({_arrays(columns)}) AS v({given})"
    return f"INSERT INTO {_table(model)} ({names}) SELECT {values} FROM {source}"  # noqa: S608


def _unnested(column: Field, value: str) -> str:
    """The value of a column: as it comes, or a list that came as JSON, since lists of lists would be flattened."""
    if not isinstance(column, ArrayField):
        return value
    cast = "" if isinstance(column.base_field, models.CharField) else f"::{column.db_type(connection)}"
    return f"ARRAY(SELECT jsonb_array_elements_text({value})){cast}"


@cache
def _update(model: type[models.Model], names: tuple[str, ...]) -> str:
    columns = [_field(model, name) for name in names]
    key = model._meta.pk
    sets = ", ".join(f"{_quoted(c)} = {_unnested(c, f'v.{_quoted(c)}')}" for c in columns)
    values = f"unnest({_arrays([key, *columns])}) AS v(pk, {', '.join(map(_quoted, columns))})"
    return f"UPDATE {_table(model)} AS t SET {sets} FROM {values} WHERE t.{_quoted(key)} = v.pk"  # noqa: S608


def _arrays(columns: Sequence[Field]) -> str:
    return ", ".join(f"{_placeholder(column)}::{_kind(column)}[]" for column in columns)


def _placeholder(column: Field) -> str:
    """JSON goes in binary: as text, every quote in it would be escaped one by one, which costs more than all else.

    Where there may be nothing but NULLs the driver could not tell what they are: those go as text.
    """
    return "%b" if isinstance(column, models.JSONField) and not column.null else "%s"


def _kind(column: Field) -> str:
    if isinstance(column, ArrayField):
        return "jsonb"
    kind = str(column.rel_db_type(connection) if column.primary_key else column.db_type(connection))
    # A cast to varchar(60) would cut what is longer in silence; what comes as text the column itself refuses.
    return "text" if kind.startswith("varchar") else kind


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _quoted(field: Field) -> str:
    return connection.ops.quote_name(str(field.column))
