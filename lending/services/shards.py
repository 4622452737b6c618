"""How the loans are shared out among workers: ranges of ids with about as many owing loans in each."""

from itertools import pairwise

from django.db import connection
from django.db.models import Max

from lending.models import Loan
from lending.services.steps import LAST

# A shard is what a worker does in one go, and what is done again after a kill.
LOANS = 500_000
# Bounds are read off a sample of about this many loans.
SAMPLE = 20_000

BOUNDS = """
SELECT percentile_disc(%(shares)s::float8[]) WITHIN GROUP (ORDER BY id)
FROM lending_loan TABLESAMPLE SYSTEM (%(percent)s) REPEATABLE (1)
WHERE state = ANY(%(owing)s)
"""


def ranges(parts: int | None = None) -> list[tuple[int, int]]:
    """`parts` ranges of loan ids, from 0 to the largest there can be; by default one for each `LOANS` ids.

    Ids are given in order of time, and old loans are paid: the bounds follow the owing loans, not the ids.
    """
    newest = Loan.objects.aggregate(newest=Max("pk"))["newest"] or 0
    wanted = max(parts or -(-newest // LOANS), 1)
    if wanted == 1:
        return [(0, LAST)]
    ends = _bounds(wanted, min(100.0, 100.0 * SAMPLE / max(newest, 1)))
    return [(first + 1, last) for first, last in pairwise([-1, *ends, LAST])]


def _bounds(wanted: int, percent: float) -> list[int]:
    shares = [number / wanted for number in range(1, wanted)]
    owing = [str(state) for state in Loan.OWING]
    with connection.cursor() as cursor:
        cursor.execute(BOUNDS, {"shares": shares, "percent": percent, "owing": owing})
        found = cursor.fetchone()[0] or []
    return sorted(set(found))
