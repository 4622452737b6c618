"""On which day a loan stands. While a day is closed, what falls due on the next one is billed before the date turns:
from then on the rows of these loans are those of the next day, and whoever folds one must fold it to that day."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from lending import bulk
from lending.models import DayClose

# The step that moves loans to the next day (lending/services/accrual.py), as the run log knows it.
OPEN_DAY = "lending.services.accrual.open_day"

# Asked before the loans are locked. A shard that is being billed holds its row: whoever posts to its loans waits until
# it is done; and while somebody posts, the bill waits. So neither works on a loan that the other is about to move.
# Nothing is planned while the day is open, and then nobody waits.
BILLED = bulk.Tuples(
    f"""
SELECT first_id, last_id, state FROM lending_dayclose
WHERE date = %s AND step = '{OPEN_DAY}'
  AND EXISTS (SELECT FROM unnest(%s::bigint[]) AS wanted(id) WHERE wanted.id BETWEEN first_id AND last_id)
ORDER BY first_id FOR SHARE
"""  # noqa: S608
)


def day_of(loan_id: int, on: date, billed: Iterable[Sequence]) -> date:
    """The day on which the loan stands, by the rows of `BILLED`: the business date or the day after."""
    done = any(
        first <= loan_id <= last and state == DayClose.State.DONE.value for first, last, state in billed
    )
    return on + timedelta(days=1) if done else on
