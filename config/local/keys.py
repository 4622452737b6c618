"""The secrets of this machine: made once, readable by their owner alone."""

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet

NOTE = "# Made for this machine. Without FIELD_ENCRYPTION_KEYS, stored identity numbers cannot be read again."

MAKERS = {
    "DEBUG": lambda: "1",
    "SECRET_KEY": lambda: secrets.token_urlsafe(50),
    "FIELD_ENCRYPTION_KEYS": lambda: Fernet.generate_key().decode(),
    "FIELD_DIGEST_KEY": lambda: secrets.token_urlsafe(50),
}


def ensure(folder: Path) -> Path:
    """Return `folder`/secrets.env with a value for every secret, adding those that it lacks."""
    path = folder / "secrets.env"
    lines = path.read_text().splitlines() if path.exists() else [NOTE]
    present = {line.partition("=")[0] for line in lines}
    added = [f"{name}={make()}" for name, make in MAKERS.items() if name not in present]
    if added:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, [*lines, *added])
    return path


def _write(path: Path, lines: list[str]) -> None:
    # Written aside and moved into place: a run that is cut short leaves no half of a key.
    draft = path.with_suffix(f".{os.getpid()}")
    with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
    draft.replace(path)
