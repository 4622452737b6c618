"""What a decision is made from, as plain JSON: features, facts and the bounds of the amount."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from lending.fields import ZERO
from lending.models import Application, Consent, CreditLine, Customer, Loan
from lending.selectors import rules
from lending.services.customers import birth_date
from risk.models import FinancialStatement
from risk.selectors.features import Vector

CAPS = {"PERSON": "CONSUMER_LINE_CAP", "COMPANY": "COMPANY_LINE_CAP"}


def inputs(application: Application, vector: Vector, on: date) -> dict[str, Any]:
    """Everything that `risk.judgment.judge` needs for this application on that date."""
    owed = exposure(application.customer_id)
    return {
        "features": vector,
        "facts": _facts(application, vector, owed, on),
        "bounds": _bounds(application, owed, on),
    }


def exposure(customer_id: int) -> Decimal:
    """What the customer owes or may draw already: the limits of lines, and the principal of other loans."""
    limits = CreditLine.objects.filter(customer_id=customer_id).exclude(state=CreditLine.State.CLOSED)
    loans = Loan.objects.filter(customer_id=customer_id, line=None, state__in=Loan.OWING)
    drawn = loans.aggregate(sum=Sum("principal"))["sum"] or ZERO
    return drawn + (limits.aggregate(sum=Sum("base_limit"))["sum"] or ZERO)


def _bounds(application: Application, owed: Decimal, on: date) -> dict[str, str | None]:
    product = application.product
    cap = _rule(CAPS[application.customer.kind], on, product.lender_type)
    largest = None if cap is None else max(ZERO, min(product.max_amount, cap - owed))
    return {
        "asked": str(application.amount),
        "smallest": str(product.min_amount),
        "largest": None if largest is None else str(largest.quantize(Decimal("0.01"))),
    }


def _facts(application: Application, vector: Vector, owed: Decimal, on: date) -> dict[str, Any]:
    customer = application.customer
    person = customer.kind == Customer.Kind.PERSON
    born = birth_date(customer)
    minimum_age = _rule("MINIMUM_AGE", on)
    turnover = vector["spend_90d"] if person else vector["invoice_amount_90d"]
    return {
        "asked": float(application.amount),
        "exposure": float(owed),
        "monthly_income": _number(customer.monthly_income if person else _monthly_revenue(application)),
        "monthly_spend": None if turnover is None else turnover / 3,
        "overdue_days": max((loan.days_past_due(on) for loan in customer.loans.all()), default=0),
        "blocked": customer.state in (Customer.State.BLOCKED, Customer.State.CLOSED),
        "consented": customer.consents.filter(
            purpose=Consent.Purpose.CREDIT_ASSESSMENT, withdrawn_at=None
        ).exists(),
        "lender_type": application.product.lender_type,
        "product": application.product.code,
        "region": customer.region,
        "industry": customer.industry_id,
        "industry_standing": customer.industry.standing if customer.industry else None,
        "age": None if born is None else _years(born, on),
        "minimum_age": _number(minimum_age),
        "is_student": customer.is_student,
    }


def _monthly_revenue(application: Application) -> Decimal | None:
    filed = FinancialStatement.objects.filter(
        company_id=application.customer_id, filed_at__lte=application.submitted_at
    )
    newest = filed.order_by("-year", "-filed_at").first()
    revenue = newest.figures.get("revenue") if newest else None
    return None if revenue is None else Decimal(revenue) / 12


def _years(born: date, on: date) -> int:
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _rule(code: str, on: date, lender_type: str = "") -> Decimal | None:
    try:
        return rules.parameter(code, on, lender_type=lender_type)
    except rules.MissingRule:
        return None


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
