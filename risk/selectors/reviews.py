"""What the review of limits looks at: the lines on which something may be done, in one statement per kind of lender."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from lending import bulk
from lending.models import Loan, Product
from lending.selectors import rules
from risk.engine.reviews import Facts, Policy

PREFIXES = ("LIMIT_", "LINE_REAPPROVAL_", "CONSUMER_LINE_CAP", "COMPANY_LINE_CAP")
LEGAL = {"PERSON": "CONSUMER_LINE_CAP", "COMPANY": "COMPANY_LINE_CAP"}

NEWEST_SCORES = bulk.Tuples('SELECT MAX("on") FROM risk_scorenight WHERE "on" <= %s')

# Lines on which nothing can happen are left where they are: the conditions repeat what `engine.reviews` asks for first.
# Nothing is offered to who refused such offers, to students, or in an industry that is not green.
CANDIDATES = """
WITH overdue AS (
    SELECT customer_id, %(on)s::date - min(oldest_due_on) AS days FROM lending_loan
    WHERE state = ANY(%(owing)s) AND oldest_due_on < %(on)s GROUP BY 1
), line AS (
    SELECT l.id, l.customer_id, l.base_limit, l.used + l.held AS used, %(on)s::date - l.opened_on AS open_days,
           l.state, c.language, coalesce(o.days, 0) AS overdue_days, s.pd, s.score, s.grade, s.reasons, s.model_id,
           l.state = 'ACTIVE' AND c.state NOT IN ('BLOCKED', 'CLOSED') AND NOT c.is_student
               AND coalesce(i.standing, 'GREEN') = 'GREEN' AS welcome
    FROM lending_creditline l
    JOIN lending_customer c ON c.id = l.customer_id
    JOIN lending_product p ON p.id = l.product_id
    LEFT JOIN lending_industry i ON i.code = c.industry_id
    LEFT JOIN overdue o ON o.customer_id = l.customer_id
    LEFT JOIN risk_behaviourscore s ON s.customer_id = l.customer_id AND s.on = %(scored)s
    WHERE l.state IN ('ACTIVE', 'SUSPENDED') AND p.lender_type = %(lender)s AND p.audience = %(audience)s
      AND l.base_limit > 0
)
SELECT l.id, l.base_limit, l.used, l.pd, l.overdue_days, l.open_days, may.raise, may.cut,
       l.score, l.grade, l.reasons, l.model_id
FROM line l CROSS JOIN LATERAL (
    SELECT
        l.overdue_days >= %(cut_overdue_days)s OR l.pd >= %(cut_pd)s
        OR (l.pd >= %(cut_full_pd)s AND l.used >= %(cut_full_utilisation)s * l.base_limit) AS cut,
        l.welcome AND l.overdue_days = 0 AND l.pd <= %(raise_pd)s AND l.open_days >= %(raise_open_days)s
        AND l.used >= %(raise_utilisation)s * l.base_limit AND l.base_limit < %(cap)s AS raise
) wish CROSS JOIN LATERAL (
    SELECT
        coalesce(wish.cut, false) AND NOT EXISTS (
            SELECT FROM lending_limitchange x WHERE x.line_id = l.id AND x.kind = 'CUT'
              AND x.at >= %(cut_since)s
        ) AS cut,
        coalesce(wish.raise, false) AND NOT EXISTS (
            SELECT FROM lending_limitchange x WHERE x.line_id = l.id AND x.at >= %(raise_since)s
        ) AND NOT EXISTS (
            SELECT FROM lending_limitoffer f WHERE f.line_id = l.id AND f.made_on >= %(raise_since)s::date
        ) AND NOT EXISTS (
            SELECT FROM lending_loan loan JOIN lending_instalment n ON n.loan_id = loan.id
            WHERE loan.customer_id = l.customer_id AND n.due_on >= %(on)s::date - %(clean_days)s::int
              AND n.due_on < coalesce(n.paid_on, %(on)s) AND n.total > 0
        ) AND NOT (
            EXISTS (SELECT FROM lending_consent k WHERE k.customer_id = l.customer_id
                      AND k.purpose = 'MARKETING' AND k.withdrawn_at IS NOT NULL)
            AND NOT EXISTS (SELECT FROM lending_consent k WHERE k.customer_id = l.customer_id
                      AND k.purpose = 'MARKETING' AND k.withdrawn_at IS NULL)
        ) AS raise
) may
WHERE may.cut OR may.raise
ORDER BY l.id
"""


@dataclass(frozen=True)
class Candidate:
    """A line that may be raised or cut, and what is kept of what was seen."""

    line_id: int
    facts: Facts
    seen: Mapping[str, Any]
    weak: tuple[str, ...]  # the features that lost most points


@dataclass(frozen=True)
class Rules:
    """The parameters for one kind of lender and of customer on a day."""

    policy: Policy
    score_days: int
    clean_days: int
    raise_cooldown: int
    cut_cooldown: int
    offer_days: int


def groups() -> list[tuple[str, str]]:
    """The kinds of lender and customer that there are lines for."""
    rows = Product.objects.filter(kind="LINE").order_by("lender_type", "audience")
    return list(rows.values_list("lender_type", "audience").distinct())


def parameters(table: rules.Table, lender: str, audience: str) -> Rules:
    """Raises `MissingRule` when one is not set: then nothing is reviewed."""

    def value(name: str) -> Decimal:
        return table.value(f"LIMIT_{name}", lender)

    policy = Policy(
        raise_pd=float(value("RAISE_PD")),
        raise_utilisation=value("RAISE_UTILISATION"),
        raise_open_days=int(value("RAISE_OPEN_DAYS")),
        raise_share=value("RAISE_SHARE"),
        cap=min(value(f"RAISE_CAP_{audience}"), table.value(LEGAL[audience], lender)),
        cut_pd=float(value("CUT_PD")),
        cut_full_pd=float(value("CUT_FULL_PD")),
        cut_full_utilisation=value("CUT_FULL_UTILISATION"),
        cut_overdue_days=int(value("CUT_OVERDUE_DAYS")),
        cut_share=value("CUT_SHARE"),
    )
    return Rules(
        policy,
        score_days=int(value("SCORE_DAYS")),
        clean_days=int(value("RAISE_CLEAN_DAYS")),
        raise_cooldown=int(value("RAISE_COOLDOWN_DAYS")),
        cut_cooldown=int(value("CUT_COOLDOWN_DAYS")),
        offer_days=int(value("OFFER_DAYS")),
    )


def scored_on(on: date, within: int) -> date | None:
    """The newest night of scores that is at most so many days old."""
    newest: date | None
    ((newest,),) = NEWEST_SCORES(on)
    return newest if newest and (on - newest).days <= within else None


def candidates(rules_: Rules, lender: str, audience: str, on: date, **since: Any) -> list[Candidate]:
    """The lines of such lenders and customers on which something may be done; `since` are the beginnings of the two
    cool-downs, as moments."""
    policy = rules_.policy
    values = {
        **{name: getattr(policy, name) for name in Policy.__dataclass_fields__},
        **since,
        "on": on,
        "lender": lender,
        "audience": audience,
        "owing": [str(state) for state in Loan.OWING],
        "scored": scored_on(on, rules_.score_days),
        "clean_days": rules_.clean_days,
    }
    with connection.cursor() as cursor:
        cursor.execute(CANDIDATES, values)
        return [_candidate(*row) for row in cursor.fetchall()]


def _candidate(
    line_id: int,
    limit: Decimal,
    used: Decimal,
    pd: float | None,
    overdue_days: int,
    open_days: int,
    may_raise: bool,
    may_cut: bool,
    *score: Any,
) -> Candidate:
    facts = Facts(
        limit=limit,
        used=used,
        pd=pd,
        overdue_days=overdue_days,
        open_days=open_days,
        may_raise=may_raise,
        may_cut=may_cut,
    )
    points, grade, weak, model = score
    seen = {
        "pd": pd,
        "score": points,
        "grade": grade,
        "model": model,
        "used": str(used),
        "utilisation": str(round(facts.utilisation, 4)),
        "overdue_days": overdue_days,
        "open_days": open_days,
    }
    return Candidate(line_id, facts, seen, tuple(weak or ()))
