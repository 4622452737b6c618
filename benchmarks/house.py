"""What every benchmark with a database stands on: the private servers, and a database that it makes and drops.

Import this before anything of Django: it finds the servers (those of the environment if it names some, else the
private ones, which it starts) and sets Django up.
"""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if not os.environ.get("DATABASE_URL"):
    from config.local import __main__ as local
    from config.local.servers import bench_servers

    local.setup()
    os.environ.update(bench_servers().start())

os.environ["DEBUG"] = "0"  # which would keep a copy of every statement

import django  # noqa: E402

django.setup()

from django.db import connection, connections  # noqa: E402
from django.test.utils import setup_databases  # noqa: E402

FORK = get_context("fork")


@contextmanager
def own_database(name: str) -> Iterator[str]:
    """A fresh database of that name, with the schema of the product; gives its URL."""
    before, ours = connection.settings_dict["NAME"], f"bench_{name}"
    connection.settings_dict["TEST"]["NAME"] = ours
    apart(_make)
    connection.settings_dict["NAME"] = ours
    try:
        yield database_url()
    finally:
        connections.close_all()
        connection.creation.destroy_test_db(before, verbosity=0)


def _make() -> None:
    setup_databases(verbosity=0, interactive=False, serialized_aliases=[])


def database_url() -> str:
    """Where this process's database is, for another program."""
    there = connection.settings_dict
    host = str(there["HOST"] or "").replace("/", "%2F")
    login = there["USER"] + (f":{there['PASSWORD']}" if there["PASSWORD"] else "")
    port = f":{there['PORT']}" if there["PORT"] else ""
    return f"postgresql://{login}@{host}{port}/{there['NAME']}"


def apart(work: Callable[[], Any]) -> Any:
    """What a child process returns of it: its memory and its garbage are not those of what is measured here."""
    connections.close_all()
    ours, theirs = FORK.Pipe()

    def child() -> None:
        theirs.send(work())
        connections.close_all()

    process = FORK.Process(target=child)
    process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def metric(
    name: str, value: float, unit: str, goal: float | None = None, better: str = "higher"
) -> dict[str, Any]:
    return {"name": name, "value": round(value, 4), "unit": unit, "goal": goal, "better": better}


def quantile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of all values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def timed(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(benchmark: str, metrics: Sequence[dict[str, Any]], baseline: dict[str, Any]) -> None:
    print(json.dumps({"benchmark": benchmark, "metrics": list(metrics), "baseline": baseline}))
