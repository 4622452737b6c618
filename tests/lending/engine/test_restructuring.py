"""Prepayment, chargeback and restructuring of 12,000.00 at 12 % in six: 2,070.58 on the last day of each month."""

import csv
import io
import json
import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from lending.engine import Event, EventError, LoanState, Terms, payoff, replay
from tests.lending.engine.cases import D, cents, charge, out, pays, terms

FOLDER = Path(__file__).resolve().parents[2] / "golden"
PARTS = ("principal", "interest", "fee", "penalty", "total", "paid", "waived", "outstanding")

FIRST = pays("p1", date(2024, 2, 29), "2070.58")
LATE = {"principal": D("12000"), "instalments": 6, "penalty_rate": D("0.18")}


def event(type_: str, on: str, amount: str = "0", /, **values: Any) -> Event:
    names = ("kind", "of")
    details = {name: value for name, value in values.items() if name not in names} or None
    known = {name: values[name] for name in names if name in values}
    return Event("x", type_, date.fromisoformat(on), D(amount), **known, details=details)


CASES: dict[str, tuple[Terms, Event]] = {
    "prepayment_lower": (terms(**LATE), event("PREPAYMENT", "2024-03-15", "3000", kind="LOWER")),
    "prepayment_shorten": (terms(**LATE), event("PREPAYMENT", "2024-03-15", "3000", kind="SHORTEN")),
    "prepayment_when_overdue": (terms(**LATE), event("PREPAYMENT", "2024-04-10", "5000", kind="LOWER")),
    "prepayment_flat": (
        terms(**LATE, method="FLAT"),
        event("PREPAYMENT", "2024-03-15", "3000", kind="SHORTEN"),
    ),
    "prepayment_bullet": (
        terms(**LATE, method="BULLET"),
        event("PREPAYMENT", "2024-03-15", "3000", kind="LOWER"),
    ),
    "chargeback": (terms(**LATE), event("CHARGEBACK", "2024-03-10", "2070.58", of="p1")),
    "chargeback_of_a_part": (terms(**LATE), event("CHARGEBACK", "2024-03-10", "1000", of="p1")),
    "acceleration": (terms(**LATE), event("ACCELERATION", "2024-04-10")),
    "reschedule_rate_and_term": (
        terms(**LATE),
        event("RESCHEDULE", "2024-04-10", annual_rate="0.06", instalments=12),
    ),
    "reschedule_new_dates": (
        terms(**LATE),
        event("RESCHEDULE", "2024-04-10", due_dates=["2024-05-20", "2024-08-20", "2024-12-20"]),
    ),
    "capitalise": (
        terms(**LATE),
        event("RESCHEDULE", "2024-05-10", overdue={"interest": "CAPITALISE"}, accrued="CAPITALISE"),
    ),
    "waive": (
        terms(**LATE),
        event("RESCHEDULE", "2024-05-10", overdue={"interest": "WAIVE", "penalty": "WAIVE"}),
    ),
    "carry_forward": (terms(**LATE), event("RESCHEDULE", "2024-05-10")),
    "reage": (terms(**LATE), event("REAGE", "2024-05-10", instalments=3)),
    "reamortise": (terms(**LATE), event("REAMORTISE", "2024-05-10")),
    "holiday_carried": (terms(**LATE), event("HOLIDAY", "2024-03-10", instalments=2)),
    "holiday_capitalised": (
        terms(**LATE),
        event("HOLIDAY", "2024-03-10", instalments=2, skipped_interest="CAPITALISE"),
    ),
    "holiday_principal_only": (
        terms(**LATE),
        event("HOLIDAY", "2024-03-10", instalments=2, skipped_interest="PAY"),
    ),
    "hardship": (
        terms(**LATE),
        event(
            "HARDSHIP", "2024-05-10", annual_rate="0.03", instalments=6, skip=2, overdue={"penalty": "WAIVE"}
        ),
    ),
}


def _lines(state: LoanState) -> str:
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow(("number", "due_on", *PARTS))
    for row in state.rows:
        table.writerow((row.number, row.due_on, *cents(*(getattr(row, name) for name in PARTS)).split()))
    return written.getvalue()


def _text(agreed: Terms, what: Event) -> str:
    before = replay(agreed, [out(agreed), FIRST], what.on)
    after = replay(agreed, [out(agreed), FIRST, what], what.on)
    parts = {"type": what.type, "on": str(what.on), "amount": str(what.amount), **(what.details or {})}
    return (
        f"# {json.dumps(agreed.to_json())}\n# before\n{_lines(before)}# {json.dumps(parts)}\n{_lines(after)}"
    )


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    path = FOLDER / f"restructuring_{name}.csv"
    text = _text(*CASES[name])
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


def test_no_file_is_left_behind() -> None:
    assert {path.stem for path in FOLDER.glob("restructuring_*.csv")} == {
        f"restructuring_{name}" for name in CASES
    }


def folded(*events: Event, on: str = "2024-12-31", **changes: Any) -> LoanState:
    loan = terms(**{"principal": D("12000"), "instalments": 6} | changes)
    return replay(loan, [out(loan), *events], date.fromisoformat(on))


def left(state: LoanState) -> list[str]:
    return [cents(row.outstanding) for row in state.rows if row.outstanding]


def refused(*events: Event, **changes: Any) -> str:
    with pytest.raises(EventError) as caught:
        folded(*events, **changes)
    return caught.value.message


# --- prepayment --------------------------------------------------------------------------------------------------


def test_prepaying_everything_leaves_the_interest_of_the_days_used() -> None:
    """10,049.42 x 1 % x 15 / 31 = 48.63; what is more becomes credit."""
    on = "2024-03-15"
    state = folded(FIRST, event("PREPAYMENT", on, "10049.42", kind="LOWER"))
    assert left(state) == ["48.63"]
    more = folded(FIRST, event("PREPAYMENT", on, "10100.00", kind="SHORTEN"))
    assert (more.status, more.overpaid) == ("OVERPAID", D("1.95"))


def test_a_prepayment_pays_what_is_overdue_first() -> None:
    state = folded(event("PREPAYMENT", "2024-03-10", "2000", kind="LOWER"), on="2024-03-10")
    assert cents(state.splits["x"].interest, state.splits["x"].principal) == "120.00 1880.00"
    assert left(state) == ["70.58", "2070.58", "2070.58", "2070.58", "2070.58", "2070.58"]


def test_money_paid_ahead_moves_on_when_the_instalments_get_smaller() -> None:
    """The whole second instalment was paid early; after the prepayment it owes 1,466.98 and the rest pays the next."""
    early = pays("p2", date(2024, 3, 5), "2070.58")
    state = folded(FIRST, early, event("PREPAYMENT", "2024-03-15", "3000", kind="LOWER"))
    assert left(state) == ["848.86", "1452.46", "1452.46", "1452.46"]
    assert state.splits["x"].total == D("3000")


def test_a_method_without_principal_before_the_end_has_nothing_to_shorten() -> None:
    for method in ("BULLET", "INTEREST_ONLY"):
        both = [
            left(folded(event("PREPAYMENT", "2024-03-15", "3000", kind=kind), method=method))
            for kind in ("SHORTEN", "LOWER")
        ]
        assert both[0] == both[1]


def test_flat_interest_falls_with_the_principal_that_is_left() -> None:
    """Half of what is left is prepaid on the day after a due date: each instalment after it is half as large."""
    flat = {"method": "FLAT", "annual_rate": D("0.12")}
    before = folded(pays("p1", date(2024, 2, 29), "2120.00"), **flat)
    prepaid = event("PREPAYMENT", "2024-03-01", "5000", kind="LOWER")
    after = folded(pays("p1", date(2024, 2, 29), "2120.00"), prepaid, **flat)
    assert left(before) == ["2120.00"] * 5
    assert left(after) == ["1060.00"] * 5


def test_custom_shares_are_scaled_or_end_earlier() -> None:
    custom = {"method": "CUSTOM", "instalments": 3, "annual_rate": D(0)}
    shares = {"custom_principal": (D("2000"), D("4000"), D("6000"))}
    lower = folded(event("PREPAYMENT", "2024-02-01", "6000", kind="LOWER"), **custom, **shares)
    shorter = folded(event("PREPAYMENT", "2024-02-01", "6000", kind="SHORTEN"), **custom, **shares)
    assert (left(lower), left(shorter)) == (["1000.00", "2000.00", "3000.00"], ["2000.00", "4000.00"])


def test_two_prepayments_and_a_tranche_count_each_day_once() -> None:
    first = event("PREPAYMENT", "2024-03-15", "3000", kind="LOWER")
    second = Event("y", "PREPAYMENT", date(2024, 3, 20), D("1000"), kind="SHORTEN")
    more = Event("z", "DISBURSEMENT", date(2024, 3, 25), D("4000"))
    state = folded(FIRST, first, second, more, on="2024-03-25")
    running = next(row for row in state.rows if row.due_on == date(2024, 3, 31))
    # 10,049.42 for 15 days, 7,049.42 for 5, 6,049.42 for 5, 10,049.42 for 6, of 31 days, at 1 % a month.
    exact = (D("10049.42") * 15 + D("7049.42") * 5 + D("6049.42") * 5 + D("10049.42") * 6) / 31 / 100
    assert abs(running.interest - exact) < D("0.02")
    assert state.principal_outstanding == D("10049.42")


@pytest.mark.parametrize("kind", [None, "", "FASTER"])
def test_a_prepayment_says_what_it_is_for(kind: str | None) -> None:
    assert "SHORTEN or LOWER" in refused(Event("x", "PREPAYMENT", date(2024, 3, 1), D("1"), kind=kind))


# --- chargeback --------------------------------------------------------------------------------------------------


def test_a_chargeback_raises_what_is_owed_from_its_day_and_not_before() -> None:
    back = event("CHARGEBACK", "2024-03-10", "2070.58", of="p1")
    state = folded(FIRST, back, on="2024-03-20", penalty_rate=D("0.18"))
    assert (state.days_past_due(), state.overdue().principal) == (10, D("1950.58"))
    assert state.overdue().penalty == D("9.62")  # 1,950.58 x 18 % x 10 / 365
    reversed_ = folded(
        FIRST, Event("r", "REVERSAL", date(2024, 3, 10), of="p1"), on="2024-03-20", penalty_rate=D("0.18")
    )
    assert reversed_.days_past_due() == 20


def test_the_position_takes_a_chargeback_without_earning_twice() -> None:
    before = folded(FIRST, on="2024-03-10").position
    after = folded(FIRST, event("CHARGEBACK", "2024-03-10", "2070.58", of="p1"), on="2024-03-10").position
    assert after.interest_earned == before.interest_earned == D("120.00")
    assert (after.principal - before.principal, after.interest, after.refunded) == (
        D("1950.58"),
        D("120.00"),
        D("2070.58"),
    )


def test_a_chargeback_takes_credit_first_and_reopens_a_settled_loan() -> None:
    much = pays("p1", date(2024, 2, 29), "13000.00")
    state = folded(much, event("CHARGEBACK", "2024-03-10", "600", of="p1"))
    assert (state.overpaid, left(state)) == (D(0), ["23.48"])
    assert state.splits["p1"].total == D("13000.00")


def test_a_payment_made_ahead_is_simply_owed_again() -> None:
    early = pays("p1", date(2024, 2, 5), "2070.58")
    state = folded(early, event("CHARGEBACK", "2024-02-10", "2070.58", of="p1"))
    assert (len(state.rows), left(state)) == (6, ["2070.58"] * 6)


def test_a_credit_that_was_paid_out_is_owed() -> None:
    much = pays("p1", date(2024, 2, 29), "13000.00")
    refund = Event("r", "CREDIT_REFUND", date(2024, 3, 1), D("576.52"))
    state = folded(much, refund, event("CHARGEBACK", "2024-03-10", "13000", of="p1"))
    assert state.outstanding == D("13000.00")


def test_no_more_than_was_paid_can_be_taken_back() -> None:
    assert "more than" in refused(FIRST, event("CHARGEBACK", "2024-03-10", "2070.59", of="p1"))
    first = event("CHARGEBACK", "2024-03-10", "2000", of="p1")
    again = Event("y", "CHARGEBACK", date(2024, 3, 11), D("70.59"), of="p1")
    assert "more than" in refused(FIRST, first, again)
    assert "more than" in refused(FIRST, event("CHARGEBACK", "2024-03-10", "1", of="nobody"))
    assert "more than" in refused(FIRST, event("CHARGEBACK", "2024-03-10", "1"))


# --- everything due at once ----------------------------------------------------------------------------------------


def test_acceleration_makes_all_of_it_overdue_from_the_next_day() -> None:
    state = folded(FIRST, event("ACCELERATION", "2024-04-10"), on="2024-04-20", penalty_rate=D("0.18"))
    assert state.status == "ACCELERATED"
    assert state.overdue().principal == D("10049.42")
    # 1,970.09 for 20 days and 8,079.33 for 10.
    assert state.overdue().penalty == D("59.27")
    paid = folded(FIRST, event("ACCELERATION", "2024-04-10"), pays("p2", date(2024, 4, 10), "10176.84"))
    assert paid.status == "SETTLED"


def test_a_rescheduled_loan_is_not_accelerated_any_more_and_can_be_drawn_again() -> None:
    events = [FIRST, event("ACCELERATION", "2024-04-10"), Event("y", "RESCHEDULE", date(2024, 4, 20))]
    state = folded(*events, on="2024-04-20")
    assert (state.status, state.days_past_due()) == ("ACTIVE", 0)
    more = Event("z", "DISBURSEMENT", date(2024, 4, 25), D("500"))
    assert folded(*events, more, on="2024-04-25").principal_outstanding == D("10549.42")
    assert "settlement" in refused(*events[:2], more)


# --- new schedules -------------------------------------------------------------------------------------------------


def test_nothing_changes_where_nothing_is_left_to_change() -> None:
    """A payment dated back may come in before a restructuring and pay all that it was about."""
    all_paid = pays("p", date(2024, 2, 29), "12423.48")
    for type_ in ("RESCHEDULE", "HARDSHIP", "HOLIDAY", "REAMORTISE", "REAGE", "ACCELERATION"):
        state = folded(all_paid, event(type_, "2024-08-10"))
        assert (state.status, state.outstanding) == ("SETTLED", D(0)), type_
    on_time = [pays(f"p{n}", date(2024, 2 + n, 28 + (n == 0)), "2070.58") for n in range(3)]
    for type_ in ("REAMORTISE", "REAGE"):
        assert left(folded(*on_time, event(type_, "2024-05-01"))) == left(folded(*on_time))


def test_a_holiday_keeps_all_interest_that_time_brings() -> None:
    plain = sum(row.interest for row in folded(FIRST).rows)
    held = folded(FIRST, event("HOLIDAY", "2024-03-10", instalments=2))
    assert sum(row.interest for row in held.rows) == plain + 2 * D("100.49")
    grown = folded(FIRST, event("HOLIDAY", "2024-03-10", instalments=2, skipped_interest="CAPITALISE"))
    assert sum(row.interest for row in grown.rows) > sum(row.interest for row in held.rows)
    assert held.rows[-1].due_on == grown.rows[-1].due_on == date(2024, 9, 30)


def test_a_prepayment_within_a_holiday_keeps_the_holiday_and_its_interest() -> None:
    held = event("HOLIDAY", "2024-03-10", instalments=2)
    prepaid = Event("y", "PREPAYMENT", date(2024, 4, 10), D("3000"), kind="LOWER")
    state = folded(FIRST, held, prepaid, on="2024-04-10")
    assert [row.due_on for row in state.rows if row.outstanding][0] == date(2024, 5, 31)
    first = next(row for row in state.rows if row.outstanding)
    # Two months of 100.49 less 3,000.00 for 20 of 30 days, and one month on 7,049.42.
    assert first.interest == D("100.49") + D("80.49") + D("70.49")


def test_settling_after_a_reschedule_asks_for_the_days_since() -> None:
    loan = terms(principal=D("12000"), instalments=6)
    events = [out(loan), FIRST, event("RESCHEDULE", "2024-04-10", annual_rate="0.06", instalments=6)]
    figure = payoff(loan, events, date(2024, 4, 10))
    assert cents(figure.principal, figure.interest) == "10049.42 127.42"
    later = payoff(loan, events, date(2024, 4, 20))
    # 10,049.42 x 6 % / 12 x 20 / 30 x 10 / 20
    assert later.interest == D("127.42") + D("16.75")


def test_restructured_twice_owes_no_cent_twice() -> None:
    first = event("RESCHEDULE", "2024-04-10", instalments=8, skip=1)
    second = Event("y", "HARDSHIP", date(2024, 6, 5), details={"annual_rate": "0", "instalments": 10})
    state = folded(FIRST, first, second, on="2024-06-05")
    assert state.principal_outstanding == D("10049.42")
    again = folded(FIRST, first, second, pays("p", date(2024, 6, 5), str(state.outstanding)), on="2024-06-05")
    assert again.status == "SETTLED"


def test_a_reversed_restructuring_leaves_no_trace() -> None:
    for type_ in ("RESCHEDULE", "HARDSHIP", "HOLIDAY", "REAMORTISE", "REAGE", "ACCELERATION"):
        back = Event("r", "REVERSAL", date(2024, 6, 1), of="x")
        assert folded(FIRST, event(type_, "2024-05-10"), back) == folded(FIRST), type_


def test_dates_go_on_at_the_end_of_the_month() -> None:
    state = folded(FIRST, event("RESCHEDULE", "2024-07-10", instalments=9), on="2024-07-10")
    days = [row.due_on for row in state.rows if row.outstanding]
    assert days[0] == date(2024, 7, 31)
    assert days[6:] == [date(2025, 1, 31), date(2025, 2, 28), date(2025, 3, 31)]


def test_charges_not_yet_due_go_with_the_first_new_instalment() -> None:
    state = folded(
        FIRST, charge("c", date(2024, 7, 1), "9.00"), event("RESCHEDULE", "2024-04-10"), on="2024-04-10"
    )
    assert [row.fee for row in state.rows if row.outstanding] == [D("9.00"), *[D(0)] * 3]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (event("RESCHEDULE", "2024-04-10", rate="0.06"), "rate is not for RESCHEDULE"),
        (event("RESCHEDULE", "2024-04-10", annual_rate=0.06), "annual_rate cannot be 0.06"),
        (event("RESCHEDULE", "2024-04-10", annual_rate="-0.01"), "annual_rate cannot be"),
        (event("RESCHEDULE", "2024-04-10", annual_rate="NaN"), "annual_rate cannot be"),
        (event("RESCHEDULE", "2024-04-10", instalments=0), "instalments cannot be 0"),
        (event("RESCHEDULE", "2024-04-10", instalments=True), "instalments cannot be True"),
        (event("RESCHEDULE", "2024-04-10", instalments=1201), "instalments cannot be 1201"),
        (event("RESCHEDULE", "2024-04-10", first_due_on="2024-04-10"), "must lie after"),
        (event("RESCHEDULE", "2024-04-10", first_due_on="soon"), "first_due_on cannot be 'soon'"),
        (event("RESCHEDULE", "2024-04-10", due_dates=["2024-05-01", "2024-05-01"]), "must rise"),
        (event("RESCHEDULE", "2024-04-10", due_dates=[]), "due_dates cannot be"),
        (event("RESCHEDULE", "2024-04-10", method="CUSTOM"), "method cannot be"),
        (
            event("RESCHEDULE", "2024-04-10", overdue={"penalty": "CAPITALISE"}),
            "penalty cannot be 'CAPITALISE'",
        ),
        (event("RESCHEDULE", "2024-04-10", overdue={"rent": "WAIVE"}), "rent cannot be"),
        (event("RESCHEDULE", "2024-04-10", overdue="WAIVE"), "must be an object"),
        (event("HOLIDAY", "2024-04-10", annual_rate="0"), "not for HOLIDAY"),
        (event("REAGE", "2024-04-10", first_due_on="2024-04-09"), "must lie after"),
        (event("ACCELERATION", "2024-04-10", instalments=2), "not for ACCELERATION"),
        (event("RESCHEDULE", "2024-01-30"), "before the disbursement"),
        (Event("x", "HOLIDAY", date(2024, 4, 10), details=["x"]), "details must be an object"),
    ],
)
def test_what_cannot_be_agreed_is_refused_by_name(what: Event, words: str) -> None:
    assert words in refused(what)


def test_a_written_off_loan_takes_no_new_schedule() -> None:
    gone = Event("w", "WRITE_OFF", date(2024, 3, 1))
    for type_ in ("RESCHEDULE", "HOLIDAY", "REAGE", "ACCELERATION"):
        assert "written off" in refused(gone, event(type_, "2024-04-10"))
    assert "written off" in refused(FIRST, gone, event("CHARGEBACK", "2024-04-10", "1", of="p1"))


def test_five_hundred_transactions_of_all_kinds_fold() -> None:
    loan = terms(principal=D("500000"), instalments=360)
    events = [out(loan)]
    for number in range(1, 500):
        on = loan.disbursed_on + timedelta(days=20 * number)
        events.append(Event(f"e{number}", "HOLIDAY" if number % 50 == 0 else "REPAYMENT", on, D("1500")))
    state = replay(loan, events, events[-1].on)
    assert sum(row.principal for row in state.rows) == D("500000")
