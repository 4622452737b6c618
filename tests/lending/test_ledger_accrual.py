"""Interest in the books day by day: what accrues is what is billed, to the cent, and never counts twice."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lending.errors import Refused
from lending.models import (
    BusinessDate,
    BusinessDay,
    Customer,
    InterestSuspension,
    JournalEntry,
    Loan,
    Product,
    User,
)
from lending.selectors import accrued
from lending.services import (
    calendar,
    chart,
    interest,
    ledger,
    loans,
    posting,
    provisions,
    suspension,
    targets,
)

from .conftest import MONDAY, moment
from .ledger_support import agrees, engine_accrued, lend, standing, suspense_agrees

D = Decimal
ACCRUED, INCOME = ledger.ACCRUED_INTEREST, ledger.INTEREST_INCOME
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def only_money(settings: Any) -> None:
    """A close of nothing but the books: these tests live through many days."""
    settings.CLOSE_STEPS = [
        step
        for step in settings.CLOSE_STEPS
        if step.startswith(("lending.services.interest", "lending.services.accrual"))
    ]


@pytest.fixture
def loan(make_customer: Callable[..., Customer], at: datetime) -> Loan:
    """12,000 at 14.4% in twelve instalments from 2 March: 144.00 interest falls due on 2 April, for 31 days."""
    return lend(make_customer().pk, "cash-loan", "12000", 12, MONDAY, at)


def test_interest_accrues_by_the_day_and_is_billed_once(
    loan: Loan, run_to: Callable[[date], datetime]
) -> None:
    for days in (1, 2, 17, 30):
        day = MONDAY + timedelta(days=days)
        run_to(day + timedelta(days=1))
        share = (D(144) * days / 31).quantize(D("0.01"))
        assert standing(ACCRUED, day) == share == -standing(INCOME, day)
    # The bill of 2 April takes the place of what had accrued, at the opening of the day and at its end.
    run_to(date(2026, 4, 2))
    assert standing(ACCRUED) == 0 and standing(INCOME) == D("-144.00")
    assert standing(ledger.INTEREST_RECEIVABLE) == D("144.00")
    run_to(date(2026, 4, 3))
    assert standing(ACCRUED) == 0 and standing(INCOME) == D("-144.00")
    agrees()


def test_one_entry_per_product_and_day(
    loan: Loan, make_customer: Callable[..., Customer], at: datetime, run_to: Callable[[date], datetime]
) -> None:
    lend(make_customer("韩梅梅").pk, "cash-loan", "5000", 6, MONDAY, at)
    lend(make_customer("联合机械", kind="COMPANY").pk, "working-capital", "90000", 6, MONDAY, at)
    run_to(date(2026, 3, 6))
    entries = JournalEntry.objects.filter(key__startswith="accrual:")
    # Nothing has accrued by the end of the first day; then two products, three days.
    assert sorted(entries.values_list("booked_on", flat=True)) == [
        day for day in (date(2026, 3, 3), date(2026, 3, 4), date(2026, 3, 5)) for _product in range(2)
    ]
    assert set(entries.values_list("product__code", flat=True)) == {"cash-loan", "working-capital"}


def test_a_second_run_of_the_step_books_nothing(loan: Loan, run_to: Callable[[date], datetime]) -> None:
    at = run_to(date(2026, 3, 10))
    day = date(2026, 3, 9)
    before = JournalEntry.objects.count()
    assert interest.accrue_interest(on=day, at=at) == interest.follow_billing(on=day, at=at) == 0
    # Not even when the loan has moved since: the day has its entry, the next one takes the difference.
    loans.repay(loan_id=loan.pk, amount=D("3000"), key="r", by=None, at=at, on=date(2026, 3, 10))
    assert interest.accrue_interest(on=day, at=at) == 0
    assert JournalEntry.objects.count() == before + 1


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"method": "EQUAL_PRINCIPAL", "day_count": "ACT/365", "interest_period": "DAILY"},
        {"method": "INTEREST_ONLY", "day_count": "ACT/360", "interest_period": "DAILY"},
        {"method": "BULLET"},
        {"method": "FLAT"},
        {"interest_free_days": 20, "day_count": "ACT/365", "interest_period": "DAILY"},
        {"first_due_on": "2026-04-20"},
    ],
)
def test_the_books_accrue_what_the_engine_would_charge_that_day(
    make_customer: Callable[..., Customer],
    at: datetime,
    run_to: Callable[[date], datetime],
    terms: dict[str, object],
) -> None:
    loan = lend(make_customer().pk, "cash-loan", "9999.99", 6, MONDAY, at, **terms)
    for day in (date(2026, 3, 3), date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 2), date(2026, 4, 19)):
        run_to(day + timedelta(days=1))
        assert (
            standing(ACCRUED, day)
            == engine_accrued(loan, day)
            == accrued.accrued_of([loan.pk], day).get(loan.pk, D(0))
        )
        agrees()


def test_month_ends_and_the_leap_day(
    make_customer: Callable[..., Customer], run_to: Callable[[date], datetime]
) -> None:
    """From 31 January 2028 to 29 February are 29 days, and to 31 March another 31."""
    start = date(2028, 1, 31)
    open_at(start)
    loan = lend(make_customer().pk, "cash-loan", "12000", 3, start, moment(start))
    first, second, _third = loan.instalments.order_by("number")
    assert (first.due_on, second.due_on) == (date(2028, 2, 29), date(2028, 3, 31))
    run_to(date(2028, 2, 29))
    assert standing(ACCRUED, date(2028, 2, 28)) == (first.interest * 28 / 29).quantize(D("0.01"))
    assert standing(ACCRUED) == 0 and standing(INCOME) == -first.interest
    run_to(date(2028, 3, 1))
    assert standing(ACCRUED, date(2028, 2, 29)) == 0
    run_to(date(2028, 3, 31))
    assert standing(ACCRUED, date(2028, 3, 30)) == (second.interest * 30 / 31).quantize(D("0.01"))
    assert standing(INCOME) == -(first.interest + second.interest)
    agrees()


def open_at(day: date) -> None:
    """Open the books there instead: nothing has been booked yet."""
    BusinessDay.objects.all().delete()
    BusinessDate.objects.update(date=day)
    calendar.new_day(day).save(force_insert=True)


def test_a_product_without_interest_accrues_nothing(
    make_loan: Callable[..., Loan], run_to: Callable[[date], datetime]
) -> None:
    make_loan("1200", 3)
    run_to(date(2026, 3, 20))
    assert not JournalEntry.objects.filter(key__startswith="accrual").exists()
    assert standing(ACCRUED) == standing(INCOME) == 0


def test_paying_before_the_bill_does_not_stop_the_interest_of_the_month(
    loan: Loan, run_to: Callable[[date], datetime]
) -> None:
    day = date(2026, 3, 12)
    at = run_to(day)
    first = loan.instalments.get(number=1)
    loans.repay(loan_id=loan.pk, amount=first.total, key="early", by=None, at=at, on=day)
    run_to(date(2026, 3, 13))
    # Paid, not yet earned: it stands against the receivable until it is billed.
    assert standing(ledger.INTEREST_RECEIVABLE) == D("-144.00")
    assert standing(ACCRUED) == (D(144) * 10 / 31).quantize(D("0.01"))
    run_to(date(2026, 4, 3))
    assert standing(ledger.INTEREST_RECEIVABLE) == 0 and standing(INCOME, date(2026, 4, 2)) == D("-144.00")
    agrees()


def test_what_was_paid_ahead_of_time_becomes_income_when_its_day_comes(
    loan: Loan, run_to: Callable[[date], datetime]
) -> None:
    """A customer who pays every instalment at once owes nothing; the interest is still earned month by month."""
    total = sum(row.total for row in loan.instalments.all())
    loans.repay(loan_id=loan.pk, amount=total, key="all", by=None, at=moment(MONDAY), on=MONDAY)
    loan.refresh_from_db()
    assert (loan.state, loan.principal) == ("SETTLED", 0) and loan.interest < D(-144)
    run_to(date(2026, 4, 3))
    loan.refresh_from_db()
    assert (loan.interest_earned, standing(INCOME, date(2026, 4, 2))) == (D("144.00"), D("-144.00"))
    agrees()


def test_a_penalty_charged_before_the_due_date_is_booked_once(
    loan: Loan, run_to: Callable[[date], datetime]
) -> None:
    now = {"key": "c", "note": "returned cheque", "by": None, "at": moment(MONDAY), "on": MONDAY}
    loans.charge(loan_id=loan.pk, kind="PENALTY", amount=D("50"), **now)
    for day in (MONDAY, date(2026, 4, 2)):  # at once, and not again when its instalment is billed
        run_to(day)
        loan.refresh_from_db()
        assert (loan.penalty, loan.penalty_earned) == (D("50.00"), D("50.00"))
        assert standing(ledger.PENALTY_RECEIVABLE) == -standing(ledger.PENALTY_INCOME) == D("50.00")
    agrees()


def test_settling_in_the_middle_of_a_period_leaves_nothing_accrued(
    loan: Loan, run_to: Callable[[date], datetime]
) -> None:
    day = date(2026, 3, 17)
    at = run_to(day)
    loans.settle(loan_id=loan.pk, key="s", by=None, at=at, on=day)
    run_to(date(2026, 3, 18))
    assert standing(ACCRUED) == 0
    assert standing(INCOME) == -(D(144) * 15 / 31).quantize(D("0.01"))
    run_to(date(2026, 4, 5))
    assert standing(INCOME) == -(D(144) * 15 / 31).quantize(D("0.01"))
    agrees()


def test_taking_back_a_settlement_brings_the_bill_and_the_accrual_back(
    loan: Loan, run_to: Callable[[date], datetime]
) -> None:
    day = date(2026, 4, 6)
    at = run_to(day)
    posted = loans.settle(loan_id=loan.pk, key="s", by=None, at=at, on=day)
    at = run_to(date(2026, 4, 8))
    assert standing(ACCRUED) == 0
    loans.reverse(transaction_id=posted.pk, key="rev", note="wrong loan", by=None, at=at, on=date(2026, 4, 8))
    run_to(date(2026, 4, 9))
    second = loan.instalments.get(number=2)
    share = (second.interest * 6 / 30).quantize(D("0.01"))
    assert standing(ACCRUED) == share and standing(INCOME) == -(D("144.00") + share)
    agrees()


def test_over_a_whole_life_the_books_earn_what_was_billed(
    make_customer: Callable[..., Customer], at: datetime, run_to: Callable[[date], datetime]
) -> None:
    loan = lend(make_customer().pk, "cash-loan", "3000", 3, MONDAY, at)
    billed = sum(row.interest for row in loan.instalments.all())
    for row in loan.instalments.order_by("number"):
        at = run_to(row.due_on)
        loans.repay(loan_id=loan.pk, amount=row.total, key=f"r{row.number}", by=None, at=at, on=row.due_on)
    run_to(date(2026, 6, 5))
    assert -standing(INCOME) == billed and standing(ACCRUED) == 0
    agrees()


# --- suspense -------------------------------------------------------------------------------------------------


@pytest.fixture
def late(loan: Loan, run_to: Callable[[date], datetime]) -> Loan:
    """The same loan on 6 July: three bills unpaid, a fourth since the 2nd, penalties on top."""
    run_to(date(2026, 7, 6))
    loan.refresh_from_db()
    assert loan.days_past_due(date(2026, 7, 6)) == 95 and loan.penalty > 0
    return loan


JULY = date(2026, 7, 6)


def suspend(loan: Loan, on: date = JULY) -> InterestSuspension:
    return suspension.suspend(loan_id=loan.pk, reason="over 90 days late", by=None, at=moment(on), on=on)


def test_suspension_takes_unpaid_interest_out_of_income_and_resumption_brings_it_back(late: Loan) -> None:
    income = standing(INCOME), standing(ledger.PENALTY_INCOME), standing(ACCRUED)
    owed = late.interest
    row = suspend(late)
    assert standing(ledger.SUSPENDED_INTEREST) == -owed
    assert standing(ledger.SUSPENDED_PENALTIES) == -late.penalty
    # Four bills, none of them paid: nothing of it is income, and neither is what accrued since the last.
    assert standing(INCOME) == standing(ledger.PENALTY_INCOME) == standing(ACCRUED) == 0
    # The loan owes what it owed.
    assert (Loan.objects.get(pk=late.pk).interest, standing(ledger.INTEREST_RECEIVABLE)) == (owed, owed)
    agrees()
    suspension.resume(loan_id=late.pk, reason="cured", by=None, at=moment(JULY), on=JULY)
    assert (standing(INCOME), standing(ledger.PENALTY_INCOME), standing(ACCRUED)) == income
    assert standing(ledger.SUSPENDED_INTEREST) == 0
    row.refresh_from_db()
    assert row.until == JULY
    agrees()


def test_a_suspended_loan_earns_nothing_until_it_is_paid(
    late: Loan, run_to: Callable[[date], datetime]
) -> None:
    suspend(late)
    at = run_to(date(2026, 8, 2))  # another bill, at the opening of the day
    assert standing(INCOME) == standing(ledger.PENALTY_INCOME) == standing(ACCRUED) == 0
    late.refresh_from_db()
    assert -standing(ledger.SUSPENDED_INTEREST) == late.interest
    run_to(date(2026, 8, 10))
    assert standing(INCOME) == standing(ACCRUED) == 0
    assert accrued.accrued_of([late.pk], date(2026, 8, 9))[late.pk] > 0
    suspense_agrees(date(2026, 8, 9))
    at = run_to(date(2026, 8, 11))
    paid = loans.repay(loan_id=late.pk, amount=D("1000"), key="p", by=None, at=at, on=date(2026, 8, 11))
    assert paid.interest > 0 and paid.penalty > 0
    run_to(date(2026, 8, 12))
    # Income when the money came, of the parts that it paid.
    assert (standing(INCOME), standing(ledger.PENALTY_INCOME)) == (-paid.interest, -paid.penalty)
    suspense_agrees(date(2026, 8, 12))
    agrees()


def test_a_suspended_loan_that_is_written_off_loses_only_what_was_booked(
    late: Loan, run_to: Callable[[date], datetime]
) -> None:
    suspend(late)
    at = run_to(date(2026, 7, 20))
    day = date(2026, 7, 20)
    loans.write_off(loan_id=late.pk, key="w", note="bankrupt", by=None, at=at, on=day)
    run_to(date(2026, 7, 21))
    assert standing(ledger.CREDIT_LOSSES) == D("12000.00")
    for role in (INCOME, ledger.PENALTY_INCOME, ACCRUED, *(t.role for t in suspension.PARTS.values())):
        assert standing(role) == 0, role
    assert not InterestSuspension.objects.filter(until=None).exists()
    agrees()


def test_a_suspended_loan_that_is_paid_in_full_has_earned_everything(
    late: Loan, run_to: Callable[[date], datetime]
) -> None:
    suspend(late)
    at = run_to(date(2026, 7, 20))
    posted = loans.settle(loan_id=late.pk, key="s", by=None, at=at, on=date(2026, 7, 20))
    run_to(date(2026, 7, 21))
    assert (standing(INCOME), standing(ledger.PENALTY_INCOME)) == (-posted.interest, -posted.penalty)
    assert standing(ledger.SUSPENDED_INTEREST) == standing(ACCRUED) == 0
    agrees()


def test_the_close_suspends_what_does_not_perform_and_lets_go_of_what_does_again(
    late: Loan, run_to: Callable[[date], datetime], settings: Any
) -> None:
    settings.CLOSE_STEPS = ["lending.services.suspension.follow", *settings.CLOSE_STEPS]
    Loan.objects.filter(pk=late.pk).update(asset_class=3, class_since=JULY, non_performing_since=JULY)
    run_to(date(2026, 7, 7))
    row = InterestSuspension.objects.get(until=None)
    assert (row.loan_id, row.since) == (late.pk, JULY)
    assert standing(INCOME) == standing(ledger.PENALTY_INCOME) == standing(ACCRUED) == 0
    Loan.objects.filter(pk=late.pk).update(asset_class=1, non_performing_since=None)
    run_to(date(2026, 7, 8))
    row.refresh_from_db()
    late.refresh_from_db()
    assert row.until == date(2026, 7, 7)
    assert standing(INCOME) == -(late.interest + standing(ACCRUED)) and standing(ACCRUED) > 0
    # What a person suspended stays so until a person says otherwise.
    checker = User.objects.create(username="accountant")
    suspension.suspend(loan_id=late.pk, reason="court", by=checker, at=moment(JULY), on=date(2026, 7, 8))
    run_to(date(2026, 7, 9))
    assert InterestSuspension.objects.filter(until=None, by=checker).exists()
    agrees()


def test_suspension_is_refused_where_it_makes_no_sense(late: Loan) -> None:
    with pytest.raises(Refused, match="not suspended"):
        suspension.resume(loan_id=late.pk, reason="x", by=None, at=moment(JULY), on=JULY)
    with pytest.raises(Refused, match="Say why"):
        suspension.suspend(loan_id=late.pk, reason=" ", by=None, at=moment(JULY), on=JULY)
    with pytest.raises(Refused, match="no such loan"):
        suspension.suspend(loan_id=late.pk + 99, reason="x", by=None, at=moment(JULY), on=JULY)
    suspend(late)
    with pytest.raises(Refused, match="suspended already"):
        suspend(late)
    assert JournalEntry.objects.filter(key__startswith="suspension:").count() == 1


# --- provisions -----------------------------------------------------------------------------------------------


def test_provisions_book_the_difference_to_their_target(loan: Loan) -> None:
    product = loan.product_id
    for amount, entries in (("100", 1), ("100", 1), ("250.50", 2), ("40", 3), ("0", 4), ("0", 4)):
        provisions.book(required={product: D(amount)}, on=MONDAY)
        assert standing(ledger.PROVISION) == -D(amount) == -standing(ledger.IMPAIRMENT)
        assert JournalEntry.objects.filter(key__startswith="provision").count() == entries
    agrees()


@pytest.mark.parametrize("amount", ["-1", "0.001", "NaN"])
def test_impossible_provisions_are_refused(loan: Loan, amount: str) -> None:
    with pytest.raises(Refused) as refused:
        provisions.book(required={loan.product_id: D(amount)}, on=MONDAY)
    assert refused.value.field == "amount"
    with pytest.raises(Refused, match="no such product"):
        provisions.book(required={0: D(1)}, on=MONDAY)


def test_a_provision_leaves_other_products_alone(loan: Loan) -> None:
    other = Product.objects.exclude(pk=loan.product_id).first()
    provisions.book(required={loan.product_id: D(10), other.pk: D(7)}, on=MONDAY)
    provisions.book(required={other.pk: D(8)}, on=MONDAY)
    assert targets.balances([ledger.PROVISION], MONDAY)[ledger.PROVISION] == {
        loan.product_id: {"1304": D("-10.00")},
        other.pk: {"1304": D("-8.00")},
    }


# --- a change of the chart ------------------------------------------------------------------------------------


def test_accounts_kept_to_a_target_move_with_the_chart(
    loan: Loan, run_to: Callable[[date], datetime], at: datetime
) -> None:
    run_to(date(2026, 3, 10))
    chart.open_account(
        code="113601", name="Accrued, cash", name_zh="应计利息-现金", kind="ASSET", by=None, at=at
    )
    chart.assign(role=ACCRUED, account_code="113601", product_code="cash-loan", by=None, at=at)
    run_to(date(2026, 3, 12))
    held = targets.balances([ACCRUED], date(2026, 3, 11))[ACCRUED][loan.product_id]
    assert held == {"1136": D("0.00"), "113601": (D(144) * 9 / 31).quantize(D("0.01"))}


def test_the_chart_costs_one_statement_per_batch(
    loan: Loan, at: datetime, django_assert_max_num_queries: Callable
) -> None:
    batch = [posting.Posting(loan.pk, "REPAYMENT", D("10"), f"b{number}", MONDAY) for number in range(20)]
    with django_assert_max_num_queries(100) as asked:
        posting.post_many(batch, by=None, at=at, on=MONDAY)
    assert sum("lending_accountmapping" in query["sql"] for query in asked.captured_queries) <= 1
