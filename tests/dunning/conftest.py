"""What tests of collections need: open books, customers who agreed to messages, and loans that can go overdue."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from dunning.services import cases, promises, strategy
from lending import reference
from lending.models import BusinessDate, Consent, Customer, Loan, Product, User
from lending.services import close, customers, lines, loans, purchases

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = date(2026, 3, 2)
numbers = count(1)


def moment(on: date, hour: int = 10, minute: int = 0, second: int = 0) -> datetime:
    return datetime.combine(on, time(hour, minute, second), SHANGHAI)


@pytest.fixture(autouse=True)
def outbox(settings, tmp_path):
    settings.OUTBOX_DIR = tmp_path / "outbox"
    return settings.OUTBOX_DIR


@pytest.fixture(autouse=True)
def short_close(settings):
    """What collections lean on and what they do themselves; the whole close is walked by its own tests."""
    steps = [
        step for step in settings.CLOSE_STEPS if step.startswith(("lending.services.accrual", "dunning."))
    ]
    settings.CLOSE_STEPS = steps


@pytest.fixture
def books(db: None) -> date:
    close.open_books(on=MONDAY)
    reference.starter_products()
    return MONDAY


@pytest.fixture
def make_customer(books: date) -> Callable[..., Customer]:
    def make(*, consent: bool = True, phone: str = "", **facts: object) -> Customer:
        number = next(numbers)
        facts = {"name": f"客户{number}", "email": f"c{number}@example.com"} | facts
        customer = customers.register(
            kind="PERSON",
            registered_on=MONDAY,
            phone=phone or f"1380000{number:04d}",
            by=None,
            at=moment(MONDAY),
            **facts,
        )
        if consent:
            customers.give_consent(
                customer_id=customer.pk,
                purpose=Consent.Purpose.ELECTRONIC_NOTICES,
                text_version="1",
                by=None,
                at=moment(MONDAY),
            )
        return customer

    return make


@pytest.fixture
def make_loan(make_customer: Callable[..., Customer]) -> Callable[..., Loan]:
    """A purchase on a line of its own, bought on Monday; the statement day is that of the line."""

    def make(customer: Customer | None = None, amount: str = "1200", tenor: int = 3) -> Loan:
        customer = customer or make_customer()
        line = customer.lines.first() or lines.open_line(
            customer_id=customer.pk,
            product_id=Product.objects.get(code="pay-later").pk,
            limit=Decimal("20000"),
            by=None,
            at=moment(MONDAY),
            on=MONDAY,
        )
        purchase = purchases.authorise(
            line_id=line.pk,
            order_ref=f"o-{next(numbers)}",
            amount=Decimal(amount),
            tenor=tenor,
            by=None,
            at=moment(MONDAY),
            on=MONDAY,
        )
        return purchases.capture(purchase_id=purchase.pk, by=None, at=moment(MONDAY), on=MONDAY).loan

    return make


@pytest.fixture
def first_due(make_loan: Callable[..., Loan]) -> Callable[[Loan], date]:
    return lambda loan: loan.instalments.order_by("number").first().due_on


@pytest.fixture
def run_to(books: date) -> Callable[[date], None]:
    """Close days until the books stand on that date."""

    def run(day: date) -> None:
        while BusinessDate.current() < day:
            close.close_day(at=moment(BusinessDate.current(), 23, 30))

    return run


@pytest.fixture
def overdue(make_loan: Callable[..., Loan], run_to: Callable[[date], None]) -> Callable[..., Loan]:
    """A loan whose first instalment is `days` late on the open business date, with its case worked up to then."""

    def make(days: int, **facts: object) -> Loan:
        loan = make_loan(**facts)
        run_to(loan.instalments.order_by("number").first().due_on + timedelta(days=days))
        return loan

    return make


@pytest.fixture
def work() -> Callable[..., None]:
    """What the clock does during the day."""

    def run(on: date | None = None, hour: int = 10) -> None:
        day = on or BusinessDate.current()
        cases.refresh(on=day, at=moment(day, hour))
        promises.judge(on=day, at=moment(day, hour))
        strategy.work_cases(on=day, at=moment(day, hour))
        strategy.remind(on=day, at=moment(day, hour))

    return run


@pytest.fixture
def pay() -> Callable[..., None]:
    def run(customer: Customer, amount: str, on: date | None = None) -> None:
        day = on or BusinessDate.current()
        loans.pay(
            customer_id=customer.pk,
            amount=Decimal(amount),
            key=f"pay-{next(numbers)}",
            by=None,
            at=moment(day),
            on=day,
        )

    return run


@pytest.fixture
def collector(db: None) -> User:
    return User.objects.create_user(username=f"collector{next(numbers)}", is_staff=True)
