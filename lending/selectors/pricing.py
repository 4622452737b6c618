"""What a product would cost: one quote for each number of instalments, held against the legal cap."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lending import engine
from lending.engine import calendar
from lending.fields import ZERO
from lending.models import Product
from lending.models.product import LAST_STATEMENT_DAY
from lending.selectors.cost import Cap, cap


@dataclass(frozen=True, slots=True)
class Quote:
    """A loan as it would be made: its schedule, what others charge beside it, and its full cost."""

    terms: engine.Terms
    rows: tuple[engine.Row, ...]
    charges: tuple[engine.Charge, ...]
    annual_cost: engine.AnnualCost

    @property
    def tenor(self) -> int:
        return self.terms.instalments

    @property
    def interest(self) -> Decimal:
        return sum((row.interest for row in self.rows), ZERO)

    @property
    def fees(self) -> Decimal:
        """The lender's fees with the instalments."""
        return sum((row.fee for row in self.rows), ZERO)

    @property
    def charged(self) -> Decimal:
        """What others collect in all."""
        return sum((charge.amount * charge.times(self.terms) for charge in self.charges), ZERO)

    @property
    def total(self) -> Decimal:
        """What the borrower pays back to the lender."""
        return sum((row.total for row in self.rows), ZERO)

    @property
    def cost(self) -> Decimal:
        """Everything that is not principal."""
        return self.interest + self.fees + self.terms.upfront_fee + self.charged


@dataclass(frozen=True, slots=True)
class Excess:
    """A number of instalments at which a product would cost more than the law allows."""

    tenor: int
    amount: Decimal
    annual_cost: Decimal
    above: Decimal


def quote(
    product: Product,
    amount: Decimal,
    tenor: int,
    on: date,
    first_due_on: date | None = None,
    *,
    annual_rate: Decimal | None = None,
    fee_rate: Decimal | None = None,
) -> Quote:
    """What `amount` costs in `tenor` instalments from that day on. Raises engine.TermsError."""
    terms = product.terms(amount, tenor, on, first_due_on, annual_rate=annual_rate, fee_rate=fee_rate)
    rows = engine.schedule(terms)
    charges = product.charges(amount)
    return Quote(terms, rows, charges, engine.annual_cost(terms, rows, charges))


def dearest(product: Product, tenor: int, on: date, amount: Decimal | None = None) -> Quote:
    """The quote at the highest price an offer may have; of `amount`, or of the smallest or largest one, whichever
    costs more in a year."""
    amounts = [product.min_amount, product.max_amount] if amount is None else [amount]
    rate, fee = product.rate_range[1], product.fee_range[1]
    quotes = [quote(product, one, tenor, on, annual_rate=rate, fee_rate=fee) for one in amounts]
    return max(quotes, key=lambda one: one.annual_cost.effective)


def excesses(product: Product, on: date, limit: Cap | None = None) -> Iterator[Excess]:
    """Every number of instalments at which the product could cost more than the cap of that day."""
    limit = limit or cap(product.lender_type, on)
    for tenor in sorted(product.tenors):
        found = dearest(product, tenor, on)
        measured = limit.measure(found.annual_cost)
        if above := limit.excess(measured):
            yield Excess(tenor, found.terms.principal, measured, above)


def statement_day(product: Product, on: date) -> int:
    """The statement day of a line opened on that day."""
    return product.statement_day or min(on.day, LAST_STATEMENT_DAY)


def first_due_on(product: Product, on: date, day: int) -> date:
    """When the first instalment of something bought on that day is due, on a line with that statement day."""
    return calendar.first_due_on(on, day, product.days_to_pay)
