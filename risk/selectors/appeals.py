"""Appeals as their customer reads them."""

from typing import Any

from lending.models import CreditLine, LimitChange
from risk import reasons
from risk.models import Alert, Appeal, Control, LineReview
from risk.review_words import review_text


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
    """What controls and reviews have against a line at present, in the reader's language (settings.LINE_REASONS)."""
    standing = Alert.objects.filter(line_id=line_id, state=Alert.State.OPEN).exclude(
        action=Control.Action.ALERT
    )
    found = [reasons.control_text(alert.explanation, alert.figure) for alert in standing.order_by("-pk")]
    review = reviewed_cut(CreditLine.objects.get(pk=line_id))
    return [*found, review_text(review)] if review else found


def reviewed_cut(line: CreditLine) -> LineReview | None:
    """The review whose cut the line's limit stands at: the last change of it was that one."""
    last = LineReview.objects.filter(line=line, outcome=LineReview.Outcome.CUT).order_by("-pk").first()
    change = LimitChange.objects.filter(line=line).order_by("-pk").first()
    stands = last and change and change.kind == LimitChange.Kind.CUT and change.at == last.at
    return last if stands else None
