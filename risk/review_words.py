"""What a review of limits saw, in plain words for the customer concerned."""

from django.utils.translation import gettext as _

from lending import words
from risk import features
from risk.engine import reviews as engine
from risk.models import LineReview

MOST = 4


def review_text(row: LineReview) -> str:
    """The reasons in the active language, the weightiest first."""
    return " ".join(filter(None, (_sentence(code, row) for code in row.reasons[:MOST])))


def _sentence(code: str, row: LineReview) -> str:
    if code in features.ALL:
        return str(features.ALL[code].reason)
    texts = {
        engine.OVERDUE: _("A payment to us is %(days)s days overdue.") % {"days": row.seen["overdue_days"]},
        engine.SCORE: _("What we know of your orders and payments has become weaker."),
        engine.FULL: _("You use %(share)s of your limit, and your record has become weaker.")
        % {"share": words.percent(row.seen["utilisation"])},
        engine.GOOD: _("You use your limit and have paid on time."),
    }
    return texts.get(code, "")
