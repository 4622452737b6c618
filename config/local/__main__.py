"""The words behind `make`, and one for work by hand:

eval "$(.venv/bin/python -m config.local env)"    starts the private servers of the tests and says where they are
"""

import os
import sys
from collections.abc import Callable

import pytest

from config import messages
from config.local import browser, checks, keys
from config.local.console import Trouble, say
from config.local.run import run
from config.local.servers import LOCAL, bench_servers, demo_servers, test_servers


def setup() -> None:
    """What a fresh clone lacks besides its packages: secrets, and translations that Django can read."""
    keys.ensure(LOCAL)
    messages.compile_all()


def env() -> None:
    setup()
    for name, value in test_servers().start().items():
        say(f"export {name}='{value}'")


def stop() -> None:
    for servers in (test_servers(), demo_servers(), bench_servers()):
        if servers.running():
            servers.stop()


def test(*arguments: str) -> int:
    """Run pytest on private servers; those that this starts, it stops."""
    # A run starts dozens of processes: compiled once, the code need not be compiled by each of them.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    setup()
    if chromium := browser.ensure():
        os.environ["CHROMIUM"] = chromium
    else:
        say("  No Chromium, and no right to install it: the browser tests are skipped.", err=True)
    servers = test_servers()
    started_here = not servers.running()
    try:
        return int(pytest.main(["-n", "auto", *arguments]))
    finally:
        if started_here:
            servers.stop()


def main(arguments: list[str]) -> int:
    commands: dict[str, Callable[..., int | None]] = {
        "setup": setup,
        "run": run,
        "test": test,
        "check": checks.check,
        "fix": checks.fix,
    }
    commands |= {"env": env, "stop": stop}
    command = commands.get(arguments[0]) if arguments else None
    if command is None:
        say(f"Usage: python -m config.local {' | '.join(commands)}", err=True)
        return 2
    try:
        return command(*arguments[1:]) or 0
    except Trouble as trouble:
        say(f"\n{trouble}", err=True)
    except OSError as problem:
        say(
            f"\n{problem.filename or 'The machine'}: {problem.strerror}. Does .local/ belong to another account?",
            err=True,
        )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
