"""Daily sums as the control engine wants them."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, timedelta

from lending import bulk
from risk.engine.controls import BASELINE_DAYS, ControlSpec, DaySums

STRETCHES = bulk.Tuples("""
    SELECT customer_id, min(day), sum(orders), sum(order_amount), sum(returns), sum(return_amount),
           sum(address_changes), sum(risky_amount)
    FROM risk_customerday
    WHERE customer_id = ANY(%s::bigint[]) AND day >= %s AND day <= %s
    GROUP BY customer_id, width_bucket(day, %s::date[])
""")


def stretches(customer_ids: Collection[int], cuts: Iterable[date], on: date) -> dict[int, list[DaySums]]:
    """Each customer's days up to `on`, added up from cut to cut; a cut is the first day of a stretch.

    Controls only compare sums between the borders of their windows: the days between two may be one.
    """
    borders = sorted(cuts)
    found: dict[int, list[DaySums]] = defaultdict(list)
    for customer_id, *sums in STRETCHES(list(customer_ids), borders[0], on, bulk.literal(borders)):
        found[customer_id].append(DaySums(*sums))
    return found


def borders(specs: Iterable[ControlSpec], on: date) -> set[date]:
    """The first days of every window and of every baseline that these controls look at."""
    windows = {on - timedelta(days=spec.window_days - 1) for spec in specs}
    return windows | {first - timedelta(days=BASELINE_DAYS) for first in windows}


def each_day(since: date, until: date) -> set[date]:
    return {since + timedelta(days=n) for n in range((until - since).days + 1)}
