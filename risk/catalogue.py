"""docs/features.md, made from the code so that it cannot go stale."""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.utils import translation

from risk import features
from risk.features import Feature
from risk.models import Segment

PAGE = Path(settings.BASE_DIR) / "docs" / "features.md"
HEAD = """# Features

What a customer is judged by. This page is made by `manage.py list_features` from `risk/features/`, and a test holds
that the two agree.

Each feature is one SQL expression over the facts of one source, as of any moment: facts of that moment and later do
not count, and what is not known is NULL and never zero. One statement computes all features of a segment for any
number of customers, each at a moment of its own (`risk/selectors/features.py`); the same one trains, scores and
replays. Days run in the lender's time zone. What lies two years back is left in peace.

Who is judged by which list is said in `risk/models/segment.py`: a person by the first, a company by the second, and a
company that asks for a product "for suppliers" (`Product.for_suppliers`) by the third.

A figure that changes in place is read as it stood: the limit from its changes, the balance from the books, income and
industry from the event that changed them, accounts from the newest filing by then. The record of an industry and the
medians of its accounts are taken once a month, and need at least 20 companies.
"""


def content() -> str:
    """The whole page."""
    with translation.override("en"):
        return "\n".join([HEAD, *(line for segment in Segment.values for line in _section(segment))])


def _section(segment: str) -> Iterator[str]:
    found = features.BY_SEGMENT[segment]
    yield f"## {Segment(segment).label} ({len(found)})\n"
    yield "| name | meaning | 含义 | source | window | unit | a higher value is | personal |"
    yield "|---|---|---|---|---|---|---|---|"
    yield from map(_row, found)
    yield ""


def _row(feature: Feature) -> str:
    with translation.override("zh-hans"):
        chinese = str(feature.label)
    cells = [
        *(f"`{feature.name}`", feature.label, chinese, feature.source_words),
        f"{feature.window} days" if feature.window else "",
        *(feature.unit, feature.sign_words, "yes" if feature.personal else ""),
    ]
    return f"| {' | '.join(str(cell) for cell in cells)} |"
