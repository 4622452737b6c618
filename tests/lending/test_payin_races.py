"""Money in, by two at once and through sudden deaths: it is posted once, whoever comes first."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django_fsm import TransitionNotAllowed

from lending import reference
from lending.errors import Refused
from lending.gateways.base import Taken
from lending.models import (
    BankLine,
    BusinessDate,
    Customer,
    Debit,
    DebitAttempt,
    Loan,
    PaymentFile,
    PaymentRow,
    Product,
    Transaction,
    UnappliedMoney,
)
from lending.selectors import payin
from lending.selectors.ledger import tie_out
from lending.services import (
    bank,
    bulk_payments,
    close,
    customers,
    debits,
    lines,
    mandates,
    purchases,
    unapplied,
)
from lending.services.bulk_payments import Options
from tests.support import eventually

from .conftest import MONDAY, moment
from .race_support import at_once, waiting_for

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal
AT = moment(MONDAY)
STAMP: dict[str, Any] = {"by": None, "at": AT, "on": MONDAY}


@pytest.fixture
def loan(transactional_db: None) -> Loan:
    reference.install()
    close.open_books(on=MONDAY)
    reference.starter_products()
    return bought("一")


def bought(name: str, amount: str = "9000") -> Loan:
    customer = customers.register(kind="PERSON", name=name, registered_on=MONDAY, by=None, at=AT)
    product = Product.objects.get(code="pay-later")
    line = lines.open_line(customer_id=customer.pk, product_id=product.pk, limit=D("10000"), **STAMP)
    held = purchases.authorise(line_id=line.pk, order_ref=name, amount=D(amount), tenor=3, **STAMP)
    found = purchases.capture(purchase_id=held.pk, **STAMP).loan
    assert found
    return found


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    return partial(at_once, refusals=(Refused, TransitionNotAllowed))


def taken(text: str, **options: Any) -> PaymentFile:
    content = f"date,amount,loan,customer,payment\n{text}".encode()
    return bulk_payments.upload(name="f.csv", content=content, options=Options(**options), **STAMP)


def repayments() -> list[Decimal]:
    return list(Transaction.objects.filter(type="REPAYMENT").values_list("amount", flat=True))


def test_a_file_uploaded_twice_at_once_is_there_once(loan: Loan, together: Callable[..., list]) -> None:
    upload = lambda: taken(f"2026-03-02,5,{loan},,n1\n")  # noqa: E731
    results = together(upload, upload)
    assert sorted(isinstance(result, Refused) for result in results) == [False, True]
    assert PaymentRow.objects.count() == 1


def test_a_file_confirmed_twice_at_once_is_posted_once(loan: Loan, together: Callable[..., list]) -> None:
    file = taken("".join(f"2026-03-02,{n},{loan},,n{n}\n" for n in range(1, 31)))
    confirm = lambda: bulk_payments.confirm(file_id=file.pk, by=None, at=AT, told=False)  # noqa: E731
    results = together(confirm, confirm)
    assert sorted(isinstance(result, TransitionNotAllowed) for result in results) == [False, True]
    run = lambda: bulk_payments.run(file.pk, at=AT, on=MONDAY, size=4)  # noqa: E731
    done = together(run, run)
    assert sum(done) == 30
    file.refresh_from_db()
    assert (file.state, sorted(repayments())) == ("DONE", [D(n) for n in range(1, 31)])
    assert {row.difference for row in tie_out()} == {D(0)}


def test_one_payment_number_in_two_files_at_once_is_posted_once(
    loan: Loan, together: Callable[..., list]
) -> None:
    files = [taken(f"2026-03-02,5,{loan},,n1\n{tail}") for tail in ("", f"2026-03-02,6,{loan},,n2\n")]
    for file in files:
        bulk_payments.confirm(file_id=file.pk, by=None, at=AT, told=False)
    together(*[lambda pk=file.pk: bulk_payments.run(pk, at=AT, on=MONDAY) for file in files])
    assert sorted(repayments()) == [D("5.00"), D("6.00")]
    states = PaymentRow.objects.filter(key="in:n1").values_list("state", flat=True)
    assert sorted(states) == ["DUPLICATE", "POSTED"]


def test_held_money_applied_by_two_at_once_is_not_spent_twice(
    loan: Loan, together: Callable[..., list]
) -> None:
    money = unapplied.hold(amount=D("100"), received_on=MONDAY, key="k", **STAMP)

    def apply(key: str) -> Any:
        return unapplied.apply(unapplied_id=money.pk, loan_id=loan.pk, amount=D("80"), key=key, **STAMP)

    results = together(lambda: apply("a"), lambda: apply("b"))
    assert sorted(isinstance(result, Refused) for result in results) == [False, True]
    assert (UnappliedMoney.objects.get().left, repayments()) == (D("20.00"), [D("80.00")])
    assert payin.suspense_difference() == 0


def test_held_money_waits_for_the_payer_of_the_loan_before_it_takes_the_loan(loan: Loan) -> None:
    money = unapplied.hold(amount=D("100"), received_on=MONDAY, key="k", **STAMP)
    apply = lambda: unapplied.apply(  # noqa: E731
        unapplied_id=money.pk, loan_id=loan.pk, amount=D("80"), key="a", **STAMP
    )
    with waiting_for(Customer.objects.filter(pk=loan.customer_id), apply):
        assert Loan.objects.select_for_update(nowait=True).exists()


def test_the_close_takes_all_payers_before_it_posts_what_is_held(loan: Loan) -> None:
    """Else it would come for the first again with a loan of the last in hand, and who pays for both waits."""
    other = bought("二")
    for one in (loan, other):
        unapplied.repay(
            loan_id=one.pk, amount=D("5"), value_on=MONDAY + timedelta(days=1), key=str(one), **STAMP
        )
    close.close_day(at=moment(MONDAY, 23))
    day = MONDAY + timedelta(days=1)
    use = lambda: unapplied.apply_unapplied(on=day, at=moment(day))  # noqa: E731
    with waiting_for(Customer.objects.filter(pk=other.customer_id), use):
        assert Loan.objects.select_for_update(nowait=True).count() == 2
    assert repayments() == [D("5.00"), D("5.00")]


def test_one_bank_line_matched_by_two_officers_at_once_posts_once(
    loan: Loan, together: Callable[..., list]
) -> None:
    text = "date,amount,reference,bank reference\n2026-03-02,70,who knows,r1\n"
    bank.take_in(name="s", content=text.encode(), account="main", by=None, at=AT)
    line, other = BankLine.objects.get(), bought("二")

    def assign(to: Loan) -> Any:
        return bank.assign(line_id=line.pk, loan_id=to.pk, **STAMP)

    results = together(lambda: assign(loan), lambda: assign(other))
    assert sorted(isinstance(result, TransitionNotAllowed) for result in results) == [False, True]
    assert repayments() == [D("70.00")]


def test_two_workers_match_one_statement_and_post_each_line_once(
    loan: Loan, together: Callable[..., list]
) -> None:
    rows = "".join(f"2026-03-02,{n},{loan},r{n}\n" for n in range(1, 21))
    bank.take_in(
        name="s",
        content=f"date,amount,reference,bank reference\n{rows}".encode(),
        account="main",
        by=None,
        at=AT,
    )
    match = lambda: bank.match_lines(at=AT, on=MONDAY)  # noqa: E731
    assert sum(together(match, match)) == 20
    assert sorted(repayments()) == [D(n) for n in range(1, 21)]


def test_two_debit_workers_take_the_money_once(
    loan: Loan, together: Callable[..., list], settings: Any
) -> None:
    settings.PAYMENT_GATEWAY = "lending.gateways.sandbox.Sandbox"
    sign = lambda: mandates.sign(  # noqa: E731
        customer_id=loan.customer_id, accounts=[("ICBC", "6222020000009999")], limit=D("5000"), **STAMP
    )
    results = together(sign, sign)
    assert sorted(isinstance(result, Refused) for result in results) == [False, True]
    due_on = loan.instalments.order_by("number").values_list("due_on", flat=True)[0]
    while BusinessDate.current() < due_on:
        close.close_day(at=moment(BusinessDate.current(), 23))
    at, before = moment(due_on), moment(due_on - timedelta(days=2))
    debits.plan(on=due_on - timedelta(days=2), at=before)
    work = lambda: debits.collect(on=due_on, at=at)  # noqa: E731
    assert sum(together(work, work, work)) == 1
    assert len(repayments()) == 1
    attempt = DebitAttempt.objects.get()
    assert attempt.state == "PAID"
    hear = lambda: debits._hear(attempt.pk, Taken("OK"), on=due_on, at=at)  # noqa: E731
    with waiting_for(Debit.objects.all(), hear):
        assert DebitAttempt.objects.select_for_update(nowait=True).exists()
    assert len(repayments()) == 1


WORK = """
import django, sys
django.setup()
from lending.services import bulk_payments
from lending import clock
bulk_payments.run(int(sys.argv[1]), at=clock.now(), on=clock.today(), size=5)
"""


def worker(file: PaymentFile) -> subprocess.Popen:
    """A process of its own on the test database, to be killed."""
    database = connection.settings_dict
    query = f"host={database['HOST']}&port={database['PORT'] or 5432}&user={database['USER']}"
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql:///{database['NAME']}?{query}",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    command = [sys.executable, "-c", WORK, str(file.pk)]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment)


@pytest.mark.slow
def test_killed_in_the_middle_of_a_file_nothing_is_lost_and_nothing_posted_twice(loan: Loan) -> None:
    count = 300
    file = taken("".join(f"2026-03-02,1.{n % 100:02d},{loan},,n{n}\n" for n in range(1, count + 1)))
    bulk_payments.confirm(file_id=file.pk, by=None, at=AT, told=False)
    posted = file.rows.filter(state="POSTED")
    process = worker(file)
    eventually(posted.exists, "work began")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = posted.count()
    assert 5 <= done < count, "the worker must die in the middle for this test to say anything"
    assert len(repayments()) == done, "a row and its payment commit together"
    bulk_payments.run(file.pk, at=AT, on=MONDAY)
    assert (posted.count(), len(repayments())) == (count, count)
    assert {row.difference for row in tie_out()} == {D(0)}
