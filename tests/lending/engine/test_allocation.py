"""Who is paid first, in tables: principal interest fee penalty of each instalment that were paid."""

from datetime import date, timedelta

import pytest

from lending.engine import Allocation, LoanState, TermsError, replay
from tests.lending.engine.cases import D, cents, charge, out, pays, rules, terms

# 1,200.00 at 12 %: 396.03 + 12.00, 399.99 + 8.04, 403.98 + 4.04, due 29 Feb, 31 Mar, 30 Apr.
FIRST, SECOND, THIRD = date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)


def _paid(state: LoanState) -> list[str]:
    return [
        cents(row.principal_paid, row.interest_paid, row.fee_paid, row.penalty_paid) for row in state.rows
    ]


def _after(
    allocation: str | Allocation, on: date, amount: str, *charges, type: str = "REPAYMENT"
) -> list[str]:
    loan = terms(allocation=allocation)
    return _paid(replay(loan, [out(loan), *charges, pays("p", on, amount, type)], on))


def test_oldest_first() -> None:
    fee = charge("fee", date(2024, 2, 15), "5.00")
    late = charge("late", date(2024, 3, 10), "3.00", "PENALTY")
    assert _after("OLDEST_FIRST", date(2024, 3, 15), "430.00", fee, late) == [
        "396.03 12.00 5.00 0.00",
        "5.93 8.04 0.00 3.00",
        "0.00 0.00 0.00 0.00",
    ]


def test_due_then_principal() -> None:
    fee = charge("fee", date(2024, 3, 20), "5.00")
    assert _after("DUE_THEN_PRINCIPAL", date(2024, 3, 15), "810.00", fee) == [
        "396.03 12.00 0.00 0.00",
        "399.99 0.00 1.98 0.00",
        "0.00 0.00 0.00 0.00",
    ]


def test_due_then_principal_takes_a_charge_whose_day_has_come_first() -> None:
    fee = charge("fee", date(2024, 3, 10), "5.00")
    assert _after("DUE_THEN_PRINCIPAL", date(2024, 3, 15), "810.00", fee)[1] == "396.97 0.00 5.00 0.00"


def test_horizontal_finishes_one_instalment_first() -> None:
    assert _after(rules("HORIZONTAL"), date(2024, 3, 5), "450.00") == [
        "396.03 12.00 0.00 0.00",
        "41.97 0.00 0.00 0.00",
        "0.00 0.00 0.00 0.00",
    ]


def test_vertical_finishes_one_component_first() -> None:
    assert _after(rules("VERTICAL"), date(2024, 4, 5), "800.00") == [
        "396.03 3.98 0.00 0.00",
        "399.99 0.00 0.00 0.00",
        "0.00 0.00 0.00 0.00",
    ]


@pytest.mark.parametrize(
    ("future", "expected"),
    [
        ("NEXT", ["396.03 12.00 0.00 0.00", "91.97 0.00 0.00 0.00", "0.00 0.00 0.00 0.00"]),
        ("LAST", ["0.00 0.00 0.00 0.00", "91.98 0.00 0.00 0.00", "403.98 4.04 0.00 0.00"]),
        ("NEXT_LAST", ["396.03 12.00 0.00 0.00", "0.00 0.00 0.00 0.00", "91.97 0.00 0.00 0.00"]),
        ("REAMORTISE", ["166.67 0.00 0.00 0.00", "166.67 0.00 0.00 0.00", "166.66 0.00 0.00 0.00"]),
    ],
)
def test_money_in_advance_horizontally(future: str, expected: list[str]) -> None:
    assert _after(rules("HORIZONTAL", future), date(2024, 2, 10), "500.00") == expected


@pytest.mark.parametrize(
    ("future", "expected"),
    [
        ("NEXT", ["396.03 0.00 0.00 0.00", "103.97 0.00 0.00 0.00", "0.00 0.00 0.00 0.00"]),
        ("LAST", ["0.00 0.00 0.00 0.00", "96.02 0.00 0.00 0.00", "403.98 0.00 0.00 0.00"]),
        ("NEXT_LAST", ["396.03 0.00 0.00 0.00", "0.00 0.00 0.00 0.00", "103.97 0.00 0.00 0.00"]),
        ("REAMORTISE", ["166.67 0.00 0.00 0.00", "166.67 0.00 0.00 0.00", "166.66 0.00 0.00 0.00"]),
    ],
)
def test_money_in_advance_vertically(future: str, expected: list[str]) -> None:
    assert _after(rules("VERTICAL", future), date(2024, 2, 10), "500.00") == expected


@pytest.mark.parametrize("processing", ["HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("future", ["NEXT", "LAST", "NEXT_LAST", "REAMORTISE"])
def test_enough_money_pays_everything(processing: str, future: str) -> None:
    loan = terms(allocation=rules(processing, future))
    state = replay(loan, [out(loan), pays("p", date(2024, 2, 10), "1224.08")], THIRD)
    assert state.status == "SETTLED"
    assert {row.paid_on for row in state.rows} == {date(2024, 2, 10)}


def test_spreading_goes_on_with_the_next_component_and_then_again() -> None:
    """1,210.00 in three: 403.33 each covers two principals; what is left goes to interest, evenly."""
    assert _after(rules("HORIZONTAL", "REAMORTISE"), date(2024, 2, 10), "1210.00") == [
        "396.03 3.55 0.00 0.00",
        "399.99 3.55 0.00 0.00",
        "403.34 3.54 0.00 0.00",
    ]


def test_spreading_a_cent_too_few_never_takes_money_back() -> None:
    loan = terms(principal=D("600"), annual_rate=D(0), instalments=6, allocation=rules(future="REAMORTISE"))
    state = replay(loan, [out(loan), pays("p", date(2024, 2, 1), "0.04")], date(2024, 2, 1))
    assert [row.paid for row in state.rows] == [D(0)] * 5 + [D("0.04")]


def test_a_rule_of_its_own_for_a_type() -> None:
    allocation = rules("HORIZONTAL", "NEXT", GOODWILL="LAST")
    assert _after(allocation, date(2024, 2, 10), "100.00", type="GOODWILL")[2] == "100.00 0.00 0.00 0.00"
    assert _after(allocation, date(2024, 2, 10), "100.00", type="PAYOUT_REFUND")[0] == "100.00 0.00 0.00 0.00"


@pytest.mark.parametrize(
    ("on", "when"),
    [(FIRST - timedelta(days=1), "IN_ADVANCE"), (FIRST, "DUE"), (FIRST + timedelta(days=1), "PAST_DUE")],
)
def test_past_due_due_and_in_advance(on: date, when: str) -> None:
    """Interest comes first only in the class named; so it tells in which class the first instalment was."""
    names = [
        f"{w}_{c}"
        for w in ("PAST_DUE", "DUE", "IN_ADVANCE")
        for c in ("PRINCIPAL", "INTEREST", "FEE", "PENALTY")
    ]
    order = [name for name in names if name != f"{when}_INTEREST"]
    order.insert(order.index(f"{when}_PRINCIPAL"), f"{when}_INTEREST")
    allocation = Allocation.from_json({"processing": "HORIZONTAL", "rules": {"DEFAULT": {"order": order}}})
    assert _after(allocation, on, "20.00")[0] == "8.00 12.00 0.00 0.00"


def test_groups_run_in_the_order_in_which_the_rule_names_them() -> None:
    parts = ("PENALTY", "FEE", "PRINCIPAL", "INTEREST")
    order = [f"{when}_{part}" for when in ("IN_ADVANCE", "DUE", "PAST_DUE") for part in parts]
    allocation = Allocation.from_json({"processing": "HORIZONTAL", "rules": {"DEFAULT": {"order": order}}})
    assert _after(allocation, date(2024, 3, 5), "100.00") == [
        "0.00 0.00 0.00 0.00",
        "100.00 0.00 0.00 0.00",
        "0.00 0.00 0.00 0.00",
    ]


@pytest.mark.parametrize(
    "rule",
    [{"order": ["DUE_FEE"]}, {"order": [], "future": "NEXT"}, {}, {"order": "DUE_FEE"}],
)
def test_an_order_names_every_part_once(rule: dict) -> None:
    with pytest.raises(TermsError, match="order"):
        Allocation.from_json({"processing": "VERTICAL", "rules": {"DEFAULT": rule}})


def test_rules_need_a_default_and_a_known_future() -> None:
    with pytest.raises(TermsError, match="DEFAULT"):
        Allocation.from_json({"processing": "VERTICAL", "rules": {}})
    with pytest.raises(TermsError, match="future"):
        rules("VERTICAL", "NEVER")
