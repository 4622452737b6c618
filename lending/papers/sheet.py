"""The cost sheet in words of the active language: the same for the page and for the PDF."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import get_language, gettext, ngettext

from lending import words
from lending.fields import ZERO
from lending.models import Product

Facts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Item:
    """One cost: what it is, who collects it, on what base, how much in all, and what it alone costs in a year."""

    name: str
    payee: str
    basis: str
    amount: str
    annualised: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one number of instalments costs."""

    title: str
    tenor: int
    items: list[Item]
    cost: str
    annual_cost: str
    totals: Facts
    rows: list[tuple[str, ...]]
    foot: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The whole sheet, ready to be set."""

    title: str
    principal: tuple[str, str]
    annual_cost: tuple[str, str]
    head: Facts
    plans: list[Plan]
    late: Facts
    notes: list[str]
    promise: str


def read(content: dict[str, Any]) -> Sheet:
    """Put the content of a sheet into words."""
    line = content["kind"] == Product.Kind.LINE
    annual = gettext("Yearly cost, all in, in the example") if line else gettext("Yearly cost, all in")
    return Sheet(
        title=gettext("Sheet of all financing costs"),
        principal=(
            gettext("Credit limit") if line else gettext("Principal"),
            words.money(content["principal"], content["currency"]),
        ),
        annual_cost=(annual, words.percent(content["annual_cost"])),
        head=_head(content),
        plans=[_plan(content, plan) for plan in content["plans"]],
        late=_late(content),
        notes=_notes(content),
        promise=gettext("There are no other charges than those on this sheet."),
    )


def columns() -> tuple[str, ...]:
    """The head of a schedule's table."""
    return (
        gettext("Due on"),
        gettext("Principal"),
        gettext("Interest"),
        gettext("Fee"),
        gettext("To pay"),
    )


def item_columns() -> tuple[str, ...]:
    """The head of the table of costs."""
    return (
        gettext("Cost"),
        gettext("Who collects it"),
        gettext("How it is counted"),
        gettext("Amount"),
        gettext("Per year, alone"),
    )


def _day(value: str) -> str:
    return date_format(date.fromisoformat(value), "DATE_FORMAT")


def _name(content: dict[str, Any], name: str) -> str:
    """The name in the reader's language."""
    return content[f"{name}_zh"] if (get_language() or "").startswith("zh") else content[name]


def _head(content: dict[str, Any]) -> Facts:
    facts = [
        (gettext("Lender"), content["lender"]),
        (gettext("Kind of lender"), str(Product.LenderType(content["lender_type"]).label)),
        (gettext("Product"), f"{_name(content, 'product_name')} · v{content['product_version']}"),
        (gettext("How it is paid back"), str(Product.Method(content["method"]).label)),
        (gettext("Day of the figures"), _day(content["on"])),
        (gettext("Legal cap of the yearly cost on that day"), words.percent(content["cap"])),
    ]
    if content.get("borrower"):
        facts[2:2] = [
            (gettext("Borrower"), content["borrower"]),
            (gettext("Application"), content["application"]),
        ]
    return facts


def _plan(content: dict[str, Any], plan: dict[str, Any]) -> Plan:
    rows = plan["rows"]

    def summed(part: str) -> str:
        return words.figure(sum((Decimal(row[part]) for row in rows), ZERO))

    parts = ("principal", "interest", "fee", "total")
    return Plan(
        title=ngettext("%(n)s instalment", "%(n)s instalments", plan["tenor"]) % {"n": plan["tenor"]},
        tenor=plan["tenor"],
        items=[_item(content, item) for item in plan["items"]],
        cost=words.money(plan["cost"], content["currency"]),
        annual_cost=words.percent(plan["annual_cost"]),
        totals=_totals(content, plan),
        rows=[(_day(row["due_on"]), *(words.figure(row[part]) for part in parts)) for row in rows],
        foot=(gettext("Total"), *map(summed, parts)),
    )


def _totals(content: dict[str, Any], plan: dict[str, Any]) -> Facts:
    def money(amount: str) -> str:
        return words.money(amount, content["currency"])

    return [
        (gettext("You receive"), money(plan["received"])),
        (gettext("Interest"), money(plan["interest"])),
        (gettext("Fees"), money(str(Decimal(plan["fee"]) + Decimal(plan["upfront_fee"])))),
        *([(gettext("Charged by others"), money(plan["charged"]))] if Decimal(plan["charged"]) else []),
        (gettext("Total to pay"), money(plan["total"])),
        (gettext("Yearly cost, all in"), words.percent(plan["annual_cost"])),
    ]


def _item(content: dict[str, Any], item: dict[str, Any]) -> Item:
    names = {
        "INTEREST": gettext("Interest"),
        "INSTALMENT_FEE": gettext("Fee per instalment"),
        "UPFRONT_FEE": gettext("Fee when paid out"),
        "INSURANCE": gettext("Insurance premium"),
        "GUARANTEE": gettext("Guarantee fee"),
    }
    return Item(
        name=names.get(item["code"]) or _name(item, "name"),
        payee=item["payee"],
        basis=_basis(content, item),
        amount=words.money(item["amount"], content["currency"]),
        annualised=words.percent(item["annualised"]),
    )


def _basis(content: dict[str, Any], item: dict[str, Any]) -> str:
    rate = words.percent(item["rate"])
    if item["basis"] == "AMOUNT_ONCE" or not Decimal(item["rate"]):
        return gettext("A fixed amount, once")
    if item["basis"] == "BALANCE_YEAR":
        if content["method"] == Product.Method.FLAT:
            return gettext("%(rate)s a year (simple) of the original principal") % {"rate": rate}
        return gettext("%(rate)s a year (simple) of the principal still owed") % {"rate": rate}
    if item["basis"] == "PRINCIPAL_EACH":
        return gettext("%(rate)s of the principal with each instalment") % {"rate": rate}
    return gettext("%(rate)s of the principal, once") % {"rate": rate}


def _late(content: dict[str, Any]) -> Facts:
    rate = gettext("%(rate)s a year of the overdue principal, by the day over %(days)s days") % {
        "rate": words.percent(content["penalty_rate"]),
        "days": content["penalty_year_days"],
    }
    facts = [(gettext("Penalty"), rate), (gettext("Who collects it"), content["penalty_payee"])]
    if content["penalty_grace_days"]:
        facts.append((gettext("Days without a penalty"), str(content["penalty_grace_days"])))
    if content["penalty_most"]:
        facts.append(
            (gettext("At the most, in all"), words.money(content["penalty_most"], content["currency"]))
        )
    court = gettext("what the court awards; collected by the court")
    return [*facts, (gettext("Costs of a court case, if it comes to one"), court)]


def _notes(content: dict[str, Any]) -> list[str]:
    basis = {
        "COMPOUNDED": gettext(
            "The yearly cost is the internal rate of return over all payments, every cost counted, compounded (PBOC "
            "announcement [2021] No. 3). It holds when you pay on time."
        ),
        "NOMINAL": gettext(
            "The yearly cost is the internal rate of return of one period times the periods of a year, every cost "
            "counted: a simple rate (PBOC announcement [2021] No. 3). It holds when you pay on time."
        ),
    }
    notes = [basis[content["basis"]]]
    if content["kind"] == Product.Kind.LINE:
        notes.append(
            gettext(
                "For a line the figures are an example: the whole limit bought today. Before each purchase you see "
                "its own cost: it is a little higher when the first due day is near."
            )
        )
    notes.append(
        gettext("You can pay everything off early: interest counts for the days used, later fees fall away.")
        if content["settlement_fee"] == Product.SettlementFee.WAIVE
        else gettext(
            "You can pay everything off early: interest counts for the days used, later fees stay due."
        )
    )
    if Decimal(content["required_coverage"]):
        notes.append(
            gettext("Security worth %(share)s of the amount must be pledged before it is paid out.")
            % {"share": words.percent(content["required_coverage"])}
        )
    return notes
