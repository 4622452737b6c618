"""Appeals as their customer reads them."""

from typing import Any

from risk import reasons
from risk.models import Alert, Appeal, Control


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


def why(*, line_id: int) -> list[str]:
    """What controls have against a line at present, in the reader's language (settings.LINE_REASONS)."""
    standing = Alert.objects.filter(line_id=line_id, state=Alert.State.OPEN).exclude(
        action=Control.Action.ALERT
    )
    return [reasons.control_text(alert.explanation, alert.figure) for alert in standing.order_by("-pk")]
