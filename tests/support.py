"""What tests of the whole house share: a real worker, and patience."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection

QUEUES = "default,scoring,money,contacts"
PATIENCE = 90  # seconds; a busy machine starts a worker slowly


@contextmanager
def worker() -> Iterator[subprocess.Popen]:
    """A worker on the test database; its whole process group ends with the block."""
    database = connection.settings_dict
    query = f"host={database['HOST']}&port={database['PORT'] or 5432}&user={database['USER']}"
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql:///{database['NAME']}?{query}",
        "REDIS_URL": settings.REDIS_URL,
    }
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "config",
        "worker",
        "-Q",
        QUEUES,
        "-c",
        "2",
        "-l",
        "WARNING",
    ]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen) -> None:
    """As a power cut would: the whole group, at once."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def eventually(condition: Callable[[], Any], what: str, within: float = PATIENCE) -> None:
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, f"not in {within} s: {what}"
        time.sleep(0.02)
