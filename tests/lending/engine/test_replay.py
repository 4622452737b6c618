from datetime import date
from typing import Any

import pytest

from lending.engine import Event, EventError, LoanState, Position, replay
from tests.lending.engine.cases import D, cents, charge, out, pays, rules, terms

END = date(2025, 12, 31)


def _fold(loan, *events: Event, as_of: date = END) -> LoanState:
    return replay(loan, [out(loan), *events], as_of)


def test_before_the_money_is_out() -> None:
    state = replay(terms(), [], END)
    assert (state.status, state.rows, state.outstanding) == ("APPROVED", (), D(0))


def test_a_loan_lives_and_ends() -> None:
    loan = terms()
    payments = [
        pays("a", date(2024, 2, 29), "408.03"),
        pays("b", date(2024, 3, 31), "408.03"),
        pays("c", date(2024, 4, 30), "408.02"),
    ]
    assert _fold(loan, *payments[:2]).status == "ACTIVE"
    state = _fold(loan, *payments)
    assert (state.status, state.outstanding, state.overpaid) == ("SETTLED", D(0), D(0))
    assert [row.paid_on for row in state.rows] == [payment.on for payment in payments]
    assert cents(state.splits["b"].principal, state.splits["b"].interest) == "399.99 8.04"


def test_too_much_money_is_a_credit_that_can_be_paid_out() -> None:
    state = _fold(terms(), pays("p", date(2024, 2, 29), "1300.00"))
    assert (state.status, state.overpaid) == ("OVERPAID", D("75.92"))
    assert state.splits["p"].overpaid == D("75.92")
    back = Event("back", "CREDIT_REFUND", date(2024, 3, 1), D("75.92"))
    state = _fold(terms(), pays("p", date(2024, 2, 29), "1300.00"), back)
    assert (state.status, state.overpaid, state.refunded) == ("SETTLED", D(0), D("75.92"))
    assert state.splits["back"].total == D("-75.92")


def test_a_credit_paid_out_and_then_not_there_is_owed_again() -> None:
    events = [
        pays("p", date(2024, 2, 29), "1300.00"),
        Event("back", "CREDIT_REFUND", date(2024, 3, 1), D("75.92")),
        Event("undo", "REVERSAL", date(2024, 3, 5), of="p"),
    ]
    state = _fold(terms(), *events)
    assert state.outstanding == D("1224.08") + D("75.92")
    assert state.rows[1].principal == D("399.99") + D("75.92")


def test_a_charge_belongs_to_the_period_that_holds_its_date() -> None:
    loan = terms()
    days = ["2024-01-31", "2024-02-29", "2024-03-01", "2024-04-30"]
    charges = [charge(f"c{n}", date.fromisoformat(day), f"{n}.00") for n, day in enumerate(days, 1)]
    assert [cents(row.fee) for row in _fold(loan, *charges).rows] == ["3.00", "3.00", "4.00"]


def test_a_charge_after_the_last_due_date_makes_a_row() -> None:
    state = _fold(terms(), charge("c", date(2024, 5, 10), "7.00", "PENALTY"))
    last = state.rows[-1]
    assert (last.number, last.due_on, last.principal, last.penalty) == (4, date(2024, 5, 10), D(0), D("7.00"))


def test_later_charges_share_that_row_and_move_it() -> None:
    charges = [charge("c", date(2024, 5, 10), "7.00"), charge("d", date(2024, 6, 1), "5.00")]
    state = _fold(terms(), *charges)
    assert [(row.due_on, row.fee) for row in state.rows[3:]] == [(date(2024, 6, 1), D("12.00"))]


def test_a_down_payment_takes_no_charge() -> None:
    loan = terms(down_payment_rate=D("0.25"))
    state = _fold(loan, charge("c", loan.disbursed_on, "7.00"))
    assert [cents(row.fee) for row in state.rows] == ["0.00", "7.00", "0.00", "0.00"]


def test_a_payment_does_not_know_a_charge_listed_and_dated_after_it() -> None:
    pay = pays("p", date(2024, 2, 20), "420.00")
    later = charge("c", date(2024, 2, 25), "5.00")
    assert [cents(row.paid) for row in _fold(terms(), pay, later).rows[:2]] == ["408.03", "11.97"]
    assert [cents(row.paid) for row in _fold(terms(), later, pay).rows[:2]] == ["413.03", "6.97"]


def test_a_charge_dated_back_comes_before_the_payment() -> None:
    pay = pays("p", date(2024, 2, 20), "420.00")
    earlier = charge("c", date(2024, 2, 15), "5.00")
    assert [cents(row.paid) for row in _fold(terms(), pay, earlier).rows[:2]] == ["413.03", "6.97"]


def test_what_was_overpaid_pays_a_later_charge() -> None:
    state = _fold(terms(), pays("p", date(2024, 2, 20), "1230.00"), charge("c", date(2024, 2, 25), "5.00"))
    assert (state.status, state.overpaid) == ("OVERPAID", D("0.92"))
    assert (state.splits["p"].fee, state.splits["p"].overpaid) == (D("5.00"), D("0.92"))


def test_events_count_by_date_and_on_one_day_as_listed() -> None:
    a, b = pays("a", date(2024, 3, 10), "100.00"), pays("b", date(2024, 2, 10), "400.00")
    state = _fold(terms(), a, b)
    assert cents(state.splits["b"].interest, state.splits["a"].interest) == "12.00 8.04"
    same = [pays("x", date(2024, 3, 10), "12.00"), pays("y", date(2024, 3, 10), "12.00")]
    assert cents(*(_fold(terms(), *same).splits[ref].interest for ref in "xy")) == "12.00 0.00"


def test_what_lies_after_the_day_has_not_happened() -> None:
    loan = terms()
    events = [pays("a", date(2024, 2, 29), "408.03"), pays("b", date(2024, 3, 31), "408.03")]
    assert _fold(loan, *events, as_of=date(2024, 3, 30)) == _fold(loan, events[0], as_of=date(2024, 3, 30))


def test_a_reversal_restores() -> None:
    loan = terms(penalty_rate=D("0.18"))
    kept = pays("a", date(2024, 3, 10), "200.00")
    undone = [pays("b", date(2024, 3, 5), "300.00"), Event("undo", "REVERSAL", date(2024, 4, 1), of="b")]
    assert _fold(loan, kept, *undone) == _fold(loan, kept)
    assert _fold(loan, kept, *undone, as_of=date(2024, 3, 31)) == _fold(
        loan, kept, undone[0], as_of=date(2024, 3, 31)
    )


def test_waivers_take_the_oldest_first_and_no_more_than_is_owed() -> None:
    waive = Event("w", "WAIVER", date(2024, 3, 5), D("15.00"), kind="INTEREST")
    state = _fold(terms(), waive)
    assert [cents(row.interest_waived) for row in state.rows] == ["12.00", "3.00", "0.00"]
    state = _fold(terms(), waive._replace(amount=D("100.00")))
    assert state.splits["w"].interest == D("24.08")
    assert state.outstanding == D("1200.00")


def test_write_off_and_recovery() -> None:
    events = [
        pays("p", date(2024, 2, 29), "408.03"),
        Event("w", "WRITE_OFF", date(2024, 3, 31)),
        Event("r", "RECOVERY", date(2024, 5, 1), D("50.00")),
    ]
    state = _fold(terms(), *events)
    assert (state.status, state.outstanding, state.recovered) == ("WRITTEN_OFF", D(0), D("50.00"))
    assert cents(state.splits["w"].principal, state.splits["w"].interest) == "803.97 8.04"
    position = state.position
    assert (position.principal, position.interest, position.written_off) == (D(0), D(0), D("812.01"))


def test_a_backdated_write_off_gives_up_only_accrued_interest() -> None:
    state = _fold(terms(), Event("w", "WRITE_OFF", date(2024, 2, 14)))
    split = state.splits["w"]
    assert cents(split.principal, split.interest) == "1200.00 5.79"
    assert state.position.interest_earned == D("5.79")


WRONG: list[tuple[list[Event], str]] = [
    ([pays("out", date(2024, 3, 1), "1.00")], "twice"),
    ([Event("x", "REVERSAL", date(2024, 3, 1), of="nothing")], "reversed"),
    ([Event("x", "PARDON", date(2024, 3, 1), D(1))], "unknown type"),
    ([pays("x", date(2024, 3, 1), "0")], "above zero"),
    ([pays("x", date(2024, 3, 1), "-5")], "above zero"),
    ([pays("x", date(2024, 3, 1), "0.005")], "decimals"),
    ([pays("x", date(2024, 3, 1), "NaN")], "x"),
    ([pays("x", date(2024, 1, 30), "5.00")], "before the disbursement"),
    ([charge("x", date(2024, 3, 1), "5.00", "TIP")], "kind"),
    ([Event("x", "WAIVER", date(2024, 3, 1), D(1), kind="PRINCIPAL")], "kind"),
    ([Event("x", "RECOVERY", date(2024, 3, 1), D(1))], "not written off"),
    ([Event("w", "WRITE_OFF", date(2024, 3, 1)), pays("x", date(2024, 3, 2), "1.00")], "written off"),
]


@pytest.mark.parametrize(("events", "says"), WRONG)
def test_what_cannot_have_happened_is_refused(events: list[Event], says: str) -> None:
    with pytest.raises(EventError, match=says):
        _fold(terms(), *events)


# Several disbursements. 1,000.00 at 12 % in four months from 1 January 2025, 400.00 more later.


def _tranche(on: str, **changes: Any) -> list[str]:
    loan = terms(principal=D("1000"), instalments=4, disbursed_on=date(2025, 1, 1), **changes)
    more = Event("more", "DISBURSEMENT", date.fromisoformat(on), D("400"))
    return [cents(row.principal, row.interest) for row in _fold(loan, more).rows]


def test_a_tranche_brings_interest_from_its_day() -> None:
    """14 of the 28 days of the running period: 753.72 x 1 % + 400.00 x 1 % x 14/28 = 9.54."""
    assert _tranche("2025-02-15") == ["246.28 10.00", "382.75 9.54", "384.58 7.71", "386.39 3.86"]


def test_a_tranche_on_a_due_date_counts_from_the_next_period() -> None:
    assert _tranche("2025-02-01") == ["246.28 10.00", "380.75 11.54", "384.56 7.73", "388.41 3.88"]


def test_a_tranche_of_a_bullet_loan() -> None:
    assert _tranche("2025-02-01", method="BULLET") == ["1400.00 52.00"]
    assert _tranche("2025-02-15", method="BULLET") == ["1400.00 50.00"]


@pytest.mark.parametrize("method", ["EQUAL_INSTALMENT", "EQUAL_PRINCIPAL", "INTEREST_ONLY", "FLAT"])
def test_a_tranche_after_the_end(method: str) -> None:
    by_rules = _tranche("2025-06-10", method=method, allocation=rules())
    assert by_rules[-1] == "400.00 0.00"
    in_rhythm = _tranche("2025-06-10", method=method)
    assert in_rhythm[-1].startswith("400.00 ")


def test_a_tranche_pays_itself_from_credit() -> None:
    loan = terms(principal=D("1000"), annual_rate=D(0), allocation=rules())
    more = Event("more", "DISBURSEMENT", date(2024, 2, 10), D("300"))
    state = _fold(loan, pays("p", date(2024, 2, 1), "1100.00"), more)
    assert (state.outstanding, state.overpaid) == (D("200.00"), D(0))
    assert state.splits["p"].principal == D("1100.00")


def test_each_disbursement_has_its_down_payment() -> None:
    loan = terms(principal=D("1000"), annual_rate=D(0), instalments=2, down_payment_rate=D("0.25"))
    state = _fold(loan, Event("more", "DISBURSEMENT", date(2024, 2, 10), D("200")))
    assert [(cents(row.principal), row.is_down_payment) for row in state.rows] == [
        ("250.00", True),
        ("50.00", True),
        ("450.00", False),
        ("450.00", False),
    ]


def test_what_went_out_makes_the_schedule() -> None:
    loan = terms()
    less_and_later = Event("out", "DISBURSEMENT", date(2024, 2, 5), D("600.00"))
    rows = replay(loan, [less_and_later], END).rows
    assert sum(row.principal for row in rows) == D("600.00")
    assert [row.due_on for row in rows] == [date(2024, 3, 5), date(2024, 4, 5), date(2024, 5, 5)]


def test_days_past_due_and_overdue() -> None:
    state = _fold(terms(), pays("p", date(2024, 2, 20), "100.00"), as_of=date(2024, 4, 1))
    assert (state.days_past_due(), state.days_past_due(date(2024, 2, 29))) == (32, 0)
    assert state.overdue_since() == date(2024, 2, 29)
    overdue = state.overdue()
    assert cents(overdue.principal, overdue.interest, overdue.total) == "708.02 8.04 716.06"
    next_due = state.next_due()
    assert next_due is not None
    assert next_due.number == 3


def _adds_up(position: Position) -> bool:
    owed = position.principal + position.interest + position.fee + position.penalty - position.credit
    earned = position.interest_earned + position.fee_earned + position.penalty_earned
    moved = position.disbursed + position.refunded - position.received - position.written_off
    return owed == earned + moved


def test_the_position_of_a_payment_in_advance() -> None:
    state = _fold(terms(), pays("p", date(2024, 2, 10), "408.03"), as_of=date(2024, 2, 10))
    position = state.position
    assert cents(position.principal, position.interest, position.interest_earned) == "803.97 -12.00 0.00"
    assert _adds_up(position)
    billed = _fold(terms(), pays("p", date(2024, 2, 10), "408.03"), as_of=date(2024, 2, 29)).position
    assert cents(billed.interest, billed.interest_earned) == "0.00 12.00"
