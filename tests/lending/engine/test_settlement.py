"""Early settlement of 1,200.00 at 12 %: 396.03 + 12.00, 399.99 + 8.04, 403.98 + 4.04, due 29 Feb, 31 Mar, 30 Apr."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lending.engine import Event, Payoff, payoff, replay
from tests.lending.engine.cases import D, cents, charge, out, pays, terms

END = date(2024, 12, 31)


def _payoff(on: str, *events: Event, **changes: Any) -> str:
    loan = terms(**changes)
    return _parts(payoff(loan, [out(loan), *events], date.fromisoformat(on)))


def _parts(figure: Payoff) -> str:
    return cents(figure.principal, figure.interest, figure.fee, figure.penalty)


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("2024-01-31", "1200.00 0.00 0.00 0.00"),
        ("2024-02-01", "1200.00 0.41 0.00 0.00"),
        ("2024-02-14", "1200.00 5.79 0.00 0.00"),
        ("2024-02-29", "1200.00 12.00 0.00 0.00"),
        ("2024-03-10", "1200.00 14.59 0.00 0.00"),
        ("2024-04-30", "1200.00 24.08 0.00 0.00"),
        ("2025-04-30", "1200.00 24.08 0.00 0.00"),
    ],
)
def test_interest_for_the_days_used(on: str, expected: str) -> None:
    """On 14 February 14 of 29 days: 12.00 x 14/29. On 10 March all of the first row and 8.04 x 10/31."""
    assert _payoff(on) == expected


def test_what_was_paid_is_not_asked_again() -> None:
    first = pays("p", date(2024, 2, 29), "408.03")
    assert _payoff("2024-03-10", first) == "803.97 2.59 0.00 0.00"


def test_flat_interest_too_is_owed_for_the_days_used_only() -> None:
    assert _payoff("2024-03-10", method="FLAT") == "1200.00 15.87 0.00 0.00"


def test_a_bullet_loan_owes_its_days() -> None:
    """36.00 for 90 days; 39 of them used."""
    assert _payoff("2024-03-10", method="BULLET") == "1200.00 15.60 0.00 0.00"


def test_deferred_interest_is_owed_when_the_loan_ends_early() -> None:
    assert _payoff("2024-03-10", grace_interest_instalments=1) == "1200.00 14.59 0.00 0.00"


def test_interest_free_days_stay_free() -> None:
    """Of 29 days 10 are free: 1,200.00 x 12 % / 12 x 19/29 = 7.86, and 4 of those 19 days are used."""
    assert _payoff("2024-02-10", interest_free_days=10) == "1200.00 0.00 0.00 0.00"
    assert _payoff("2024-02-14", interest_free_days=10) == "1200.00 1.65 0.00 0.00"


def test_a_tranche_owes_interest_from_its_own_day() -> None:
    """1,000.00 on 1 January and 400.00 on 15 February 2025. By the 21st: 10.00 of the first period, 753.72 x 1 % x
    20/28 and 400.00 x 1 % x 6/28 of the second; a share of its 9.54 by days would be 6.81 and so too much."""
    loan = terms(principal=D("1000"), instalments=4, disbursed_on=date(2025, 1, 1))
    more = Event("more", "DISBURSEMENT", date(2025, 2, 15), D("400"))
    assert _parts(payoff(loan, [out(loan), more], date(2025, 2, 21))) == "1400.00 16.24 0.00 0.00"


FLAT_FEE = {"method": "FLAT_FEE", "annual_rate": D(0), "fee_rate": D("0.005")}


def test_flat_fees_of_the_future_are_waived_unless_the_terms_say_otherwise() -> None:
    assert _payoff("2024-03-10", **FLAT_FEE) == "1200.00 0.00 6.00 0.00"
    assert _payoff("2024-03-10", **FLAT_FEE, settlement_fee="CHARGE") == "1200.00 0.00 18.00 0.00"


def test_a_charge_stays_owed() -> None:
    assert (
        _payoff("2024-03-10", charge("c", date(2024, 3, 5), "9.00"), **FLAT_FEE) == "1200.00 0.00 15.00 0.00"
    )


def test_settling_ends_the_loan() -> None:
    loan = terms()
    on = date(2024, 3, 10)
    total = payoff(loan, [out(loan)], on).total
    state = replay(loan, [out(loan), Event("s", "SETTLEMENT", on, total)], END)
    assert (state.status, state.outstanding, state.overpaid) == ("SETTLED", D(0), D(0))
    assert [(row.due_on, row.total) for row in state.rows] == [
        (date(2024, 2, 29), D("408.03")),
        (on, D("806.56")),
    ]
    assert state.position.interest_earned == D("14.59")


def test_settling_on_the_first_day_costs_nothing() -> None:
    loan = terms()
    on = loan.disbursed_on
    state = replay(loan, [out(loan), Event("s", "SETTLEMENT", on, D("1200.00"))], END)
    assert (state.status, state.outstanding) == ("SETTLED", D(0))


def test_interest_paid_ahead_turns_into_principal() -> None:
    """The first instalment was paid on 5 February with its 12.00; by the 14th only 5.79 have accrued."""
    loan = terms()
    early = pays("p", date(2024, 2, 5), "408.03")
    assert _payoff("2024-02-14", early) == "797.76 0.00 0.00 0.00"
    events = [out(loan), early, Event("s", "SETTLEMENT", date(2024, 2, 14), D("797.76"))]
    state = replay(loan, events, END)
    assert state.status == "SETTLED"
    assert cents(state.splits["s"].principal, state.splits["s"].interest) == "803.97 -6.21"
    assert state.splits["s"].total == D("797.76")


def test_a_credit_is_taken_off_and_an_overpaid_loan_gets_money_back() -> None:
    loan = terms()
    almost_all = pays("p", date(2024, 2, 5), "1224.08")
    assert _payoff("2024-02-14", almost_all) == "0.00 0.00 0.00 0.00"
    events = [out(loan), almost_all, Event("s", "SETTLEMENT", date(2024, 2, 14))]
    state = replay(loan, events, END)
    assert (state.status, state.overpaid) == ("OVERPAID", D("18.29"))


def test_a_settlement_taken_back_leaves_no_trace() -> None:
    loan = terms()
    events = [
        out(loan),
        Event("s", "SETTLEMENT", date(2024, 3, 10), D("1214.59")),
        Event("u", "REVERSAL", date(2024, 3, 12), of="s"),
    ]
    assert replay(loan, events, END) == replay(loan, events[:1], END)


METHODS = ["EQUAL_INSTALMENT", "EQUAL_PRINCIPAL", "INTEREST_ONLY", "BULLET", "FLAT"]


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(METHODS),
    st.integers(0, 400),
    st.integers(0, 130_000),
    st.integers(0, 400),
    st.sampled_from(["ACT/ACT", "ACT/365", "30/360"]),
    st.sampled_from(["DAILY", "PERIOD"]),
)
def test_paying_the_payoff_settles(
    method: str, day: int, minor: int, paid_after: int, day_count: str, interest_period: str
) -> None:
    loan = terms(method=method, day_count=day_count, interest_period=interest_period, penalty_rate=D("0.18"))
    events = [out(loan)]
    if minor and paid_after <= day:
        events.append(pays("p", loan.disbursed_on + timedelta(days=paid_after), str(D(minor).scaleb(-2))))
    on = loan.disbursed_on + timedelta(days=day)
    total = payoff(loan, events, on).total
    state = replay(loan, [*events, Event("s", "SETTLEMENT", on, total)], on)
    assert state.outstanding == 0
    assert all(row.due_on <= on for row in state.rows)
    later = replay(loan, [*events, Event("s", "SETTLEMENT", on, total)], on + timedelta(days=400))
    assert later.outstanding == 0
