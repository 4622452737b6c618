"""Lists that leave the house as files."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from lending import events
from lending.models import Event, User


def made(
    *, model: str, filters: Mapping[str, Sequence[str]], rows: int, form: str, by: User, at: datetime
) -> Event:
    """Write down who took which list away, as it was filtered, and how many rows it had."""
    return events.record(
        "export.made", by, by=by, at=at, model=model, filters=dict(filters), rows=rows, form=form
    )
