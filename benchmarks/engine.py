"""How fast the loan engine is: `python benchmarks/engine.py [--quick]`.

Progress goes to standard error, one JSON line with the figures to standard output. Times are processor time of
one core, the best of several rounds. The share of Decimal arithmetic is its floor: the same operations on the
same context, timed alone in this run.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lending.engine import Allocation, Event, Terms, annual_cost, money, replay, schedule

D = Decimal
PARTS = [
    f"{when}_{part}"
    for when in ("PAST_DUE", "DUE", "IN_ADVANCE")
    for part in ("PENALTY", "FEE", "INTEREST", "PRINCIPAL")
]
RULES = Allocation.from_json({"processing": "HORIZONTAL", "rules": {"DEFAULT": {"order": PARTS}}})
LOAN = Terms(
    principal=D("12345.67"),
    annual_rate=D("0.1375"),
    method="EQUAL_INSTALMENT",
    instalments=12,
    disbursed_on=date(2024, 1, 31),
    residue="SMOOTH",
)
DAILY = replace(LOAN, interest_period="DAILY", day_count="ACT/ACT")
LONG = replace(LOAN, principal=D("1000000.00"), instalments=360, penalty_rate=D("0.18"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a look")
    rounds = 3 if parser.parse_args().quick else 12
    baseline = measure_baseline(rounds)
    quote = seconds("quote", lambda: schedule(LOAN), 300, rounds)
    metrics = [
        metric("quotes", 1 / quote, "per second", 10_000, "higher"),
        metric(
            "quotes by actual days",
            1 / seconds("quote by days", lambda: schedule(DAILY), 300, rounds),
            "per second",
            None,
            "higher",
        ),
    ]
    events = twenty_four(LOAN)
    as_of = events[-1].on
    for name, terms, goal in (
        ("replays of 24 transactions", LOAN, 1_500),
        ("replays by rules", replace(LOAN, allocation=RULES), 1_500),
        ("replays with late interest", replace(LOAN, penalty_rate=D("0.18")), 1_500),
    ):
        took = seconds(name, lambda terms=terms: replay(terms, events, as_of), 60, rounds)
        metrics.append(metric(name, 1 / took, "per second", goal, "higher"))
    many = five_hundred(LONG)
    took = seconds("500 transactions", lambda: replay(LONG, many, date(2040, 1, 1)), 2, rounds)
    metrics.append(metric("replay of 500 transactions", took, "seconds", 0.1, "lower"))
    cost = seconds("annual cost", lambda: annual_cost(LOAN), 20, rounds)
    metrics.append(metric("annual costs", 1 / cost, "per second", None, "higher"))
    floor = decimal_floor(lambda: schedule(LOAN), baseline)
    metrics.append(
        metric("share of Decimal arithmetic in a quote", floor / quote, "of the time", None, "higher")
    )
    print(json.dumps({"benchmark": "engine", "metrics": metrics, "baseline": baseline}))


def metric(name: str, value: float, unit: str, goal: float | None, better: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 4), "unit": unit, "goal": goal, "better": better}


def seconds(name: str, work: Callable[[], object], count: int, rounds: int) -> float:
    """Processor seconds of one call, the best round of several."""
    best = float("inf")
    print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(count):
            work()
        best = min(best, (time.process_time() - start) / count)
    print(f"{best * 1e6:,.2f} microseconds", file=sys.stderr)
    return best


def twenty_four(terms: Terms) -> list[Event]:
    """A disbursement and 23 payments: half of each instalment on its day, the rest five days late."""
    events = [Event("out", "DISBURSEMENT", terms.disbursed_on, terms.principal)]
    for number, row in enumerate(schedule(terms)):
        half = (row.total / 2).quantize(D("0.01"))
        events.append(Event(f"a{number}", "REPAYMENT", row.due_on, half))
        events.append(Event(f"b{number}", "REPAYMENT", row.due_on + timedelta(days=5), row.total - half))
    return events[:24]


def five_hundred(terms: Terms) -> list[Event]:
    """A disbursement and 499 payments of any size every ten days."""
    start = terms.disbursed_on
    events = [Event("out", "DISBURSEMENT", start, terms.principal)]
    for number in range(1, 500):
        amount = D(3000 + number * 37 % 4000)
        events.append(Event(f"p{number}", "REPAYMENT", start + timedelta(days=10 * number), amount))
    return events


OPERANDS = {
    "multiply": (123456, D("0.01")),
    "divide": (D("1.0114583"), D("3.7")),
    "power": (D("1.0114583333333333333333333333333333333333"), 12),
    "subtract": (D("1.1466"), D(1)),
    "scaleb": (D("12345.67"), 2),
    "fma": (D("11.23456789"), D("1.0114583333333"), D(1)),
}


def measure_baseline(rounds: int) -> dict[str, float]:
    """What this machine gives at this moment: nanoseconds of one operation each."""
    context = money.WIDE
    times = {"an empty call": seconds("an empty call", lambda: None, 20_000, rounds)}
    for name, operands in OPERANDS.items():
        work = getattr(context, name)
        times[f"Decimal {name}"] = seconds(
            f"Decimal {name}", lambda w=work, o=operands: w(*o), 20_000, rounds
        )
    return {f"{name}, ns": round(took * 1e9, 1) for name, took in times.items()}


class Counted:
    """A decimal context that counts what it is asked."""

    def __init__(self, context: Context):
        self.context = context
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        work = getattr(self.context, name)

        def counted(*operands: Any) -> Any:
            self.calls[name] += 1
            return work(*operands)

        return counted


def decimal_floor(work: Callable[[], object], baseline: dict[str, float]) -> float:
    """Seconds that the Decimal operations of ``work`` take when nothing else is done."""
    modules = [sys.modules["lending.engine.money"], sys.modules["lending.engine.schedule"]]
    context, counted = money.WIDE, Counted(money.WIDE)
    for module in modules:
        module.WIDE = counted
    try:
        work()
    finally:
        for module in modules:
            module.WIDE = context
    print(f"Decimal operations: {dict(counted.calls)}", file=sys.stderr)
    call = baseline["an empty call, ns"]
    return sum(
        count * max(baseline[f"Decimal {name}, ns"] - call, 0) * 1e-9 for name, count in counted.calls.items()
    )


if __name__ == "__main__":
    main()
