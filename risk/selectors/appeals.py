"""Appeals as their customer reads them."""

from typing import Any

from risk.models import Appeal


def of_line(*, line_id: int) -> list[dict[str, Any]]:
    """A line's appeals, newest first (settings.APPEAL_READER)."""
    return [
        {
            "state": appeal.get_state_display(),
            "text": appeal.text,
            "answer": appeal.answer,
            "at": appeal.opened_at,
            "decided_at": appeal.decided_at,
        }
        for appeal in Appeal.objects.filter(line_id=line_id).order_by("-pk")
    ]
