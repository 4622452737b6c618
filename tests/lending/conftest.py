"""What tests of lending need: open books, products, and customers who can buy."""

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lending import reference
from lending.models import BusinessDate, CreditLine, Customer, Loan, Product, User
from lending.services import close, customers, lines, purchases

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = date(2026, 3, 2)


def moment(on: date, hour: int = 12) -> datetime:
    return datetime.combine(on, time(hour), SHANGHAI)


@pytest.fixture
def books(db: None) -> date:
    """Books that are open on a Monday, with the first shelf of products."""
    close.open_books(on=MONDAY)
    reference.starter_products()
    return MONDAY


@pytest.fixture
def at(books: date) -> datetime:
    return moment(books)


@pytest.fixture
def product(books: date) -> Callable[[str], Product]:
    return lambda code: Product.objects.get(code=code)


@pytest.fixture
def make_customer(at: datetime) -> Callable[..., Customer]:
    def make(name: str = "李雷", kind: str = "PERSON", **values: object) -> Customer:
        return customers.register(kind=kind, name=name, registered_on=MONDAY, by=None, at=at, **values)

    return make


@pytest.fixture
def make_line(make_customer: Callable[..., Customer], at: datetime) -> Callable[..., CreditLine]:
    def make(limit: str = "10000", code: str = "pay-later", customer: Customer | None = None) -> CreditLine:
        product = Product.objects.get(code=code)
        customer = customer or make_customer(kind=product.audience)
        return lines.open_line(
            customer_id=customer.pk,
            product_id=product.pk,
            limit=Decimal(limit),
            by=None,
            at=at,
            on=MONDAY,
        )

    return make


@pytest.fixture
def make_loan(make_line: Callable[..., CreditLine], at: datetime) -> Callable[..., Loan]:
    """A captured purchase on a line of its own, bought on Monday."""

    def make(amount: str = "1200", tenor: int = 3, line: CreditLine | None = None, ref: str = "o-1") -> Loan:
        line = line or make_line()
        purchase = purchases.authorise(
            line_id=line.pk,
            order_ref=ref,
            amount=Decimal(amount),
            tenor=tenor,
            by=None,
            at=at,
            on=MONDAY,
        )
        purchase = purchases.capture(purchase_id=purchase.pk, by=None, at=at, on=MONDAY)
        assert purchase.loan is not None
        return purchase.loan

    return make


@pytest.fixture
def staff(db: None) -> Callable[[str], User]:
    return lambda name: User.objects.create_superuser(username=name, password="staff-password")


@pytest.fixture
def run_to(books: date) -> Callable[[date], datetime]:
    """Close days until the books stand on that date; returns noon of it."""

    def run(day: date) -> datetime:
        while BusinessDate.current() < day:
            close.close_day(at=moment(BusinessDate.current(), 23))
        return moment(day)

    return run


@pytest.fixture
def lend(books: date, at: datetime) -> Callable[..., Loan]:
    """A loan written straight into the book, without instalments or entries: for what reads loans and no more."""

    def make(
        customer: Customer, amount: str = "10000", code: str = "", tenor: int = 0, **values: object
    ) -> Loan:
        code = code or ("cash-loan" if customer.kind == "PERSON" else "working-capital")
        product = Product.objects.get(code=code)
        terms = product.terms(Decimal(amount), tenor or product.tenors[0], MONDAY)
        return Loan.objects.create(
            customer=customer,
            product=product,
            terms=terms.to_json(),
            state="ACTIVE",
            principal_amount=Decimal(amount),
            principal=Decimal(amount),
            **{"disbursed_on": MONDAY, "matures_on": date(2028, 3, 2)} | values,
        )

    return make


@pytest.fixture
def only_books(settings: Any) -> None:
    """A close of nothing but the books: for tests that live through many days."""
    mine = ("lending.services.interest", "lending.services.accrual", "lending.services.books")
    settings.CLOSE_STEPS = [step for step in settings.CLOSE_STEPS if step.startswith(mine)]
