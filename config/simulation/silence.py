"""What is otherwise while a simulated year goes by: messages reach nobody, no statement is kept for debugging, no
commit waits for the disk, and the server plans a statement once for all days."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.base import Cursor, ServerBindingCursor
from django.db.backends.signals import connection_created

from lending.messaging import Message

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


@contextmanager
def quiet() -> Iterator[None]:
    """While it lasts, every way out of the house leads nowhere."""
    before, thresholds = {name: getattr(settings, name) for name in OFF}, gc.get_threshold()
    try:
        _set(OFF)
        # A year of acts lies in memory and stays there: looking through it again and again costs a tenth of the time.
        gc.set_threshold(100_000, 50, 100)
        connection_created.connect(_hurry)
        connection.ensure_connection()
        _hurry(connection)
        yield
    finally:
        _set(before)
        gc.set_threshold(*thresholds)
        connection_created.disconnect(_hurry)
        _hurry(connection, False)


def _hurry(connection: Any, hurry: bool = True, **kwargs: Any) -> None:
    """A simulation whose machine loses its power begins anew: a commit that is not on the disk yet will do. And it asks
    the same again and again: values go to the server beside their statement, as with Django's option
    server_side_binding, and a plan serves for all values, so that there is one to keep."""
    connection.connection.cursor_factory = ServerBindingCursor if hurry else Cursor
    connection.features.uses_server_side_binding = hurry
    with connection.cursor() as cursor:
        cursor.execute(f"SET synchronous_commit TO {'off' if hurry else 'DEFAULT'}")
        cursor.execute(f"SET plan_cache_mode TO {'force_generic_plan' if hurry else 'DEFAULT'}")


def _set(values: Mapping[str, object]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
