"""What is otherwise while a simulated year goes by: messages reach nobody, no statement is kept for debugging, no
commit waits for the disk, and the server plans a statement once for all days."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.base import Cursor as ClientBinding
from django.db.backends.postgresql.base import ServerBindingCursor as ServerBinding
from django.db.backends.signals import connection_created
from django.db.models import Field
from django.db.models.fields.related import ForeignObject
from django.db.models.fields.related_lookups import RelatedIn
from django.db.models.lookups import In

from lending import bulk
from lending.messaging import Message

PREPARE = settings.DATABASES["default"]["OPTIONS"]["prepare_threshold"]
NOBODY = f"{__name__}.Nobody"
OFF = {
    "DEBUG": False,
    "SMS_BACKEND": NOBODY,
    "NOTICE_EMAIL_BACKEND": NOBODY,
    "LETTER_BACKEND": NOBODY,
}


class Nobody:
    """Takes every message and delivers none."""

    def send(self, message: Message) -> None:
        pass


class Hurried(ServerBinding):
    """Values go to the server beside their statement, so that one plan serves for all, but for those that have a name:
    they say which loans, and of a range that it does not know the server expects next to nothing."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        if isinstance(params, Mapping):
            query, params = psycopg.ClientCursor(self.connection).mogrify(query, params), None
        return super().execute(query, params, **options)


class AnyOf(In):
    """`x = ANY(array)`: one text, and so one plan, for any number of values; `x IN (...)` has one for each number."""

    def process_rhs(self, compiler: Any, connection: Any) -> Any:
        sql, values = super().process_rhs(compiler, connection)
        return (sql, values) if set(sql) - set("(%s, )") else ("%s", [bulk.literal(values)])

    def get_rhs_op(self, connection: Any, rhs: str) -> str:
        return "= ANY(%s)" if rhs == "%s" else super().get_rhs_op(connection, rhs)  # type: ignore[no-any-return]


class AnyOfRelated(AnyOf, RelatedIn):
    """The same of what another row is."""


@contextmanager
def quiet() -> Iterator[None]:
    """While it lasts, every way out of the house leads nowhere."""
    before, thresholds = {name: getattr(settings, name) for name in OFF}, gc.get_threshold()
    try:
        _set(OFF)
        # A year of acts lies in memory and stays there: looking through it again and again costs a tenth of the time.
        gc.set_threshold(100_000, 50, 100)
        Field.register_lookup(AnyOf)
        ForeignObject.register_lookup(AnyOfRelated)
        connection_created.connect(_hurry)
        connection.ensure_connection()
        _hurry(connection)
        yield
    finally:
        _set(before)
        Field.register_lookup(In)
        ForeignObject.register_lookup(RelatedIn)
        gc.set_threshold(*thresholds)
        connection_created.disconnect(_hurry)
        _hurry(connection, False)


def _hurry(connection: Any, hurry: bool = True, **kwargs: Any) -> None:
    """A simulation whose machine loses its power begins anew: a commit that is not on the disk yet will do. And it asks
    the same again and again: values go to the server beside their statement, as with Django's option
    server_side_binding, and a plan serves for all values, so that there is one to keep."""
    connection.connection.cursor_factory = Hurried if hurry else ClientBinding
    connection.connection.prepare_threshold = 1 if hurry else PREPARE
    connection.features.uses_server_side_binding = hurry
    with connection.cursor() as cursor:
        cursor.execute(f"SET synchronous_commit TO {'off' if hurry else 'DEFAULT'}")
        cursor.execute(f"SET plan_cache_mode TO {'force_generic_plan' if hurry else 'DEFAULT'}")


def look_again() -> None:
    """Let the server see how large its tables have become: by itself it looks once a minute, which is half a year."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_statistics_target TO 10")
        cursor.execute("ANALYZE")
        cursor.execute("SET default_statistics_target TO DEFAULT")


def _set(values: Mapping[str, object]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
