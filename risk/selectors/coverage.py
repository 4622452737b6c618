"""For how many customers each feature is known."""

from datetime import datetime

from lending.models import Customer
from risk import features
from risk.models import Segment
from risk.selectors.features import Moment, vectors_at

MOST = 300  # the newest customers: enough to two places, and a page that opens at once


def coverage(segment: str, as_of: datetime, most: int = MOST) -> tuple[int, dict[str, float]]:
    """How many customers were looked at, and the share of them for whom each feature is known.

    Any company may be a supplier, so the share of suppliers' features is one of all companies.
    """
    kind = Customer.Kind.PERSON if segment == Segment.PERSON else Customer.Kind.COMPANY
    ids = Customer.objects.filter(kind=kind).order_by("-pk").values_list("pk", flat=True)[:most]
    found = vectors_at(segment, [Moment(pk, as_of) for pk in ids])
    if not found:
        return 0, {}
    names = features.names(segment)
    return len(found), {name: sum(v[name] is not None for v in found) / len(found) for name in names}
