"""Every contact passes the gate, at the boundary of each rule, by one collector or by two at once."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connections, transaction
from django_fsm import TransitionNotAllowed

from dunning.models import Case, Contact, DayCount, StopRequest
from dunning.services import cases, contacts, disputes
from lending.errors import Refused
from lending.models import BusinessDate, Event, RuleParameter
from tests.dunning.conftest import moment

pytestmark = pytest.mark.django_db


@pytest.fixture
def case(overdue) -> Case:
    """A case on its second day: no call is planned yet."""
    overdue(2)
    return Case.objects.select_related("customer").get()


@pytest.fixture
def call(case, collector):
    """Log a call on the case, at an hour of the open business date."""

    def make(outcome: str = "INFORMED", clock: tuple = (10,), of: Case = case, **options) -> Contact:
        at = options.pop("at", None) or moment(BusinessDate.current(), *clock)
        return contacts.log(case_id=of.pk, outcome=outcome, by=collector, at=at, **options)

    return make


# --- hours ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "state"),
    [
        ((7, 59, 59), "REFUSED"),
        ((8, 0, 0), "DONE"),
        ((21, 59, 59), "DONE"),
        ((22, 0, 0), "REFUSED"),
        ((0,), "REFUSED"),
    ],
)
def test_calls_are_made_from_eight_to_ten_at_night(call, clock, state):
    contact = call(clock=clock)
    assert (contact.state, contact.rule) == (state, "" if state == "DONE" else "QUIET_HOURS")


def test_the_hour_is_the_customers_own(case, call):
    case.customer.timezone = "Europe/Lisbon"  # 10:00 in Shanghai is 2:00 there, 17:00 is 9:00
    case.customer.save()
    assert call(clock=(10,)).rule == "QUIET_HOURS"
    assert call(clock=(17,)).state == "DONE"


def test_an_unknown_place_is_not_called(case, call):
    case.customer.timezone = "Nowhere/Atlantis"
    case.customer.save()
    assert call().rule == "UNKNOWN_PLACE"


# --- counts ---------------------------------------------------------------------------------------------


def test_the_fourth_conversation_of_a_day_is_refused_whoever_calls(call):
    assert [call(clock=(9 + n,)).state for n in range(4)] == ["DONE", "DONE", "DONE", "REFUSED"]
    assert Contact.objects.get(state="REFUSED").rule == "TOO_MANY_CALLS"
    assert call(at=moment(BusinessDate.current() + timedelta(days=1))).state == "DONE", "a new day"


def test_the_seventh_unanswered_dial_to_a_number_is_refused_another_number_is_not(call):
    states = [call("NO_ANSWER", clock=(9, n)).state for n in range(7)]
    assert states == ["DONE"] * 6 + ["REFUSED"]
    assert Contact.objects.get(state="REFUSED").rule == "TOO_MANY_DIALS"
    assert call("NO_ANSWER", number="13911112222").state == "DONE"


def test_unanswered_dials_do_not_use_up_conversations(call):
    for number in range(5):
        call("BUSY", clock=(9, number))
    assert [call(clock=(11 + n,)).state for n in range(4)] == ["DONE"] * 3 + ["REFUSED"]


def test_two_customers_behind_one_number_count_together(case, call, make_customer, make_loan):
    other = make_customer(phone=case.customer.phone)
    loan = make_loan(customer=other)
    day = BusinessDate.current()
    loan.instalments.filter(number=1).update(due_on=day - timedelta(days=3))
    type(loan).objects.filter(pk=loan.pk).update(oldest_due_on=day - timedelta(days=3))
    cases.refresh(on=day, at=moment(day))
    second = Case.objects.get(customer=other)
    for number in range(6):
        assert call("NO_ANSWER", clock=(9, number), of=case if number % 2 else second).state == "DONE"
    assert call("NO_ANSWER", of=second).rule == "TOO_MANY_DIALS"
    assert call("INFORMED", of=case).rule == "TOO_MANY_DIALS"


def test_the_number_counts_however_it_is_written(case, call):
    written = [
        case.customer.phone,
        f" {case.customer.phone[:3]} {case.customer.phone[3:]}",
        f"+86{case.customer.phone}",
    ]
    for number in range(6):
        call("NO_ANSWER", clock=(9, number), number=written[number % 3])
    assert call("NO_ANSWER", number=written[1]).rule == "TOO_MANY_DIALS"


def test_the_database_itself_refuses_one_more_than_the_rule(call):
    for number in range(3):
        call(clock=(9 + number,))
    count = DayCount.objects.get(kind="CALL")
    assert (count.count, count.most) == (3, 3)
    count.count = 4
    with pytest.raises(IntegrityError, match="day_count_within_rule"), transaction.atomic():
        count.save()


@pytest.mark.parametrize("staff", [1, 2])
def test_a_visit_takes_two_and_happens_once_a_day(call, staff):
    first = call("NOT_THERE", channel="VISIT", staff=staff)
    assert (first.state, first.rule) == (("REFUSED", "TOO_FEW_VISITORS") if staff == 1 else ("DONE", ""))
    if staff == 2:
        assert call("NOT_THERE", channel="VISIT", staff=2, clock=(15,)).rule == "TOO_MANY_VISITS"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("outcome", "done_before", "rule"), [("INFORMED", 2, "TOO_MANY_CALLS"), ("BUSY", 5, "TOO_MANY_DIALS")]
)
def test_of_two_calls_at_once_only_one_is_within_the_rule(call, case, outcome, done_before, rule):
    for number in range(done_before):
        assert call(outcome, clock=(9, number)).state == "DONE"
    start = threading.Barrier(2, timeout=20)
    made: list[Contact] = []

    def collector_at_another_desk() -> None:
        start.wait()
        made.append(call(outcome))
        connections.close_all()

    desks = [threading.Thread(target=collector_at_another_desk) for _desk in range(2)]
    for desk in desks:
        desk.start()
    for desk in desks:
        desk.join(timeout=30)
    assert sorted(contact.state for contact in made) == ["DONE", "REFUSED"]
    assert next(contact.rule for contact in made if contact.rule) == rule


@pytest.mark.django_db(transaction=True)
def test_a_second_desk_waits_for_the_count_of_the_first(call, case):
    for number in range(2):
        call(clock=(9, number))
    made: list[Contact] = []

    def second_desk() -> None:
        made.append(call())
        connections.close_all()

    other = threading.Thread(target=second_desk)
    with transaction.atomic():
        assert call().state == "DONE"
        other.start()
        other.join(timeout=1)
        assert other.is_alive(), "the count is held until the first call is written down"
    other.join(timeout=20)
    assert made[0].rule == "TOO_MANY_CALLS"


# --- whom, and whether ----------------------------------------------------------------------------------


def test_somebody_unrelated_is_never_asked(call):
    assert call("INFORMED", party="THIRD_PARTY", number="13911112222").rule == "THIRD_PARTY"


def test_a_named_contact_is_asked_only_when_the_customer_cannot_be_reached(call):
    asked = {"party": "CONTACT", "number": "13911112222"}
    assert call(**asked).rule == "THIRD_PARTY"
    for number in range(3):
        call("NO_ANSWER", clock=(9, number))
    assert call(**asked).state == "DONE"
    call("INFORMED", clock=(11,))
    assert call(**asked).rule == "THIRD_PARTY", "the customer was reached again"


def test_a_dead_number_is_proof_enough(call):
    call("NUMBER_DEAD")
    assert call(party="CONTACT", number="13911112222").state == "DONE"


def test_a_stop_request_closes_the_channel_until_it_is_lifted(call, case, collector):
    call("ASKED_TO_STOP")
    assert call().rule == "STOPPED"
    stop = StopRequest.objects.get()
    contacts.lift_stop(stop_id=stop.pk, by=collector, at=moment(BusinessDate.current()))
    assert call().state == "DONE"
    assert Event.objects.filter(customer=case.customer, kind__startswith="contact.stop").count() == 2


def test_a_number_of_somebody_else_is_not_dialled_again(call, case):
    call("WRONG_PERSON")
    assert call().rule == "STOPPED"
    case.customer.set_phone("13911112222")
    case.customer.save()
    assert call().state == "DONE"


def test_a_contact_who_asks_to_stop_is_left_alone_and_the_customer_is_not(call):
    for number in range(3):
        call("NO_ANSWER", clock=(9, number))
    call("ASKED_TO_STOP", party="CONTACT", number="13911112222")
    assert call(party="CONTACT", number="13911112222").rule == "STOPPED"
    assert call().state == "DONE"


def test_a_dispute_of_everything_stops_contacts_and_of_a_part_does_not(call, case, collector):
    day = BusinessDate.current()
    facts = {
        "customer_id": case.customer_id,
        "reason": "returned",
        "by": collector,
        "at": moment(day),
        "on": day,
    }
    part = disputes.open(amount=Decimal("10"), **facts)
    assert call().state == "DONE"
    disputes.resolve(
        dispute_id=part.pk, outcome="WITHDRAWN", answer="ok", by=collector, at=moment(day), on=day
    )
    disputes.open(amount=case.overdue, **facts)
    assert call().rule == "DISPUTED"


def test_who_has_paid_is_not_called(call, case, pay):
    pay(case.customer, str(case.overdue))
    assert call().rule == "NOTHING_DUE"


def test_a_number_that_no_rule_sets_stops_everything(call):
    RuleParameter.objects.filter(code="CONTACT_EFFECTIVE_CALLS_PER_DAY").delete()
    refused = call()
    assert (refused.rule, refused.rule_params) == ("MISSING_RULE", {"parameters": "max_effective_calls"})


# --- tasks and input ------------------------------------------------------------------------------------


@pytest.fixture
def task(overdue) -> Contact:
    overdue(4)
    return Contact.objects.get(step="first-call")


def test_a_task_is_done_once(task, collector):
    at = moment(BusinessDate.current())
    contact = contacts.log(contact_id=task.pk, outcome="CALL_BACK", note="after six", by=collector, at=at)
    assert (contact.pk, contact.state, contact.at, contact.by) == (task.pk, "DONE", at, collector)
    assert (contact.connected, contact.note) == (True, "after six")
    assert contact.number_masked.startswith("138") and "*" in contact.number_masked
    with pytest.raises(TransitionNotAllowed):
        contacts.log(contact_id=task.pk, outcome="CALL_BACK", by=collector, at=at)


def test_a_task_tried_at_night_stays_to_be_done_in_the_morning(task, collector):
    day = BusinessDate.current()
    attempt = contacts.log(contact_id=task.pk, outcome="NO_ANSWER", by=collector, at=moment(day, 23))
    task.refresh_from_db()
    assert (attempt.state, attempt.rule, task.state) == ("REFUSED", "QUIET_HOURS", "PLANNED")
    assert task.planned_for == moment(day + timedelta(days=1), 8)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"outcome": "SHOUTED"}, "outcome"),
        ({"outcome": ""}, "outcome"),
        ({"outcome": "NO_ANSWER", "connected": True}, "outcome"),
        ({"outcome": "PROMISED", "connected": False}, "outcome"),
        ({"channel": "SMS"}, "channel"),
        ({"number": "abc"}, "number"),
        ({"number": "12"}, "number"),
        ({"party": "CONTACT"}, "number"),
        ({"party": "NEIGHBOUR"}, "party"),
    ],
)
def test_input_that_cannot_be_is_refused_and_nothing_written(call, options, field):
    before = Contact.objects.count()
    with pytest.raises(Refused) as refusal:
        call(**{"outcome": "INFORMED", **options})
    assert refusal.value.field == field
    assert Contact.objects.count() == before
    assert not DayCount.objects.filter(count__gt=0).exists()


def test_a_closed_case_takes_no_contact(call, case, pay, work):
    pay(case.customer, str(case.overdue))
    work()
    with pytest.raises(Refused, match="closed"):
        call()


def test_contacts_are_kept(call):
    contact = call()
    with pytest.raises(Exception, match="[Cc]annot delete"), transaction.atomic():
        Contact.objects.filter(pk=contact.pk).delete()


def test_each_attempt_is_on_the_timeline_with_its_rule(call, case):
    call()
    call(clock=(23,))
    kinds = Event.objects.filter(customer=case.customer, kind__startswith="contact.").order_by("pk")
    assert [(event.kind, event.data["rule"]) for event in kinds] == [
        ("contact.made", ""),
        ("contact.refused", "QUIET_HOURS"),
    ]


def test_one_can_ask_before_calling(call, case):
    day = BusinessDate.current()
    assert contacts.may_call(case=case, at=moment(day)).allowed
    assert contacts.may_call(case=case, at=moment(day, 22)).retry_at == moment(day + timedelta(days=1), 8)
    for number in range(3):
        call(clock=(9 + number,))
    verdict = contacts.may_call(case=case, at=moment(day, 15))
    assert (verdict.allowed, verdict.rule) == (False, "TOO_MANY_CALLS")
    assert DayCount.objects.count() == 2, "asking counts nothing"
