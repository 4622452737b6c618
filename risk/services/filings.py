"""Companies' yearly figures: as filed, a correction being a later filing of the same year."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from lending import accounts, events
from lending.accounts import FIGURES, MAY_BE_NEGATIVE
from lending.errors import Refused
from lending.models import Application, Customer, User
from risk.models import FinancialStatement

LARGEST = Decimal("1e15")
OLDEST_YEAR = 1990


@transaction.atomic
def file_statement(
    *, company_id: int, year: int, figures: Mapping[str, Any], by: User | None, at: datetime
) -> FinancialStatement:
    """Keep a year's figures (amounts in the currency's unit, by the names of `FIGURES`; other names are kept
    out). Filing the same year again at a later moment corrects it; the same filing twice is one.

    Raises `Refused` for a person, a year that is not over, a figure that is no amount, and figures that cannot be
    true together (a part above its whole, a balance sheet that does not balance).
    """
    company = Customer.objects.get(pk=company_id)
    if company.kind != Customer.Kind.COMPANY:
        raise Refused("not_a_company", _("Only companies file statements."))
    if not isinstance(year, int) or not OLDEST_YEAR <= year < at.year:
        raise Refused("year", _("The year must be over."), field="year")
    known = {name: _figure(name, figures[name]) for name in FIGURES if figures.get(name) not in (None, "")}
    for name, words in accounts.faults({name: Decimal(amount) for name, amount in known.items()}):
        raise Refused("accounts", words, field=name)
    if not known:
        raise Refused("figures", _("There is no figure that we know."), field="figures")
    statement, created = FinancialStatement.objects.get_or_create(
        company=company, year=year, filed_at=at, defaults={"figures": known, "filed_by": by}
    )
    if created:
        events.record("statement.filed", company, by=by, at=at, year=year)
    return statement


def _figure(name: str, value: Any) -> str:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) > LARGEST:
        raise Refused("figure", _("This is not an amount."), field=name)
    if amount < 0 and name not in MAY_BE_NEGATIVE:
        raise Refused("figure", _("The amount must not be below zero."), field=name)
    return str(amount)


def file_answers(application: Application) -> None:
    """File the statements that a company's application brought, as of its submission.

    One that is refused is left out, and the policy finds the accounts missing.
    """
    assert application.submitted_at is not None, "only what was submitted is looked at"
    answered = application.answers.get("statements", []) if isinstance(application.answers, dict) else []
    for answer in answered:
        try:
            file_statement(
                company_id=application.customer_id,
                year=answer["year"],
                figures=answer["figures"],
                by=None,
                at=application.submitted_at,
            )
        except (Refused, KeyError, TypeError, AttributeError) as fault:
            events.record(
                "statement.refused", application, by=None, at=application.submitted_at, fault=str(fault)
            )
