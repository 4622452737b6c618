"""What a decision is made from, as plain JSON: features, facts and the bounds of the amount."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from lending import bulk
from lending.fields import ZERO
from lending.models import Application, Consent, Customer, Loan
from lending.selectors import rules
from lending.services.customers import age
from risk.models import FinancialStatement
from risk.selectors.features import Vector

# The days ahead that count as the coming month.
MONTH_DAYS = 30
OWING = [str(state) for state in Loan.OWING]
# Of some customers, asked for every application.
LIMITS = bulk.Tuples("""
    SELECT customer_id, SUM(base_limit) FROM lending_creditline
    WHERE customer_id = ANY(%s::bigint[]) AND state <> 'CLOSED' GROUP BY customer_id
""")
DRAWN = bulk.Tuples("""
    SELECT customer_id, SUM(principal) FROM lending_loan
    WHERE customer_id = ANY(%s::bigint[]) AND line_id IS NULL AND state = ANY(%s::text[]) GROUP BY customer_id
""")
OLDEST_DUE = bulk.Tuples("""
    SELECT customer_id, MIN(oldest_due_on) FROM lending_loan
    WHERE customer_id = ANY(%s::bigint[]) AND state = ANY(%s::text[]) AND oldest_due_on IS NOT NULL
    GROUP BY customer_id
""")
DUE = bulk.Tuples("""
    SELECT l.customer_id, SUM(i.outstanding)
    FROM lending_instalment i JOIN lending_loan l ON l.id = i.loan_id
    WHERE l.customer_id = ANY(%s::bigint[]) AND l.state = ANY(%s::text[]) AND i.due_on <= %s GROUP BY l.customer_id
""")
CONSENTED = bulk.Tuples("""
    SELECT DISTINCT customer_id FROM lending_consent
    WHERE customer_id = ANY(%s::bigint[]) AND purpose = %s AND withdrawn_at IS NULL
""")
CAPS = {"PERSON": "CONSUMER_LINE_CAP", "COMPANY": "COMPANY_LINE_CAP"}


@dataclass(frozen=True)
class _Known:
    """What the tables say about the customers of some applications, by customer unless said otherwise."""

    limits: Mapping[int, Decimal]
    drawn: Mapping[int, Decimal]
    oldest_due: Mapping[int, date]
    due: Mapping[int, Decimal]  # instalments of the coming month, and what is overdue
    consented: Collection[int]
    accounts: Mapping[int, Mapping[str, str]]  # the newest figures, by application
    rules: Mapping[tuple[str, str], Decimal | None]  # by code and lender type

    def exposure(self, customer_id: int) -> Decimal:
        return self.drawn.get(customer_id, ZERO) + self.limits.get(customer_id, ZERO)


def inputs(application: Application, vector: Vector, on: date) -> dict[str, Any]:
    """Everything that `risk.judgment.judge` needs for this application on that date."""
    return inputs_many([application], [vector], on)[0]


def inputs_many(
    applications: Sequence[Application], vectors: Sequence[Vector], on: date
) -> list[dict[str, Any]]:
    """Like `inputs`, for many in a few statements; one answer for each, in order."""
    known = _known(applications, on)
    return [
        {
            "features": vector,
            "facts": _facts(application, vector, known, on),
            "bounds": _bounds(application, known),
        }
        for application, vector in zip(applications, vectors, strict=True)
    ]


def exposure(customer_id: int) -> Decimal:
    """What the customer owes or may draw already: the limits of lines, and the principal of other loans."""
    drawn, limits = bulk.read((DRAWN, [[customer_id], OWING]), (LIMITS, [[customer_id]]))
    return sum((amount for _customer_id, amount in [*drawn, *limits]), ZERO)


def _known(applications: Sequence[Application], on: date) -> _Known:
    ids = [application.customer_id for application in applications]
    limits, drawn, oldest, due, consented = bulk.read(
        (LIMITS, [ids]),
        (DRAWN, [ids, OWING]),
        (OLDEST_DUE, [ids, OWING]),
        (DUE, [ids, OWING, on + timedelta(days=MONTH_DAYS)]),
        (CONSENTED, [ids, Consent.Purpose.CREDIT_ASSESSMENT.value]),
    )
    return _Known(
        limits=dict(limits),
        drawn=dict(drawn),
        oldest_due=dict(oldest),
        due=dict(due),
        consented={customer_id for (customer_id,) in consented},
        accounts=_accounts(applications),
        rules=_rules(applications, on),
    )


def _accounts(applications: Sequence[Application]) -> dict[int, Mapping[str, str]]:
    """The newest accounts that were filed when the company applied, by application."""
    asked = [
        (row.pk, row.customer_id, row.submitted_at)
        for row in applications
        if row.customer.kind != Customer.Kind.PERSON and row.submitted_at
    ]
    if not asked:
        return {}
    filed = FinancialStatement.objects.filter(company_id__in={company_id for _pk, company_id, _at in asked})
    years = list(filed.order_by("-year", "-filed_at"))
    return {
        pk: next((y.figures for y in years if y.company_id == company_id and y.filed_at <= at), {})
        for pk, company_id, at in asked
    }


def _rules(applications: Sequence[Application], on: date) -> dict[tuple[str, str], Decimal | None]:
    wanted = {(CAPS[row.customer.kind], row.product.lender_type) for row in applications}
    return {(code, lender): _rule(code, on, lender) for code, lender in wanted | {("MINIMUM_AGE", "")}}


def _bounds(application: Application, known: _Known) -> dict[str, str | None]:
    product = application.product
    owed = known.exposure(application.customer_id)
    cap = known.rules[CAPS[application.customer.kind], product.lender_type]
    largest = None if cap is None else max(ZERO, min(product.max_amount, cap - owed))
    return {
        "asked": str(application.amount),
        "smallest": str(product.min_amount),
        "largest": None if largest is None else str(largest.quantize(Decimal("0.01"))),
    }


def _facts(application: Application, vector: Vector, known: _Known, on: date) -> dict[str, Any]:
    customer = application.customer
    person = customer.kind == Customer.Kind.PERSON
    accounts = known.accounts.get(application.pk, {})
    revenue = accounts.get("revenue")
    monthly = None if revenue is None else Decimal(revenue) / 12
    income = customer.monthly_income if person else monthly
    spare = income if person else _surplus(accounts)
    due = known.due.get(customer.pk, ZERO)
    turnover = vector["spend_90d"] if person else vector["invoice_amount_90d"]
    oldest = known.oldest_due.get(customer.pk)
    return {
        "asked": float(application.amount),
        "exposure": float(known.exposure(customer.pk)),
        "monthly_income": _number(income),
        "monthly_spend": None if turnover is None else turnover / 3,
        "monthly_due": float(due),
        "affordability": None if spare is None else float(spare - due),
        "overdue_days": 0 if oldest is None else max(0, (on - oldest).days),
        "blocked": customer.state in (Customer.State.BLOCKED, Customer.State.CLOSED),
        "consented": customer.pk in known.consented,
        "lender_type": application.product.lender_type,
        "product": application.product.code,
        "region": customer.region,
        "industry": customer.industry_id,
        "industry_standing": customer.industry.standing if customer.industry else None,
        "age": age(customer, on),
        "minimum_age": _number(known.rules["MINIMUM_AGE", ""]),
        "is_student": customer.is_student,
    }


def _surplus(accounts: Mapping[str, str]) -> Decimal | None:
    """What a company's average month leaves: revenue less costs."""
    revenue, costs = accounts.get("revenue"), accounts.get("costs")
    return None if revenue is None or costs is None else (Decimal(revenue) - Decimal(costs)) / 12


def _rule(code: str, on: date, lender_type: str = "") -> Decimal | None:
    try:
        return rules.parameter(code, on, lender_type=lender_type)
    except rules.MissingRule:
        return None


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
