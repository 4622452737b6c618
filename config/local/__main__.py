"""python -m config.local env | stop: the private servers, for work by hand. `make` calls the other words."""

import sys

from config import messages
from config.local import keys
from config.local.console import Trouble, say
from config.local.run import run
from config.local.servers import LOCAL, demo_servers, test_servers


def setup() -> None:
    """What a fresh clone lacks besides its packages: secrets, and translations that Django can read."""
    keys.ensure(LOCAL)
    messages.compile_all()


def env() -> None:
    """Start the servers that tests use and print how to reach them: eval "$(python -m config.local env)"."""
    setup()
    for name, value in test_servers().start().items():
        say(f"export {name}='{value}'")


def start() -> None:
    setup()
    run()


def stop() -> None:
    for servers in (test_servers(), demo_servers()):
        if servers.running():
            servers.stop()


COMMANDS = {"setup": setup, "run": start, "env": env, "stop": stop}


def main(arguments: list[str]) -> int:
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        say(f"Usage: python -m config.local {' | '.join(COMMANDS)}", err=True)
        return 2
    try:
        command()
    except Trouble as trouble:
        say(f"\n{trouble}", err=True)
        return 1
    except OSError as problem:
        say(f"\n{problem.filename or ''}: {problem.strerror}. Is .local/ made by another account?", err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
