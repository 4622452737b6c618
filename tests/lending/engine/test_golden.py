"""Schedules as files whose diff a person can read. `GOLDEN=write pytest ...` writes them anew."""

import csv
import io
import json
import os
from datetime import date
from pathlib import Path

import pytest

from lending.engine import Row, Terms, annual_cost, on_working_days, schedule
from tests.lending.engine.cases import D, terms

FOLDER = Path(__file__).resolve().parents[2] / "golden"
FIELDS = ("due_on", "principal", "interest", "fee", "total", "balance")

TEN = {"principal": D("10000.00"), "annual_rate": D("0.0999"), "instalments": 6}
DAILY = {"interest_period": "DAILY", "day_count": "ACT/365"}
BAITIAO = {
    "principal": D("2999.00"),
    "annual_rate": D(0),
    "method": "FLAT_FEE",
    "fee_rate": D("0.005"),
    "instalments": 12,
}
SCHEDULES: dict[str, Terms] = {
    "equal_instalment": terms(**TEN),
    "equal_instalment_smooth": terms(**TEN | {"residue": "SMOOTH", "instalments": 24}),
    "equal_instalment_actual_days": terms(**TEN | {"interest_period": "DAILY", "day_count": "ACT/ACT"}),
    "equal_instalment_whole_yuan": terms(**TEN, instalment_multiple_of=D("1")),
    "equal_instalment_no_room_for_interest": terms(
        principal=D("100000.00"), annual_rate=D("0.36"), instalments=240, residue="SMOOTH", **DAILY
    ),
    "equal_instalment_yen": terms(**TEN | {"principal": D("1000000"), "decimals": 0}),
    "equal_principal": terms(**TEN, method="EQUAL_PRINCIPAL"),
    "interest_only": terms(**TEN, method="INTEREST_ONLY"),
    "bullet": terms(**TEN, method="BULLET"),
    "bullet_actual_days": terms(**TEN, method="BULLET", **DAILY),
    "flat": terms(**TEN, method="FLAT"),
    "flat_actual_days": terms(**TEN, method="FLAT", **DAILY),
    "flat_fee": terms(**BAITIAO),
    "flat_fee_whole_yuan": terms(**BAITIAO, instalment_multiple_of=D("1")),
    "custom": terms(method="CUSTOM", custom_principal=(D("100"), D("500"), D("600"))),
    "grace_on_principal": terms(**TEN, grace_principal_instalments=2),
    "grace_on_interest": terms(**TEN, grace_interest_instalments=2),
    "interest_free_forty_days": terms(**TEN, interest_free_days=40, **DAILY),
    "down_payment": terms(**TEN, down_payment_rate=D("0.25")),
    "broken_first_period": terms(**TEN, first_due_on=date(2024, 3, 15), **DAILY),
    "broken_first_period_months_of_30": terms(**TEN, first_due_on=date(2024, 3, 15), interest_period="DAILY"),
    "flat_with_grace": terms(**TEN, method="FLAT", grace_principal_instalments=2),
    "workdays": on_working_days(terms(**TEN), lambda day: day.weekday() < 5, "MODIFIED_FOLLOWING"),
    "weekly": terms(**TEN, unit="WEEK", every=2),
    "quarterly": terms(**TEN, every=3),
    "yearly": terms(**TEN, unit="YEAR", **DAILY),
    "upfront_fee": terms(**TEN, upfront_fee=D("100.00")),
}


def _text(agreed: Terms, rows: tuple[Row, ...]) -> str:
    cost = annual_cost(agreed, rows)
    written = io.StringIO()
    written.write(f"# {json.dumps(agreed.to_json())}\n")
    written.write(f"# a year: {cost.nominal:.6f} nominal, {cost.effective:.6f} compounded\n")
    table = csv.writer(written, lineterminator="\n")
    table.writerow(("number", *FIELDS))
    for number, row in enumerate(rows, 1):
        table.writerow((number, *(getattr(row, name) for name in FIELDS)))
    sums = {
        name: sum(getattr(row, name) for row in rows) for name in ("principal", "interest", "fee", "total")
    }
    table.writerow(("sum", *(sums.get(name, "") for name in FIELDS)))
    return written.getvalue()


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name: str) -> None:
    agreed = SCHEDULES[name]
    path = FOLDER / f"schedule_{name}.csv"
    text = _text(agreed, schedule(agreed))
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


def test_no_file_is_left_behind() -> None:
    names = {path.name for path in FOLDER.glob("schedule_*.csv")}
    assert names == {f"schedule_{name}.csv" for name in SCHEDULES}
