"""The disclosure sheet 综合融资成本明示表 (金规〔2026〕2号): what a credit costs in full, as plain JSON values.

The content has no language: names of costs are codes, put into words where it is shown. Its fingerprint is the
sha256 of its canonical JSON, so that whoever holds the sheet can prove what was shown.
"""

import hashlib
import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext_lazy as _

from lending import engine
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import Product
from lending.selectors import cost, pricing

SHEET_VERSION = 2


def content(
    product: Product,
    amount: Decimal,
    tenor: int | None,
    on: date,
    *,
    annual_rate: Decimal | None = None,
    fee_rate: Decimal | None = None,
) -> dict[str, Any]:
    """The sheet of `amount` on that day, with one plan per number of instalments.

    For a line the plans are an example: the whole limit bought today. The cost of each purchase is shown again
    before it is bought. Raises engine.TermsError, and Refused where no cap is on record.
    """
    limit = cost.cap(product.lender_type, on)
    price = {"annual_rate": annual_rate, "fee_rate": fee_rate}
    first = _first_due_on(product, on)
    quotes = [
        pricing.quote(product, amount, one, on, first, **price)
        for one in ([tenor] if tenor else sorted(product.tenors))
    ]
    return {
        "version": SHEET_VERSION,
        "on": on.isoformat(),
        **_parties(product),
        "principal": str(amount),
        "annual_rate": str(quotes[0].terms.annual_rate),
        "fee_rate": str(product.fee_rate if fee_rate is None else fee_rate),
        "plans": [_plan(product, one, limit) for one in quotes],
        "annual_cost": str(max(_rounded(limit.measure(one.annual_cost)) for one in quotes)),
        "basis": "COMPOUNDED" if limit.compounded else "NOMINAL",
        "cap": str(limit.limit),
        **_when_late(product, amount),
        "settlement_fee": product.settlement_fee,
        "required_coverage": str(product.required_coverage),
        "other_charges": [],
    }


def _first_due_on(product: Product, on: date) -> date | None:
    if product.kind == Product.Kind.LOAN:
        return None
    return pricing.first_due_on(product, on, pricing.statement_day(product, on))


def _parties(product: Product) -> dict[str, Any]:
    return {
        "lender": settings.LENDER_NAME,
        "lender_type": product.lender_type,
        "product": product.code,
        "product_version": product.version,
        "product_name": product.name,
        "product_name_zh": product.name_zh,
        "kind": product.kind,
        "method": product.method,
        "every": product.every,
        "unit": product.unit,
        "currency": product.currency,
    }


def _when_late(product: Product, amount: Decimal) -> dict[str, Any]:
    """What else falls due when the borrower does not pay on time: item, rate, base, end, and who collects it."""
    cap = product.penalty_cap_rate
    return {
        "penalty_rate": str(product.penalty_rate),
        "penalty_grace_days": product.penalty_grace_days,
        "penalty_year_days": product.penalty_year_days,
        "penalty_most": None if cap is None else str((amount * cap).quantize(ZERO)),
        "penalty_payee": settings.LENDER_NAME,
    }


def _plan(product: Product, quote: pricing.Quote, limit: cost.Cap) -> dict[str, Any]:
    return {
        "tenor": quote.tenor,
        "rows": [
            {
                "due_on": row.due_on.isoformat(),
                "principal": str(row.principal),
                "interest": str(row.interest),
                "fee": str(row.fee),
                "total": str(row.total),
                "balance": str(row.balance),
            }
            for row in quote.rows
        ],
        "items": _items(product, quote, limit),
        "interest": str(quote.interest),
        "fee": str(quote.fees),
        "upfront_fee": str(quote.terms.upfront_fee),
        "charged": str(quote.charged),
        "cost": str(quote.cost),
        "received": str(quote.terms.principal - quote.terms.upfront_fee),
        "total": str(quote.total),
        "annual_cost": str(_rounded(limit.measure(quote.annual_cost))),
        "annual_cost_effective": str(_rounded(quote.annual_cost.effective)),
        "annual_cost_nominal": str(_rounded(quote.annual_cost.nominal)),
    }


def _items(product: Product, quote: pricing.Quote, limit: cost.Cap) -> list[dict[str, Any]]:
    """Every cost that is not nothing: what, who collects it, on what base, how much, and what it alone costs a year."""
    terms, house = quote.terms, settings.LENDER_NAME
    zero_rows = tuple(row._replace(interest=ZERO, fee=ZERO) for row in quote.rows)
    no_fee = replace(terms, upfront_fee=ZERO)
    found: list[tuple[dict[str, Any], tuple[Any, ...]]] = []

    def add(
        code: str, payee: str, basis: str, rate: Decimal, amount: Decimal, *alone: Any, **more: Any
    ) -> None:
        item = {"code": code, "payee": payee, "basis": basis, "rate": str(rate), "amount": str(amount)}
        if amount:
            found.append((item | more, alone))

    rows = tuple(row._replace(fee=ZERO) for row in quote.rows)
    add("INTEREST", house, "BALANCE_YEAR", terms.annual_rate, quote.interest, no_fee, rows, ())
    rows = tuple(row._replace(interest=ZERO) for row in quote.rows)
    add("INSTALMENT_FEE", house, "PRINCIPAL_EACH", terms.fee_rate, quote.fees, no_fee, rows, ())
    add(
        "UPFRONT_FEE",
        house,
        "PRINCIPAL_ONCE",
        product.upfront_fee_rate,
        terms.upfront_fee,
        terms,
        zero_rows,
        (),
    )
    for charge in quote.charges:
        payee, rate, more = _third_party(product, charge.code)
        basis = "AMOUNT_ONCE" if charge.code == "OTHER" else _BASIS[charge.upfront]
        add(
            charge.code,
            payee,
            basis,
            rate,
            charge.amount * charge.times(terms),
            no_fee,
            zero_rows,
            (charge,),
            **more,
        )
    for item, alone in found:
        # Where there is one cost only, it is all of the annual cost.
        one = quote.annual_cost if len(found) == 1 else engine.annual_cost(*alone)
        item["annualised"] = str(_rounded(limit.measure(one)))
    return [item for item, _alone in found]


_BASIS = {True: "PRINCIPAL_ONCE", False: "PRINCIPAL_EACH"}


def _third_party(product: Product, code: str) -> tuple[str, Decimal, dict[str, str]]:
    """Who collects a charge, its rate, and its name where that is free."""
    if code == "INSURANCE":
        return product.insurer, product.insurance_rate, {}
    if code == "GUARANTEE":
        return product.guarantor, product.guarantee_rate, {}
    names = {"name": product.other_cost_name, "name_zh": product.other_cost_name_zh}
    return product.other_cost_payee, Decimal(0), names


def _rounded(fraction: Decimal) -> Decimal:
    return fraction.quantize(Decimal("1e-6"))


def canonical(sheet: dict[str, Any]) -> bytes:
    """The one way to write the content down: keys sorted, no blanks, UTF-8."""
    text = json.dumps(sheet, cls=DjangoJSONEncoder, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def fingerprint(sheet: dict[str, Any]) -> str:
    """The sha256 of the sheet's canonical JSON."""
    return hashlib.sha256(canonical(sheet)).hexdigest()


FIELDS = (
    "lender",
    "principal",
    "plans",
    "annual_cost",
    "basis",
    "penalty_rate",
    "penalty_payee",
    "other_charges",
)


def check(sheet: dict[str, Any]) -> None:
    """Raises Refused unless every part is there and the costs are those of the schedule, to the cent."""
    complete = all(sheet.get(name) not in (None, "") for name in FIELDS) and sheet["plans"]
    if not complete or not all(_adds_up(plan, Decimal(sheet["principal"])) for plan in sheet["plans"]):
        raise Refused("sheet_incomplete", _("The cost sheet is not complete: nothing can be signed on it."))


def _adds_up(plan: dict[str, Any], principal: Decimal) -> bool:
    def of_rows(part: str) -> Decimal:
        return sum((Decimal(row[part]) for row in plan["rows"]), ZERO)

    items = {item["code"]: Decimal(item["amount"]) for item in plan["items"]}
    named = all(item["payee"] and item["annualised"] for item in plan["items"])
    return (
        named
        and of_rows("principal") == principal
        and of_rows("interest") == items.get("INTEREST", ZERO)
        and of_rows("fee") == items.get("INSTALMENT_FEE", ZERO)
        and of_rows("total") == Decimal(plan["total"])
        and sum(items.values(), ZERO) == Decimal(plan["cost"])
    )
