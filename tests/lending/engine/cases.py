"""Terms and events that many tests start from."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from lending.engine import Allocation, Event, Terms

D = Decimal

USUAL_ORDER = tuple(
    f"{when}_{part}"
    for when in ("PAST_DUE", "DUE", "IN_ADVANCE")
    for part in ("PENALTY", "FEE", "PRINCIPAL", "INTEREST")
)


def terms(**changes: Any) -> Terms:
    """1,200.00 at 12 % in three monthly equal instalments from 31 January 2024, changed as asked."""
    base = Terms(
        principal=D("1200"),
        annual_rate=D("0.12"),
        method="EQUAL_INSTALMENT",
        instalments=3,
        disbursed_on=date(2024, 1, 31),
    )
    return replace(base, **changes)


def rules(processing: str = "HORIZONTAL", future: str = "NEXT", **by_type: str) -> Allocation:
    """The usual order for everything; ``future`` by default, another one by transaction type."""
    futures = {"DEFAULT": future, **by_type}
    return Allocation.from_json(
        {
            "processing": processing,
            "rules": {name: {"order": list(USUAL_ORDER), "future": to} for name, to in futures.items()},
        }
    )


def out(terms: Terms, ref: str = "out") -> Event:
    """The whole principal goes out on the agreed day."""
    return Event(ref, "DISBURSEMENT", terms.disbursed_on, terms.principal)


def pays(ref: str, on: date, amount: str, type: str = "REPAYMENT") -> Event:
    return Event(ref, type, on, D(amount))


def charge(ref: str, on: date, amount: str, kind: str = "FEE") -> Event:
    return Event(ref, "CHARGE", on, D(amount), kind=kind)


def cents(*amounts: Decimal) -> str:
    """Amounts as people write them, for tables in tests."""
    return " ".join(f"{amount:.2f}" for amount in amounts)
