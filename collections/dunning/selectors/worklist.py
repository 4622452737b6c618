"""The collector's list: open cases, the highest expected recovery first, with what one needs before calling."""

from datetime import date, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber

from dunning.models import Case, Contact, Promise

# Days past due, from and to, of each bucket.
BUCKETS: dict[str, tuple[int, int | None]] = {
    "M1": (1, 30),
    "M2": (31, 60),
    "M3": (61, 90),
    "M3+": (91, None),
}


def ranked(cases: QuerySet[Case]) -> QuerySet[Case]:
    """The cases with `rank`, `last_contact_at`, `last_outcome`, `call_planned_for`, `promised`, `promised_for`."""
    made = Contact.objects.filter(case=OuterRef("pk"), state=Contact.State.DONE).order_by("-at")
    tasks = Contact.objects.filter(case=OuterRef("pk"), state=Contact.State.PLANNED, notice=None).order_by(
        "planned_for"
    )
    promise = Promise.objects.filter(case=OuterRef("pk"), state=Promise.State.OPEN)
    return (
        cases.select_related("customer", "assigned_to", "strategy")
        .annotate(
            rank=Window(RowNumber(), order_by=[F("expected").desc(), F("pk")]),
            last_contact_at=Subquery(made.values("at")[:1]),
            last_outcome=Subquery(made.values("outcome")[:1]),
            call_planned_for=Subquery(tasks.values("planned_for")[:1]),
            promised=Subquery(promise.values("amount")[:1]),
            promised_for=Subquery(promise.values("due_on")[:1]),
        )
        .order_by("-expected", "pk")
    )


def call_planned_by(day: date) -> Q:
    """The cases in which somebody is to be called by the end of the day."""
    tasks = Contact.objects.filter(
        case=OuterRef("pk"), state=Contact.State.PLANNED, notice=None, planned_for__date__lte=day
    )
    return Q(Exists(tasks))


def in_bucket(bucket: str, on: date) -> Q:
    """The cases of a bucket (M1, M2, M3, M3+) on a day."""
    first, last = BUCKETS[bucket]
    oldest = Q() if last is None else Q(oldest_due_on__gte=on - timedelta(days=last))
    return Q(oldest_due_on__lte=on - timedelta(days=first)) & oldest
