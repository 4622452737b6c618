"""The close says how bad each loan is: bucket, five-tier class, and whether it performs.

Two steps, because one customer's loans lie in several shards: first every loan is measured by itself, then what one
loan does to the others of its customer is drawn from figures that no longer move. Only loans that are overdue or were
marked before are looked at, and only those that change are written.
"""

from datetime import date, datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from lending.models import AssetClass, Loan
from lending.models.classes import MARKED_SQL
from lending.selectors.classing import Yardstick, yardstick
from lending.services.steps import LOANS, WHOLE, Shard, step

# Same answers as lending.engine.classes: Buckets.of, Scale.floor and own_class.
MEASURE = f"""
WITH scale AS (
    SELECT * FROM unnest(%(products)s::bigint[], %(grace)s::int[], %(special_mention)s::int[],
                         %(substandard)s::int[], %(doubtful)s::int[], %(loss)s::int[])
        AS s(product_id, grace, special_mention, substandard, doubtful, loss)
), candidate AS (
    SELECT l.* FROM lending_loan l
    WHERE l.state = ANY(%(owing)s) AND l.oldest_due_on < %(on)s AND NOT {MARKED_SQL} AND {LOANS}
    UNION ALL
    SELECT l.* FROM lending_loan l WHERE {MARKED_SQL} AND l.state <> 'WRITTEN_OFF' AND {LOANS}
), late AS (
    SELECT c.id, c.product_id, c.bucket, c.own_class, c.watch_until, c.state = ANY(%(owing)s) AS owing,
           CASE WHEN c.state = ANY(%(owing)s) THEN GREATEST(0, %(on)s - c.oldest_due_on) ELSE 0 END AS days
    FROM candidate c
), measured AS (
    SELECT l.id, l.bucket AS bucket_before, l.own_class AS class_before,
           CASE WHEN l.days <= s.grace THEN 0 ELSE width_bucket(l.days, %(buckets)s::int[]) END AS bucket,
           CASE WHEN NOT l.owing THEN 1 ELSE GREATEST(
               1 + width_bucket(l.days, ARRAY[s.special_mention, s.substandard, s.doubtful, s.loss]),
               COALESCE(d."to", 1),
               CASE WHEN l.watch_until > %(on)s THEN GREATEST(l.own_class, 2) ELSE 1 END
           ) END AS own_class
    FROM late l JOIN scale s ON s.product_id = l.product_id
    LEFT JOIN lending_downgrade d ON d.loan_id = l.id AND d.ended_on IS NULL
)
UPDATE lending_loan l
SET bucket = m.bucket, own_class = m.own_class, peak_bucket = GREATEST(l.peak_bucket, m.bucket),
    moved_on = %(on)s
FROM measured m
WHERE l.id = m.id AND {LOANS} AND (m.bucket <> m.bucket_before OR m.own_class <> m.class_before)
"""  # noqa: S608

# What more than a share of a customer's debt is, all of it is. A loan that is paid or not yet owing has no class to
# speak of; one that was written off keeps the last that it had.
CLASSIFY = f"""
WITH bad AS (
    SELECT DISTINCT l.customer_id FROM lending_loan l JOIN lending_customer c ON c.id = l.customer_id
    WHERE {MARKED_SQL} AND l.own_class >= 3 AND l.state = ANY(%(owing)s)
      AND (CASE c.kind WHEN 'COMPANY' THEN %(company)s ELSE %(person)s END) < 1
), spoilt AS (
    SELECT l.customer_id FROM lending_loan l JOIN lending_customer c ON c.id = l.customer_id
    WHERE l.customer_id IN (SELECT customer_id FROM bad) AND l.state = ANY(%(owing)s)
    GROUP BY l.customer_id, c.kind
    HAVING COALESCE(SUM(l.principal) FILTER (WHERE l.own_class >= 3), 0)
        > SUM(l.principal) * (CASE c.kind WHEN 'COMPANY' THEN %(company)s ELSE %(person)s END)
), candidate AS (
    SELECT l.id FROM lending_loan l WHERE {MARKED_SQL} AND l.asset_class <> l.own_class AND {LOANS}
    UNION
    SELECT l.id FROM lending_loan l WHERE l.customer_id IN (SELECT customer_id FROM spoilt) AND {LOANS}
), judged AS (
    SELECT l.id, l.customer_id, l.asset_class AS before, l.own_class,
           GREATEST(l.own_class, CASE WHEN l.state = ANY(%(owing)s) AND s.customer_id IS NOT NULL THEN 3 ELSE 1 END)
               AS after,
           CASE WHEN l.state = ANY(%(owing)s) THEN GREATEST(0, %(on)s - l.oldest_due_on) ELSE 0 END AS days
    FROM candidate JOIN lending_loan l USING (id)
    LEFT JOIN spoilt s ON s.customer_id = l.customer_id
    WHERE l.state <> 'WRITTEN_OFF'
), changed AS (
    UPDATE lending_loan l
    SET asset_class = j.after, class_since = %(on)s, moved_on = %(on)s,
        non_performing_since = CASE WHEN j.after >= 3 THEN COALESCE(l.non_performing_since, %(on)s) END
    FROM judged j WHERE l.id = j.id AND {LOANS} AND j.after <> j.before
    RETURNING l.id, j.customer_id, j.before, j.after, j.days, j.after > j.own_class AS contagion
)
INSERT INTO lending_event (kind, subject_type, subject_id, customer_id, at, data)
SELECT 'loan.reclassified', 'lending.loan', id, customer_id, %(at)s,
       jsonb_build_object('before', (%(names)s::text[])[before], 'after', (%(names)s::text[])[after], 'days', days)
       || CASE WHEN contagion THEN '{{"cause": "CONTAGION"}}'::jsonb ELSE '{{}}'::jsonb END
FROM changed ORDER BY id
"""  # noqa: S608


@step(_("Days past due put each loan in its bucket"), sharded=True)
def measure(*, on: date, at: datetime, shard: Shard = WHOLE) -> int:
    """Close step: bucket and class of each loan by itself, as of the end of the day. Returns the loans that moved."""
    return _run(MEASURE, {"on": on, **_scales(yardstick(on)), **shard.params})


@step(_("Loans are classified in five tiers"), sharded=True)
def classify(*, on: date, at: datetime, shard: Shard = WHOLE) -> int:
    """Close step, after all loans are measured: the class of record, with what the customer's other loans make of it.
    Returns the loans whose class changed; each leaves an event."""
    contagion = yardstick(on).contagion
    values = {
        "on": on,
        "at": at,
        "company": contagion["COMPANY"],
        "person": contagion["PERSON"],
        "names": AssetClass.names,
    }
    return _run(CLASSIFY, values | shard.params)


def _scales(by: Yardstick) -> dict[str, Any]:
    products = sorted(by.scales)
    return {
        "products": products,
        "grace": [by.grace[product] for product in products],
        "buckets": list(by.buckets.starts),
        **{
            name: [getattr(by.scales[product], name) for product in products]
            for name in ("special_mention", "substandard", "doubtful", "loss")
        },
    }


def _run(sql: str, values: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"owing": [str(state) for state in Loan.OWING], **values})
        return int(cursor.rowcount)
