"""How fast customers are scored and applications decided: `python benchmarks/scoring.py [--quick]`.

The table of points over a matrix of numbers, on one core; then decisions from end to end (features, score, policy,
offer, all rows written) by two workers that share the customers: one by one, with the time that each takes, and as the
worker does it, in batches. Each customer has a history of some weeks of orders. Rates and times are those of the wall;
CPU is that of the worker's own process, without the database's.
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import pstats
import random
import sys
import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import house
import numpy as np
from django.db import connection, connections
from house import metric, own_database, quantile, say

from lending import reference
from lending.models import Application, Consent, Customer, Product, User
from lending.services import applications, close
from lending.shares import Share
from risk import features
from risk.engine.scorecard import BANDS, NUMERIC, Bin, Feature, Scorecard, cuts
from risk.models import Assessment, CustomerDay, ModelVersion
from risk.services import scoring

TODAY = date(2026, 6, 15)
AT = datetime(2026, 6, 15, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
WORKERS = 2
HISTORY_DAYS = 40
fork = multiprocessing.get_context("fork")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer customers, for a look")
    parser.add_argument(
        "--profile", action="store_true", help="where the time of a decision goes, and no figures"
    )
    given = parser.parse_args()
    size = 400 if given.quick else 4_000
    with own_database("scoring"):
        populate(size)
        if given.profile:
            profile()
            sys.exit()
        metrics = table(100_000 if given.quick else 1_000_000) + decided(size)
    house.report("scoring", metrics, {"an empty statement, microseconds": empty_statement()})


# --- the table of points ---------------------------------------------------------------------------------------------


def card() -> Scorecard:
    """A table over every feature of a person, ten bins each: as large as a trained one may be."""
    rng = random.Random(1)
    parts = []
    for name in features.names("PERSON"):
        bounds = [float(step) for step in range(9)]
        bins = [Bin(rng.uniform(-0.2, 0.2), 100, 5, upper=bound) for bound in [*bounds, None]]
        parts.append(Feature(name, NUMERIC, 0, tuple(bins), Bin(0.0, 10, 0)))
    return Scorecard(-4.5, tuple(parts), cuts(BANDS), 10_000, 500, 1)


def table(rows: int) -> list[dict[str, Any]]:
    made = card()
    matrix = np.random.default_rng(1).uniform(-1, 10, (rows, len(made.inputs)))
    say(f"{rows:,} customers by {len(made.inputs)} features ...")
    best = min(house.timed(lambda: made.score_many(matrix)) for _ in range(5))
    return [metric("customers scored from a matrix", rows / best, "per second", 500_000)]


# --- decisions -------------------------------------------------------------------------------------------------------


def populate(size: int) -> None:
    """People with a history on the platform, each with an application that waits."""
    close.open_books(on=TODAY)
    reference.starter_products()
    say(f"{size:,} customers with {HISTORY_DAYS} days each ...")
    since = TODAY - timedelta(days=400)
    people = Customer.objects.bulk_create(
        [
            Customer(
                kind="PERSON",
                name=f"C{n}",
                platform_ref=f"c{n}",
                registered_on=since,
                monthly_income=Decimal(9_000),
                id_number="110101199003074258",
            )
            for n in range(size)
        ]
    )
    Consent.objects.bulk_create(
        [Consent(customer=one, purpose="CREDIT_ASSESSMENT", given_at=AT, text_version="1") for one in people]
    )
    days = [
        CustomerDay(customer=one, day=TODAY - timedelta(days=4 * n + 1), orders=1, order_amount=Decimal(300))
        for one in people
        for n in range(HISTORY_DAYS)
    ]
    CustomerDay.objects.bulk_create(days, batch_size=5_000)
    made = card()
    ModelVersion.objects.create(
        segment="PERSON",
        version=1,
        state="CHAMPION",
        card=made.to_json(),
        sha256=made.sha256,
        approver=User.objects.create_user(username="approver"),
        created_at=AT,
    )
    apply(people)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def apply(people: Sequence[Customer]) -> None:
    product = Product.objects.get(code="pay-later")
    for first in range(0, len(people), 500):
        asks = [
            applications.Ask(customer_id=one.pk, product_id=product.pk, amount=Decimal(8_000))
            for one in people[first : first + 500]
        ]
        drafts = applications.start_many(asks, by=None, at=AT)
        applications.submit_many({row.pk: AT for row in drafts}, by=None)


def decided(size: int) -> list[dict[str, Any]]:
    """Half of the applications one by one, the rest in batches."""
    waiting = list(Application.objects.filter(state="SUBMITTED").order_by("pk").values_list("pk", flat=True))
    say("one by one ...")
    alone = together(_one_by_one, [waiting[: size // 2][n::WORKERS] for n in range(WORKERS)])
    say("in batches ...")
    batches = together(_in_batches, list(range(WORKERS)))
    times = [one for found in alone for one in found["times"]]
    check(size)
    return [
        *_figures("decisions one by one", alone),
        metric("a decision, half of them within", 1000 * quantile(times, 0.5), "ms", None, "lower"),
        metric("a decision, 95 of 100 within", 1000 * quantile(times, 0.95), "ms", 60, "lower"),
        *_figures("decisions in batches", batches, 100),
    ]


def _figures(name: str, found: Sequence[dict[str, Any]], goal: float | None = None) -> list[dict[str, Any]]:
    count = sum(one["count"] for one in found)
    spent = max(one["wall"] for one in found)
    cpu = 1000 * sum(one["cpu"] for one in found) / count
    return [
        metric(name, count / spent, "per second", goal),
        metric(f"{name}: CPU of the worker", cpu, "ms per decision", None, "lower"),
    ]


def _one_by_one(ids: Sequence[int]) -> dict[str, Any]:
    times = []
    wall, cpu = time.perf_counter(), time.process_time()
    for pk in ids:
        times.append(house.timed(lambda pk=pk: scoring.score_application(application_id=pk, at=AT, on=TODAY)))
    return {
        "times": times,
        "count": len(times),
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
    }


def _in_batches(number: int) -> dict[str, Any]:
    count, wall, cpu = 0, time.perf_counter(), time.process_time()
    share = Share(number, WORKERS)
    while done := scoring.score_waiting(at=AT, on=TODAY, share=share):
        count += done
    return {"count": count, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def together(work: Any, arguments: Sequence[Any]) -> list[dict[str, Any]]:
    """A process for each argument, begun at the same moment."""
    connections.close_all()
    gate, pipes = fork.Barrier(len(arguments), timeout=60), []
    for argument in arguments:
        ours, theirs = fork.Pipe()
        fork.Process(target=_work, args=(work, argument, gate, theirs), daemon=True).start()
        theirs.close()  # so that a worker that dies is an end of file here, and not a wait for ever
        pipes.append(ours)
    return [pipe.recv() for pipe in pipes]


def _work(work: Any, argument: Any, gate: Any, pipe: Any) -> None:
    connection.ensure_connection()
    gate.wait()
    pipe.send(work(argument))


def check(size: int) -> None:
    """Every application was decided, once, and by the score."""
    found = Assessment.objects.filter(score__isnull=False)
    assert found.count() == size, f"{found.count()} of {size} were scored"
    assert not Application.objects.filter(state="SUBMITTED").exists()


def empty_statement() -> float:
    with connection.cursor() as cursor:
        start = time.perf_counter()
        for _ in range(500):
            cursor.execute("SELECT 1")
    return round((time.perf_counter() - start) / 500 * 1e6, 1)


def profile() -> None:
    """The worker's own time of decisions, in batches and one by one, on standard error."""
    waiting = list(Application.objects.order_by("pk").values_list("pk", flat=True)[:150])
    scoring.score_application(application_id=waiting[0], at=AT, on=TODAY)
    for name, work in (
        ("one by one", lambda: _one_by_one(waiting[1:])),
        ("in batches", lambda: scoring.score_waiting(at=AT, on=TODAY, limit=200)),
    ):
        with cProfile.Profile() as found:
            work()
        say(name)
        pstats.Stats(found, stream=sys.stderr).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
