"""Calls at the same moment, for tests of races."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection

from lending.errors import Refused


def at_once(*calls: Callable[[], Any], refusals: tuple[type[Exception], ...] = (Refused,)) -> list[Any]:
    """Run the calls at the same moment, each on a connection of its own; refusals come back as values."""
    gate = Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return call()
        except refusals as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))
