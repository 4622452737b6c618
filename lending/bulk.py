"""Many rows in few statements and few waits, for the paths that money takes.

Each statement has one text per model, whatever the number of rows: values go in as arrays; a few rows have a text for
their number, since taking arrays apart costs more than they do. So the server plans each once per connection, and the
ORM need not write it anew each time. Within `together` several statements travel at
once instead of one by one. What is read and written is the same as through the ORM: whole rows, typed fields, its
errors.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import psycopg
from django.contrib.postgres.fields import ArrayField
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.base import ModelState

M = TypeVar("M", bound=models.Model)
R = TypeVar("R")
if TYPE_CHECKING:
    Field = models.Field[Any, Any]
else:
    Field = models.Field


# So few rows are sent as they are, and not as arrays.
FEW = 3


def _here() -> BaseDatabaseWrapper:
    """The connection itself: each look through Django's proxy for it costs as much as sending a value."""
    return connections[DEFAULT_DB_ALIAS]


@contextmanager
def together() -> Iterator[None]:
    """Statements of this module inside it are sent without waiting for each other; an error shows at its end."""
    here = _here()
    here.ensure_connection()
    with here.wrap_database_errors, here.connection.pipeline():
        yield


def _execute(sql: str, parameters: Sequence[Any]) -> psycopg.Cursor[Any]:
    """On a cursor that lets the server bind the values: Django's own writes them into the text."""
    here = _here()
    here.validate_no_broken_transaction()
    here.ensure_connection()
    if here.queries_logged:
        here.queries_log.append({"sql": sql, "time": ""})
    send: Callable[..., psycopg.Cursor[Any]] = _send
    for wrapper in reversed(here.execute_wrappers):
        send = partial(wrapper, send)
    return send(sql, parameters, False, {"connection": here, "cursor": None})


def _send(sql: str, parameters: Sequence[Any], _many: bool, context: Any) -> psycopg.Cursor[Any]:
    here = context["connection"]
    with here.wrap_database_errors:
        return psycopg.RawCursor(here.connection).execute(_numbered(sql), [_given(one) for one in parameters])


@cache
def _numbered(sql: str) -> bytes:
    """The text with the server's own $1, $2, ... for each %s, which the driver would look for each time anew."""
    numbers = count(1)
    return re.sub("%%|%s", lambda found: "%" if found[0] == "%%" else f"${next(numbers)}", sql).encode()


def _given(value: Any) -> Any:
    """A list of whole numbers goes as text: the driver would look at each of them, more than once."""
    return _bare_literal(value) if isinstance(value, list) and value and type(value[0]) is int else value


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


# The server plans a statement that takes an array anew each time, hoping to do better for so many values than for any
# number. Where statements look for rows by their keys, be they one or many: until the transaction ends, plans are kept.
KEEP_PLANS = Tuples("SELECT set_config('plan_cache_mode', 'force_generic_plan', true)")


class Select(Query[M]):
    """Rows of one model by a condition that is fixed: what follows WHERE, values as %s. They are whole unless columns
    are named; with `only` these, the others come when they are asked for."""

    def __init__(self, model: type[M], condition: str, only: tuple[str, ...] = ()) -> None:
        self._model, self._condition, self._only = model, condition, only

    def start(self, *parameters: Any) -> psycopg.Cursor[Any]:
        return _execute(_select(self._model, self._condition, self._only), parameters)

    def rows(self, cursor: psycopg.Cursor[Any]) -> list[M]:
        names, converters = _reader(self._model, self._only)
        found = []
        for values in cursor.fetchall():
            row = dict(zip(names, values, strict=True))
            for name, convert in converters:
                row[name] = convert(row[name])
            found.append(_saved(self._model, row))
        return found


def _saved(model: type[M], values: dict[str, Any]) -> M:
    """The row as an object, as `Model.from_db` makes it."""
    row = _made(model, values)
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
    return row


def new(model: type[M], **values: Any) -> M:
    """An unsaved row, as the model itself makes it of the values of its columns; the others have their defaults."""
    known, called = _defaults(model)
    row = {**known, **{name: call() for name, call in called if name not in values}, **values}
    if len(row) > len(known) + len(called):
        raise TypeError(f"{model.__name__} has no column {sorted(values.keys() - {*known, *dict(called)})}")
    return _made(model, row)


def _made(model: type[M], values: dict[str, Any]) -> M:
    """Without a signal and a setter for each field: for models that have many rows, that is most of their price."""
    row = model.__new__(model)
    row.__dict__ = values
    row._state = ModelState()
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
    _execute(*_insertion(model, with_key, rows))


def _insertion(
    model: type[models.Model], with_key: bool, rows: Sequence[models.Model], keys: Sequence[int] = ()
) -> tuple[str, Sequence[Any]]:
    """The statement that inserts the rows, and its values; `keys` where they have been drawn for rows without."""
    ways = _ways_in(model, with_key)
    columns = [_values(way, rows) for way in (ways[1:] if keys else ways)]
    columns = [list(keys), *columns] if keys else columns
    if len(rows) <= FEW:
        few = zip(*map(_bare, ways, columns), strict=True)
        return _insert_few(model, with_key, len(rows)), [value for row in few for value in row]
    return _insert(model, with_key), _arrays(ways, columns)


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
        row._state.adding, row._state.db = key is None, DEFAULT_DB_ALIAS
    return [row for row in rows if row.pk]


def _insert_all(model: type[M], rows: Sequence[M]) -> list[int]:
    """Keys are drawn in the order of the rows; in which order they come back is not promised."""
    sql, values = _insertion(model, False, rows)
    return sorted(key for (key,) in _execute(f"{sql} RETURNING id", values).fetchall())


def _insert_new(model: type[M], rows: Sequence[M]) -> list[int | None]:
    keys = Ids(model)(len(rows))
    sql, values = _insertion(model, True, rows, keys)
    written = {key for (key,) in _execute(f"{sql} ON CONFLICT DO NOTHING RETURNING id", values).fetchall()}
    return [key if key in written else None for key in keys]


def update_many(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Write the named fields of saved rows of one model.

    One `UPDATE ... FROM unnest(...)`: unlike `bulk_update`, whose CASE per row and column grows with the square of
    the batch, its cost is linear.
    """
    if not rows:
        return
    model = type(rows[0])
    ways = _ways_of(model, (*names, model._meta.pk.name))
    columns = [_values(way, rows) for way in ways]
    if len(rows) == 1:
        _execute(
            _update_one(model, tuple(names)), [_bare(*one)[0] for one in zip(ways, columns, strict=True)]
        )
    else:
        _execute(_update(model, tuple(names)), _arrays(ways, columns))


# How the values of a column come out of a row: the attribute as it is, if nothing in it can need a quote or if
# something may, as JSON, through the field, or made by it.
BARE, PLAIN, JSON, PREPARED, MADE = range(5)
Way = tuple[Field, str, int]
# Their values are what the driver takes; asking each field again for each row costs more than the statement.
BARE_FIELDS = (models.IntegerField, models.DateField, models.DecimalField, models.BooleanField)
AS_IT_IS = (models.CharField, *BARE_FIELDS)


def _values(way: Way, rows: Sequence[models.Model]) -> list[Any]:
    column, name, how = way
    if how in (BARE, PLAIN):
        return [getattr(row, name) for row in rows]
    if how == JSON:
        encoder = getattr(column, "encoder", None)
        found = [getattr(row, name) for row in rows]
        return [None if value is None else json.dumps(value, cls=encoder) for value in found]
    prepare, here = column.get_db_prep_save, _here()
    if how == MADE:
        return [prepare(column.pre_save(row, add=True), here) for row in rows]
    return [prepare(getattr(row, name), here) for row in rows]


def _arrays(ways: Sequence[Way], columns: Sequence[list[Any]]) -> list[Any]:
    literals = {BARE: _bare_literal, PLAIN: literal, JSON: literal}
    return [
        literals[how](values) if how in literals else values
        for (_, _, how), values in zip(ways, columns, strict=True)
    ]


def _bare(way: Way, values: Sequence[Any]) -> Sequence[Any]:
    """What needs no quote goes as text, large and small alike: a type of its own for each would be another plan."""
    if way[2] != BARE:
        return values
    return [None if value is None else str(value) for value in values]


def _bare_literal(values: Sequence[Any]) -> str:
    """The array as the server reads it: the driver would ask of each value what it is and whether to quote it."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def literal(values: Sequence[Any]) -> str:
    """The same of values that may need a quote."""
    return _bare_literal([None if value is None else _quote(str(value)) for value in values])


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@cache
def _ways_in(model: type[models.Model], with_key: bool) -> list[Way]:
    return [_way(column, pre_save=True) for column in _columns(model, with_key)]


@cache
def _ways_of(model: type[models.Model], names: tuple[str, ...]) -> list[Way]:
    return [_way(_field(model, name), pre_save=False) for name in names]


def _way(column: Field, *, pre_save: bool) -> Way:
    if pre_save and not _is_as_it_is_saved(column):
        return column, column.attname, MADE
    if isinstance(column, ArrayField | models.JSONField):
        return column, column.attname, JSON
    if not _goes_as_it_is(column):
        return column, column.attname, PREPARED
    return column, column.attname, BARE if isinstance(_target(column), BARE_FIELDS) else PLAIN


def _is_as_it_is_saved(column: Field) -> bool:
    if isinstance(column, models.DateField):  # and those with a time
        return not (column.auto_now or column.auto_now_add)
    return column.pre_save.__func__ is models.Field.pre_save  # type: ignore[attr-defined,no-any-return]


def _target(column: Field) -> Field:
    return column.target_field if isinstance(column, models.ForeignKey) else column


def _goes_as_it_is(column: Field) -> bool:
    kind = _target(column)
    return isinstance(kind, AS_IT_IS) and type(kind).get_prep_value.__module__.startswith("django.")


@cache
def _defaults(model: type[models.Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """What the columns of an unsaved row hold: values, and what is called for those that differ from row to row."""
    known, called = {}, []
    for field in model._meta.concrete_fields:
        if callable(field.default):
            called.append((field.attname, field.get_default))
        elif not field.generated:
            known[field.attname] = field.get_default()
    return known, called


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
def _reader(model: type[models.Model], only: tuple[str, ...]) -> tuple[list[str], list[tuple[str, Any]]]:
    """The names of the columns, and what turns a value of the driver into one of the field."""
    fields = _read_of(model, only)
    converters = []
    for field in fields:
        column = field.get_col(model._meta.db_table)
        for convert in field.get_db_converters(connection):
            converters.append((field.attname, lambda value, c=convert, e=column: c(value, e, connection)))
    return [field.attname for field in fields], converters


def _read_of(model: type[models.Model], only: tuple[str, ...]) -> list[Field]:
    columns = model._meta.concrete_fields
    return [one for one in columns if not only or one.primary_key or one.attname in only]


# In the texts every name is a table or column of a model, quoted; every value is a parameter.


@cache
def _select(model: type[models.Model], condition: str, only: tuple[str, ...]) -> str:
    names = ", ".join(map(_quoted, _read_of(model, only)))
    return f"SELECT {names} FROM {_table(model)} WHERE {condition}"  # noqa: S608


@cache
def _insert(model: type[models.Model], with_key: bool) -> str:
    columns = _columns(model, with_key)
    names = ", ".join(map(_quoted, columns))
    values = ", ".join(_unnested(column, f"c{number}") for number, column in enumerate(columns))
    given = ", ".join(f"c{number}" for number in range(len(columns)))
    source = f"unnest({_unnestable(columns)}) AS v({given})"
    return f"INSERT INTO {_table(model)} ({names}) SELECT {values} FROM {source}"  # noqa: S608


@cache
def _insert_few(model: type[models.Model], with_key: bool, count: int) -> str:
    columns = _columns(model, with_key)
    names = ", ".join(map(_quoted, columns))
    values = ", ".join(_unnested(column, _one(column)) for column in columns)
    rows = ", ".join([f"({values})"] * count)
    return f"INSERT INTO {_table(model)} ({names}) VALUES {rows}"  # noqa: S608


def _one(column: Field) -> str:
    return f"%s::{_kind(column)}"


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
    values = f"unnest({_unnestable([*columns, key])}) AS v({', '.join(map(_quoted, columns))}, pk)"
    return f"UPDATE {_table(model)} AS t SET {sets} FROM {values} WHERE t.{_quoted(key)} = v.pk"  # noqa: S608


@cache
def _update_one(model: type[models.Model], names: tuple[str, ...]) -> str:
    columns, key = [_field(model, name) for name in names], model._meta.pk
    sets = ", ".join(f"{_quoted(column)} = {_unnested(column, _one(column))}" for column in columns)
    return f"UPDATE {_table(model)} SET {sets} WHERE {_quoted(key)} = {_one(key)}"  # noqa: S608


def _unnestable(columns: Sequence[Field]) -> str:
    return ", ".join(f"%s::{_kind(column)}[]" for column in columns)


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
