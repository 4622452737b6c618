"""What the person at the terminal reads."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Trouble(Exception):
    """Something that a person can put right; the text says what, and how."""


def say(line: str = "", *, err: bool = False) -> None:
    print(line, file=sys.stderr if err else sys.stdout, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took, on stderr: stdout stays free for answers."""
    started = time.monotonic()
    print(f"  {what} ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    except BaseException:
        say("", err=True)
        raise
    say(f" {time.monotonic() - started:.1f} s", err=True)
