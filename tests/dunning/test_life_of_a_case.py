"""A case through its days: it opens, is reminded, called, demanded, goes to court and closes, all by the clock."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from dunning.models import Case, Contact, LegalMatter
from dunning.services import cases, strategy
from lending.errors import Refused
from lending.models import BusinessDate, Consent, Customer, Event, Loan, Notice
from lending.services import customers, loans, notices
from tests.dunning.conftest import MONDAY, moment

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def steps(customer: Customer) -> list[tuple[int, str, str]]:
    """What was planned or done: days after the due date, step, channel."""
    rows = Contact.objects.filter(customer=customer).exclude(state="REFUSED").order_by("planned_for", "pk")
    return [((timezone.localdate(row.planned_for) - row.due_on).days, row.step, row.channel) for row in rows]


def case_of(loan: Loan) -> Case:
    return Case.objects.get(customer=loan.customer_id)


def test_a_bill_that_is_never_paid_goes_all_the_way(make_loan, first_due, run_to):
    loan = make_loan(tenor=3)
    due = first_due(loan)
    stages: dict[str, int] = {}
    while BusinessDate.current() < due + timedelta(days=95):
        day = BusinessDate.current() + DAY
        run_to(day)
        notices.send_due(at=moment(day))
        case = Case.objects.filter(customer=loan.customer).first()
        if case:
            stages.setdefault(case.state, (day - due).days)
    assert stages == {"REMINDING": 1, "CALLING": 4, "DEMANDING": 31, "LEGAL": 91}
    assert steps(loan.customer) == [
        (-3, "before-app", "IN_APP"),
        (-3, "before-sms", "SMS"),
        (1, "overdue-email", "EMAIL"),
        (1, "overdue-sms", "SMS"),
        (4, "first-call", "CALL"),
        (8, "second-sms", "SMS"),
        (16, "second-call", "CALL"),
        (31, "demand-email", "EMAIL"),
        (31, "demand-letter", "LETTER"),
        (61, "third-call", "CALL"),
        (91, "legal-matter", "LETTER"),
        (91, "legal-matter", "EMAIL"),
    ]
    messages = Contact.objects.exclude(channel="CALL")
    assert set(messages.values_list("state", flat=True)) == {"DONE"}, "each message was sent"
    tasks = Contact.objects.filter(channel="CALL")
    assert set(tasks.values_list("state", flat=True)) == {"PLANNED"}, "calls wait for somebody to make them"
    matter = LegalMatter.objects.get()
    assert (matter.state, matter.noticed_on) == ("NOTICE", due + timedelta(days=91))
    assert matter.claim == case_of(loan).overdue or case_of(loan).as_of > matter.noticed_on
    moves = Event.objects.filter(kind="case.moved").order_by("pk")
    assert [move.data["after"] for move in moves] == ["CALLING", "DEMANDING"]


def test_no_message_leaves_at_night_and_each_says_what_is_owed_that_day(make_loan, first_due, run_to):
    loan = make_loan()
    run_to(first_due(loan) + DAY)
    sms = Notice.objects.get(contact__step="overdue-sms")
    assert timezone.localtime(sms.send_after) == moment(first_due(loan) + DAY, 8)
    overdue = case_of(loan).overdue
    assert overdue > loan.instalments.order_by("number").first().principal, "the fee is due as well"
    assert f"¥{overdue:,.2f}" in sms.body
    for hour, state in (((7, 59, 59), "PENDING"), ((8,), "SENT")):
        notices.send_due(at=moment(first_due(loan) + DAY, *hour))
        sms.refresh_from_db()
        assert sms.state == state


def test_a_bill_paid_on_its_due_date_makes_no_case(make_loan, first_due, run_to, pay):
    loan = make_loan()
    run_to(first_due(loan))
    pay(loan.customer, str(loan.instalments.order_by("number").first().outstanding))
    run_to(first_due(loan) + 5 * DAY)
    assert not Case.objects.exists()


def test_the_case_closes_when_everything_overdue_is_paid_and_tasks_are_called_off(overdue, pay, work):
    loan = overdue(5)
    case = case_of(loan)
    assert case.state == "CALLING"
    pay(loan.customer, str(case.overdue))
    work()
    case.refresh_from_db()
    assert (case.state, case.end, case.closed_on) == ("CLOSED", "PAID", BusinessDate.current())
    assert (case.overdue, case.expected, case.next_action_on) == (0, 0, None)
    assert Contact.objects.get(step="first-call").state == "CANCELLED"
    assert Event.objects.filter(kind="case.closed").count() == 1


def test_one_case_for_all_loans_of_a_customer(make_loan, first_due, run_to):
    first = make_loan()
    second = make_loan(customer=first.customer, amount="600")
    run_to(first_due(first) + 2 * DAY)
    case = Case.objects.get()
    unpaid = [loan.instalments.order_by("number").first().outstanding for loan in (first, second)]
    assert case.overdue == sum(unpaid)


def test_a_part_payment_makes_the_case_young_again(make_loan, first_due, run_to, pay, work):
    loan = make_loan(tenor=3)
    second_due = loan.instalments.order_by("number")[1].due_on
    run_to(second_due + 4 * DAY)  # the first instalment is more than a month late
    assert case_of(loan).state == "DEMANDING"
    pay(loan.customer, str(loan.instalments.order_by("number").first().outstanding))
    work()
    case = case_of(loan)
    assert (case.state, case.oldest_due_on) == ("CALLING", second_due)
    assert case.overdue == loan.instalments.order_by("number")[1].outstanding
    assert steps(loan.customer)[-1][1:] == ("first-call", "CALL"), "the strategy starts over for that date"


def test_running_again_changes_nothing(overdue, work):
    loan = overdue(9)
    counts = [model.objects.count() for model in (Case, Contact, Notice, Event)]
    figures = Case.objects.values().get()
    for hour in (8, 9, 20):
        work(hour=hour)
    assert [model.objects.count() for model in (Case, Contact, Notice, Event)] == counts
    assert Case.objects.values().get() == figures
    assert steps(loan.customer)


def test_a_case_that_has_not_changed_is_not_written(overdue, django_assert_max_num_queries):
    overdue(9)
    day = BusinessDate.current()
    cases.refresh(on=day, at=moment(day))
    with django_assert_max_num_queries(6):
        assert cases.refresh(on=day, at=moment(day)) == 0


def test_an_older_day_does_not_overwrite_a_newer_one(overdue):
    loan = overdue(9)
    case = case_of(loan)
    cases.refresh(on=case.as_of - DAY, at=moment(case.as_of))
    assert case_of(loan).as_of == case.as_of


def test_missed_days_bring_only_the_latest_of_each_channel(make_loan, first_due, run_to, settings, work):
    steps_of_collections = [step for step in settings.CLOSE_STEPS if step.startswith("dunning.")]
    loan = make_loan()
    settings.CLOSE_STEPS = [step for step in settings.CLOSE_STEPS if step not in steps_of_collections]
    run_to(first_due(loan) + 20 * DAY)
    work()
    assert steps(loan.customer) == [
        (20, "overdue-email", "EMAIL"),
        (20, "second-sms", "SMS"),
        (20, "second-call", "CALL"),
    ]
    assert case_of(loan).state == "CALLING"


def test_without_consent_the_refusal_is_kept_once_and_calls_are_made_all_the_same(overdue, make_customer):
    loan = overdue(5, customer=make_customer(consent=False))
    refused = Contact.objects.filter(state="REFUSED", case__isnull=False)
    assert sorted(refused.values_list("step", "rule")) == [
        ("overdue-email", "NO_CONSENT"),
        ("overdue-sms", "NO_CONSENT"),
    ]
    assert [step for _day, step, _channel in steps(loan.customer)] == ["before-app", "first-call"]


def test_consent_given_later_lets_the_step_be_taken(overdue, make_customer, work):
    loan = overdue(2, customer=make_customer(consent=False))
    customers.give_consent(
        customer_id=loan.customer_id,
        purpose=Consent.Purpose.ELECTRONIC_NOTICES,
        text_version="1",
        by=None,
        at=moment(BusinessDate.current()),
    )
    work(on=BusinessDate.current() + DAY)
    assert ("overdue-sms", "SMS") in [step[1:] for step in steps(loan.customer)]


def test_without_a_phone_there_is_no_sms(overdue, make_customer):
    customer = make_customer()
    customer.set_phone("")
    customer.save()
    overdue(2, customer=customer)
    assert Contact.objects.get(step="overdue-sms").rule == "NO_ADDRESS"
    assert Contact.objects.get(step="overdue-email").state == "PLANNED"


def test_who_has_paid_hears_nothing_more(overdue, pay):
    loan = overdue(1)
    pay(loan.customer, str(case_of(loan).overdue))
    notices.send_due(at=moment(BusinessDate.current(), 8))
    sms = Contact.objects.select_related("notice").get(step="overdue-sms")
    assert (sms.state, sms.rule, sms.notice.state) == ("REFUSED", "NOTHING_DUE", "SUPPRESSED")


def test_a_message_whose_amount_has_changed_is_written_anew(overdue, pay, work):
    loan = overdue(1)
    pay(loan.customer, "100")
    day = BusinessDate.current()
    notices.send_due(at=moment(day, 8))
    assert Contact.objects.get(step="overdue-sms").rule == "ABOVE_CAP"
    work(hour=9)
    case = case_of(loan)
    sent = Notice.objects.get(contact__step="overdue-sms", contact__state="PLANNED")
    assert f"¥{case.overdue:,.2f}" in sent.body


def test_a_reminder_of_a_bill_paid_meanwhile_is_held_back(make_loan, first_due, run_to, pay):
    loan = make_loan()
    run_to(first_due(loan) - 3 * DAY)
    assert Notice.objects.get(contact__step="before-sms").state == "PENDING"
    pay(loan.customer, str(loan.instalments.order_by("number").first().outstanding))
    notices.send_due(at=moment(first_due(loan) - 3 * DAY))
    assert Notice.objects.get(contact__step="before-sms").state == "SUPPRESSED"


def test_who_is_in_arrears_gets_no_reminder_of_the_next_bill(make_loan, run_to):
    loan = make_loan(tenor=3)
    second_due = loan.instalments.order_by("number")[1].due_on
    run_to(second_due)
    assert Contact.objects.filter(step__startswith="before").values("due_on").distinct().count() == 1


def test_a_message_that_cannot_be_delivered_is_not_written_again(overdue, settings, work):
    settings.SMS_BACKEND = "no.such.Backend"
    loan = overdue(1)
    day = BusinessDate.current()
    when = moment(day, 8)
    while Notice.objects.get(contact__step="overdue-sms").state == "PENDING":
        notices.send_due(at=when)
        when += timedelta(hours=1)
    work(on=day + DAY)
    sms = Contact.objects.get(step="overdue-sms")
    assert (sms.state, sms.rule) == ("REFUSED", "UNDELIVERED")
    assert case_of(loan).state == "REMINDING"


def test_written_off_ends_the_case_as_that(overdue, work):
    loan = overdue(40)
    day = BusinessDate.current()
    loans.write_off(loan_id=loan.pk, key="w", note="gone", by=None, at=moment(day), on=day)
    work()
    assert case_of(loan).end == "WRITTEN_OFF"


def test_a_pause_stops_the_strategy_until_its_day(overdue, run_to, collector):
    loan = overdue(2)
    day = BusinessDate.current()
    cases.pause(
        case_id=case_of(loan).pk,
        until=day + 10 * DAY,
        reason="hospital",
        by=collector,
        at=moment(day),
        on=day,
    )
    run_to(day + 9 * DAY)
    assert case_of(loan).state == "PAUSED"
    assert "first-call" not in [step[1] for step in steps(loan.customer)]
    run_to(day + 10 * DAY)
    assert case_of(loan).state == "CALLING"
    assert [step[1] for step in steps(loan.customer)][-2:] == ["first-call", "second-sms"]
    assert list(
        Event.objects.filter(kind__startswith="case.").order_by("pk").values_list("kind", flat=True)
    ) == [
        "case.opened",
        "case.paused",
        "case.resumed",
        "case.moved",
    ]


def test_a_paused_case_closes_when_it_is_paid(overdue, pay, work, collector):
    loan = overdue(2)
    day = BusinessDate.current()
    case = case_of(loan)
    cases.pause(case_id=case.pk, until=day + 10 * DAY, reason="x", by=collector, at=moment(day), on=day)
    pay(loan.customer, str(case.overdue))
    work()
    assert case_of(loan).state == "CLOSED"
    with pytest.raises(Refused, match="closed"):
        cases.assign(case_id=case.pk, user_id=collector.pk, by=collector, at=moment(day))


@pytest.mark.parametrize(
    ("days", "reason", "field"), [(0, "x", "until"), (-1, "x", "until"), (3, "  ", "reason")]
)
def test_a_pause_needs_a_day_to_come_and_a_reason(overdue, collector, days, reason, field):
    loan = overdue(2)
    day = BusinessDate.current()
    with pytest.raises(Refused) as refusal:
        cases.pause(
            case_id=case_of(loan).pk,
            until=day + timedelta(days=days),
            reason=reason,
            by=collector,
            at=moment(day),
            on=day,
        )
    assert refusal.value.field == field
    assert case_of(loan).state == "REMINDING"


def test_the_database_allows_one_open_case_for_a_customer(overdue):
    case = case_of(overdue(2))
    with pytest.raises(IntegrityError, match="case_one_open_per_customer"), transaction.atomic():
        Case.objects.create(
            customer=case.customer,
            strategy=case.strategy,
            opened_on=MONDAY,
            as_of=MONDAY,
            oldest_due_on=MONDAY,
            overdue=Decimal(1),
        )


def test_paid_back_and_bounced_the_case_opens_again_and_goes_on_where_it_was(overdue, pay, work):
    loan = overdue(10)
    case = case_of(loan)
    pay(loan.customer, str(case.overdue))
    work()
    day = BusinessDate.current()
    payment = loan.transactions.get(type="REPAYMENT")
    loans.reverse(transaction_id=payment.pk, key="bounce", note="bounced", by=None, at=moment(day), on=day)
    work()
    opened = Case.objects.exclude(pk=case.pk).get()
    assert opened.state == "CALLING"
    sms = [step for step in steps(loan.customer) if step[2] == "SMS"]
    assert [step[1] for step in sms] == ["before-sms", "overdue-sms", "second-sms"], "none is sent twice"


def test_the_strategy_only_works_cases_whose_day_has_come(overdue, django_assert_max_num_queries):
    overdue(9)
    day = BusinessDate.current()
    assert Case.objects.get().next_action_on == day + 7 * DAY
    with django_assert_max_num_queries(14):
        assert strategy.work_cases(on=day, at=moment(day)) == 0
        assert strategy.remind(on=day, at=moment(day)) == 0


def test_who_is_late_gets_no_reminder_even_before_the_case_is_open(make_loan, pay):
    """The close plans reminders while it opens and closes the cases."""
    loan = make_loan()
    first, second = loan.instalments.order_by("number")[:2]
    day = second.due_on - 3 * DAY
    assert strategy.remind(on=day, at=moment(day)) == 0
    assert not Case.objects.exists()
    pay(loan.customer, str(first.outstanding))
    assert strategy.remind(on=day, at=moment(day)) > 0
