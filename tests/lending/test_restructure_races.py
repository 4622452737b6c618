"""Restructuring under fire: two connections at once, a process killed before it commits, and random courses."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lending import reference
from lending.errors import Refused
from lending.models import JournalEntry, Loan, Product, Transaction
from lending.services import accrual, adjust, close, customers, lines, loans, purchases, restructure

from .conftest import MONDAY, moment
from .race_support import at_once
from .test_money import books_agree

D = Decimal
AT = moment(MONDAY)


def a_loan(amount: str = "1200", tenor: int = 6) -> Loan:
    customer = customers.register(kind="PERSON", name="韩梅梅", registered_on=MONDAY, by=None, at=AT)
    product = Product.objects.get(code="pay-later")
    line = lines.open_line(
        customer_id=customer.pk, product_id=product.pk, limit=D("20000"), by=None, at=AT, on=MONDAY
    )
    purchase = purchases.authorise(
        line_id=line.pk,
        order_ref=f"o-{line.pk}",
        amount=D(amount),
        tenor=tenor,
        by=None,
        at=AT,
        on=MONDAY,
    )
    loan = purchases.capture(purchase_id=purchase.pk, by=None, at=AT, on=MONDAY).loan
    assert loan
    return loan


@pytest.fixture
def committed(transactional_db: None) -> Loan:
    reference.install()
    close.open_books(on=MONDAY)
    reference.starter_products()
    return a_loan()


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    return at_once


def prepays(loan: Loan, key: str = "prepay") -> Transaction:
    return adjust.prepay(loan_id=loan.pk, amount=D("300"), kind="LOWER", key=key, by=None, at=AT, on=MONDAY)


def rescheduled(loan: Loan, key: str = "new", instalments: int = 9) -> Transaction:
    return restructure.restructure(
        loan_id=loan.pk,
        kind="RESCHEDULE",
        details={"instalments": instalments},
        key=key,
        note="x",
        by=None,
        at=AT,
        on=MONDAY,
    )


def test_a_prepayment_and_a_reschedule_at_once_happen_one_after_the_other(
    committed: Loan, together: Callable[..., list]
) -> None:
    results = together(lambda: prepays(committed), lambda: rescheduled(committed))
    assert not [result for result in results if isinstance(result, Refused)]
    committed.refresh_from_db()
    assert (committed.principal, committed.transactions.count()) == (D("900.00"), 3)
    books_agree(MONDAY)


def test_the_same_key_at_once_posts_once(committed: Loan, together: Callable[..., list]) -> None:
    first, second = together(lambda: prepays(committed), lambda: prepays(committed))
    assert first.pk == second.pk
    first, second = together(lambda: rescheduled(committed), lambda: rescheduled(committed))
    assert first.pk == second.pk
    books_agree(MONDAY)


def test_one_too_many_at_once_is_one_too_many(committed: Loan, together: Callable[..., list]) -> None:
    results = together(*[lambda n=n: rescheduled(committed, f"k{n}", 7 + n) for n in range(3)])
    assert [result.code for result in results if isinstance(result, Refused)] == ["too_often"]
    assert committed.transactions.filter(type="RESCHEDULE").count() == 2


def test_a_chargeback_twice_at_once_takes_back_once(committed: Loan, together: Callable[..., list]) -> None:
    paid = loans.repay(loan_id=committed.pk, amount=D("200"), key="r", by=None, at=AT, on=MONDAY)
    back = lambda key: adjust.charge_back(  # noqa: E731
        transaction_id=paid.pk, key=key, note="x", by=None, at=AT, on=MONDAY
    )
    results = together(lambda: back("a"), lambda: back("b"))
    assert sorted(isinstance(result, Refused) for result in results) == [False, True]
    books_agree(MONDAY)


KILLED = """
import os, signal, sys
import config.settings  # noqa: F401
import django
django.setup()
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
from django.db import connection, transaction
connection.settings_dict["NAME"] = sys.argv[1]
from tests.lending.test_restructure_races import prepays
from lending.models import Loan
with transaction.atomic():
    prepays(Loan.objects.get(pk=int(sys.argv[2])))
    print("written", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_between_write_and_commit_leaves_nothing_and_a_retry_posts_once(committed: Loan) -> None:
    name = connection.settings_dict["NAME"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, name, str(committed.pk)],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip()) == (-signal.SIGKILL, "written"), done.stderr[-2000:]
    committed.refresh_from_db()
    assert (committed.principal, committed.transactions.count()) == (D("1200.00"), 1)
    assert not JournalEntry.objects.filter(key="transaction:prepay").exists()
    first = prepays(committed)
    assert prepays(committed).pk == first.pk
    assert committed.transactions.filter(type="PREPAYMENT").count() == 1
    books_agree(MONDAY)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("repay", "repay", "prepay", "chargeback", "goodwill", "RESCHEDULE", "HOLIDAY", "REAGE"),
                *("REAMORTISE", "HARDSHIP", "accelerate", "reverse"),
            ]
        ),
        st.integers(0, 40),
        st.integers(1, 60_000),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=ACTS)
def test_books_and_loan_agree_after_every_step(books: date, acts: list[tuple[str, int, int]]) -> None:
    """Whatever is done on the way and refused on the way."""
    with transaction.atomic():
        _course(acts)
        transaction.set_rollback(True)  # the next course begins on Monday again


def _course(acts: list[tuple[str, int, int]]) -> None:
    Product.objects.filter(code="pay-later").update(max_restructurings=50)
    loan, on = a_loan(), MONDAY
    start = loan.transactions.count()
    for number, (act, days, cents) in enumerate(acts):
        on = _pass(on, days)
        try:
            _do(loan, act, D(cents).scaleb(-2), f"{loan.pk}-{number}", on)
        except Refused:
            pass
        else:
            start += 1
        assert loan.transactions.count() == start
        books_agree(on)


def _pass(on: date, days: int) -> date:
    for _ in range(days):
        accrual.open_day(on=on, at=moment(on, 23))
        on += timedelta(days=1)
    return on


def _do(loan: Loan, act: str, amount: Decimal, key: str, on: date) -> None:
    one: dict[str, Any] = {"key": key, "by": None, "at": moment(on), "on": on}
    newest = loan.transactions.exclude(type="DISBURSEMENT").order_by("-pk").first()
    if act == "repay":
        loans.repay(loan_id=loan.pk, amount=amount, **one)
    elif act == "prepay":
        adjust.prepay(loan_id=loan.pk, amount=amount, kind="SHORTEN" if amount > 300 else "LOWER", **one)
    elif act == "goodwill":
        adjust.refund(loan_id=loan.pk, kind="GOODWILL", amount=amount, note="x", **one)
    elif act == "accelerate":
        adjust.accelerate(loan_id=loan.pk, note="x", **one)
    elif act in ("chargeback", "reverse"):
        if newest is None:
            raise Refused("nothing", "nothing yet")
        service = adjust.charge_back if act == "chargeback" else loans.reverse
        service(transaction_id=newest.pk, note="x", **one)
    else:
        details = {} if act == "REAMORTISE" else {"instalments": 1 + int(amount) % 5}
        restructure.restructure(loan_id=loan.pk, kind=act, details=details, note="x", **one)
