"""`make check`: everything about the code that can be known without running it."""

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

from cryptography.fernet import Fernet

from config.local.console import Trouble, say
from config.local.processes import ROOT

BIN = Path(sys.executable).parent
MANAGE = [sys.executable, "-W", "ignore::RuntimeWarning", "manage.py"]


def check() -> None:
    """Run every check, show what the failing ones said, and raise Trouble with their names."""
    failed = [name for name, command in commands().items() if not _passes(name, command)]
    if failed:
        raise Trouble(f"Not in order: {', '.join(failed)}. `make fix` puts right what a program can.")


def commands() -> dict[str, list[str]]:
    return {
        "lint": [str(BIN / "ruff"), "check", "--quiet", "."],
        "format": [str(BIN / "ruff"), "format", "--check", "."],
        "templates": [str(BIN / "djade"), "--check", "--target-version", "5.2", *templates()],
        "imports": [str(BIN / "lint-imports")],
        "types": [str(BIN / "mypy")],
        "translations": [sys.executable, "-m", "config.messages", "check"],
        "migrations": [*MANAGE, "makemigrations", "--check", "--dry-run"],
        "deployment": [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"],
    }


def fix() -> None:
    """Put right what a program can: lint, format, templates, and the list of words to translate."""
    for command in (
        [str(BIN / "ruff"), "check", "--fix", "--quiet", "."],
        [str(BIN / "ruff"), "format", "."],
        [str(BIN / "djade"), "--target-version", "5.2", *templates()],
        [sys.executable, "-m", "config.messages", "update"],
    ):
        subprocess.run(command, cwd=ROOT, check=False)


def templates() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "templates").rglob("*.html"))


def _passes(name: str, command: list[str]) -> bool:
    started = time.monotonic()
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'collections'}"}
    if name == "deployment":
        environment |= production()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    verdict = "ok" if done.returncode == 0 else "FAILED"
    say(f"  {name:<13} {verdict}  {time.monotonic() - started:.1f} s")
    if done.returncode:
        say((done.stdout + done.stderr).rstrip())
    return done.returncode == 0


def production() -> dict[str, str]:
    """The environment of a site that people rely on, with secrets that nobody will use."""
    return {
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "FIELD_DIGEST_KEY": secrets.token_urlsafe(50),
        "DATABASE_URL": "postgresql://opentab@db.example/opentab",
        "REDIS_URL": "redis://redis.example:6379/0",
        "ALLOWED_HOSTS": "lender.example",
    }
