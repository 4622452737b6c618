"""What an allocation rule does, tried out on a loan of the product: no row is read or written."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from lending import engine
from lending.models import Product

# The loan of the example went out so long before the payment: some instalments are past due, some lie ahead.
DAYS_BEFORE = 75
COMPONENTS = ("penalty", "fee", "interest", "principal")


@dataclass(frozen=True, slots=True)
class Line:
    """What one instalment of the example got."""

    number: int
    due_on: date
    when: str
    got: dict[str, Decimal]
    left: Decimal

    @property
    def total(self) -> Decimal:
        return sum(self.got.values(), Decimal(0))


@dataclass(frozen=True, slots=True)
class Example:
    """A payment on a loan of the product, and where it went."""

    amount: Decimal
    on: date
    lent: Decimal
    lent_on: date
    lines: list[Line]
    credit: Decimal


def example(
    product: Product, allocation: str | engine.Allocation, kind: str, amount: Decimal, on: date
) -> Example:
    """The product's usual loan, paid out some time before `on`, with one payment of that type. Raises TermsError."""
    lent_on = on - timedelta(days=DAYS_BEFORE)
    plain = product.terms(max(product.min_amount, Decimal(1200)), max(product.tenors), lent_on)
    terms = engine.Terms.from_json(plain.to_json() | {"allocation": _json(allocation)})
    # A fee of the running period, so that every component is there to be paid.
    events = [
        engine.Event("out", "DISBURSEMENT", lent_on, terms.principal),
        engine.Event("fee", "CHARGE", on - timedelta(days=20), Decimal("5.00"), "FEE"),
        engine.Event("payment", kind, on, amount),
    ]
    state = engine.replay(terms, events, on)
    lines = [
        Line(
            row.number,
            row.due_on,
            "PAST_DUE" if row.due_on < on else "DUE" if row.due_on == on else "IN_ADVANCE",
            {name: getattr(row, f"{name}_paid") for name in COMPONENTS},
            row.outstanding,
        )
        for row in state.rows
    ]
    credit = state.splits["payment"].overpaid
    return Example(amount, on, terms.principal, lent_on, lines, credit)


def _json(allocation: str | engine.Allocation) -> object:
    return allocation if isinstance(allocation, str) else allocation.to_json()
