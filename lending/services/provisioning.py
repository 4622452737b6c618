"""Provisions at a month end: the floor of the regulator and the expected loss of every owing loan, and the higher of
the two booked per product.

Expected loss is chance of default x loss given default x exposure. The chance comes from the roll rates of the last
months (or, for loans that are not late, from the scorecard, if settings.GRADE_DEFAULT_RATES names where to ask); the
loss from how far collateral covers what the customer owes. docs/provisions.md says what is assumed.
"""

import re
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from lending import partitions
from lending.engine import rollrates
from lending.fields import ZERO
from lending.models import AssetClass, DefaultRate, Loan, LoanProvision, ProvisionMonth, RollMonth
from lending.selectors import classing
from lending.selectors import provisions as selectors
from lending.selectors.rules import MissingRule, Table
from lending.services import books, provisions
from lending.services.history import is_month_end
from lending.services.steps import LOANS, WHOLE, Shard, step

Source = DefaultRate.Source
_LGD = re.compile(r"LGD_COVERED_(\d+)_PERCENT")
_PD = re.compile(r"PD_BUCKET_(\d+)")
_PLACES = Decimal("0.00000001")

# Stage 3 is what is impaired: late as the presumption says, or non-performing for any reason. Stage 2 is late as its
# presumption says, watched, or made worse by hand. What a loan in suspense owes beside its principal is no income, so
# nothing of it can be lost.
LOANS_OF_THE_DAY = f"""
WITH secured AS (
    SELECT customer_id, SUM(value * (1 - haircut)) AS worth FROM lending_collateral
    WHERE state = 'PLEDGED' AND (expires_on IS NULL OR expires_on >= %(on)s) GROUP BY customer_id
), cover AS (
    SELECT s.customer_id, LEAST(MAX(c.worth) / SUM(s.principal), 99999999) AS share
    FROM lending_loansnapshot s JOIN secured c ON c.customer_id = s.customer_id
    WHERE s.date = %(on)s AND s.month_end AND s.state = ANY(%(owing)s)
    GROUP BY s.customer_id HAVING SUM(s.principal) > 0
), judged AS (
    SELECT s.loan_id, s.product_id, s.asset_class, s.bucket, s.principal, l.matures_on,
           s.principal + CASE WHEN s.asset_class < 3 THEN s.charges ELSE 0 END AS exposure,
           CASE WHEN s.days >= %(stage_3)s OR s.asset_class >= 3 THEN 3
                WHEN s.days >= %(stage_2)s OR l.watch_until > %(on)s OR d.id IS NOT NULL THEN 2
                ELSE 1 END AS stage,
           COALESCE(cover.share, 0) AS coverage,
           COALESCE(CASE WHEN s.bucket = 0 THEN g.rate END,
                    (%(rates)s::numeric[])[LEAST(s.bucket + 1, cardinality(%(rates)s::numeric[]))]) AS yearly
    FROM lending_loansnapshot s
    JOIN lending_loan l ON l.id = s.loan_id
    LEFT JOIN cover ON cover.customer_id = s.customer_id
    LEFT JOIN lending_downgrade d ON d.loan_id = s.loan_id AND d.ended_on IS NULL
    LEFT JOIN lending_application a ON a.id = l.application_id
    LEFT JOIN lending_creditline c ON c.id = l.line_id
    LEFT JOIN lending_application ca ON ca.id = c.application_id
    LEFT JOIN unnest(%(grades)s::text[], %(grade_rates)s::numeric[]) AS g(grade, rate)
        ON g.grade = COALESCE(NULLIF(a.grade, ''), ca.grade)
    WHERE s.date = %(on)s AND s.month_end AND s.state = ANY(%(owing)s) AND {LOANS}
), weighed AS (
    SELECT *,
           CASE stage WHEN 3 THEN 1
                WHEN 2 THEN ROUND(1 - power(1 - yearly, GREATEST(1, (matures_on - %(on)s) / 365.25)), 8)
                ELSE yearly END AS pd,
           (%(losses)s::numeric[])[width_bucket(coverage, %(bands)s::numeric[])] AS lgd
    FROM judged
)
INSERT INTO lending_loanprovision (loan_id, date, product_id, asset_class, stage, bucket, principal, exposure, coverage,
                                   pd, lgd, floor, expected)
SELECT loan_id, %(on)s, product_id, asset_class, stage, bucket, principal, exposure, coverage, pd, lgd,
       ROUND(principal * (%(floors)s::numeric[])[asset_class], 2), ROUND(exposure * pd * lgd, 2)
FROM weighed
ON CONFLICT DO NOTHING
"""  # noqa: S608

SUMS = """
INSERT INTO lending_provisionmonth (date, product_id, asset_class, stage, loans, principal, exposure, floor, expected)
SELECT date, product_id, asset_class, stage, COUNT(*), SUM(principal), SUM(exposure), SUM(floor), SUM(expected)
FROM lending_loanprovision WHERE date = %(on)s
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""


@step(_("Rates of default are taken from the months before"))
def observe(*, on: date, at: datetime) -> int:
    """Close step, at a month end and after its rolls are summed up: the rates that its provisions count with, kept.
    Returns how many there are."""
    if not is_month_end(on):
        return 0
    partitions.ensure(LoanProvision, on, months=1)
    DefaultRate.objects.filter(date=on).delete()
    rows = [*_by_bucket(on), *_by_grade(on)]
    DefaultRate.objects.bulk_create(rows)
    return len(rows)


@step(_("Floor and expected loss of each loan are computed"), sharded=True)
def measure(*, on: date, at: datetime, shard: Shard = WHOLE) -> int:
    """Close step, at a month end and after the loans of the day are written down. Returns the number of loans."""
    if not is_month_end(on):
        return 0
    with connection.cursor() as cursor:
        cursor.execute(LOANS_OF_THE_DAY, _figures(on) | shard.params)
        return int(cursor.rowcount)


@step(_("Provisions are booked: the higher of floor and expected loss"))
def book(*, on: date, at: datetime) -> int:
    """Close step, at a month end: sums of what was measured, and the provision of each product brought to the higher
    of its two sums. A product that owes nothing any more gives its provision back. Returns the number of entries."""
    if not is_month_end(on):
        return 0
    ProvisionMonth.objects.filter(date=on).delete()
    with connection.cursor() as cursor:
        cursor.execute(SUMS, {"on": on})
    required = {row.product_id: row.required for row in selectors.by_product(on)}
    moved = provisions.book(required=dict.fromkeys(selectors.booked(on), ZERO) | required, on=on)
    books.tie_targets([(provisions.PROVISION, required)], on)
    return moved


def _by_bucket(on: date) -> list[DefaultRate]:
    """From the rolls of the last months; of buckets that too few cases were seen of, what the house says."""
    table = Table(["PD_", "STAGE_", "BUCKET_"], on)
    starts, impaired = classing.buckets(on).starts, int(table.value("STAGE_3_FROM_DAY"))
    bad = next((number for number, first in enumerate(starts, start=1) if first >= impaired), len(starts))
    seen, chances = _rolled(on, int(table.value("PD_MONTHS")), bad)
    house = _house_rates(table)
    rows = [DefaultRate(date=on, bucket=bad, rate=Decimal(1), source=Source.HOUSE)]
    for bucket in range(bad):
        if seen[bucket] >= table.value("PD_MINIMUM_CASES"):
            rate, source = chances[str(bucket)], Source.OBSERVED
        else:
            rate, source = house[min(bucket, len(house) - 1)], Source.HOUSE
        rows.append(DefaultRate(date=on, bucket=bucket, rate=rate, source=source, loans=seen[bucket]))
    return rows


def _rolled(on: date, months: int, bad: int) -> tuple[Counter[int], dict[str, Decimal]]:
    """How many cases left each bucket in those months, and the chance of reaching `bad` within twelve from each. A
    loan that was written off had gone bad."""
    number = on.year * 12 + on.month - months
    first = date(number // 12, number % 12 + 1, 1)
    rows = RollMonth.objects.filter(date__gte=first, date__lte=on, from_bucket__lt=bad).order_by()
    seen: Counter[int] = Counter()
    moves = []
    for before, after, state, loans in rows.values_list("from_bucket", "to_bucket", "to_state").annotate(
        Sum("loans")
    ):
        seen[before] += loans
        end = (
            "PAID"
            if state == Loan.State.SETTLED
            else str(bad if state not in Loan.OWING else min(after, bad))
        )
        moves.append((str(before), end, loans))
    states = [*map(str, range(bad + 1)), "PAID"]
    return seen, rollrates.matrix(moves, states).reaching(str(bad), 12)[-1]


def _house_rates(table: Table) -> list[Decimal]:
    numbered = {int(found[1]): code for code in table.codes() if (found := _PD.fullmatch(code))}
    if 0 not in numbered:
        raise MissingRule("PD_BUCKET_0")
    return [table.value(numbered[number]) for number in sorted(numbered)]


def _by_grade(on: date) -> list[DefaultRate]:
    """What the scorecard says of each grade, where the house asks it."""
    path = getattr(settings, "GRADE_DEFAULT_RATES", "")
    rates: dict[str, tuple[Decimal, int]] = import_string(path)(on) if path else {}
    return [
        DefaultRate(
            date=on,
            bucket=0,
            grade=grade,
            rate=min(max(rate, Decimal(0)), Decimal(1)).quantize(_PLACES),
            source=Source.SCORECARD,
            loans=cases,
        )
        for grade, (rate, cases) in sorted(rates.items())
    ]


def _figures(on: date) -> dict[str, Any]:
    table = Table(["PROVISION_FLOOR_", "STAGE_", "LGD_"], on)
    rates = DefaultRate.objects.filter(date=on).order_by("bucket", "grade")
    by_grade = [row for row in rates if row.grade]
    bands = {int(found[1]): code for code in table.codes() if (found := _LGD.fullmatch(code))}
    if 0 not in bands:
        raise MissingRule("LGD_COVERED_0_PERCENT")
    return {
        "on": on,
        "owing": [str(state) for state in Loan.OWING],
        "stage_2": int(table.value("STAGE_2_FROM_DAY")),
        "stage_3": int(table.value("STAGE_3_FROM_DAY")),
        "rates": [row.rate for row in rates if not row.grade],
        "grades": [row.grade for row in by_grade],
        "grade_rates": [row.rate for row in by_grade],
        "bands": [Decimal(percent) / 100 for percent in sorted(bands)],
        "losses": [table.value(bands[percent]) for percent in sorted(bands)],
        "floors": [table.value(f"PROVISION_FLOOR_{tier}") for tier in AssetClass.names],
    }
