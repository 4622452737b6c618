"""How long a payment dated back to the start of a loan of 500 transactions takes: fold, difference, entry, commit.

Run it on a database of its own: `python benchmarks/rebook.py`. It makes a test database and drops it.
"""

import json
import os
import statistics
import sys
import time
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

sys.path[:0] = [os.getcwd(), os.path.join(os.getcwd(), "collections")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

TRANSACTIONS, ROUNDS = 500, 9
START = date(2020, 1, 2)


def measure() -> list[tuple[float, float]]:
    """Of each payment dated back to the start: seconds by the clock, and of this process's own work."""
    from lending import engine, reference
    from lending.models import Product
    from lending.services import booking, close, customers, loans, posting

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
    for number in range(ROUNDS):
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
    import django

    django.setup()
    from django.conf import settings
    from django.test.utils import get_runner, setup_test_environment

    setup_test_environment()
    runner = get_runner(settings)(verbosity=0, interactive=False)
    old = runner.setup_databases()
    try:
        taken = measure()
    finally:
        runner.teardown_databases(old)
    clock, work = (round(statistics.median(one), 4) for one in zip(*taken, strict=True))
    metrics = [
        {"name": "a payment dated back before 500 others", "value": clock, "goal": 0.2},
        {"name": "of it Python's own work", "value": work, "goal": None},
    ]
    common = {"unit": "seconds", "better": "lower"}
    print(json.dumps({"benchmark": "rebook", "metrics": [metric | common for metric in metrics]}))


if __name__ == "__main__":
    main()
