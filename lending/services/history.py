"""The close writes down what the book looked like: loans that changed, all of them at a month end, and their sums.

A month end is the last day of the calendar month. What is written for a day is not written again.
"""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from lending import partitions
from lending.models import BookMonth, ConcentrationMonth, Loan, LoanSnapshot, RollMonth, VintageMonth
from lending.services.steps import LOANS, WHOLE, Shard, step

# Bands of days past due, for ageing and portfolio at risk: the first day of each, whatever the buckets are.
BANDS = (1, 31, 61, 91, 181, 361)
# Of single names and groups, so many of each segment are kept.
NAMES = 50

_ROW = """
SELECT l.id, %(on)s, %(month_end)s, l.product_id, l.customer_id, l.state, l.principal,
       GREATEST(l.interest, 0) + l.fee + l.penalty,
       CASE WHEN l.state = ANY(%(owing)s) THEN GREATEST(0, %(on)s - l.oldest_due_on) ELSE 0 END,
       l.bucket, l.peak_bucket, l.asset_class
FROM lending_loan l
"""
_INTO = """
INSERT INTO lending_loansnapshot (loan_id, date, month_end, product_id, customer_id, state, principal, charges, days,
                                  bucket, peak_bucket, asset_class)
"""

# Bucket or class moved today; or the loan came or went, which money does: the entries of the day lead to it.
CHANGES = f"""
{_INTO}{_ROW}
WHERE {LOANS} AND l.id IN (
    SELECT l.id FROM lending_loan l WHERE l.moved_on = %(on)s AND l.moved_on IS NOT NULL AND {LOANS}
    UNION
    SELECT l.id FROM lending_journalentry e JOIN lending_transaction t ON t.id = e.transaction_id
    JOIN lending_loan l ON l.id = t.loan_id
    WHERE e.booked_on = %(on)s AND {LOANS}
      AND (t.type IN ('DISBURSEMENT', 'WRITE_OFF', 'REVERSAL') OR l.state <> ALL(%(owing)s))
)
ON CONFLICT DO NOTHING
"""  # noqa: S608

# Everything that is owed, and what left during the month.
MONTH_END = f"""
{_INTO}{_ROW}
WHERE {LOANS} AND (l.state = ANY(%(owing)s) OR l.state IN ('SETTLED', 'WRITTEN_OFF') AND l.id IN (
    SELECT s.loan_id FROM lending_loansnapshot s
    WHERE s.date BETWEEN %(first_day)s AND %(on)s AND s.state <> ALL(%(owing)s)
))
ON CONFLICT DO NOTHING
"""  # noqa: S608

_GRADE = "COALESCE(NULLIF(a.grade, ''), ca.grade, '')"
_FACTS = """
JOIN lending_loan l ON l.id = s.loan_id
LEFT JOIN lending_application a ON a.id = l.application_id
LEFT JOIN lending_creditline c ON c.id = l.line_id
LEFT JOIN lending_application ca ON ca.id = c.application_id
"""
_NOW = "s.date = %(on)s AND s.month_end"

BOOK = f"""
INSERT INTO lending_bookmonth (date, product_id, grade, cohort, state, band, bucket, asset_class, loans, principal,
                               charges)
SELECT s.date, s.product_id, {_GRADE}, date_trunc('month', l.disbursed_on)::date, s.state,
       width_bucket(s.days, %(bands)s::int[]), s.bucket, s.asset_class, COUNT(*), SUM(s.principal), SUM(s.charges)
FROM lending_loansnapshot s {_FACTS}
WHERE {_NOW}
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
"""  # noqa: S608

ROLLS = f"""
INSERT INTO lending_rollmonth (date, product_id, grade, from_bucket, from_class, to_state, to_bucket, to_class, loans,
                               principal)
SELECT s.date, s.product_id, {_GRADE}, p.bucket, p.asset_class, s.state, s.bucket, s.asset_class, COUNT(*),
       SUM(p.principal)
FROM lending_loansnapshot s
JOIN lending_loansnapshot p ON p.loan_id = s.loan_id AND p.date = %(before)s AND p.month_end
{_FACTS}
WHERE {_NOW} AND p.state = ANY(%(owing)s)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
"""  # noqa: S608

# A loan enters its vintage in its first month, and reaches each bucket once.
VINTAGES = f"""
INSERT INTO lending_vintagemonth (date, product_id, grade, cohort, bucket, loans, lent, principal)
SELECT s.date, s.product_id, {_GRADE}, date_trunc('month', l.disbursed_on)::date, reached.bucket, COUNT(*),
       SUM(l.principal_amount),
       SUM(CASE WHEN s.state = ANY(%(owing)s) THEN s.principal ELSE COALESCE(p.principal, 0) END)
FROM lending_loansnapshot s
LEFT JOIN lending_loansnapshot p ON p.loan_id = s.loan_id AND p.date = %(before)s AND p.month_end
{_FACTS}
CROSS JOIN LATERAL (
    SELECT p.loan_id IS NULL AND (l.disbursed_on > %(before)s OR %(begins)s) AS enters
) new
CROSS JOIN LATERAL generate_series(
    CASE WHEN new.enters THEN 0 ELSE COALESCE(p.peak_bucket, s.peak_bucket) + 1 END, s.peak_bucket
) AS reached(bucket)
WHERE {_NOW} AND (new.enters OR s.peak_bucket > p.peak_bucket)
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
"""  # noqa: S608

_WHERE_IT_STANDS = {
    "INDUSTRY": "COALESCE(u.industry_id, '')",
    "PRODUCT": "b.product_id::text",
    "GRADE": "b.grade",
    "REGION": "u.region",
    "NAME": "'#' || u.id",
    "GROUP": "COALESCE(NULLIF(u.group_name, ''), '#' || u.id)",
}

CONCENTRATIONS = f"""
WITH base AS (
    SELECT s.customer_id, s.product_id, {_GRADE} AS grade, COUNT(*) AS loans, SUM(s.principal) AS principal,
           COALESCE(SUM(s.principal) FILTER (WHERE s.days > 30), 0) AS late,
           COALESCE(SUM(s.principal) FILTER (WHERE s.asset_class >= 3), 0) AS non_performing
    FROM lending_loansnapshot s {_FACTS}
    WHERE {_NOW} AND s.state = ANY(%(owing)s)
    GROUP BY 1, 2, 3
), places AS (
    SELECT p.dimension, u.kind, p.key, SUM(b.loans) AS loans, SUM(b.principal) AS principal, SUM(b.late) AS late,
           SUM(b.non_performing) AS non_performing,
           row_number() OVER (PARTITION BY p.dimension, u.kind ORDER BY SUM(b.principal) DESC, p.key) AS place
    FROM base b JOIN lending_customer u ON u.id = b.customer_id
    CROSS JOIN LATERAL (VALUES {", ".join(f"('{name}', {key})" for name, key in _WHERE_IT_STANDS.items())})
        AS p(dimension, key)
    GROUP BY p.dimension, u.kind, p.key
)
INSERT INTO lending_concentrationmonth (date, dimension, kind, key, loans, principal, late, non_performing)
SELECT %(on)s, dimension, kind, key, loans, principal, late, non_performing FROM places
WHERE dimension NOT IN ('NAME', 'GROUP') OR place <= %(names)s
ORDER BY dimension, kind, place
"""  # noqa: S608


@step(_("Room is made for the history of the month"))
def prepare(*, on: date, at: datetime) -> int:
    """Close step: the partitions of this month and the next. Returns how many were made."""
    return partitions.ensure(LoanSnapshot, on)


@step(_("Loans that changed are written down; all of them at a month end"), sharded=True)
def snapshot(*, on: date, at: datetime, shard: Shard = WHOLE) -> int:
    """Close step, after the loans are classified. Returns the number of rows written."""
    values = {
        "on": on,
        "first_day": on.replace(day=1),
        "month_end": is_month_end(on),
        "owing": _owing(),
        **shard.params,
    }
    written = _run(CHANGES, values)
    return written + (_run(MONTH_END, values) if is_month_end(on) else 0)


@step(_("The book of the month is summed up"))
def summarise(*, on: date, at: datetime) -> int:
    """Close step, at a month end and after all loans are written down: what reports and charts read. Returns the
    number of sums."""
    if not is_month_end(on):
        return 0
    for model in (BookMonth, RollMonth, VintageMonth, ConcentrationMonth):
        model.objects.filter(date=on).delete()
    partitions.analyse(LoanSnapshot, on)
    before = on.replace(day=1) - timedelta(days=1)
    values = {
        "on": on,
        "before": before,
        "begins": not BookMonth.objects.filter(date=before).exists(),
        "owing": _owing(),
        "bands": list(BANDS),
        "names": NAMES,
    }
    return sum(_run(sql, values) for sql in (BOOK, ROLLS, VINTAGES, CONCENTRATIONS))


def is_month_end(on: date) -> bool:
    return (on + timedelta(days=1)).day == 1


def _owing() -> list[str]:
    return [str(state) for state in Loan.OWING]


def _run(sql: str, values: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)
