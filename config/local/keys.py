"""The secrets of this machine: made once, readable by their owner alone."""

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet

NOTE = "# Made once for this machine. Whoever loses FIELD_ENCRYPTION_KEYS cannot read stored identity numbers again."


def ensure(folder: Path) -> Path:
    """Return `folder`/secrets.env, making it first if it is not there."""
    path = folder / "secrets.env"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        NOTE,
        "DEBUG=1",
        f"SECRET_KEY={secrets.token_urlsafe(50)}",
        f"FIELD_ENCRYPTION_KEYS={Fernet.generate_key().decode()}",
    ]
    # Written aside and moved into place: a run that is cut short leaves no half of a key.
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
    draft.rename(path)
    return path
