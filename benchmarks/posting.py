"""How fast money is posted: `python benchmarks/posting.py [--quick]`.

Repayments one by one through the service and through the API by 1, 2 and 8 clients; payments of a file in batches;
loans booked and paid out. Beside them, on the same server in the same run, pgbench's rate for a transaction that
writes as many rows to tables of the same shape. Everything runs on this machine: server, workers and clients share
its cores. Times are those of the wall.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import house
from django.contrib.auth.models import Permission
from django.db import connection, connections
from house import ROOT, metric, own_database, quantile, say
from rest_framework.authtoken.models import Token

from lending import engine, reference
from lending.models import Customer, JournalEntry, JournalLine, Loan, PaymentFile, Product, User
from lending.services import booking, bulk_payments, close, lines, loans

TODAY = date(2026, 6, 15)
AT = datetime(2026, 6, 15, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
CLIENTS = (1, 2, 8)
AMOUNT = Decimal("250.00")
fork = multiprocessing.get_context("fork")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer payments, for a look")
    quick = parser.parse_args().quick
    seconds, size = (3.0, 1200) if quick else (10.0, 6000)
    with own_database("posting") as url:
        populate(size)
        bench = pgbench(url, seconds)
        metrics = booked(200 if quick else 800)
        metrics += service(size, seconds, bench)
        metrics += through_api(url, size, seconds)
        metrics += in_batches(size)
        check_books()
    house.report("posting", metrics, {f"pgbench, {n} clients, per second": rate for n, rate in bench.items()})


# --- the portfolio ----------------------------------------------------------------------------------------


def populate(size: int) -> None:
    """Every customer has a line and one loan of twelve instalments on it."""
    close.open_books(on=TODAY)
    reference.starter_products()
    product = Product.objects.get(code="pay-later")
    people = Customer.objects.bulk_create(
        [
            Customer(kind="PERSON", name=f"C{n}", platform_ref=f"c{n}", state="ACTIVE", registered_on=TODAY)
            for n in range(size)
        ]
    )
    opened = [
        lines.open_line(
            customer_id=one.pk, product_id=product.pk, limit=Decimal(50_000), by=None, at=AT, on=TODAY
        )
        for one in people
    ]
    for first in range(0, size, 500):
        some = opened[first : first + 500]
        drafts = [drafted(product, line.customer_id, line.pk) for line in some]
        booking.book(drafts, keys=[f"out:{d.line_id}" for d in drafts], by=None, at=AT, on=TODAY)
    connection.cursor().execute("ANALYZE")
    say(f"{size} loans")


def drafted(product: Product, customer_id: int, line_id: int) -> Loan:
    terms = product.terms(Decimal(3000), 12, TODAY - timedelta(days=40))
    rows = engine.schedule(terms)
    return booking.draft(
        customer_id=customer_id,
        product=product,
        terms=terms,
        rows=rows,
        annual_cost=engine.annual_cost(terms, rows).effective,
        line_id=line_id,
    )


def check_books() -> None:
    """What is fast and wrong is worth nothing: the ledger is the loans, to the cent."""
    owed = sum(Loan.objects.values_list("principal", flat=True), Decimal(0))
    booked_ = sum(JournalLine.objects.filter(account_id="1303").values_list("amount", flat=True), Decimal(0))
    if owed != booked_:
        raise SystemExit(f"the books say {booked_}, the loans {owed}")


# --- the floor --------------------------------------------------------------------------------------------

TABLES = """
CREATE TABLE bench_loan (id bigint PRIMARY KEY, principal numeric(18,2), interest numeric(18,2), fee numeric(18,2));
CREATE TABLE bench_line (id bigint PRIMARY KEY, used numeric(18,2));
CREATE TABLE bench_instalment (id bigint PRIMARY KEY, paid numeric(18,2));
CREATE TABLE bench_transaction (id bigserial PRIMARY KEY, loan bigint, key text UNIQUE, amount numeric(18,2));
CREATE TABLE bench_entry (id bigserial PRIMARY KEY, key text UNIQUE, booked date);
CREATE TABLE bench_line_of_entry (id bigserial PRIMARY KEY, entry bigint, account text, amount numeric(18,2));
CREATE TABLE bench_event (id bigserial PRIMARY KEY, kind text, subject bigint, data jsonb);
INSERT INTO bench_loan SELECT n, 3000, 0, 0 FROM generate_series(1, 10000) n;
INSERT INTO bench_line SELECT n, 3000 FROM generate_series(1, 10000) n;
INSERT INTO bench_instalment SELECT n, 0 FROM generate_series(1, 120000) n;
"""
SCRIPT = r"""
\set loan random(1, 10000)
\set one random(1, 1000000000000)
BEGIN;
UPDATE bench_loan SET principal = principal - 1, interest = interest + 1 WHERE id = :loan;
UPDATE bench_line SET used = used - 1 WHERE id = :loan;
UPDATE bench_instalment SET paid = paid + 1 WHERE id = :loan * 12;
INSERT INTO bench_transaction (loan, key, amount) VALUES (:loan, 'k' || :one, 250);
INSERT INTO bench_entry (key, booked) VALUES ('k' || :one, '2026-06-15');
INSERT INTO bench_line_of_entry (entry, account, amount) VALUES (:one, '1002', 250), (:one, '1303', -250);
INSERT INTO bench_event (kind, subject, data) VALUES ('loan.repayment', :loan, '{"amount": "250.00"}');
END;
"""


def pgbench(url: str, seconds: float) -> dict[int, float]:
    """Transactions a second for seven plain writes, as a repayment has, by clients."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
    program = shutil.which("pgbench") or str(next((ROOT / ".venv").rglob("bin/pgbench")))
    rates = {}
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(SCRIPT)
        script.flush()
        for clients in CLIENTS:
            options = ["-n", "-f", script.name, "-c", str(clients), "-j", str(min(clients, 2))]
            told = subprocess.run(
                [program, *options, "-T", str(round(seconds)), url],
                capture_output=True,
                text=True,
                check=True,
            )
            rates[clients] = float(re.search(r"tps = ([\d.]+)", told.stdout)[1])
            say(f"pgbench, {clients} clients: {rates[clients]:,.0f} a second")
    return rates


# --- one by one -------------------------------------------------------------------------------------------


def service(size: int, seconds: float, bench: dict[int, float]) -> list[dict[str, Any]]:
    ids = list(Loan.objects.order_by("pk").values_list("pk", flat=True)[:size])
    rates, metrics = {}, []
    for clients in CLIENTS:
        rate, times = crowd(clients, lambda n, of: Payer(ids[n::of], f"s{of}"), seconds)
        rates[clients] = rate
        metrics += told("repayments through the service", clients, rate, times, 300, 30)
    metrics.append(metric("what a second process brings", rates[2] / rates[1], "times", 1.6))
    metrics.append(metric("share of pgbench, 2 clients", rates[2] / bench[2], "of its rate", 0.2))
    return metrics


def told(
    what: str, clients: int, rate: float, times: Sequence[float], goal: float, p95: float
) -> list[dict[str, Any]]:
    """Goals are for two clients, as many as there are cores."""
    name = f"{what}, {clients} client{'s' * (clients > 1)}"
    mine = clients == 2
    say(f"{name}: {rate:,.0f} a second, p95 {quantile(times, 0.95) * 1000:.1f} ms")
    return [
        metric(name, rate, "per second", goal if mine else None),
        metric(f"{name}, p50", quantile(times, 0.5) * 1000, "ms", None, "lower"),
        metric(f"{name}, p95", quantile(times, 0.95) * 1000, "ms", p95 if mine else None, "lower"),
    ]


class Payer:
    """Pays on one loan after the other, each loan again and again."""

    def __init__(self, loan_ids: Sequence[int], name: str) -> None:
        self.ids, self.name, self.number = loan_ids, name, 0

    def start(self) -> None:
        connections.close_all()

    def one(self) -> None:
        loan_id = self.ids[self.number % len(self.ids)]
        self.number += 1
        key = f"{self.name}:{loan_id}:{self.number}"
        loans.repay(loan_id=loan_id, amount=AMOUNT, key=key, by=None, at=AT, on=TODAY, channel="BENCH")


def crowd(clients: int, make: Callable[[int, int], Any], seconds: float) -> tuple[float, list[float]]:
    """The rate of several processes together, and the seconds that each call of them took."""
    connections.close_all()
    gate = fork.Barrier(clients, timeout=60)
    pipes = []
    for number in range(clients):
        ours, theirs = fork.Pipe()
        fork.Process(target=_work, args=(make(number, clients), seconds, gate, theirs), daemon=True).start()
        theirs.close()  # so that a client that dies is an end of file here, and not a wait for ever
        pipes.append(ours)
    found = [pipe.recv() for pipe in pipes]
    times = [one for all_, _spent in found for one in all_]
    return sum(len(all_) / spent for all_, spent in found), times


def _work(client: Any, seconds: float, gate: Any, pipe: Any) -> None:
    client.start()
    for _ in range(20):  # warm: connection, prepared statements, caches
        client.one()
    gate.wait()
    times, begin = [], time.perf_counter()
    while (now := time.perf_counter()) - begin < seconds:
        client.one()
        times.append(time.perf_counter() - now)
    pipe.send((times, time.perf_counter() - begin))


# --- through the API --------------------------------------------------------------------------------------


class Caller(Payer):
    """The same over HTTP, one connection kept open."""

    def __init__(self, loan_ids: Sequence[int], name: str, port: int, token: str) -> None:
        super().__init__(loan_ids, name)
        self.port, self.token = port, token

    def start(self) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def one(self) -> None:
        loan_id = self.ids[self.number % len(self.ids)]
        self.number += 1
        headers = {
            "Authorization": f"Token {self.token}",
            "Content-Type": "application/json",
            "X-Forwarded-Proto": "https",  # as the proxy before it says
            "Idempotency-Key": f"{self.name}:{loan_id}:{self.number}",
        }
        body = json.dumps({"amount": str(AMOUNT)})
        self.http.request("POST", f"/api/v1/loans/{loan_id}/repayments/", body, headers)
        answer = self.http.getresponse()
        text = answer.read()
        if answer.status != 201:
            raise SystemExit(f"{answer.status}: {text[:300]!r}")


def through_api(url: str, size: int, seconds: float) -> list[dict[str, Any]]:
    user = User.objects.create_user("platform")
    user.user_permissions.add(Permission.objects.get(codename="use_platform_api"))
    token = Token.objects.create(user=user).key
    ids = list(Loan.objects.order_by("pk").values_list("pk", flat=True)[:size])
    connections.close_all()
    metrics = []
    with server(url) as port:
        for clients in CLIENTS:
            rate, times = crowd(clients, lambda n, of: Caller(ids[n::of], f"a{of}", port, token), seconds)
            metrics += told("repayments through the API", clients, rate, times, None, None)  # type: ignore[arg-type]
    return metrics


class server:
    """Gunicorn as in production, with two workers."""

    def __init__(self, url: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        env = os.environ | {
            "DATABASE_URL": url,
            "ALLOWED_HOSTS": "127.0.0.1",
            "API_REQUESTS_PER_MINUTE": "100000000",
        }
        self.process = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "gunicorn",
                    "config.wsgi",
                    "--workers=2",
                    "--threads=4",
                    "--keep-alive=75",
                ),
                *(f"--bind=127.0.0.1:{self.port}", "--log-level=error"),
            ],
            cwd=ROOT,
            env=env,
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self) -> int:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self.port
            time.sleep(0.1)
        raise SystemExit("the server did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


# --- in batches -------------------------------------------------------------------------------------------


def in_batches(size: int) -> list[dict[str, Any]]:
    """A payment file, confirmed and posted by two processes: an entry per payment; one bad line stops nothing."""
    owing = Loan.objects.filter(state__in=Loan.OWING).order_by("pk")[:size]
    rows = [f"{loan},1.00,{TODAY}" for loan in owing]
    content = "\n".join(["loan,amount,date", *rows, f"L99999999,1.00,{TODAY}"]).encode()
    when = {"by": User.objects.get(username="platform"), "at": AT}
    spent = house.timed(
        lambda: bulk_payments.upload(
            name="payments.csv", content=content, options=bulk_payments.Options(), on=TODAY, **when
        )
    )
    say(f"a file of {len(rows)} payments read in {spent:.1f} s")
    file = PaymentFile.objects.get()
    bulk_payments.confirm(file_id=file.pk, told=False, **when)
    before = JournalEntry.objects.count()
    connections.close_all()
    gate = fork.Barrier(3)
    workers = [fork.Process(target=_post_file, args=(file.pk, gate), daemon=True) for _ in range(2)]
    for worker in workers:
        worker.start()
    gate.wait()
    begin = time.perf_counter()
    for worker in workers:
        worker.join()
    rate = len(rows) / (time.perf_counter() - begin)
    if JournalEntry.objects.count() - before != len(rows):
        raise SystemExit("there is not one entry for each payment of the file")
    say(f"payments of a file: {rate:,.0f} a second")
    return [
        metric("payments of a file", rate, "per second", 2000),
        metric("lines of a file read and checked", len(rows) / spent, "per second"),
    ]


def _post_file(file_id: int, gate: Any) -> None:
    connections.close_all()
    connection.ensure_connection()
    gate.wait()
    bulk_payments.run(file_id, at=AT, on=TODAY)


# --- booking ----------------------------------------------------------------------------------------------


def booked(count: int) -> list[dict[str, Any]]:
    """A loan from its terms to its disbursement, one by one, by one process."""
    product = Product.objects.get(code="pay-later")
    lines_ = list(Loan.objects.values_list("customer_id", "line_id")[:count])
    times = []
    for number, (customer_id, line_id) in enumerate(lines_):
        times.append(
            house.timed(
                lambda: booking.book(
                    [drafted(product, customer_id, line_id)],  # noqa: B023  (called at once)
                    keys=[f"booked:{number}"],  # noqa: B023
                    by=None,
                    at=AT,
                    on=TODAY,
                )
            )
        )
    rate, p95 = count / sum(times), quantile(times, 0.95) * 1000
    say(f"loans booked: {rate:,.0f} a second, p95 {p95:.1f} ms")
    return [
        metric("loans booked and paid out", rate, "per second", 100),
        metric("loans booked and paid out, p95", p95, "ms", 40, "lower"),
    ]


if __name__ == "__main__":
    main()
