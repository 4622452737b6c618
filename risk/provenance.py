"""Which code made a model: the fingerprint of what trains, and the releases of the libraries it stands on."""

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

SOURCES = ("binning", "metrics", "pairs", "scorecard", "training")
LIBRARIES = ("numpy", "scipy", "scikit-learn")


@cache
def code_version() -> dict[str, str]:
    """The SHA-256 of the training code, and the versions below it: the same of all gives the same points."""
    folder = Path(__file__).parent / "engine"
    sources = b"\0".join((folder / f"{name}.py").read_bytes() for name in SOURCES)
    libraries = {name: version(name) for name in LIBRARIES}
    return {
        "sha256": hashlib.sha256(sources).hexdigest(),
        "python": platform.python_version(),
        **libraries,
    }
