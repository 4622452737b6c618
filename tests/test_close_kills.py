"""A close that is killed, anywhere, and started again leaves what an undisturbed one leaves.

Real processes, really killed, each on a copy of the same book; then every table is compared.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from multiprocessing import get_context
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections

from dunning.models import Case
from dunning.services import promises
from lending import reference
from lending.models import (
    ApprovalRequest,
    BusinessDate,
    CreditLine,
    Customer,
    DayClose,
    Loan,
    Product,
    Purchase,
    User,
)
from lending.selectors.ledger import tie_out
from lending.services import applications, close, customers, desk, lines, purchases, steps
from tests.content import tables
from tests.support import eventually

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MONDAY, THAT_DAY = date(2026, 3, 2), date(2026, 3, 19)
SHANGHAI = ZoneInfo("Asia/Shanghai")
fork = get_context("fork")


def moment(on: date, hour: int = 12) -> datetime:
    return datetime(on.year, on.month, on.day, hour, tzinfo=SHANGHAI)


def now(on: date = MONDAY) -> dict[str, Any]:
    return {"by": None, "at": moment(on), "on": on}


# --- a book in which each step has something to do ------------------------------------------------------------------

# Bought on Monday, a line's first instalment is due nine days after its statement day: late by eight days, late from
# the next day on, due on the next day, and billed on that day.
STATEMENT_DAYS = [2, 2, 2, 10, 11, 19]


def build() -> None:
    reference.install()
    close.open_books(on=MONDAY)
    reference.starter_products()
    for number, day in enumerate(STATEMENT_DAYS):
        _buyer(number, day)
    _what_runs_out()
    while BusinessDate.current() < THAT_DAY:
        close.close_day(at=moment(BusinessDate.current(), 23))
    case = Case.objects.order_by("pk").first()
    assert case is not None
    promises.take(case_id=case.pk, amount=Decimal(50), due_on=THAT_DAY, **now(THAT_DAY))


def _buyer(number: int, statement_day: int) -> Customer:
    customer = customers.register(
        kind="PERSON",
        name=f"客户{number}",
        registered_on=MONDAY,
        email=f"c{number}@example.com",
        by=None,
        at=moment(MONDAY),
    )
    customers.give_consent(
        customer_id=customer.pk, purpose="ELECTRONIC", text_version="1", by=None, at=moment(MONDAY)
    )
    product = Product.objects.get(code="pay-later")
    line = lines.open_line(customer_id=customer.pk, product_id=product.pk, limit=Decimal(9000), **now())
    CreditLine.objects.filter(pk=line.pk).update(statement_day=statement_day)
    for amount in (1200 + number, 700):
        held = purchases.authorise(
            line_id=line.pk, order_ref=f"o-{number}-{amount}", amount=Decimal(amount), tenor=3, **now()
        )
        purchases.capture(purchase_id=held.pk, **now())
    return customer


def _what_runs_out() -> None:
    """An offer, a request to a second person, and an authorisation, each until the day before that day."""
    line = CreditLine.objects.order_by("pk").last()
    assert line is not None
    customer = customers.register(
        kind="PERSON",
        name="慢",
        registered_on=MONDAY,
        monthly_income=Decimal(9000),
        by=None,
        at=moment(MONDAY),
    )
    application = applications.start(
        customer_id=customer.pk, product_id=line.product_id, amount=Decimal(5000), by=None, at=moment(MONDAY)
    )
    applications.submit(application_id=application.pk, by=None, at=moment(MONDAY))
    applications.decide(application_id=application.pk, outcome="APPROVE", **now())
    application.offers.update(expires_on=THAT_DAY - timedelta(days=1))
    maker = User.objects.create_user(username="maker")
    desk.ask_raise(line_id=line.pk, to=Decimal(9500), reason="x", **now() | {"by": maker})
    ApprovalRequest.objects.update(expires_on=THAT_DAY - timedelta(days=1))
    held = purchases.authorise(line_id=line.pk, order_ref="o-held", amount=Decimal(100), tenor=3, **now())
    Purchase.objects.filter(pk=held.pk).update(expires_on=THAT_DAY - timedelta(days=1))


# --- copies of it, and processes that work on one -------------------------------------------------------------------


@contextmanager
def server() -> Iterator[psycopg.Connection]:
    """A connection to no database of ours: one that is copied must have none."""
    connections.close_all()
    values = connection.get_connection_params() | {"dbname": "postgres"}
    known = {key: values[key] for key in ("host", "port", "user", "password", "dbname") if values.get(key)}
    with psycopg.connect(**known, autocommit=True) as found:
        yield found


class Copies:
    """Databases with the same book."""

    def __init__(self) -> None:
        self.original, self.made = connection.settings_dict["NAME"], 0

    @contextmanager
    def one(self) -> Iterator[str]:
        self.made += 1
        name = f"{self.original}_copy{self.made}"
        with server() as found:
            _end_sessions(found, self.original)
            found.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            found.execute(f"CREATE DATABASE {name} TEMPLATE {self.original}")
        try:
            yield name
        finally:
            with server() as found:
                found.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _end_sessions(found: psycopg.Connection, database: str) -> None:
    """A database is copied only while nobody uses it; a server of another test may have left a session behind."""
    ended = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
    assert all(done for (done,) in found.execute(ended, [database]).fetchall())


def in_a_process(database: str, work: Callable[[], Any]) -> Any:
    """A child that does the work in that database. It inherits no connection."""
    connections.close_all()

    def child() -> None:
        connection.settings_dict["NAME"] = database
        work()
        connections.close_all()
        os._exit(0)  # nothing of the parent's is undone here

    process = fork.Process(target=child, daemon=True)
    process.start()
    return process


def finished(process: Any) -> None:
    process.join(120)
    assert process.exitcode == 0, process.exitcode


def killed(process: Any) -> None:
    process.join(120)
    assert process.exitcode == -signal.SIGKILL, "it must die for this test to say anything"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def close_one_day(on: date) -> None:
    close.close_day(at=moment(on, 23), on=on, parts=2, watch=lambda: moment(on, 23))


def close_two_days() -> None:
    close_one_day(THAT_DAY)
    close_one_day(THAT_DAY + timedelta(days=1))


def hurry_two_days() -> None:
    for on in (THAT_DAY, THAT_DAY + timedelta(days=1)):
        close.work(day=close.begin(at=moment(on, 23), on=on), hurried=True)


def content(database: str) -> dict[str, list[str]]:
    """Its tables, and the word of the books that they agree."""
    connections.close_all()
    ours = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = database
    try:
        assert BusinessDate.current() == THAT_DAY + timedelta(days=2)
        assert [row.difference for row in tie_out()] == [0] * 5
        return tables()
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = ours


# --- where to die ---------------------------------------------------------------------------------------------------


def after_shard(number: int) -> Callable[[], None]:
    """Die between two steps, or two shards of one: when the work of the one is committed."""

    def work() -> None:
        left = iter(range(number, -1, -1))
        close.close_day(
            at=moment(THAT_DAY, 23),
            parts=2,
            watch=lambda: moment(THAT_DAY, 23),
            progress=lambda row: None if next(left) else die(),
        )

    return work


def in_step(path: str, closing: Callable[[], None] = close_two_days) -> Callable[[], None]:
    """Die when the statements of a step have run and nothing is committed."""

    def work() -> None:
        run = steps.Step.run

        def run_and_die(self: steps.Step, **values: Any) -> int:
            rows = run(self, **values)
            if self.path == path:
                die()
            return rows

        steps.Step.run = run_and_die  # type: ignore[method-assign]
        closing()

    return work


def between(name: str) -> Callable[[], None]:
    """Die when the plan is written, or when all is done and the next day is not open."""

    def work() -> None:
        setattr(close, name, lambda **values: die())
        close_two_days()

    return work


def undisturbed(copies: Copies, closing: Callable[[], None] = close_two_days) -> dict[str, list[str]]:
    """What the book comes to when nobody dies."""
    with copies.one() as database:
        finished(in_a_process(database, closing))
        return content(database)


def dies_and_recovers(
    copies: Copies,
    end: Callable[[], None],
    expected: dict[str, list[str]],
    where: str,
    closing: Callable[[], None] = close_two_days,
) -> None:
    with copies.one() as database:
        killed(in_a_process(database, end))
        finished(in_a_process(database, closing))
        same(content(database), expected, where)


def test_killed_at_every_boundary_and_started_again_it_comes_to_the_same() -> None:
    build()
    copies = Copies()
    expected = undisturbed(copies)
    assert [path for path in BUSY if not _moved(expected, path)] == []
    shards = sum(repr(THAT_DAY) in row for row in expected["lending.DayClose"])
    ends = [after_shard(number) for number in range(shards)]
    ends += [in_step(path) for path in settings.CLOSE_STEPS]
    ends += [between("work"), between("finish")]
    for number, end in enumerate(ends):
        dies_and_recovers(copies, end, expected, f"{number} of {len(ends)}")


# At the end of a month.
MONTHLY = [
    "lending.services.history.snapshot",
    "lending.services.history.summarise",
    "lending.services.provisioning.observe",
    "lending.services.provisioning.measure",
    "lending.services.provisioning.book",
    "lending.services.books.keep",
]


def test_killed_at_the_end_of_a_month_it_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "THAT_DAY", date(2026, 3, 31))
    build()
    copies = Copies()
    expected = undisturbed(copies)
    assert [path for path in MONTHLY if not _moved(expected, path)] == []
    for path in MONTHLY:
        dies_and_recovers(copies, in_step(path), expected, path)


def test_a_hurried_close_is_killed_and_comes_to_the_same() -> None:
    build()
    copies = Copies()
    expected = undisturbed(copies, hurry_two_days)
    for path in BUSY:
        dies_and_recovers(copies, in_step(path, hurry_two_days), expected, path, hurry_two_days)


# A step that had nothing to do would prove nothing.
BUSY = [
    "lending.services.applications.expire",
    "lending.services.approvals.expire",
    "lending.services.purchases.expire",
    "lending.services.statements.issue",
    "lending.services.arrears.hold",
    "lending.services.accrual.open_day",
    "dunning.services.close.follow_arrears",
    "dunning.services.close.judge_promises",
    "dunning.services.close.plan_contacts",
]


def _moved(expected: dict[str, list[str]], path: str) -> bool:
    """Whether the step had anything to do."""
    rows = [row for row in expected["lending.DayClose"] if repr(path) in row and repr(THAT_DAY) in row]
    return any("('rows', 0)" not in row for row in rows)


def same(found: dict[str, list[str]], expected: dict[str, list[str]], where: str) -> None:
    different = [table for table in expected if found[table] != expected[table]]
    first = different and sorted(set(found[different[0]]) ^ set(expected[different[0]]))[:4]
    assert not different, (where, different, first)


def test_killed_in_the_middle_of_a_statement_it_comes_to_the_same() -> None:
    """Somebody holds the rows of a late loan's instalments: the statement waits half done, and its process dies."""
    build()
    copies = Copies()
    expected = undisturbed(copies)
    late = Loan.objects.filter(oldest_due_on__lt=THAT_DAY).order_by("-pk").values_list("pk", flat=True)[0]
    with copies.one() as database:
        with server() as found, psycopg.connect(found.info.dsn, dbname=database) as holder:
            holder.execute("SELECT FROM lending_instalment WHERE loan_id = %s FOR UPDATE", [late])
            process = in_a_process(database, close_two_days)
            eventually(lambda: _waits_for_a_lock(found, database), "the statement waits", within=60)
            os.kill(process.pid, signal.SIGKILL)
            killed(process)
        finished(in_a_process(database, close_two_days))
        same(content(database), expected, "in a statement")


def _waits_for_a_lock(found: psycopg.Connection, database: str) -> bool:
    waiting = found.execute(
        "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock' "
        "AND query LIKE '%%WITH priced AS%%'",
        [database],
    )
    return waiting.fetchone() is not None


def test_one_of_two_workers_dies_and_the_other_does_the_rest() -> None:
    build()
    copies = Copies()
    expected = undisturbed(copies)
    with copies.one() as database:
        first = in_a_process(database, in_step("lending.services.accrual.open_day"))
        second = in_a_process(database, close_two_days)
        killed(first)
        finished(second)
        same(content(database), expected, "beside another")


def test_no_lock_outlives_its_process() -> None:
    """Right after the kill the next worker takes the shard; it waits for no time-out."""
    build()
    copies = Copies()
    with copies.one() as database:
        killed(in_a_process(database, in_step("lending.services.accrual.open_day")))
        start = time.monotonic()
        finished(in_a_process(database, close_two_days))
        assert time.monotonic() - start < 60
    assert not DayClose.objects.filter(date=THAT_DAY).exists(), "the copies are copies"
