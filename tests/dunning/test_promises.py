"""Promises: taken by people, kept or broken by payments."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django_fsm import TransitionNotAllowed

from dunning.models import Case, Contact, Promise
from dunning.services import promises
from lending.errors import Refused
from lending.models import BusinessDate, Event, Notice
from lending.services import loans
from tests.dunning.conftest import moment
from tests.lending.race_support import waiting_for

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def case(overdue) -> Case:
    overdue(5)
    return Case.objects.select_related("customer").get()


@pytest.fixture
def take(case, collector):
    def make(amount: str = "200", days: int = 3, **options) -> Promise:
        day = BusinessDate.current()
        return promises.take(
            case_id=case.pk,
            amount=Decimal(amount),
            due_on=day + timedelta(days=days),
            by=collector,
            at=moment(day),
            on=day,
            **options,
        )

    return make


def test_a_promise_is_kept_as_soon_as_the_money_is_there(case, take, pay, work):
    promise = take("200")
    pay(case.customer, "150")
    work()
    promise.refresh_from_db()
    assert promise.state == "OPEN"
    pay(case.customer, "50")
    work()
    promise.refresh_from_db()
    assert (promise.state, promise.received, promise.judged_on) == (
        "KEPT",
        Decimal(200),
        BusinessDate.current(),
    )
    thanks = Notice.objects.filter(template__code="promise_kept")
    assert {notice.channel for notice in thanks} == {"SMS", "EMAIL", "IN_APP"}
    assert Event.objects.filter(kind="promise.kept").count() == 1


@pytest.mark.parametrize("paid", ["", "199.99"])
def test_a_promise_is_broken_the_morning_after_its_day(case, take, pay, run_to, paid):
    promise = take("200", days=2)
    if paid:
        pay(case.customer, paid)
    run_to(promise.due_on)
    promise.refresh_from_db()
    assert promise.state == "OPEN", "the day itself counts"
    run_to(promise.due_on + DAY)
    promise.refresh_from_db()
    assert (promise.state, promise.received) == ("BROKEN", Decimal(paid or 0))
    word = Contact.objects.filter(step=f"promise-{promise.pk}")
    assert {contact.channel for contact in word} == {"SMS", "IN_APP"}


def test_money_that_came_before_the_promise_does_not_keep_it(case, pay, take, run_to):
    pay(case.customer, "200")
    promise = take("200", days=0)
    run_to(promise.due_on + DAY)
    promise.refresh_from_db()
    assert promise.state == "BROKEN"


def test_a_payment_taken_back_by_the_bank_does_not_keep_it(case, take, pay, run_to):
    promise = take("300", days=2)
    pay(case.customer, "200")
    day = BusinessDate.current()
    payment = case.customer.loans.get().transactions.get(type="REPAYMENT")
    loans.reverse(transaction_id=payment.pk, key="r", note="bounced", by=None, at=moment(day), on=day)
    pay(case.customer, "150")
    run_to(promise.due_on + DAY)
    promise.refresh_from_db()
    assert (promise.state, promise.received) == ("BROKEN", Decimal(150))


def test_when_nothing_is_overdue_any_more_the_word_was_kept(case, take, pay, work):
    promise = take(str(case.overdue + 10))
    pay(case.customer, str(case.overdue))
    work()
    promise.refresh_from_db()
    case.refresh_from_db()
    assert (promise.state, case.state) == ("KEPT", "CLOSED")


def test_while_a_promise_stands_nobody_is_chased_and_days_past_due_run_on(case, take, run_to):
    promise = take(days=6)
    Contact.objects.filter(state="PLANNED").update(state="CANCELLED")
    run_to(promise.due_on)
    case.refresh_from_db()
    assert not Contact.objects.filter(step="second-sms").exists()
    assert case.days_past_due(promise.due_on) == 11
    run_to(promise.due_on + DAY)
    assert Contact.objects.filter(step="second-sms").exists(), "broken: the strategy goes on"


def test_kept_promises_raise_the_case_on_the_list_and_broken_ones_lower_it(case, take, pay, work, run_to):
    before = case.expected / case.overdue
    take("100")
    pay(case.customer, "100")
    work()
    work(on=BusinessDate.current() + DAY)
    case.refresh_from_db()
    assert case.expected / case.overdue > before


def test_a_new_promise_takes_the_place_of_the_open_one(case, take):
    first, second = take("100"), take("150")
    first.refresh_from_db()
    assert (first.state, second.state) == ("CANCELLED", "OPEN")


def test_a_promise_can_be_cancelled_once(case, take, collector):
    promise = take()
    day = BusinessDate.current()
    facts = {"promise_id": promise.pk, "by": collector, "at": moment(day), "on": day}
    promises.cancel(**facts)
    case.refresh_from_db()
    assert case.next_action_on == day
    with pytest.raises(TransitionNotAllowed):
        promises.cancel(**facts)


def test_a_debt_that_is_written_off_ends_the_promise(case, take, work):
    promise = take()
    day = BusinessDate.current()
    loan = case.customer.loans.get()
    loans.write_off(loan_id=loan.pk, key="w", note="gone", by=None, at=moment(day), on=day)
    work()
    promise.refresh_from_db()
    assert promise.state == "CANCELLED"


@pytest.mark.parametrize(
    ("amount", "days", "field"),
    [
        ("0", 3, "amount"),
        ("-5", 3, "amount"),
        ("1.005", 3, "amount"),
        ("NaN", 3, "amount"),
        ("99999", 3, "amount"),
        ("100", -1, "due_on"),
        ("100", 31, "due_on"),
    ],
)
def test_a_promise_that_cannot_be_is_refused_at_its_field(take, amount, days, field):
    with pytest.raises(Refused) as refusal:
        take(amount, days)
    assert refusal.value.field == field
    assert not Promise.objects.exists()


@pytest.mark.parametrize("days", [0, 30])
def test_a_promise_for_today_and_for_the_last_day_allowed(take, days):
    assert take("100", days).state == "OPEN"


def test_judging_again_changes_nothing(case, take, pay, work):
    take("100")
    pay(case.customer, "100")
    work()
    counts = [Notice.objects.count(), Event.objects.count()]
    work(hour=15)
    assert [Notice.objects.count(), Event.objects.count()] == counts


@pytest.mark.django_db(transaction=True)
def test_judging_waits_for_a_case_before_it_takes_its_promises(take, case):
    """As whoever takes or cancels one does: they hold the case already when they come to the promise."""
    take()
    day = BusinessDate.current()
    with waiting_for(Case.objects.filter(pk=case.pk), lambda: promises.judge(on=day, at=moment(day))):
        assert Promise.objects.select_for_update(nowait=True).exists()
