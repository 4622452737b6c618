"""Applications are scored once and decided with reasons; whatever is unknown goes to a person."""

import threading
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pgtrigger
import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from lending import clock, reference
from lending.errors import Refused
from lending.models import Application, Customer, Event, Notice, Product, RuleParameter
from lending.services import applications, close, customers, offers
from lending.words import reason
from risk import features
from risk.models import Assessment, FinancialStatement, ModelVersion, PolicyVersion
from risk.reasons import RULES, choices, codes, reason_text
from risk.selectors import decisions
from risk.services import models, policies, scoring
from risk.tasks import score_applications
from tests.lending.conftest import MONDAY, moment
from tests.risk.cards import card, champion
from tests.risk.conftest import days_ago, row

ADULT, CHILD = "11010519491231002X", "110105201201010015"


@pytest.fixture
def approver(staff):
    return staff("approver")


@pytest.fixture
def model(approver, at):
    """Good customers get grade B; much sent back costs 2 log-odds, that is grade D or E."""
    return champion(approver, at, return_share_180d=(0.5, 2.0), disputes_180d=(1, 1.0))


@pytest.fixture
def apply(at, books):
    def make(amount="8000", answers=None, consent=True, code="pay-later", **person) -> Application:
        values = {"kind": "PERSON", "name": "王芳", "platform_ref": "wang", "id_number": ADULT}
        values |= {"monthly_income": Decimal("6000"), "registered_on": MONDAY - timedelta(days=300)}
        product = Product.objects.get(code=code)
        if product.audience == "COMPANY":
            values |= {"kind": "COMPANY", "id_number": "", "monthly_income": None}
        customer = customers.register(**values | person, by=None, at=at)
        if consent:
            customers.give_consent(
                customer_id=customer.pk, purpose="CREDIT_ASSESSMENT", text_version="1", by=None, at=at
            )
        application = applications.start(
            customer_id=customer.pk,
            product_id=product.pk,
            amount=Decimal(amount),
            tenor=product.tenors[0] if product.kind == "LOAN" else None,
            answers=answers,
            by=None,
            at=at,
        )
        return applications.submit(application_id=application.pk, by=None, at=at)

    return make


def score(application, at=moment(MONDAY, 13)) -> tuple[Assessment, Application]:  # noqa: B008
    assessment = scoring.score_application(application_id=application.pk, at=at, on=MONDAY)
    return assessment, Application.objects.get(pk=application.pk)


def test_a_good_customer_is_scored_offered_and_can_buy(apply, model, tell, at):
    """End to end: events, features, score, policy, limit, offer, line."""
    application = apply()
    tell(row("wang", at=days_ago(9), amount="500"), row("wang", "DELIVERY", at=days_ago(6)))
    assessment, application = score(application)
    assert (assessment.outcome, assessment.grade, assessment.limit) == ("APPROVE", "B", Decimal("8000"))
    assert (assessment.model, assessment.policy.version) == (model, 1)
    assert assessment.features["spend_90d"] == 500
    assert (application.state, application.grade, application.approved_amount) == ("OFFERED", "B", 8000)
    offer = application.offers.get()
    offers.show(offer_id=offer.pk, by=None, at=at)
    accepted_at = at + timedelta(minutes=1)
    offers.accept(offer_id=offer.pk, by=None, at=accepted_at, on=MONDAY)
    assert application.customer.lines.get().free(MONDAY) == Decimal("8000")


def test_the_limit_follows_the_grade_and_the_income(apply, model):
    assessment, application = score(apply(amount="150000"))
    assert assessment.limit == Decimal("15000")  # 2.5 times the income in grade B
    assert application.approved_amount == Decimal("15000")


def test_the_legal_cap_leaves_room_only_for_what_is_not_lent_yet(apply, model):
    RuleParameter.objects.filter(code="CONSUMER_LINE_CAP").update(value=7000)
    assert score(apply())[0].limit == Decimal("7000")


def test_without_a_legal_cap_a_person_decides(apply, model):
    RuleParameter.objects.filter(code="CONSUMER_LINE_CAP").delete()
    assessment, application = score(apply())
    assert (assessment.reasons, application.state) == (["LIMIT_UNKNOWN"], "REFERRED")


def test_a_bad_score_declines_with_the_features_that_cost_points(apply, approver, at, tell):
    champion(approver, at, pd=0.15, return_share_180d=(0.5, 2.0), disputes_180d=(1, 1.0))
    application = apply()
    tell(row("wang", at=days_ago(9)), row("wang", "RETURN", at=days_ago(5)))
    tell(row("wang", "DISPUTE", at=days_ago(5)), row("wang", "DISPUTE", at=days_ago(4)))
    assessment, application = score(application)
    assert application.state == "DECLINED"
    assert application.reasons == ["return_share_180d", "disputes_180d"]  # most points lost first
    assert assessment.grade == "F"
    told = Notice.objects.filter(customer=application.customer, channel="IN_APP").order_by("-pk")[0].body
    assert "return_share" not in told


KNOCKED_OUT = [
    ({"is_student": True}, "DECLINED", "STUDENT"),
    ({"id_number": CHILD}, "DECLINED", "MINOR"),
    ({"id_number": ""}, "REFERRED", "MINOR"),  # age unknown: no machine may say yes
    ({"monthly_income": None}, "REFERRED", "LIMIT_UNKNOWN"),
    ({"consent": False}, "REFERRED", "NO_CONSENT"),
]


@pytest.mark.parametrize(("change", "state", "code"), KNOCKED_OUT)
def test_hard_rules(apply, model, change, state, code):
    assessment, application = score(apply(**change))
    assert (application.state, application.reasons) == (state, [code])
    assert assessment.limit is None
    assert not application.offers.exists()


def test_a_student_at_a_bank_sees_a_person(apply, model):
    application = apply(is_student=True)
    Product.objects.filter(code="pay-later").update(state="DRAFT")
    Product.objects.filter(code="pay-later").update(lender_type="BANK")
    Product.objects.filter(code="pay-later").update(state="LIVE")
    assert score(application)[1].reasons == ["STUDENT_REVIEW"]


def test_the_blocked_and_the_overdue_are_declined(apply, model, make_loan, make_line, at):
    application = apply(code="cash-loan", amount="3000")
    loan = make_loan(line=make_line(customer=application.customer))
    later = moment(loan.oldest_due_on + timedelta(days=2))
    customers.block(customer_id=application.customer_id, reason="fraud", by=None, at=at)
    scoring.score_application(application_id=application.pk, at=later, on=later.date())
    application.refresh_from_db(fields=["reasons"])
    assert application.reasons == ["BLOCKED", "OVERDUE"]


def test_without_a_champion_a_person_decides(apply):
    assessment, application = score(apply())
    assert (assessment.score, assessment.reasons, application.state) == (None, ["NO_SCORE"], "REFERRED")


def test_without_a_live_policy_a_person_decides(apply, model, at):
    policies.retire(policy_id=PolicyVersion.objects.get(segment="PERSON").pk, by=None, at=at)
    assessment, application = score(apply())
    assert (assessment.policy, assessment.reasons) == (None, ["NO_POLICY"])
    assert assessment.score is not None
    assert application.state == "REFERRED"


def test_a_card_that_asks_for_an_unknown_feature_gives_no_score(apply, approver, at):
    champion(approver, at, horoscope=(0.5, 2.0))
    assessment, application = score(apply())
    assert (assessment.score, application.state) == (None, "REFERRED")
    assert "horoscope" in str(assessment.trace)


def test_a_card_that_was_tampered_with_scores_nobody(apply, approver, at):
    champion(approver, at)
    ModelVersion.objects.update(state="DRAFT")
    ModelVersion.objects.update(card=card(pd=0.001).to_json())
    ModelVersion.objects.update(state="CHAMPION", approver=approver)
    application = apply()
    assert scoring.score_waiting(at=moment(MONDAY, 13)) == 0
    assert Application.objects.get(pk=application.pk).state == "SUBMITTED"


def test_an_offer_above_the_cost_cap_goes_to_a_person(apply, model):
    RuleParameter.objects.filter(code="ALL_IN_COST_CAP").update(value="0.0001")
    assessment, application = score(apply())
    assert (assessment.reasons, application.state) == (["NOT_OFFERABLE"], "REFERRED")
    assert assessment.trace[-1] == {"rule": "offer", "error": "above_cost_cap"}


def test_each_application_is_assessed_once(apply, model):
    application = apply()
    first, _application = score(application)
    again, _application = score(application)
    assert again == first
    assert scoring.score_waiting(at=moment(MONDAY, 14)) == 0
    assert Assessment.objects.count() == 1


def test_a_review_by_a_person_is_not_scored_again(apply, model, at):
    application = apply(is_student=True)
    score(application)
    applications.ask_review(application_id=application.pk, by=None, at=at)
    assert scoring.score_waiting(at=moment(MONDAY, 14)) == 0
    assert Application.objects.get(pk=application.pk).state == "REFERRED"


def test_the_task_finds_what_waits_and_one_failure_holds_up_nobody(apply, model, monkeypatch):
    first = apply(platform_ref="one", id_number="")
    second = apply(platform_ref="two")
    decide = applications.decide_many

    def fails_once(decisions, **arguments):
        if first.pk in [decision.application_id for decision in decisions]:
            raise RuntimeError("this one is broken")
        return decide(decisions, **arguments)

    monkeypatch.setattr(scoring.applications, "decide_many", fails_once)
    score_applications()
    states = dict(Application.objects.values_list("pk", "state"))
    assert states == {first.pk: "SUBMITTED", second.pk: "OFFERED"}
    assert not Assessment.objects.filter(application=first).exists()
    monkeypatch.undo()
    score_applications()  # after a failure comes a pause
    assert Application.objects.get(pk=first.pk).state == "SUBMITTED"
    assert scoring.score_waiting(at=clock.now() + timedelta(minutes=1), on=MONDAY) == 1
    assert Application.objects.get(pk=first.pk).state == "REFERRED"


def test_everything_replays_to_the_same_answer(apply, model, tell, at):
    tell_me = apply()
    tell(row("wang", at=days_ago(9)), row("wang", "RETURN", at=days_ago(5)))
    assessment, _application = score(tell_me)
    tell(row("wang", "DISPUTE", at=days_ago(3)))  # the world moves on
    Customer.objects.update(is_student=True)
    stored = Assessment.objects.get(pk=assessment.pk)
    again = decisions.replay(stored)
    assert again.same and again.kept == again.again
    assert f'"score":{stored.score}' in again.again
    told = StringIO()
    call_command("replay_decision", str(tell_me), stdout=told)
    assert again.kept in told.getvalue()


def test_an_offer_that_was_refused_replays_as_well(apply, model):
    RuleParameter.objects.filter(code="ALL_IN_COST_CAP").update(value="0.0001")
    score(apply())
    call_command("replay_decision", "--all", stdout=StringIO())


@pytest.mark.parametrize("column", ["trace", "fingerprints", "annual_rate"])
def test_a_replay_that_differs_says_so_and_fails(apply, model, column):
    assessment, application = score(apply())
    changed = {"trace": [], "fingerprints": assessment.fingerprints | {"inputs": "0"}, "annual_rate": "0.1"}
    with pgtrigger.ignore("risk.Assessment:append_only"):
        Assessment.objects.filter(pk=assessment.pk).update(**{column: changed[column]})
    told = StringIO()
    with pytest.raises(CommandError, match="1 decisions made again, 1 differ"):
        call_command("replay_decision", f"{application.pk}-{application.pk}", stdout=told)
    assert "≠" in told.getvalue()


@pytest.mark.parametrize("asked", [["x"], ["5-"], ["99999999"], [], [str(2**70)]])
def test_a_replay_of_what_is_not_there_is_an_error(books, asked):
    with pytest.raises(CommandError):
        call_command("replay_decision", *asked, stdout=StringIO())


def test_limit_and_price_come_from_the_cell_of_the_matrix(apply, model, approver, staff, at):
    Product.objects.filter(code="pay-later").update(state="DRAFT")
    Product.objects.filter(code="pay-later").update(min_fee_rate="0.001", max_fee_rate="0.006", state="LIVE")
    cells = [
        {"product": "pay-later", "exposure_below": "1", "affordability_from": "5000", "max": "4000"},
        {"product": "cash-loan", "max": "1"},
        {"fee_rate": "0.004"},
    ]
    live = PolicyVersion.objects.get(segment="PERSON")
    draft = policies.draft(
        segment="PERSON", rules=[], matrix=live.matrix | {"B": cells}, note="cells", by=approver, at=at
    )
    with pytest.raises(Refused) as refused:
        policies.go_live(policy_id=draft.pk, by=staff("second"), at=at)
    assert refused.value.code == "shadow_first"
    policies.shadow(policy_id=draft.pk, by=approver, at=at)
    policies.go_live(policy_id=draft.pk, by=staff("third"), at=at)
    assessment, application = score(apply())
    assert (assessment.limit, assessment.fee_rate) == (Decimal("4000"), Decimal("0.004"))
    offer = application.offers.get()
    assert (offer.amount, offer.fee_rate) == (Decimal("4000"), Decimal("0.004"))
    assert assessment.trace[0] == {"rule": None, "note": "no rules"}
    assert decisions.replay(Assessment.objects.get()).same


def test_whoever_wrote_any_of_a_policy_cannot_approve_it(staff, approver, at, books):
    live = PolicyVersion.objects.get(segment="PERSON")
    same = {"rules": live.rules, "matrix": live.matrix, "note": "", "at": at}
    draft = policies.draft(segment="PERSON", by=approver, **same)
    policies.revise(policy_id=draft.pk, by=staff("another"), **same)
    policies.shadow(policy_id=draft.pk, by=approver, at=at)
    with pytest.raises(Refused) as refused:
        policies.go_live(policy_id=draft.pk, by=approver, at=at)
    assert refused.value.code == "same_person"


def test_features_are_those_of_the_submission_however_late_the_worker(apply, model, tell):
    application = apply()
    evening = moment(MONDAY, 20)
    tell(row("wang", at=moment(MONDAY, 18)), now=evening)
    assessment, _application = score(application, at=evening)
    assert assessment.features["orders_90d"] is None
    assert assessment.as_of == application.submitted_at


def test_challengers_and_shadow_policies_speak_and_decide_nothing(apply, model, approver, at):
    champion(approver, at, state="CHALLENGER", version=2, pd=0.3)
    live = PolicyVersion.objects.get(segment="PERSON")
    strict = [{"code": "ALL", "kind": "KNOCK_OUT", "expression": "asked > 0", "reason": "OVERDUE"}]
    draft = policies.draft(
        segment="PERSON", rules=strict, matrix=live.matrix, note="strict", by=approver, at=at
    )
    policies.shadow(policy_id=draft.pk, by=approver, at=at)
    assessment, application = score(apply())
    assert application.state == "OFFERED"
    told = [(one["model"], one["policy"], one["outcome"]) for one in assessment.shadow]
    assert told == [(2, 1, "DECLINE"), (1, 2, "DECLINE")]


# --- companies ----------------------------------------------------------------------------------------------

FIGURES = {
    "revenue": "12000000.00",
    "costs": "11000000.00",
    "ebit": "1000000.00",
    "interest_expense": "100000.00",
    "net_profit": "600000.00",
    "cash": "500000.00",
    "current_assets": "4000000.00",
    "total_assets": "9000000.00",
    "current_liabilities": "2000000.00",
    "total_liabilities": "4500000.00",
}


def filed(**changes):
    return {"statements": [{"year": 2025, "figures": FIGURES | changes}]}


def test_a_company_is_scored_from_the_accounts_it_brought(apply, approver, at):
    champion(approver, at, segment="COMPANY", leverage=(0.8, 2.0))
    assessment, application = score(
        apply(code="purchase-line", amount="900000", industry_id="F", answers=filed())
    )
    assert (assessment.outcome, assessment.limit) == (
        "APPROVE",
        Decimal("800000"),
    )  # 0.8 of a month's revenue
    assert assessment.features["leverage"] == 0.5
    assert FinancialStatement.objects.get().figures["costs"] == "11000000.00"


COMPANIES = [
    ({"industry_id": "F", "answers": {}}, "REFERRED", "NO_ACCOUNTS"),
    (
        {"industry_id": "F", "answers": {"statements": [{"year": 2026, "figures": FIGURES}]}},
        "REFERRED",
        "NO_ACCOUNTS",
    ),
    ({"industry_id": "F", "answers": {"statements": ["nonsense"]}}, "REFERRED", "NO_ACCOUNTS"),
    (
        {"industry_id": "F", "answers": filed(net_profit="-1", total_liabilities="9000001")},
        "REFERRED",
        "LOSSES",
    ),
    ({"industry_id": "F", "answers": filed(), "amount": "2000000"}, "REFERRED", "LARGE_AMOUNT"),
    ({"industry_id": None, "answers": filed()}, "REFERRED", "INDUSTRY_STOP"),
]


@pytest.mark.parametrize(("change", "state", "code"), COMPANIES)
def test_rules_for_companies(apply, approver, at, change, state, code):
    champion(approver, at, segment="COMPANY")
    _assessment, application = score(apply(**{"code": "purchase-line", "amount": "900000"} | change))
    assert application.state == state
    assert code in application.reasons


def test_a_red_industry_is_declined(apply, approver, at):
    champion(approver, at, segment="COMPANY")
    application = apply(code="purchase-line", amount="90000", industry_id="E", answers=filed())
    application.customer.industry.standing = "RED"
    application.customer.industry.save()
    assert score(application)[1].reasons == ["INDUSTRY_STOP"]


# --- suppliers ----------------------------------------------------------------------------------------------


def test_a_supplier_is_judged_by_models_and_policies_of_its_own(apply, approver, at):
    champion(approver, at, segment="COMPANY", leverage=(0.8, 2.0))
    champion(approver, at, segment="SUPPLIER", disputes_180d=(5, 2.0))
    made, _application = score(apply(code="supplier-advance", amount="90000", industry_id="F"))
    assert (made.model.segment, made.policy.segment, made.outcome) == ("SUPPLIER", "SUPPLIER", "APPROVE")
    assert set(made.features) == set(features.names("SUPPLIER"))


def test_a_supplier_without_a_champion_goes_to_a_person(apply, approver, at):
    champion(approver, at, segment="COMPANY")
    _made, application = score(apply(code="supplier-advance", amount="90000", industry_id="F"))
    assert (application.state, application.reasons) == ("REFERRED", ["NO_SCORE"])


# --- governance ---------------------------------------------------------------------------------------------


def test_a_promotion_takes_a_second_person_and_retires_the_old(staff, at, model):
    author, second = staff("author"), staff("second")
    new = champion(author, at, state="VALIDATED", version=2)
    ModelVersion.objects.filter(pk=new.pk).update(state="DRAFT")
    ModelVersion.objects.filter(pk=new.pk).update(author=author)
    ModelVersion.objects.filter(pk=new.pk).update(state="VALIDATED")
    with pytest.raises(Refused) as refused:
        models.promote(model_id=new.pk, by=author, at=at)
    assert refused.value.code == "same_person"
    models.challenge(model_id=new.pk, by=author, at=at)
    models.promote(model_id=new.pk, by=second, at=at)
    states = dict(ModelVersion.objects.values_list("version", "state"))
    assert states == {1: "RETIRED", 2: "CHAMPION"}
    assert Event.objects.filter(kind="model.promoted", actor=second).exists()


@pytest.mark.django_db(transaction=True)
def test_two_workers_decide_each_application_once():
    close.open_books(on=MONDAY)
    reference.starter_products()
    at = moment(MONDAY)
    product = Product.objects.get(code="pay-later")
    for n in range(12):
        one = customers.register(kind="PERSON", name=f"客{n}", registered_on=MONDAY, by=None, at=at)
        draft = applications.start(
            customer_id=one.pk, product_id=product.pk, amount=Decimal("900"), by=None, at=at
        )
        applications.submit(application_id=draft.pk, by=None, at=at)
    barrier, done, errors = threading.Barrier(2), [], []

    def work():
        try:
            barrier.wait()
            done.append(scoring.score_waiting(at=at))
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert sum(done) == 12
    assert Assessment.objects.count() == 12
    assert Event.objects.filter(kind="application.referred").count() == 12


# --- words --------------------------------------------------------------------------------------------------


def test_every_reason_has_words_and_an_unknown_one_has_none():
    assert all(reason_text(code) != code for code in codes())
    assert reason_text("XYZ") == "XYZ"
    assert reason("return_share_180d") == "You have returned a large share of what you ordered."
    assert reason("XYZ") == "A rule of the house was not met."


def test_officers_choose_among_reasons_about_the_customer():
    offered = {code for code, _words in choices()}
    assert offered <= codes()
    assert not offered & {"NO_SCORE", "NO_POLICY", "LIMIT_UNKNOWN"}
    assert "OVERDUE" in offered and "OVERDUE" in RULES
