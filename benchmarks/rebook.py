"""How long a payment dated back to the start of a loan of 500 transactions takes: fold, difference, entry, commit.

`python benchmarks/rebook.py [--quick]`, on a database that it makes and drops.
"""

import argparse
import statistics
import time
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from house import metric, own_database, report

from lending import engine, reference
from lending.models import Product
from lending.services import booking, close, customers, loans, posting

TRANSACTIONS = 500
START = date(2020, 1, 2)


def measure(rounds: int) -> list[tuple[float, float]]:
    """Of each payment dated back to the start: seconds by the clock, and of this process's own work."""
    at = datetime(2020, 1, 2, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
    reference.install()
    close.open_books(on=START)
    reference.starter_products()
    product = Product.objects.filter(kind="LOAN").first()
    customer = customers.register(kind="PERSON", name="A", registered_on=START, by=None, at=at)
    terms = engine.Terms(
        principal=Decimal("500000"),
        annual_rate=Decimal("0.06"),
        method=engine.Method.EQUAL_INSTALMENT,
        instalments=360,
        disbursed_on=START,
        penalty_rate=Decimal("0.18"),
    )
    draft = booking.draft(
        customer_id=customer.pk,
        product=product,
        terms=terms,
        rows=engine.schedule(terms),
        annual_cost=Decimal("0.06"),
    )
    loan = booking.book([draft], keys=["out"], kind=posting.TO_CUSTOMER, by=None, at=at, on=START)[0]
    days = [START + timedelta(days=10 * number) for number in range(1, TRANSACTIONS)]
    posting.post_many(
        [posting.Posting(loan.pk, posting.Type.REPAYMENT, Decimal("900"), f"p{day}", day) for day in days],
        by=None,
        at=at,
        on=days[-1],
    )
    taken = []
    for number in range(rounds):
        began, worked = time.perf_counter(), time.process_time()
        loans.repay(
            loan_id=loan.pk,
            amount=Decimal("123.45"),
            key=f"back-{number}",
            by=None,
            at=at,
            on=days[-1],
            value_on=START + timedelta(days=1),
        )
        taken.append((time.perf_counter() - began, time.process_time() - worked))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer payments, for a look")
    rounds = 3 if parser.parse_args().quick else 9
    with own_database("rebook"):
        taken = measure(rounds)
    clock, work = (statistics.median(one) for one in zip(*taken, strict=True))
    metrics = [
        metric("a payment dated back before 500 others", clock, "seconds", 0.2, "lower"),
        metric("of it Python's own work", work, "seconds", None, "lower"),
    ]
    report("rebook", metrics, {})


if __name__ == "__main__":
    main()
