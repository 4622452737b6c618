"""Limits over life: scored by night, reviewed at the close, offered, cut, approved again."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from lending.errors import Refused
from lending.models import (
    ApprovalRequest,
    CreditLine,
    Event,
    LimitChange,
    LimitOffer,
    LineHold,
    Loan,
    Notice,
    RuleParameter,
)
from lending.selectors import reapproval as due
from lending.services import approvals, customers, desk, limit_offers, purchases, reapproval
from risk.engine import reviews as engine
from risk.models import BehaviourScore, LineReview, ReviewDay, ScoreChunk, ScoreNight
from risk.selectors import appeals as reader
from risk.services import appeals, rescoring, reviews
from tests.lending.race_support import at_once
from tests.risk.cards import champion
from tests.risk.conftest import MONDAY, moment

LATER = MONDAY + timedelta(days=200)  # open long enough for a raise
D = Decimal


@pytest.fixture
def model(staff, at):
    return champion(staff("approver"), at, pd=0.015)


@pytest.fixture
def scored(model):
    """Give each customer a line's PD on a night, as the scoring would."""

    def write(line: CreditLine, pd: float, on=LATER, reasons=()) -> BehaviourScore:
        ScoreNight.objects.get_or_create(on=on, defaults={"as_of": moment(on)})
        return BehaviourScore.objects.create(
            customer=line.customer, on=on, model=model, score=600, pd=pd, grade="B", reasons=list(reasons)
        )

    return write


@pytest.fixture
def used(make_line):
    """A line of which half is used."""

    def make(limit="10000", share="0.5", **more) -> CreditLine:
        line = make_line(limit, **more)
        CreditLine.objects.filter(pk=line.pk).update(used=D(limit) * D(share))
        line.refresh_from_db()
        return line

    return make


def run(on=LATER) -> ReviewDay:
    reviews.review(on=on, at=moment(on, 23))
    return ReviewDay.objects.get(on=on)


# --- the engine ----------------------------------------------------------------------------------------------------

POLICY = engine.Policy(
    raise_pd=0.05,
    raise_utilisation=D("0.3"),
    raise_open_days=180,
    raise_share=D("0.2"),
    cap=D(11000),
    cut_pd=0.2,
    cut_full_pd=0.12,
    cut_full_utilisation=D("0.95"),
    cut_overdue_days=30,
    cut_share=D("0.3"),
)
GOOD = {"limit": D(10000), "used": D(4000), "pd": 0.02, "overdue_days": 0, "open_days": 200}
FREE = {"may_raise": True, "may_cut": True}


@pytest.mark.parametrize(
    "changes, outcome, to",
    [
        ({}, engine.RAISE, 11000),  # the cap is below 12,000
        ({"limit": D(11000)}, engine.KEEP, 11000),
        ({"pd": None}, engine.KEEP, 10000),
        ({"pd": 0.0501}, engine.KEEP, 10000),
        ({"used": D(2999)}, engine.KEEP, 10000),
        ({"open_days": 179}, engine.KEEP, 10000),
        ({"overdue_days": 1}, engine.KEEP, 10000),
        ({"overdue_days": 30}, engine.CUT, 7000),
        ({"pd": 0.2}, engine.CUT, 7000),
        ({"pd": 0.12}, engine.KEEP, 10000),
        ({"pd": 0.12, "used": D(9500)}, engine.CUT, 7000),
        ({"pd": None, "overdue_days": 30}, engine.CUT, 7000),
        ({"limit": D(9999), "pd": 0.3}, engine.CUT, 6900),  # whole hundreds, downwards
        ({"may_raise": False}, engine.KEEP, 10000),
        ({"pd": 0.3, "may_cut": False}, engine.KEEP, 10000),
        ({"limit": D(0), "used": D(0), "pd": 0.3}, engine.KEEP, 0),
    ],
)
def test_the_engine_raises_keeps_or_cuts(changes, outcome, to):
    verdict = engine.judge(engine.Facts(**GOOD | FREE | changes), POLICY)
    assert (verdict.outcome, verdict.to) == (outcome, D(to))


# --- the review ------------------------------------------------------------------------------------------------------


def test_a_good_line_is_offered_more_and_nothing_changes_by_itself(used, scored):
    line = used()
    scored(line, 0.02)
    day = run()
    assert (day.lines, day.offered, day.cut, day.kept) == (1, 1, 0, 0)
    offer = LimitOffer.objects.get()
    assert (offer.state, offer.before, offer.to) == ("OFFERED", D(10000), D(12000))
    assert offer.review.seen["pd"] == 0.02
    line.refresh_from_db()
    assert line.base_limit == D(10000)
    assert Notice.objects.filter(template__code="limit_offer", customer=line.customer).exists()
    assert run(LATER + timedelta(days=1)).offered == 0  # the cool-down


@pytest.mark.parametrize(
    "why", ["new", "idle", "weak", "unscored", "stale", "late once", "refused", "student", "blocked"]
)
def test_who_is_offered_nothing(used, scored, make_loan, at, why):
    line = used(share="0.2" if why == "idle" else "0.5")
    customer, on = line.customer, MONDAY + timedelta(days=100) if why == "new" else LATER
    if why != "unscored":
        scored(line, 0.06 if why == "weak" else 0.02, on=on - timedelta(days=8 if why == "stale" else 0))
    if why == "late once":
        loan = make_loan(line=line)
        loan.instalments.update(
            due_on=on - timedelta(days=90), paid_on=on - timedelta(days=85), outstanding=0
        )
        Loan.objects.update(oldest_due_on=None)
    if why == "refused":
        given = customers.give_consent(
            customer_id=customer.pk, purpose="MARKETING", text_version="1", by=None, at=at
        )
        given.__class__.objects.filter(pk=given.pk).update(withdrawn_at=at)
    if why == "student":
        customer.__class__.objects.update(is_student=True)
    if why == "blocked":
        customer.__class__.objects.update(state="BLOCKED")
    day = run(on)
    assert (day.offered, day.cut, day.kept) == (0, 0, 1)


def test_a_weak_line_is_cut_told_why_and_can_be_given_back_on_appeal(used, scored, staff):
    line = used()
    scored(line, 0.25, reasons=["return_share_180d"])
    assert run().cut == 1
    line.refresh_from_db()
    assert line.base_limit == D(7000)
    notice = Notice.objects.get(customer=line.customer, template__code="line_cut", channel="IN_APP")
    assert "7,000" in notice.body and "订单" in notice.body
    assert reader.why(line_id=line.pk)
    appeal = appeals.open(line_id=line.pk, text="我换了工作", by=None, at=moment(LATER))
    assert appeal.review == LineReview.objects.get()
    appeals.decide(appeal_id=appeal.pk, uphold=True, answer="核实", by=staff("officer"), at=moment(LATER))
    line.refresh_from_db()
    assert line.base_limit == D(10000)
    assert reader.reviewed_cut(line) is None
    assert run(LATER + timedelta(days=1)).cut == 0  # no second cut in the cool-down


def test_arrears_cut_without_a_score(make_loan, make_line):
    line = make_line()
    make_loan(line=line)
    Loan.objects.update(oldest_due_on=LATER - timedelta(days=30))
    assert run().cut == 1
    assert LineReview.objects.get().reasons == [engine.OVERDUE]


def test_the_second_run_of_a_day_changes_nothing(used, scored):
    scored(used(), 0.02)
    run()
    assert reviews.review(on=LATER, at=moment(LATER)) == 0
    assert LineReview.objects.count() == LimitOffer.objects.count() == 1


def test_parameters_decide_and_are_dated(used, scored):
    scored(used(), 0.02)
    RuleParameter.objects.filter(code="LIMIT_RAISE_PD").update(value=D("0.01"))
    assert run().offered == 0


def test_a_large_raise_waits_for_a_person(used, scored, staff):
    line = used("90000")
    scored(line, 0.02)
    run()
    offer = LimitOffer.objects.get()
    assert (offer.state, offer.to) == ("PROPOSED", D(100000))  # the cap, above SECOND_PERSON_ABOVE
    assert not Notice.objects.filter(template__code="limit_offer").exists()
    with pytest.raises(Exception, match="accept"):
        limit_offers.accept(offer_id=offer.pk, by=None, at=moment(LATER), on=LATER)
    limit_offers.release(offer_id=offer.pk, by=staff("boss"), at=moment(LATER), on=LATER)
    assert Notice.objects.filter(template__code="limit_offer").exists()


def test_a_healthy_book_costs_a_few_statements_however_large(used, scored, make_customer):
    def statements(lines: int, on) -> int:
        for number in range(lines):
            line = used(share="0.1", customer=make_customer(f"{on}{number}"))
            scored(line, 0.02, on=on)
        with CaptureQueriesContext(
            connection,
        ) as found:
            run(on)
        return len(found)

    few = statements(1, LATER)
    assert statements(5, LATER + timedelta(days=1)) == few < 40


# --- the customer's answer -------------------------------------------------------------------------------------------


@pytest.fixture
def offered(used, scored):
    line = used()
    scored(line, 0.02)
    run()
    return LimitOffer.objects.get()


def test_accepting_raises_the_limit_and_keeps_the_cost_that_was_shown(offered):
    limit_offers.accept(offer_id=offered.pk, by=None, at=moment(LATER), on=LATER)
    offered.refresh_from_db()
    assert offered.state == "ACCEPTED"
    assert {plan["tenor"] for plan in offered.shown} >= {3, 6}
    assert all(D(plan["annual_cost"]) >= 0 and D(plan["total"]) >= D(2000) for plan in offered.shown)
    assert CreditLine.objects.get().base_limit == D(12000)
    change = LimitChange.objects.first()
    assert (change.kind, change.after) == ("RAISED", D(12000))


def test_an_offer_falls_with_time_or_when_its_line_changes(offered):
    after = offered.expires_on + timedelta(days=1)
    with pytest.raises(Refused, match="已结束|ended"):
        limit_offers.accept(offer_id=offered.pk, by=None, at=moment(after), on=after)
    CreditLine.objects.update(base_limit=D(9000))
    with pytest.raises(Refused) as refused:
        limit_offers.accept(offer_id=offered.pk, by=None, at=moment(LATER), on=LATER)
    assert refused.value.code == "line_changed"
    assert limit_offers.expire(on=LATER, at=moment(LATER)) == 1
    offered.refresh_from_db()
    assert offered.state == "WITHDRAWN"
    assert limit_offers.expire(on=LATER, at=moment(LATER)) == 0


def test_nothing_is_raised_while_something_is_overdue(offered, make_loan):
    make_loan(line=offered.line)
    Loan.objects.update(oldest_due_on=LATER - timedelta(days=1))
    with pytest.raises(Refused) as refused:
        limit_offers.accept(offer_id=offered.pk, by=None, at=moment(LATER), on=LATER)
    assert refused.value.code == "overdue"


def test_the_customer_sees_the_offer_with_its_cost_and_declines_on_the_web(offered, client, staff):
    user = staff("lilei")
    user.is_staff = user.is_superuser = False
    user.save()
    customer = offered.customer
    customer.user = user
    customer.save()
    close_to(LATER)
    client.force_login(user)
    assert (
        reverse("lending:limit_offer", args=[offered.pk])
        in client.get(reverse("lending:line")).content.decode()
    )
    page = client.get(reverse("lending:limit_offer", args=[offered.pk])).content.decode()
    assert "12,000" in page and "%" in page
    client.post(reverse("lending:decline_limit_offer", args=[offered.pk]))
    offered.refresh_from_db()
    assert offered.state == "DECLINED"
    again = client.post(reverse("lending:accept_limit_offer", args=[offered.pk]), follow=True)
    assert again.status_code == 200
    assert CreditLine.objects.get().base_limit == D(10000)


def close_to(day) -> None:
    from lending.models import BusinessDate

    BusinessDate.objects.update(date=day)


# --- approved again every year ---------------------------------------------------------------------------------------

YEAR = MONDAY + timedelta(days=365)  # the last day on which the approval of Monday holds


def test_a_line_that_nobody_approved_again_takes_nothing_new(make_line, make_customer):
    line = make_line(customer=make_customer(email="li@example.com"))
    assert reapproval.hold(on=YEAR - timedelta(days=1), at=moment(YEAR)) == 0
    assert due.due_soon(YEAR - timedelta(days=1)).get() == line
    assert reapproval.hold(on=YEAR, at=moment(YEAR)) == 1  # for the day that opens
    assert reapproval.hold(on=YEAR, at=moment(YEAR)) == 0
    assert Notice.objects.filter(template__code="reapproval_missing", channel="EMAIL").exists()
    day = YEAR + timedelta(days=1)
    order = {"line_id": line.pk, "order_ref": "o", "amount": D(1000), "tenor": 3}
    with pytest.raises(Refused):
        purchases.authorise(**order, by=None, at=moment(day), on=day)
    reapproval.reapprove(line_id=line.pk, note="looked at", by=None, at=moment(day), on=day)
    line.refresh_from_db()
    assert (line.state, line.reviewed_on) == ("ACTIVE", day)
    purchases.authorise(**order, by=None, at=moment(day), on=day)


def test_a_person_approves_a_small_line_two_a_large_one(make_line, make_customer, staff):
    maker, checker = staff("maker"), staff("checker")
    stamp = {"at": moment(YEAR), "on": YEAR}
    small, large = make_line("50000"), make_line("50001", customer=make_customer("韩梅梅"))
    assert desk.reapprove_line(line_id=small.pk, note="ok", by=maker, **stamp).reviewed_on == YEAR
    request = desk.reapprove_line(line_id=large.pk, note="ok", by=maker, **stamp)
    assert isinstance(request, ApprovalRequest)
    large.refresh_from_db()
    assert large.reviewed_on == MONDAY
    approvals.approve(request_id=request.pk, by=checker, **stamp)
    large.refresh_from_db()
    assert large.reviewed_on == YEAR
    with pytest.raises(Refused):
        desk.reapprove_line(line_id=large.pk, note="again", by=maker, **stamp)


def test_the_review_approves_people_again_with_nothing_against_them(make_line, make_customer, scored):
    near = YEAR - timedelta(days=10)
    fine, weak, unscored, held = (make_line(customer=make_customer(name)) for name in "甲乙丙丁")
    company = make_line("90000", code="purchase-line")
    for line in (fine, held, company):
        scored(line, 0.04, on=near)
    scored(weak, 0.15, on=near)
    LineHold.objects.create(line=held, cause="STAFF", placed_at=moment(MONDAY))
    assert run(near).reapproved == 1
    fine.refresh_from_db()
    assert fine.reviewed_on == near
    still = CreditLine.objects.filter(reviewed_on=MONDAY).values_list("pk", flat=True)
    assert set(still) == {weak.pk, unscored.pk, held.pk, company.pk}
    assert Event.objects.filter(kind="line.reapproved", subject_id=fine.pk, actor=None).exists()


# --- scored by night -------------------------------------------------------------------------------------------------


def test_a_night_is_scored_in_chunks_once(make_line, make_customer, model):
    for name in "甲乙丙丁戊":
        make_line(customer=make_customer(name))
    make_customer("无额度")
    assert rescoring.rescore(on=MONDAY, at=moment(MONDAY, 21), chunk=2) == 5
    night = ScoreNight.objects.get()
    assert (night.customers, night.chunks.count(), night.chunks.filter(done_at=None).count()) == (5, 3, 0)
    assert BehaviourScore.objects.count() == 5
    assert rescoring.rescore(on=MONDAY, at=moment(MONDAY, 22), chunk=2) == 0


def test_a_chunk_that_fails_is_tried_again_and_given_up_while_others_go_on(make_line, make_customer, model):
    lines = [make_line(customer=make_customer(name)) for name in "甲乙丙"]
    rescoring.plan(on=MONDAY, at=moment(MONDAY, 21), chunk=1)
    # What is there already breaks the unique key: the chunk cannot be written.
    BehaviourScore.objects.create(
        customer=lines[1].customer, on=MONDAY, model=model, score=1, pd=0.5, grade="F"
    )
    assert rescoring.rescore(on=MONDAY, at=moment(MONDAY)) == 2
    for _run in range(rescoring.TRIES):
        assert rescoring.rescore(on=MONDAY, at=moment(MONDAY)) == 0
    bad = ScoreChunk.objects.get(done_at=None)
    assert (bad.attempts, bad.scored) == (rescoring.TRIES, 0) and "IntegrityError" in bad.error
    BehaviourScore.objects.filter(customer=lines[1].customer).delete()
    assert rescoring.retry(night_id=bad.night_id) == 1
    assert rescoring.rescore(on=MONDAY, at=moment(MONDAY)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_share_a_night_and_one_does_the_review(used, scored, make_customer, model):
    lines = [used(customer=make_customer(name)) for name in "甲乙丙丁"]

    def work() -> tuple[int, int]:
        count = rescoring.rescore(on=LATER, at=moment(LATER, 21), chunk=1)
        return count, 0

    counts = at_once(work, work)
    assert sum(count for count, _ in counts) == 4
    assert BehaviourScore.objects.filter(on=LATER).count() == 4
    at_once(
        lambda: reviews.review(on=LATER, at=moment(LATER)), lambda: reviews.review(on=LATER, at=moment(LATER))
    )
    assert LimitOffer.objects.count() == LineReview.objects.count() == len(lines)
    offer = LimitOffer.objects.first()
    answers = [
        lambda: limit_offers.accept(offer_id=offer.pk, by=None, at=moment(LATER), on=LATER),
        lambda: limit_offers.decline(offer_id=offer.pk, by=None, at=moment(LATER)),
    ]
    from django_fsm import TransitionNotAllowed

    at_once(*answers, refusals=(Refused, TransitionNotAllowed))
    offer.refresh_from_db()
    raised = CreditLine.objects.get(pk=offer.line_id).base_limit == offer.to
    assert (offer.state == "ACCEPTED") == raised
