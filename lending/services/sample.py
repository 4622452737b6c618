"""Every close folds a few loans again from their terms and transactions, and compares them with their rows."""

import random
from datetime import date, datetime

from django.db import connection
from django.db.models import Max, Min
from django.utils.translation import gettext_lazy as _

from lending.errors import Refused
from lending.models import CloseException, Loan
from lending.services import aside, refold
from lending.services.steps import step

PATH = "lending.services.sample.compare"
LOANS = 10

# From each id that was drawn, the next loan that is owed: one look into the key of the table for each.
NEXT = """
SELECT DISTINCT found.id FROM unnest(%(drawn)s::bigint[]) AS drawn(id)
CROSS JOIN LATERAL (
    SELECT l.id FROM lending_loan l WHERE l.id >= drawn.id AND l.state = ANY(%(owing)s) ORDER BY l.id LIMIT 1
) found ORDER BY found.id
"""


def catch_up(*, loan_id: int, key: str, at: datetime, on: date) -> int:
    """Bring a loan that differed up to date. Raises Refused where time alone does not explain the difference."""
    return int(refold.refold(loan_id=loan_id, key=key, on=on))


@step(_("A sample of loans is folded again and compared"), catch_up=catch_up)
def compare(*, on: date, at: datetime) -> int:
    """Close step, before the next day is billed: loans drawn by the date, so that a second run draws the same. One
    that differs from its transactions is set aside for staff. Returns the number of loans compared."""
    waiting = CloseException.objects.filter(state=CloseException.State.OPEN)
    known = set(waiting.values_list("loan_id", flat=True))
    ids = [loan_id for loan_id in drawn(on) if loan_id not in known]
    for loan_id in refold.behind(loan_ids=ids, on=on):
        reason = Refused("differs", _("The loan differs from what its transactions come to."))
        aside.set_aside(loan_id, PATH, reason, on=on, at=at)
    return len(ids)


def drawn(on: date) -> list[int]:
    """Up to LOANS owing loans, the same for the same day and book."""
    ends = Loan.objects.filter(state__in=Loan.OWING).aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return []
    # Between the owing ones: drawn from 1, the oldest of them would stand for all that were paid before it.
    chance = random.Random(on.toordinal())
    numbers = [chance.randint(ends["first"], ends["last"]) for _number in range(LOANS)]
    with connection.cursor() as cursor:
        cursor.execute(NEXT, {"drawn": numbers, "owing": [str(state) for state in Loan.OWING]})
        return [row[0] for row in cursor.fetchall()]
