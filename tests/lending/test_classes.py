"""The close classifies the loans: the same answers as the engine, written once, whoever the shards belong to."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from lending.engine.classes import Tier, own_class
from lending.errors import Refused
from lending.models import (
    ApprovalRequest,
    Customer,
    Downgrade,
    Event,
    Loan,
    Product,
    RuleParameter,
    User,
)
from lending.selectors import rules
from lending.selectors.classing import buckets, yardstick
from lending.services import approvals, classes, close, downgrades, loans
from lending.services.steps import Shard

from .admin_support import button, desk, member, words
from .conftest import MONDAY, moment
from .engine.test_classes import TABLE

D = Decimal
N, S, SUB, DBT, LOSS = Tier
ON = date(2027, 6, 30)


def late(loan: Loan, days: int, on: date = ON) -> Loan:
    """As if its oldest unpaid due date lay that many days back."""
    Loan.objects.filter(pk=loan.pk).update(oldest_due_on=on - timedelta(days=days))
    return loan


def run(on: date = ON, *shards: Shard) -> int:
    """Both steps; returns how many loans changed their class."""
    for shard in shards or [Shard()]:
        classes.measure(on=on, at=moment(on), shard=shard)
    return sum(classes.classify(on=on, at=moment(on), shard=shard) for shard in shards or [Shard()])


def facts(loan: Loan) -> tuple[Any, ...]:
    loan.refresh_from_db()
    return loan.bucket, loan.own_class, loan.asset_class, loan.non_performing_since


@pytest.fixture
def company(make_customer: Callable[..., Customer]) -> Customer:
    return make_customer(kind="COMPANY", name="华夏五金")


# --- days and buckets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["cash-loan", "pay-later"])
def test_the_close_says_what_the_engine_says(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan], code: str
) -> None:
    customer = make_customer()
    found = [(late(lend(customer, code=code), row[0]), row) for row in TABLE]
    run()
    for loan, (days, bucket, general, card) in found:
        tier = card if code == "pay-later" else general
        since = ON if tier >= SUB else None
        assert facts(loan) == (bucket, tier, tier, since), days
        assert loan.peak_bucket == bucket
        assert yardstick(ON).scales[loan.product_id].floor(days) == tier


def test_a_second_run_writes_nothing_and_a_healthy_book_costs_nothing(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    customer = make_customer()
    loans_ = [late(lend(customer), days) for days in (-50, 0, 45, 100)]
    assert run() == 2
    assert classes.measure(on=ON, at=moment(ON)) == classes.classify(on=ON, at=moment(ON)) == 0
    assert Event.objects.filter(kind="loan.reclassified").count() == 2
    assert facts(loans_[0]) == (0, N, N, None)
    # The days that follow are written only when a boundary is passed.
    assert classes.measure(on=ON + timedelta(days=1), at=moment(ON)) == 1  # the one that was due today
    assert classes.measure(on=ON + timedelta(days=16), at=moment(ON)) == 1  # from M2 to M3
    assert classes.classify(on=ON + timedelta(days=16), at=moment(ON)) == 1


def test_who_pays_is_normal_again(make_customer: Callable[..., Customer], lend: Callable[..., Loan]) -> None:
    loan = late(lend(make_customer()), 100)
    run()
    assert facts(loan) == (4, SUB, SUB, ON)
    day = ON + timedelta(days=1)
    late(loan, -20, day)
    run(day)
    assert facts(loan) == (0, N, N, None)
    assert (loan.moved_on, loan.class_since, loan.peak_bucket) == (day, day, 4)
    event = Event.objects.filter(kind="loan.reclassified").first()
    assert event and (event.data["before"], event.data["after"]) == ("SUBSTANDARD", "NORMAL")


def test_a_loan_stays_non_performing_since_the_first_day(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    loan = late(lend(make_customer()), 91)
    run()
    run(later := ON + timedelta(days=180))
    assert facts(loan) == (4, DBT, DBT, ON)
    assert loan.class_since == later


def test_paid_loans_have_no_class_and_written_off_ones_keep_theirs(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    customer = make_customer()
    paid, given_up = late(lend(customer), 100), late(lend(customer), 100)
    run()
    Loan.objects.filter(pk=paid.pk).update(state="SETTLED", principal=0, settled_on=ON, oldest_due_on=None)
    Loan.objects.filter(pk=given_up.pk).update(state="WRITTEN_OFF", principal=0)
    run(ON + timedelta(days=1))
    assert facts(paid) == (0, N, N, None)
    assert facts(given_up) == (4, SUB, SUB, ON)


def test_grace_days_of_a_product_keep_a_loan_in_m0_but_not_in_the_first_class(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    Product.objects.filter(code="cash-loan").update(overdue_grace_days=3)
    customer = make_customer()
    within, over = late(lend(customer), 3), late(lend(customer), 4)
    run()
    assert facts(within)[:2] == (0, S)
    assert facts(over)[:2] == (1, S)


def test_a_house_may_have_more_buckets(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    RuleParameter.objects.create(
        code="BUCKET_5_FROM_DAY", value=121, unit="days", valid_from=date(2027, 1, 1), certainty="H"
    )
    loan = late(lend(make_customer()), 121)
    run()
    assert facts(loan)[0] == 5
    assert buckets(ON).names[5] == "M4+"
    assert len(buckets(date(2026, 12, 31)).starts) == 4


def test_a_lender_of_another_kind_may_have_other_days(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    RuleParameter.objects.create(
        code="CLASS_SUBSTANDARD_FROM_DAY",
        lender_type="MICRO_LOAN",
        value=61,
        unit="days",
        valid_from=date(2027, 1, 1),
        certainty="H",
    )
    loan = late(lend(make_customer()), 61)
    run()
    assert facts(loan)[1] == SUB


def test_days_that_are_set_nowhere_stop_the_step(books: date) -> None:
    RuleParameter.objects.filter(code="CLASS_LOSS_FROM_DAY").delete()
    with pytest.raises(rules.MissingRule, match="CLASS_LOSS_FROM_DAY"), transaction.atomic():
        run()
    RuleParameter.objects.filter(code="BUCKET_2_FROM_DAY").update(value=100)
    with pytest.raises(rules.MissingRule, match="later and later"):
        buckets(ON)


# --- one customer's loans ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bad", "after"), [("990", N), ("1000", N), ("1000.01", SUB), ("1010", SUB)])
def test_more_than_a_tenth_of_a_companys_debt_spoils_the_rest(
    company: Customer, lend: Callable[..., Loan], bad: str, after: Tier
) -> None:
    worst = late(lend(company, bad), 91)
    rest = lend(company, str(D(10000) - D(bad)))
    run()
    assert facts(worst)[1:3] == (SUB, SUB)
    assert facts(rest)[1:3] == (N, after)


def test_what_spoilt_them_lets_them_go(company: Customer, lend: Callable[..., Loan]) -> None:
    worst, rest = late(lend(company), 300), late(lend(company), 10)
    run()
    assert (facts(worst)[2], facts(rest)[1:3]) == (DBT, (S, SUB))
    event = Event.objects.get(kind="loan.reclassified", subject_id=rest.pk)
    assert event.data == {"before": "NORMAL", "after": "SUBSTANDARD", "days": 10, "cause": "CONTAGION"}
    late(worst, 0, ON + timedelta(days=1))
    run(ON + timedelta(days=1))
    assert (facts(worst)[2], facts(rest)[2]) == (N, S)


def test_persons_answer_for_each_loan_by_itself_unless_the_house_says_otherwise(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    customer = make_customer()
    _bad, rest = late(lend(customer), 100), lend(customer)
    run()
    assert facts(rest)[2] == N
    RuleParameter.objects.filter(code="CLASS_CONTAGION_PERSON").update(value=D("0.2"))
    run()
    assert facts(rest)[2] == SUB


def test_shards_that_part_a_customers_loans_come_to_the_same(
    company: Customer, lend: Callable[..., Loan]
) -> None:
    worst, rest, last = late(lend(company), 91), lend(company), lend(company)
    run(ON, Shard(last.pk), Shard(0, worst.pk), Shard(worst.pk + 1, last.pk - 1))
    assert [facts(loan)[2] for loan in (worst, rest, last)] == [SUB] * 3


def test_a_loan_that_is_set_aside_stays_as_it_is(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    loan = late(lend(make_customer()), 100)
    run(ON, Shard(aside=(loan.pk,)))
    assert facts(loan) == (0, N, N, None)


# --- by hand ----------------------------------------------------------------------------------------------------


@pytest.fixture
def loan(make_loan: Callable[..., Loan]) -> Loan:
    return make_loan()


def down(loan: Loan, to: Tier, by: User, **options: Any) -> Downgrade:
    values = {"reason": "The shop has closed", "at": moment(MONDAY), "on": MONDAY} | options
    return downgrades.downgrade(loan_id=loan.pk, to=to, by=by, **values)


def up(loan: Loan, to: Tier, by: User, on: date = MONDAY, reason: str = "It has opened again") -> Loan:
    return downgrades.upgrade(loan_id=loan.pk, to=to, reason=reason, by=by, at=moment(on), on=on)


def test_staff_make_a_class_worse_and_the_close_leaves_it(loan: Loan, staff: Callable[[str], User]) -> None:
    officer = staff("officer")
    down(loan, DBT, officer)
    assert facts(loan) == (0, DBT, DBT, MONDAY)
    event = Event.objects.filter(kind="loan.reclassified").get()
    assert event.actor == officer
    assert event.data == {"before": "NORMAL", "after": "DOUBTFUL", "reason": "The shop has closed"}
    run(MONDAY)
    assert facts(loan) == (0, DBT, DBT, MONDAY)


@pytest.mark.parametrize("to", [N, SUB, 0, 6])
def test_a_downgrade_is_to_something_worse(loan: Loan, staff: Callable[[str], User], to: int) -> None:
    officer = staff("officer")
    down(loan, SUB, officer)
    with pytest.raises(Refused) as refused:
        downgrades.downgrade(loan_id=loan.pk, to=to, reason="x", by=officer, at=moment(MONDAY), on=MONDAY)
    assert (refused.value.code, refused.value.field) == ("not_worse", "to")


def test_a_downgrade_says_why_and_is_about_a_debt(loan: Loan, staff: Callable[[str], User]) -> None:
    officer = staff("officer")
    with pytest.raises(Refused, match="Say why"):
        down(loan, SUB, officer, reason="  ")
    loans.settle(loan_id=loan.pk, key="s", by=None, at=moment(MONDAY), on=MONDAY)
    with pytest.raises(Refused, match="owes nothing"):
        down(loan, SUB, officer)


def test_a_worse_downgrade_takes_the_place_of_the_first(loan: Loan, staff: Callable[[str], User]) -> None:
    officer = staff("officer")
    first = down(loan, SUB, officer)
    down(loan, LOSS, officer, reason="And the owner has gone")
    first.refresh_from_db()
    assert (first.ended_on, first.end_reason) == (MONDAY, "And the owner has gone")
    assert facts(loan)[2] == LOSS


def test_taking_it_back_needs_a_second_person(loan: Loan, staff: Callable[[str], User]) -> None:
    officer, chief = staff("officer"), staff("chief")
    down(loan, DBT, officer)
    day = {"at": moment(MONDAY), "on": MONDAY}
    request = downgrades.ask_upgrade(loan_id=loan.pk, to=S, reason="Open again", by=officer, **day)
    with pytest.raises(Refused, match="already"):
        downgrades.ask_upgrade(loan_id=loan.pk, to=N, reason="Open again", by=officer, **day)
    with pytest.raises(Refused, match="second person"):
        approvals.approve(request_id=request.pk, by=officer, **day)
    approvals.approve(request_id=request.pk, by=chief, **day)
    assert facts(loan) == (0, S, S, None)
    # A part was taken back: what is left is the person's word still.
    assert loan.downgrades.get(ended_on=None).to == S
    run(MONDAY)
    assert facts(loan)[2] == S
    up(loan, N, chief)
    assert facts(loan)[2] == N
    assert not loan.downgrades.filter(ended_on=None).exists()


def test_nobody_goes_above_what_the_days_allow(loan: Loan, staff: Callable[[str], User]) -> None:
    officer = staff("officer")
    down(loan, LOSS, officer)
    late(loan, 121, MONDAY)
    for to in (N, S, SUB):
        with pytest.raises(Refused, match="no better class than: Doubtful"):
            up(loan, to, officer)
    up(loan, DBT, officer)
    assert facts(loan)[2] == DBT
    assert not loan.downgrades.filter(ended_on=None).exists()  # the days say it now


def test_only_what_was_made_by_hand_is_taken_back_by_hand(loan: Loan, staff: Callable[[str], User]) -> None:
    late(loan, 100, MONDAY)
    run(MONDAY)
    with pytest.raises(Refused) as refused:
        up(loan, S, staff("officer"))
    assert refused.value.code == "not_by_hand"


def test_a_watched_loan_gets_no_better_until_the_day(loan: Loan, staff: Callable[[str], User]) -> None:
    officer = staff("officer")
    until = MONDAY + timedelta(days=365)
    Loan.objects.filter(pk=loan.pk).update(watch_until=until, oldest_due_on=MONDAY - timedelta(days=91))
    run(MONDAY)
    late(loan, -10, until)
    run(until - timedelta(days=1))
    assert facts(loan)[:3] == (0, SUB, SUB)
    down(loan, LOSS, officer)
    with pytest.raises(Refused, match="watch period"):
        up(loan, SUB, officer, on=until - timedelta(days=1))
    up(loan, SUB, officer, on=until)
    run(until)
    assert facts(loan)[1:3] == (SUB, SUB)  # the person's word stands still
    up(loan, N, officer, on=until)
    assert facts(loan)[2] == N


def test_a_watched_loan_is_never_normal(loan: Loan) -> None:
    Loan.objects.filter(pk=loan.pk).update(watch_until=MONDAY + timedelta(days=365))
    run(MONDAY)
    assert facts(loan)[:3] == (0, S, S)
    assert own_class(N, before=N, watched=True) == S


def test_two_loans_of_a_company_are_taken_back_one_by_one(
    company: Customer, lend: Callable[..., Loan], staff: Callable[[str], User]
) -> None:
    officer, first, second = staff("officer"), lend(company), lend(company)
    down(first, SUB, officer)
    down(second, SUB, officer)
    up(first, N, officer)
    assert facts(first)[1:3] == (N, SUB)  # the other one holds it
    up(second, N, officer)
    assert facts(second)[1:3] == (N, N)
    run(MONDAY)
    assert facts(first)[1:3] == (N, N)


def test_the_database_keeps_downgrades(loan: Loan, staff: Callable[[str], User]) -> None:
    row = down(loan, SUB, staff("officer"))
    for statement in (
        "DELETE FROM lending_downgrade",
        "UPDATE lending_downgrade SET reason = 'x'",
        f'INSERT INTO lending_downgrade (loan_id, "to", reason, since, by_id, end_reason) '
        f"SELECT loan_id, 4, 'x', since, by_id, '' FROM lending_downgrade WHERE id = {row.pk}",
    ):
        with (
            pytest.raises(Exception, match=r"annot|unique"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    with pytest.raises(IntegrityError, match="non_performing_since"), transaction.atomic():
        Loan.objects.filter(pk=loan.pk).update(asset_class=1)


# --- the page of the loan ---------------------------------------------------------------------------------------


def test_an_analyst_downgrades_on_the_page_and_a_senior_allows_the_way_back(loan: Loan) -> None:
    analyst = desk("risk_analyst")
    page = analyst.get(button(loan, "downgrade"))
    assert b'value="3"' in page.content and b'value="1"' not in page.content
    response = analyst.post(button(loan, "downgrade"), {"to": "3", "reason": "Closed"}, follow=True)
    assert "The loan is in a worse class." in words(response)
    assert "Substandard" in words(response) and "Closed" in words(response)
    refused = analyst.post(button(loan, "downgrade"), {"to": "2", "reason": "Closed"})
    assert "Select a valid choice" in words(refused)
    analyst.post(button(loan, "upgrade"), {"to": "1", "reason": "Open"}, follow=True)
    request = ApprovalRequest.objects.get()
    shown = words(desk("senior_approver").get(button(request, "approve").replace("/approve", "/change")))
    assert "Normal" in shown
    approvals.approve(request_id=request.pk, by=member("senior_approver"), at=moment(MONDAY), on=MONDAY)
    assert facts(loan)[2] == N


@pytest.mark.parametrize("role", ["collector", "credit_officer", "accountant", "compliance_officer"])
def test_others_do_not_classify(loan: Loan, role: str) -> None:
    response = desk(role).post(button(loan, "downgrade"), {"to": "3", "reason": "Closed"})
    assert response.status_code == 403
    assert not Downgrade.objects.exists()


def test_the_whole_close_classifies(
    make_loan: Callable[..., Loan], run_to: Callable[[date], datetime]
) -> None:
    loan = make_loan()
    due = loan.oldest_due_on
    assert due
    run_to(due + timedelta(days=2))
    assert facts(loan)[:3] == (1, S, S)
    assert loan.class_since == due + timedelta(days=1)
    assert close.begin(at=moment(due)).date == due + timedelta(days=2)
