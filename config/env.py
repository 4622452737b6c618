"""What the environment says. Nothing here knows Django: the local runner uses it before Django starts."""

import os
from pathlib import Path


class MissingSetting(Exception):
    """A setting without which the site must not start."""


def load(path: Path) -> None:
    """Take `NAME=value` lines from a file as defaults: what the real environment says always wins."""
    if not path.is_file():
        return
    for line in path.read_text().splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            os.environ.setdefault(name, value)


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "") or default


def flag(name: str, default: bool = False) -> bool:
    return text(name, "1" if default else "0").lower() in {"1", "true", "yes", "on"}


def number(name: str, default: int) -> int:
    value = text(name, str(default))
    if not value.isdigit():
        raise MissingSetting(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    """A comma list, as in ALLOWED_HOSTS=a.example,b.example."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def required(name: str, default: str = "") -> str:
    if value := text(name, default):
        return value
    raise MissingSetting(
        f"{name} is not set. On your own machine, `make setup` makes one; in production, set it."
    )
