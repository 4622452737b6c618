"""How fast collections follow a portfolio: `python benchmarks/arrears.py [--customers 2000]`.

Makes a database of its own beside the configured one and drops it. Progress goes to standard error, one JSON line
with the figures to standard output. Of the customers, 8 in 100 are late by 1 to 120 days; the others have a bill in
the next 30 days. Times are those of the wall, of one run, on whatever else the machine does.
"""

import argparse
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from house import metric, own_database, report, say

from dunning.models import Case, Contact
from dunning.services import cases, promises, strategy
from lending import reference
from lending.models import Consent, Customer, Instalment, Loan, Product

TODAY = date(2026, 6, 15)
SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = timedelta(days=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=2000)
    size = parser.parse_args().customers
    with own_database("arrears"):
        populate(size)
        report("arrears", measure(size), {})


def populate(size: int) -> None:
    reference.starter_products()
    product = Product.objects.filter(code="pay-later").get()
    people = [person(number) for number in range(size)]
    Customer.objects.bulk_create(people, batch_size=1000)
    Consent.objects.bulk_create(
        Consent(customer=p, purpose="ELECTRONIC", given_at=moment(TODAY), text_version="1") for p in people
    )
    owed = [loan(p, product, first_due(number)) for number, p in enumerate(people)]
    Loan.objects.bulk_create(owed, batch_size=1000)
    Instalment.objects.bulk_create((row for one in owed for row in instalments(one)), batch_size=2000)
    say(f"{size} customers")


def person(number: int) -> Customer:
    one = Customer(
        kind="PERSON",
        name=f"C{number}",
        platform_ref=f"c{number}",
        email=f"c{number}@example.com",
        registered_on=TODAY,
    )
    one.set_phone(f"138{number:08d}")
    return one


def first_due(number: int) -> date:
    """8 in 100 are late, all others have their next bill within 30 days."""
    late = number % 100 < 8
    return TODAY - timedelta(days=1 + number % 120) if late else TODAY + timedelta(days=1 + number % 30)


def loan(customer: Customer, product: Product, due: date) -> Loan:
    return Loan(
        customer=customer,
        product=product,
        state="ACTIVE",
        terms={},
        principal_amount=Decimal(1200),
        principal=Decimal(1200),
        disbursed_on=due - timedelta(days=30),
        matures_on=due + timedelta(days=330),
        oldest_due_on=due,
    )


def instalments(one: Loan) -> list[Instalment]:
    return [
        Instalment(
            loan=one,
            number=number + 1,
            accrues_from=one.oldest_due_on + timedelta(days=30 * (number - 1)),
            due_on=one.oldest_due_on + timedelta(days=30 * number),
            principal=Decimal(100),
            fee=Decimal("6.00"),
        )
        for number in range(12)
    ]


# What a day like any other may take, for 2,000 customers.
GOALS = {"a day: follow the arrears": 100.0}


def measure(size: int) -> list[dict[str, Any]]:
    """Three days and the last one once more: the first opens every case at once, the last has nothing new."""
    days = {
        "the first day": TODAY,
        "the second day": TODAY + DAY,
        "a day": TODAY + 2 * DAY,
        "the same day again": TODAY + 2 * DAY,
    }
    metrics = [one for name, day in days.items() for one in one_day(name, day, size)]
    say(f"{Case.objects.count()} cases, {Contact.objects.count()} contacts")
    return metrics


def one_day(name: str, day: date, size: int) -> list[dict[str, Any]]:
    when = {"on": day, "at": moment(day)}
    parts: dict[str, Callable[[], int]] = {
        "follow the arrears": lambda: cases.refresh(**when),
        "judge promises": lambda: promises.judge(**when),
        "plan contacts": lambda: strategy.work_cases(**when),
        "plan reminders": lambda: strategy.remind(**when),
    }
    return [timed(f"{name}: {part}", action, size) for part, action in parts.items()]


def timed(name: str, action: Callable[[], int], size: int) -> dict[str, Any]:
    start = time.perf_counter()
    rows = action()
    spent = (time.perf_counter() - start) * 1000
    say(f"{name}: {rows} rows in {spent:,.1f} ms")
    goal = GOALS.get(name) if size == 2000 else None
    return metric(name, round(spent, 1), "ms", goal, "lower")


def moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 10, tzinfo=SHANGHAI)


if __name__ == "__main__":
    main()
