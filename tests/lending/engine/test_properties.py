"""What must hold for any terms and any course of events."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lending.engine import Event, EventError, LoanState, Method, Terms, relief, replay, schedule
from lending.engine.daycount import DAY_COUNTS
from tests.lending.engine.cases import D, rules

START = date(2023, 10, 31)
METHODS = [method for method in Method if method != Method.CUSTOM]


@st.composite
def any_terms(draw: st.DrawFn, max_instalments: int = 36) -> Terms:
    method = draw(st.sampled_from(METHODS))
    count = draw(st.integers(1, max_instalments))
    rate = D(0) if method == Method.FLAT_FEE else D(draw(st.integers(0, 4800))).scaleb(-4)
    first = draw(st.one_of(st.none(), st.integers(1, 70)))
    return Terms(
        principal=D(draw(st.integers(100, 10**9))).scaleb(-2),
        annual_rate=rate,
        method=method,
        instalments=count,
        every=draw(st.integers(1, 3)),
        unit=draw(st.sampled_from(["DAY", "WEEK", "MONTH", "YEAR"])),
        disbursed_on=START + timedelta(days=draw(st.integers(0, 800))),
        first_due_on=None if first is None else START + timedelta(days=800 + first),
        day_count=draw(st.sampled_from(DAY_COUNTS)),
        interest_period=draw(st.sampled_from(["PERIOD", "DAILY"])),
        rounding=draw(st.sampled_from(["HALF_EVEN", "HALF_UP", "DOWN", "UP"])),
        residue=draw(st.sampled_from(["SMOOTH", "LAST"])),
        instalment_multiple_of=draw(st.sampled_from([None, D("1"), D("0.05")])),
        down_payment_rate=draw(st.sampled_from([D(0), D("0.25")])),
        fee_rate=draw(st.sampled_from([D(0), D("0.005")])),
        grace_principal_instalments=draw(st.integers(0, count - 1)),
        grace_interest_instalments=draw(st.integers(0, count - 1)),
        interest_free_days=draw(st.sampled_from([0, 0, 10, 40])),
    )


@settings(max_examples=150, deadline=None)
@given(any_terms())
def test_a_schedule_gives_back_exactly_what_went_out(terms: Terms) -> None:
    rows = schedule(terms)
    assert sum(row.principal for row in rows) == terms.principal
    assert rows[-1].balance == 0
    balance = terms.principal
    for row in rows:
        balance -= row.principal
        assert row.balance == balance >= 0
        assert min(row.principal, row.interest, row.fee) >= 0
        assert row.principal.as_tuple().exponent == -2
    days = [row.due_on for row in rows]
    assert days == sorted(days)
    assert (len(rows) - bool(terms.down_payment_rate and rows[0].due_on == terms.disbursed_on)) in (
        terms.instalments,
        1,
    )


@settings(max_examples=75, deadline=None)
@given(any_terms(max_instalments=60))
def test_level_instalments_are_level(terms: Terms) -> None:
    plain = replace(
        terms,
        method=Method.EQUAL_INSTALMENT,
        down_payment_rate=D(0),
        fee_rate=D(0),
        grace_principal_instalments=0,
        grace_interest_instalments=0,
        rounding="HALF_EVEN",
        residue="SMOOTH",
        instalment_multiple_of=None,
        annual_rate=min(terms.annual_rate, D("0.24")),
    )
    totals = [row.total for row in schedule(plain)]
    ended = totals.index(0) if 0 in totals else len(totals)
    assert len(set(totals[: ended - 1])) <= 1


ALLOCATIONS = [
    "OLDEST_FIRST",
    "DUE_THEN_PRINCIPAL",
    *(rules(p, f) for p in ("HORIZONTAL", "VERTICAL") for f in ("NEXT", "LAST", "NEXT_LAST", "REAMORTISE")),
]
RESTRUCTURINGS = ["RESCHEDULE", "HARDSHIP", "HOLIDAY", "REAMORTISE", "REAGE"]
TYPES = [
    "REPAYMENT",
    "REPAYMENT",
    "REPAYMENT",
    "GOODWILL",
    "MERCHANT_REFUND",
    "CHARGE",
    "WAIVER",
    "DISBURSEMENT",
    "CREDIT_REFUND",
    "REVERSAL",
    "SETTLEMENT",
    "PREPAYMENT",
    "PREPAYMENT",
    "CHARGEBACK",
    "ACCELERATION",
    *RESTRUCTURINGS,
    *RESTRUCTURINGS,
]


@st.composite
def details(draw: st.DrawFn, type_: str, on: date) -> dict[str, object]:
    """What such an event may say, each part of it or not."""
    overdue = {
        "principal": st.sampled_from(["KEEP", "MOVE"]),
        "interest": st.sampled_from(["KEEP", "CARRY", "CAPITALISE", "WAIVE"]),
        "fee": st.sampled_from(["KEEP", "CARRY", "CAPITALISE", "WAIVE"]),
        "penalty": st.sampled_from(["KEEP", "CARRY", "WAIVE"]),
    }
    choices: dict[str, st.SearchStrategy] = {
        "annual_rate": st.sampled_from(["0", "0.03", "0.12"]),
        "instalments": st.integers(1, 6),
        "first_due_on": st.integers(1, 70).map(lambda days: (on + timedelta(days=days)).isoformat()),
        "unit": st.sampled_from(["MONTH", "WEEK"]),
        "method": st.sampled_from(["EQUAL_INSTALMENT", "EQUAL_PRINCIPAL", "INTEREST_ONLY", "BULLET", "FLAT"]),
        "skip": st.integers(0, 2),
        "skipped_interest": st.sampled_from(["CARRY", "CAPITALISE", "PAY"]),
        "accrued": st.sampled_from(["CARRY", "CAPITALISE", "WAIVE"]),
        "overdue": st.fixed_dictionaries({}, optional=overdue),
    }
    known = {name: choice for name, choice in choices.items() if name in relief.FIELDS[type_]}
    return draw(st.fixed_dictionaries({}, optional=known))


@st.composite
def any_course(draw: st.DrawFn) -> tuple[Terms, list[Event]]:
    """Terms and a course of events as it may be entered: mostly in the order of days, some dated back."""
    method = draw(st.sampled_from(list(Method)))
    custom = method == Method.CUSTOM
    shares = tuple(D(draw(st.integers(100, 50_000))).scaleb(-2) for _ in range(draw(st.integers(1, 8))))
    principal = D(draw(st.integers(10_000, 500_000))).scaleb(-2)
    terms = Terms(
        principal=sum(shares) if custom else principal,
        annual_rate=D(0) if method == Method.FLAT_FEE else D(draw(st.integers(0, 3600))).scaleb(-4),
        method=method,
        instalments=len(shares),
        custom_principal=shares if custom else (),
        disbursed_on=START,
        day_count=draw(st.sampled_from(["30/360", "ACT/ACT"])),
        interest_period=draw(st.sampled_from(["PERIOD", "DAILY"])),
        residue="SMOOTH",
        down_payment_rate=D(0) if custom else draw(st.sampled_from([D(0), D("0.25")])),
        fee_rate=draw(st.sampled_from([D(0), D("0.01")])),
        grace_principal_instalments=draw(st.integers(0, min(len(shares) - 1, 2))),
        grace_interest_instalments=draw(st.integers(0, min(len(shares) - 1, 2))),
        allocation=draw(st.sampled_from(ALLOCATIONS)),
        penalty_rate=draw(st.sampled_from([D(0), D("0.18")])),
        penalty_cap=draw(st.sampled_from([None, D("20.00")])),
    )
    events = [Event("e0", "DISBURSEMENT", START, terms.principal)]
    day = START
    for number in range(1, draw(st.integers(1, 12))):
        day += timedelta(days=draw(st.integers(0, 40)))
        on = day - timedelta(days=draw(st.sampled_from([0, 0, 0, 15])))
        events.append(_event(draw, f"e{number}", max(on, START), terms, events))
    return terms, events


def _event(draw: st.DrawFn, ref: str, on: date, terms: Terms, before: list[Event]) -> Event:
    kind = None
    type_ = draw(st.sampled_from(TYPES))
    amount = D(draw(st.integers(1, int(terms.principal * 60)))).scaleb(-2)
    if type_ == "CHARGE":
        kind, amount = draw(st.sampled_from(["FEE", "PENALTY"])), amount / 10
        on += timedelta(days=draw(st.integers(-5, 60)))
    elif type_ == "WAIVER":
        kind = draw(st.sampled_from(["INTEREST", "FEE", "PENALTY"]))
    elif type_ == "REVERSAL":
        taken_back = {event.of for event in before}
        open_refs = [e.ref for e in before[1:] if e.type != "REVERSAL" and e.ref not in taken_back]
        if open_refs:
            return Event(ref, "REVERSAL", on, of=draw(st.sampled_from(open_refs)))
        type_ = "REPAYMENT"
    elif type_ == "PREPAYMENT":
        kind = draw(st.sampled_from(["SHORTEN", "LOWER"]))
    elif type_ == "CHARGEBACK":
        paid = [e for e in before if e.type in ("REPAYMENT", "PREPAYMENT", "SETTLEMENT") and e.on <= on]
        if paid:
            of = draw(st.sampled_from(paid))
            part = draw(st.sampled_from([D("1"), D("0.5")]))
            return Event(ref, type_, on, (of.amount * part).quantize(D("0.01"), "ROUND_UP"), of=of.ref)
        type_ = "REPAYMENT"
    elif type_ in (*RESTRUCTURINGS, "ACCELERATION"):
        return Event(ref, type_, on, details=draw(details(type_, on)))
    return Event(ref, type_, on, amount.quantize(D("0.01"), "ROUND_UP"), kind=kind)


def _fold(terms: Terms, events: list[Event], as_of: date) -> LoanState:
    try:
        return replay(terms, events, as_of)
    except EventError:
        assume(False)
        raise


def _end(events: list[Event]) -> date:
    return max(event.on for event in events) + timedelta(days=90)


@settings(max_examples=200, deadline=None)
@given(any_course())
def test_money_is_conserved(course: tuple[Terms, list[Event]]) -> None:
    terms, events = course
    state = _fold(terms, events, _end(events))
    gone = {event.of for event in events if event.type == "REVERSAL"}
    kept = [event for event in events if event.ref not in gone]
    paid = sum((row.paid for row in state.rows), Decimal(0))
    received = sum(e.amount for e in kept if e.type in PAYING)
    assert state.received == received
    returned = sum(e.amount for e in kept if e.type in BACK)
    owed_anew = sum(row.principal for row in state.rows) - state.disbursed
    assert state.refunded == returned
    assert paid + state.overpaid + returned == received + owed_anew
    assert owed_anew >= 0
    if not {event.type for event in kept} & {*BACK, *RESTRUCTURINGS}:
        assert owed_anew == 0
    assert [row.due_on for row in state.rows] == sorted(row.due_on for row in state.rows)
    for row in state.rows:
        for name in ("principal", "interest", "fee", "penalty"):
            owed = getattr(row, name)
            assert 0 <= getattr(row, f"{name}_paid") <= owed
            assert getattr(row, f"{name}_outstanding") >= 0
        assert (row.outstanding == 0) == (row.paid_on is not None) or row.total == 0


PAYING = ("REPAYMENT", "GOODWILL", "MERCHANT_REFUND", "SETTLEMENT", "PREPAYMENT")
BACK = ("CREDIT_REFUND", "CHARGEBACK")


@settings(max_examples=150, deadline=None)
@given(any_course())
def test_splits_sum_to_their_amounts_and_to_the_rows(course: tuple[Terms, list[Event]]) -> None:
    terms, events = course
    state = _fold(terms, events, _end(events))
    gone = {event.of for event in events if event.type == "REVERSAL"}
    by_ref = {event.ref: event for event in events if event.ref not in gone}
    assert set(state.splits) <= set(by_ref)
    for ref, event in by_ref.items():
        if event.type in PAYING:
            assert state.splits[ref].total == event.amount
        elif event.type in BACK:
            assert state.splits[ref].total == -event.amount
        elif event.type in RESTRUCTURINGS:
            assert ref not in state.splits or state.splits[ref].total == 0
    paying = [split for ref, split in state.splits.items() if by_ref[ref].type != "WAIVER"]
    for name in ("interest", "fee", "penalty"):
        paid = sum((getattr(row, f"{name}_paid") for row in state.rows), Decimal(0))
        assert sum((getattr(split, name) for split in paying), Decimal(0)) == paid
    if not {event.type for event in by_ref.values()} & {*BACK, *RESTRUCTURINGS}:
        paid = sum((row.principal_paid for row in state.rows), Decimal(0))
        assert sum((split.principal for split in paying), Decimal(0)) == paid


@settings(max_examples=100, deadline=None)
@given(any_course(), st.integers(0, 400))
def test_a_prefix_folds_to_the_state_at_that_time(course: tuple[Terms, list[Event]], days: int) -> None:
    """When events are entered in the order of their days, what comes later changes nothing earlier."""
    terms, events = course
    first, *rest = events
    charges = [event for event in rest if event.type == "CHARGE"]
    rest = sorted((event for event in rest if event.type != "CHARGE"), key=lambda event: event.on)
    events = [first, *charges, *rest]
    as_of = START + timedelta(days=days)
    gone = {event.of for event in rest if event.type == "REVERSAL" and event.on > as_of}
    prefix = [event for event in events if event.on <= as_of or event.type == "CHARGE"]
    assume(not gone & {None})
    assert _fold(terms, events, as_of) == _fold(terms, prefix, as_of)


@settings(max_examples=100, deadline=None)
@given(any_course(), st.integers(0, 10**6))
def test_a_reversal_restores(course: tuple[Terms, list[Event]], cents: int) -> None:
    terms, events = course
    as_of = _end(events)
    day = max(event.on for event in events)
    more = [
        Event("x", "REPAYMENT", day, D(cents + 1).scaleb(-2)),
        Event("undo", "REVERSAL", day, of="x"),
    ]
    assert _fold(terms, [*events, *more], as_of) == _fold(terms, events, as_of)


@settings(max_examples=150, deadline=None)
@given(any_course(), st.integers(0, 400))
def test_positions_add_up_on_every_day(course: tuple[Terms, list[Event]], days: int) -> None:
    terms, events = course
    state = _fold(terms, events, START + timedelta(days=days))
    position = state.position
    owed = position.principal + position.interest + position.fee + position.penalty - position.credit
    earned = position.interest_earned + position.fee_earned + position.penalty_earned
    assert owed == earned + position.disbursed + position.refunded - position.received - position.written_off
    assert position.principal == state.principal_outstanding
    assert position.credit == state.overpaid


@settings(max_examples=100, deadline=None)
@given(any_course())
def test_paying_what_is_outstanding_ends_the_loan(course: tuple[Terms, list[Event]]) -> None:
    terms, events = course
    on = max(event.on for event in events)
    state = _fold(terms, events, on)
    assume(state.outstanding > 0)
    paid = _fold(terms, [*events, Event("x", "REPAYMENT", on, state.outstanding)], on)
    assert paid.outstanding == 0
    assert paid.status in ("SETTLED", "OVERPAID")
    assert sum(row.outstanding for row in paid.rows) == 0


@settings(max_examples=50, deadline=None)
@given(any_course())
def test_the_same_input_gives_the_same_state(course: tuple[Terms, list[Event]]) -> None:
    terms, events = course
    as_of = _end(events)
    assert _fold(terms, events, as_of) == _fold(Terms.from_json(terms.to_json()), list(events), as_of)
