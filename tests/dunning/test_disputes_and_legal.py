"""Disputes hold back what is asked for; legal matters carry their dates, papers and costs."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django_fsm import TransitionNotAllowed

from dunning.models import Case, Contact, LegalMatter
from dunning.services import cases, disputes, legal
from lending.errors import Refused
from lending.models import BusinessDate, Event, Notice
from lending.services import notices
from tests.dunning.conftest import moment
from tests.lending.admin_support import desk

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def case(overdue) -> Case:
    overdue(5)
    return Case.objects.select_related("customer").get()


@pytest.fixture
def acting(collector):
    """Who, when and on which day, for a service."""
    return lambda: {"by": collector, "at": moment(BusinessDate.current()), "on": BusinessDate.current()}


@pytest.fixture
def dispute(case, acting):
    def open_one(amount: str, **options) -> disputes.Dispute:
        facts = {"customer_id": case.customer_id, "reason": "goods returned", **acting(), **options}
        return disputes.open(amount=Decimal(amount), **facts)

    return open_one


# --- disputes -------------------------------------------------------------------------------------------


def test_what_is_disputed_is_left_out_of_what_is_asked_for(case, dispute, run_to):
    dispute("100")
    run_to(case.oldest_due_on + 8 * DAY)
    sms = Contact.objects.select_related("notice").get(step="second-sms")
    case.refresh_from_db()
    assert sms.amount == case.overdue - 100
    assert f"¥{case.overdue - 100:,.2f}" in sms.notice.body


def test_a_dispute_of_everything_stops_the_strategy_and_its_answer_starts_it_again(
    case, dispute, acting, run_to
):
    whole = dispute(str(case.overdue))
    run_to(case.oldest_due_on + 9 * DAY)
    assert Contact.objects.get(step="second-sms").rule == "DISPUTED"
    disputes.resolve(dispute_id=whole.pk, outcome="REJECTED", answer="delivered on the 3rd", **acting())
    run_to(case.oldest_due_on + 10 * DAY)
    assert Contact.objects.filter(step="second-sms", state="PLANNED").exists()


def test_a_message_written_before_the_dispute_is_held_back(make_loan, first_due, run_to, acting):
    loan = make_loan()
    run_to(first_due(loan) + DAY)
    case = Case.objects.get()
    disputes.open(customer_id=case.customer_id, amount=case.overdue, reason="never came", **acting())
    notices.send_due(at=moment(BusinessDate.current(), 8))
    assert Notice.objects.get(contact__step="overdue-sms").state == "SUPPRESSED"
    assert Contact.objects.get(step="overdue-sms").rule == "DISPUTED"


def test_a_dispute_is_to_be_answered_in_twenty_days_and_is_answered_once(dispute, acting):
    opened = dispute("50")
    assert opened.answer_by == BusinessDate.current() + timedelta(days=20)
    answer = {"dispute_id": opened.pk, "outcome": "UPHELD", "answer": "credited"}
    assert disputes.resolve(**answer, **acting()).state == "UPHELD"
    with pytest.raises(TransitionNotAllowed):
        disputes.resolve(**answer, **acting())


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "99999"}, "amount"),
        ({"amount": "10", "reason": " "}, "reason"),
        ({"amount": "10", "loan_id": 10**9}, "loan"),
    ],
)
def test_a_dispute_that_cannot_be_is_refused_at_its_field(dispute, facts, field):
    with pytest.raises(Refused) as refusal:
        dispute(facts.pop("amount"), **facts)
    assert refusal.value.field == field


def test_one_open_dispute_about_the_same(dispute, case):
    dispute("10")
    with pytest.raises(Refused, match="open already"):
        dispute("20")
    assert dispute("20", loan_id=case.customer.loans.get().pk).state == "OPEN"


@pytest.mark.parametrize(
    ("outcome", "answer", "field"),
    [("MAYBE", "x", "outcome"), ("OPEN", "x", "outcome"), ("UPHELD", "", "answer")],
)
def test_an_answer_needs_a_decision_and_words(dispute, acting, outcome, answer, field):
    opened = dispute("10")
    with pytest.raises(Refused) as refusal:
        disputes.resolve(dispute_id=opened.pk, outcome=outcome, answer=answer, **acting())
    assert refusal.value.field == field


# --- legal matters --------------------------------------------------------------------------------------


def test_a_matter_from_notice_to_enforcement_with_papers_and_costs(case, acting, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    matter = legal.open(case_id=case.pk, **acting())
    case.refresh_from_db()
    assert (case.state, matter.state, matter.claim) == ("LEGAL", "NOTICE", case.overdue)
    letters = Notice.objects.filter(template__code="legal_notice")
    assert {letter.channel for letter in letters} == {"LETTER", "EMAIL"}
    assert {letter.purpose for letter in letters} == {"LEGAL"}
    legal.advance(matter_id=matter.pk, to="FILED", court="北京互联网法院", reference="2026-1", **acting())
    legal.advance(matter_id=matter.pk, to="JUDGED", awarded=Decimal("300"), **acting())
    matter = legal.advance(matter_id=matter.pk, to="ENFORCED", **acting())
    assert (matter.awarded, matter.court, matter.enforced_on) == (
        300,
        "北京互联网法院",
        BusinessDate.current(),
    )
    moment_only = {name: value for name, value in acting().items() if name != "on"}
    for kind, amount in (("COURT", "25.00"), ("LAWYER", "500.50")):
        legal.add_cost(
            matter_id=matter.pk,
            kind=kind,
            amount=Decimal(amount),
            spent_on=BusinessDate.current(),
            **moment_only,
        )
    assert matter.spent == Decimal("525.50")
    paper = legal.add_document(
        matter_id=matter.pk, title="判决书", file=ContentFile(b"pdf", "j.pdf"), **moment_only
    )
    assert (len(paper.sha256), paper.file.read()) == (64, b"pdf")
    kinds = Event.objects.filter(kind__startswith="matter.").order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["matter.opened"] + ["matter.advanced"] * 3 + ["matter.cost_added"] * 2 + [
        "matter.document_added"
    ]


def test_in_court_the_strategy_is_silent(case, acting, run_to):
    legal.open(case_id=case.pk, **acting())
    before = Contact.objects.count()
    run_to(case.oldest_due_on + 33 * DAY)
    assert Contact.objects.count() == before


def test_a_matter_closed_with_the_debt_still_there_takes_the_case_back_to_demanding(case, acting, work):
    matter = legal.open(case_id=case.pk, **acting())
    legal.advance(matter_id=matter.pk, to="CLOSED", result="withdrawn", **acting())
    case.refresh_from_db()
    assert (case.state, case.next_action_on) == ("DEMANDING", BusinessDate.current())
    work()
    case.refresh_from_db()
    assert case.state == "CALLING", "the stage of its days"
    assert legal.open(case_id=case.pk, **acting()).state == "NOTICE", "a second matter can be opened"


def test_a_paid_case_closes_though_its_matter_is_open(case, acting, pay, work):
    matter = legal.open(case_id=case.pk, **acting())
    pay(case.customer, str(case.overdue))
    work()
    case.refresh_from_db()
    matter.refresh_from_db()
    assert (case.state, matter.state) == ("CLOSED", "NOTICE")
    legal.advance(matter_id=matter.pk, to="CLOSED", result="paid", **acting())
    case.refresh_from_db()
    assert case.state == "CLOSED"


def test_no_notice_for_what_is_disputed_and_nothing_is_half_done(case, acting):
    disputes.open(customer_id=case.customer_id, amount=case.overdue, reason="x", **acting())
    with pytest.raises(Refused) as refusal:
        legal.open(case_id=case.pk, **acting())
    assert refusal.value.code == "DISPUTED"
    case.refresh_from_db()
    assert case.state == "CALLING"
    assert not LegalMatter.objects.exists()


def test_a_paused_case_is_not_taken_to_court(case, acting):
    until = BusinessDate.current() + 5 * DAY
    cases.pause(case_id=case.pk, until=until, reason="x", **acting())
    with pytest.raises(TransitionNotAllowed):
        legal.open(case_id=case.pk, **acting())
    assert not Notice.objects.filter(template__code="legal_notice").exists()


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ({"to": "FILED"}, "court"),
        ({"to": "WON"}, "to"),
        ({"to": "CLOSED"}, "result"),
    ],
)
def test_a_step_needs_its_facts(case, acting, step, field):
    matter = legal.open(case_id=case.pk, **acting())
    with pytest.raises(Refused) as refusal:
        legal.advance(matter_id=matter.pk, **step, **acting())
    assert refusal.value.field == field


@pytest.mark.parametrize("awarded", [None, Decimal("-1"), Decimal("0.001")])
def test_a_judgment_needs_an_amount(case, acting, awarded):
    matter = legal.open(case_id=case.pk, **acting())
    legal.advance(matter_id=matter.pk, to="FILED", court="c", **acting())
    with pytest.raises(Refused) as refusal:
        legal.advance(matter_id=matter.pk, to="JUDGED", awarded=awarded, **acting())
    assert refusal.value.field == "awarded"


def test_no_step_is_skipped(case, acting):
    matter = legal.open(case_id=case.pk, **acting())
    with pytest.raises(TransitionNotAllowed):
        legal.advance(matter_id=matter.pk, to="JUDGED", awarded=Decimal(1), **acting())


def test_a_legal_paper_is_taken_out_by_who_may_and_written_down(case, acting, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    matter = legal.open(case_id=case.pk, **acting())
    told = {key: value for key, value in acting().items() if key != "on"}
    paper = legal.add_document(
        matter_id=matter.pk, title="起诉状", file=ContentFile("状".encode(), "claim.pdf"), **told
    )
    address = reverse("admin:dunning_legalmatter_document", args=[paper.pk])
    assert desk("clerk").get(address).status_code == 403  # on the staff, in no role
    assert Client().get(address).status_code == 302
    assert not Event.objects.filter(kind="document.revealed").exists()
    client = desk("legal_officer")
    answer = client.get(address)
    assert b"".join(answer.streaming_content) == "状".encode()
    assert "attachment" in answer["Content-Disposition"]
    event = Event.objects.get(kind="document.revealed")
    assert (event.actor.username, event.customer_id) == ("the-legal_officer", matter.customer_id)
    assert event.data == {"document": paper.pk, "title": "起诉状", "sha256": paper.sha256}
    assert client.get(reverse("admin:dunning_legalmatter_document", args=[0])).status_code == 404
    (tmp_path / paper.file.name).write_bytes(b"another")
    answer = client.get(address, follow=True)
    assert "not the one that was handed in" in answer.content.decode()
    assert Event.objects.filter(kind="document.revealed").count() == 1
