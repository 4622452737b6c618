import sys
from pathlib import Path

# collections/ is a source root, like src/. Appended, never inserted: Python's own `collections` must win.
sys.path.append(str(Path(__file__).resolve().parent.parent / "collections"))

from .celery import app as celery_app  # noqa: E402  (it imports apps that live in the source root)

__all__ = ["celery_app"]
