"""Decisions and what became of them by group, in one statement: from what each decision had before it.

Only what is lawfully held is grouped by. Age and region stand in every decision. Sex is read off the identity number
where settings.FAIRNESS_GROUPS names it, is counted and never kept.
"""

from collections import Counter
from datetime import date
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _
from stdnum.cn import ric
from stdnum.exceptions import ValidationError

from lending.models import Customer
from risk.engine import fairness
from risk.selectors.outcomes import BAD_DAYS

AGE, REGION, STUDENT, SEX = "age", "region", "student", "sex"
NAMES: dict[str, Any] = {AGE: _("Age"), REGION: _("Region"), STUDENT: _("Student"), SEX: _("Sex")}

# In SQL, by what stood in the decision's facts.
GROUPINGS = {
    AGE: """CASE WHEN (s.inputs #>> '{facts,age}') IS NULL THEN '' ELSE
            CASE width_bucket((s.inputs #>> '{facts,age}')::numeric, ARRAY[25, 35, 45, 55]::numeric[])
            WHEN 0 THEN '18-24' WHEN 1 THEN '25-34' WHEN 2 THEN '35-44' WHEN 3 THEN '45-54' ELSE '55+' END END""",
    REGION: "coalesce(s.inputs #>> '{facts,region}', '')",
    STUDENT: "coalesce(s.inputs #>> '{facts,is_student}', '')",
    SEX: "a.customer_id::text",
}
COUNTS = """
SELECT {grouping} AS grp, count(*), count(*) FILTER (WHERE a.approved_amount IS NOT NULL),
       count(*) FILTER (WHERE record.bad IS NOT NULL), count(*) FILTER (WHERE record.bad)
FROM risk_assessment s
JOIN lending_application a ON a.id = s.application_id
JOIN lending_customer c ON c.id = a.customer_id AND c.kind = 'PERSON'
LEFT JOIN lending_creditline line ON line.application_id = a.id
LEFT JOIN LATERAL (
    SELECT bool_or(least(i.paid_on, %(on)s) - i.due_on >= %(days)s) AS bad
    FROM lending_loan l JOIN lending_instalment i ON i.loan_id = l.id AND i.total > 0
    WHERE (l.application_id = a.id OR l.line_id = line.id) AND i.due_on <= %(on)s::date - %(days)s::int
) record ON true
WHERE a.decided_at IS NOT NULL AND s.at >= %(since)s AND s.at < %(until)s::date + 1
GROUP BY 1
"""


def groupings() -> list[str]:
    """What decisions may be grouped by on this site."""
    return [name for name in GROUPINGS if name in settings.FAIRNESS_GROUPS]


def by_group(grouping: str, *, since: date, until: date, on: date) -> list[fairness.Group]:
    """The decisions on persons from one day to another, as they stand on `on`; of a grouping of this site."""
    sql = COUNTS.format(grouping=GROUPINGS[grouping])
    with connection.cursor() as cursor:
        cursor.execute(sql, {"since": since, "until": until, "on": on, "days": BAD_DAYS})
        rows = cursor.fetchall()
    counts = {name: (decided, approved, ripe, bad) for name, decided, approved, ripe, bad in rows}
    return list(fairness.compare(_by_sex(counts) if grouping == SEX else counts))


def _by_sex(counts: dict[str, tuple[int, int, int, int]]) -> dict[str, tuple[int, int, int, int]]:
    """The counts of customers, added up by the seventeenth digit of their identity numbers."""
    people = Customer.objects.filter(pk__in=[int(number) for number in counts]).only("id_number")
    sums: dict[str, Counter[int]] = {}
    for customer in people.iterator(chunk_size=2000):
        mine = sums.setdefault(_sex(customer.id_number or ""), Counter())
        mine.update(dict(enumerate(counts[str(customer.pk)])))
    return {name: (found[0], found[1], found[2], found[3]) for name, found in sums.items()}


def _sex(id_number: str) -> str:
    try:
        ric.validate(id_number)
    except ValidationError:
        return ""
    return "M" if int(id_number[16]) % 2 else "F"
