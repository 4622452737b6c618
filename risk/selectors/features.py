"""The features of customers as of a moment, from facts before that moment alone.

Days that are over come from the daily sums, the hours of the moment's own day from its events. Figures that
change in place are read as they stood: the limit from its changes, the balance from the books, the income
from the event that changed it.
"""

# ruff: noqa: S608 - the queries are made of our own constants; values are parameters

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from lending import bulk
from lending.accounts import FIGURES
from lending.models import Customer
from risk import features
from risk.daysums import AGGREGATES, COLUMNS

Vector = dict[str, float | None]

HORIZON_DAYS = 730  # facts older than that are left in peace
INDUSTRY_MINIMUM = 20  # customers with something due; a rate over fewer says nothing
LATE_DAYS = 30
FEW = 100  # moments that are looked at by a plan which does not know how many they are


@dataclass(frozen=True, slots=True)
class Moment:
    """A customer and the moment as of which they are looked at."""

    customer_id: int
    as_of: datetime


def vectors(customer_ids: Collection[int], as_of: datetime) -> dict[int, Vector]:
    """The features of each customer's segment by name; None is what is not known. Drops unknown ids."""
    kinds = dict(Customer.objects.filter(pk__in=customer_ids).values_list("pk", "kind"))
    found: dict[int, Vector] = {}
    for segment in features.BY_SEGMENT:
        ids = sorted(pk for pk, kind in kinds.items() if kind == segment)
        found.update(zip(ids, vectors_at(segment, [Moment(pk, as_of) for pk in ids]), strict=True))
    return found


def vectors_at(segment: str, moments: Sequence[Moment]) -> list[Vector]:
    """Like `vectors`, with a moment of its own for each; one answer per moment, in order."""
    if not moments:
        return []
    local = [timezone.localtime(moment.as_of) for moment in moments]
    arguments: dict[str, Any] = {
        "rows": list(range(len(moments))),
        "customers": [moment.customer_id for moment in moments],
        "as_of": [moment.as_of for moment in moments],
        "days": [at.date() for at in local],
        "midnights": [at.replace(hour=0, minute=0, second=0, microsecond=0) for at in local],
        "zone": settings.TIME_ZONE,
    }
    rows = _of_few(segment, arguments) if len(moments) <= FEW else _of_many(segment, arguments)
    names = features.names(segment)
    return [dict(zip(names, map(_number, row), strict=True)) for row in rows]


def _of_many(segment: str, arguments: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(_query(segment), arguments)
        return cursor.fetchall()


@transaction.atomic(savepoint=False)
def _of_few(segment: str, arguments: Mapping[str, Any]) -> list[Any]:
    """By one plan for all: to make one takes several times as long as to look at one customer."""
    query, names = _fixed(segment)
    values = [arguments[name] for name in names]
    literals = [bulk.literal(value) if isinstance(value, list) else value for value in values]
    return bulk.read((bulk.KEEP_PLANS, []), (query, literals))[1]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


# What each source looks like. `m` has one row per moment; `age` counts days back from the moment's day.
MOMENTS = """
    SELECT m.*, c.registered_on, c.industry_id, c.monthly_income,
           greatest(0, m.day - c.registered_on) AS tenure,
           (SELECT a.amount FROM lending_application a
            WHERE a.customer_id = m.customer_id AND a.submitted_at <= m.as_of
            ORDER BY a.submitted_at DESC LIMIT 1) AS asked
    FROM unnest(%(rows)s::int[], %(customers)s::bigint[], %(as_of)s::timestamptz[], %(days)s::date[],
                %(midnights)s::timestamptz[]) AS m(row, customer_id, as_of, day, midnight)
    JOIN lending_customer c ON c.id = m.customer_id
"""
# Who was in which industry: those who changed theirs later are where they were before the first of these changes.
MOVED = """
    SELECT v.id, v.customer_id, v.at, v.data -> 'before' ->> 'industry_id' AS industry_id FROM lending_event v
    WHERE v.kind = 'customer.updated' AND v.data -> 'before' ? 'industry_id'
      AND v.at >= (SELECT date_trunc('month', min(day)) - interval '1 day' FROM m)
"""
IN_INDUSTRY = """(
    SELECT m.row, m.customer_id, m.as_of, date_trunc('month', m.day)::date AS month,
           CASE WHEN later.id IS NULL THEN m.industry_id ELSE later.industry_id END AS industry_id
    FROM m LEFT JOIN LATERAL (
        SELECT id, industry_id FROM moved WHERE moved.customer_id = m.customer_id AND moved.at >= m.as_of
        ORDER BY at, id LIMIT 1
    ) later ON true
)"""
MEMBERS = """(
    SELECT c.id FROM lending_customer c
    WHERE c.industry_id = asked.industry_id
      AND NOT EXISTS (SELECT FROM moved WHERE moved.customer_id = c.id AND moved.at >= asked.month)
    UNION ALL
    SELECT first.customer_id FROM (
        SELECT DISTINCT ON (customer_id) customer_id, industry_id FROM moved
        WHERE at >= asked.month ORDER BY customer_id, at, id
    ) AS first WHERE first.industry_id = asked.industry_id
)"""
_RATIOS = {
    "margin": ("net_profit", "revenue"),
    "leverage": ("total_liabilities", "total_assets"),
    "turnover": ("revenue", "total_assets"),
}
RATIOS = ", ".join(
    f"(f.figures ->> '{part}')::numeric / nullif((f.figures ->> '{whole}')::numeric, 0) AS {name}"
    for name, (part, whole) in _RATIOS.items()
)
MEDIANS = ", ".join(
    f"percentile_cont(0.5) WITHIN GROUP (ORDER BY newest.{name}) AS peer_{name}" for name in _RATIOS
)
SOURCES: Mapping[str, str] = {
    features.DAYS: f"""
        SELECT m.row, m.tenure, m.asked, m.day - d.day AS age, {COLUMNS}
        FROM m JOIN risk_customerday d
          ON d.customer_id = m.customer_id AND d.day < m.day AND d.day >= m.day - {HORIZON_DAYS}
        UNION ALL
        SELECT m.row, m.tenure, m.asked, 0, {AGGREGATES}
        FROM m JOIN risk_platformevent e
          ON e.customer_id = m.customer_id AND e.at >= m.midnight AND e.at < m.as_of
        GROUP BY m.row, m.tenure, m.asked
    """,
    # Payments of the moment's day and later are not known yet.
    features.DUE: f"""
        SELECT m.row, m.day - i.due_on AS age,
               coalesce(i.paid_on <= i.due_on, false) AS on_time, coalesce(i.paid_on < i.due_on, false) AS early,
               coalesce(i.paid_on >= m.day, true) AS unpaid,
               greatest(0, least(i.paid_on, m.day) - i.due_on) AS late_days,
               m.day - least(i.paid_on, m.day) AS end_age
        FROM m JOIN lending_loan l ON l.customer_id = m.customer_id AND l.disbursed_on < m.day
        JOIN lending_instalment i
          ON i.loan_id = l.id AND i.due_on < m.day AND i.due_on >= m.day - {HORIZON_DAYS} AND i.total > 0
    """,
    features.LOANS: f"""
        SELECT m.row, m.day - l.disbursed_on AS age, coalesce(l.settled_on >= m.day, true) AS open
        FROM m JOIN lending_loan l
          ON l.customer_id = m.customer_id AND l.disbursed_on < m.day AND l.disbursed_on >= m.day - {HORIZON_DAYS}
    """,
    # The application that is judged is one of them: it was submitted at the moment itself.
    features.APPLICATIONS: """
        SELECT m.row FROM m JOIN lending_application a
          ON a.customer_id = m.customer_id AND a.submitted_at <= m.as_of
         AND a.submitted_at > m.as_of - interval '365 days'
    """,
    # An income that was changed later: the change says what it was before.
    features.PROFILE: """
        SELECT m.row, m.tenure, m.asked,
               CASE WHEN later.before IS NULL THEN m.monthly_income
                    ELSE (later.before ->> 'monthly_income')::numeric END AS income
        FROM m LEFT JOIN LATERAL (
            SELECT v.data -> 'before' AS before FROM lending_event v
            WHERE v.customer_id = m.customer_id AND v.kind = 'customer.updated' AND v.at >= m.as_of
              AND v.data -> 'before' ? 'monthly_income'
            ORDER BY v.at, v.id LIMIT 1
        ) later ON true
    """,
    features.LINE: """
        SELECT m.row, change.base_limit, coalesce(books.used, 0) AS used, m.day - change.opened_on AS line_age,
               (SELECT count(*) FROM lending_limitchange cut
                WHERE cut.line_id = change.id AND cut.after < cut.before AND cut.at < m.as_of
                  AND cut.at >= m.as_of - interval '365 days') AS cuts
        FROM m JOIN LATERAL (
            SELECT l.id, l.opened_on, c.after AS base_limit FROM lending_creditline l
            JOIN lending_limitchange c ON c.line_id = l.id
            WHERE l.customer_id = m.customer_id AND c.at < m.as_of
            ORDER BY c.at DESC, c.id DESC LIMIT 1
        ) change ON true
        LEFT JOIN LATERAL (
            SELECT sum(jl.amount) AS used FROM lending_loan loan
            JOIN lending_transaction t ON t.loan_id = loan.id AND t.at < m.as_of
            JOIN lending_journalentry je ON je.transaction_id = t.id
            JOIN lending_journalline jl ON jl.entry_id = je.id AND jl.account_id IN (
                SELECT account_id FROM lending_accountmapping WHERE role = 'PRINCIPAL'
            )
            WHERE loan.line_id = change.id
        ) books ON true
    """,
    features.ACCOUNTS: f"""
        SELECT year.row, year.asked, year.year = max(year.year) OVER w AS newest,
               year.year = max(year.year) OVER w - 1 AS year_before,
               m_day - make_date(year.year, 12, 31) AS accounts_age,
               {", ".join(f"(year.figures ->> '{name}')::numeric AS {name}" for name in FIGURES)}
        FROM (
            SELECT DISTINCT ON (m.row, f.year) m.row, m.asked, m.day AS m_day, f.year, f.figures
            FROM m JOIN risk_financialstatement f ON f.company_id = m.customer_id AND f.filed_at <= m.as_of
            ORDER BY m.row, f.year, f.filed_at DESC
        ) year
        WINDOW w AS (PARTITION BY year.row)
    """,
    # The record of an industry is taken once a month, so that a day's applications share it.
    features.INDUSTRY: f"""
        SELECT m.row, record.default_rate
        FROM {IN_INDUSTRY} m JOIN (
            SELECT asked.industry_id, asked.month, avg(customers.bad::int) AS default_rate
            FROM (SELECT DISTINCT industry_id, month FROM {IN_INDUSTRY} m) asked
            JOIN LATERAL (
                SELECT c.id, bool_or(least(i.paid_on, asked.month) - i.due_on >= {LATE_DAYS}) AS bad
                FROM {MEMBERS} c JOIN lending_loan l ON l.customer_id = c.id
                JOIN lending_instalment i ON i.loan_id = l.id AND i.total > 0
                WHERE i.due_on > asked.month - 365 AND i.due_on <= asked.month - {LATE_DAYS}
                GROUP BY c.id
            ) customers ON true
            GROUP BY 1, 2 HAVING count(*) >= {INDUSTRY_MINIMUM}
        ) record USING (industry_id, month)
    """,
    # The company's newest year beside the median of the newest years that its industry had filed by the month.
    features.PEERS: f"""
        SELECT m.row, own.*, peer.*
        FROM {IN_INDUSTRY} m
        JOIN LATERAL (
            SELECT {RATIOS} FROM risk_financialstatement f
            WHERE f.company_id = m.customer_id AND f.filed_at <= m.as_of
            ORDER BY f.year DESC, f.filed_at DESC LIMIT 1
        ) own ON true
        JOIN (
            SELECT asked.industry_id, asked.month, {MEDIANS}
            FROM (SELECT DISTINCT industry_id, month FROM {IN_INDUSTRY} m) asked
            JOIN LATERAL (
                SELECT DISTINCT ON (f.company_id) {RATIOS}
                FROM {MEMBERS} c JOIN risk_financialstatement f ON f.company_id = c.id
                WHERE f.filed_at < asked.month AND f.filed_at >= asked.month - {HORIZON_DAYS}
                ORDER BY f.company_id, f.year DESC, f.filed_at DESC
            ) newest ON true
            GROUP BY 1, 2 HAVING count(*) >= {INDUSTRY_MINIMUM}
        ) peer USING (industry_id, month)
    """,
    # An invoice is open until its payment is told of under the same order; without one it stays open.
    features.INVOICES: """
        SELECT told.row, told.asked, told.amount, told.buyer, paid.day IS NULL AS open,
               coalesce(paid.day, told.day) - told.invoiced_on AS days_open,
               CASE WHEN told.buyer IS NOT NULL
                    THEN sum(told.amount) OVER (PARTITION BY told.row, told.buyer) END AS of_buyer
        FROM (
            SELECT m.row, m.asked, m.day, e.amount, e.order_ref, nullif(e.data ->> 'buyer', '') AS buyer,
                   (e.at AT TIME ZONE %(zone)s)::date AS invoiced_on
            FROM m JOIN risk_platformevent e ON e.customer_id = m.customer_id AND e.kind = 'INVOICE'
             AND e.at < m.as_of AND e.at >= m.midnight - interval '365 days'
        ) told
        LEFT JOIN (
            SELECT m.row, e.order_ref, min((e.at AT TIME ZONE %(zone)s)::date) AS day
            FROM m JOIN risk_platformevent e ON e.customer_id = m.customer_id AND e.kind = 'INVOICE_PAID'
             AND e.at < m.as_of AND e.at >= m.midnight - interval '365 days' AND e.order_ref <> ''
            GROUP BY 1, 2
        ) paid ON paid.row = told.row AND paid.order_ref = told.order_ref
    """,
}  # fmt: skip


@lru_cache
def _fixed(segment: str) -> tuple[bulk.Tuples, list[str]]:
    """The same query with the server's own placeholders, and the names of its values in their order."""
    text = _query(segment)
    names = sorted(set(re.findall(r"%\((\w+)\)s", text)))
    for number, name in enumerate(names, start=1):
        text = text.replace(f"%({name})s", f"${number}")
    return bulk.Tuples(text), names


@lru_cache
def _query(segment: str) -> str:
    """One subquery per source that the segment's features use, each feature an aggregate over its rows."""
    sources = features.by_source(features.BY_SEGMENT[segment])
    parts = [f"WITH m AS MATERIALIZED ({MOMENTS}), moved AS ({MOVED})"]
    for source, found in sources.items():
        columns = ", ".join(f"{feature.sql} AS {feature.name}" for feature in found)
        parts.append(f", {source} AS (SELECT s.row, {columns} FROM ({SOURCES[source]}) s GROUP BY s.row)")
    joins = " ".join(f"LEFT JOIN {source} USING (row)" for source in sources)
    columns = ", ".join(f"{feature.source}.{feature.name}" for feature in features.BY_SEGMENT[segment])
    return f"{' '.join(parts)} SELECT {columns} FROM m {joins} ORDER BY m.row"
