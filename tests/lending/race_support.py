"""Calls at the same moment, for tests of races."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from lending.errors import Refused
from tests.support import eventually

REFUSED = (Refused,)


def at_once(*calls: Callable[[], Any], refusals: tuple[type[Exception], ...] = REFUSED) -> list[Any]:
    """Run the calls at the same moment, each on a connection of its own; refusals come back as values."""
    gate = Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        gate.wait()
        return _alone(call, refusals)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def in_turn(held: QuerySet, *calls: Callable[[], Any]) -> list[Any]:
    """What the calls return when each comes to wait for rows that we hold, one after the other, before we let go."""
    with ThreadPoolExecutor(len(calls)) as pool:
        with transaction.atomic():
            list(held.select_for_update(no_key=True))
            ends = []
            for call in calls:
                ends.append(pool.submit(_alone, call, REFUSED))
                _until_waiting(len(ends))
        return [end.result(timeout=30) for end in ends]


@contextmanager
def waiting_for(held: QuerySet, call: Callable[[], Any]) -> Iterator[None]:
    """Look around, in a transaction of ours, while the call waits for rows that we hold; then it goes on to its end."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            list(held.select_for_update(no_key=True))
            end = pool.submit(_alone, call, ())
            _until_waiting(1)
            yield
        end.result(timeout=30)


def _alone(call: Callable[[], Any], refusals: tuple[type[Exception], ...]) -> Any:
    try:
        return call()
    except refusals as refused:
        return refused
    finally:
        connection.close()


def _until_waiting(count: int) -> None:
    eventually(lambda: _waiting() >= count, "it came to wait", within=10)


def _waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IN (SELECT l.pid FROM pg_locks l"
            " JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database())"
        )
        return int(cursor.fetchone()[0])
