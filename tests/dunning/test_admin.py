"""The collectors' pages: the ranked list, the case with its story, and buttons that call services."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from dunning.models import Case, Contact, Dispute, LegalMatter, Promise, StopRequest, Strategy
from lending import clock
from lending.models import BusinessDate, User
from tests.dunning.conftest import moment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ten_in_the_morning(monkeypatch):
    """The hour at which staff work here: the wall clock is read at the edges only."""
    monkeypatch.setattr(clock, "now", lambda: moment(BusinessDate.current()))


@pytest.fixture
def sign_in(db):
    def make(role: str) -> Client:
        user = User.objects.create_user(username=role, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def case(overdue) -> Case:
    overdue(5)
    return Case.objects.select_related("customer").get()


@pytest.fixture
def collector_client(sign_in):
    return sign_in("collector")


def button(case: object, name: str) -> str:
    meta = case._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{name}", args=[case.pk])


def listed(client: Client, **query: str) -> list[Case]:
    answer = client.get(reverse("admin:dunning_case_changelist"), query)
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def test_the_list_is_ranked_by_expected_recovery_and_says_what_to_do(
    collector_client, make_loan, first_due, run_to
):
    small, large = make_loan(amount="300"), make_loan(amount="3000")
    run_to(first_due(small) + timedelta(days=5))
    cases = listed(collector_client)
    assert [case.customer_id for case in cases] == [large.customer_id, small.customer_id]
    assert [case.rank for case in cases] == [1, 2]
    page = collector_client.get(reverse("admin:dunning_case_changelist")).content.decode()
    for words in ("M1", large.customer.name, "Call "):
        assert words in page


def test_the_list_can_be_narrowed_and_searched(collector_client, case):
    assert listed(collector_client, stage="CALLING") == [case]
    assert listed(collector_client, stage="LEGAL") == []
    assert listed(collector_client, bucket="M1") == [case]
    assert listed(collector_client, bucket="M2") == []
    assert listed(collector_client, todo="calls") == [case]
    assert listed(collector_client, todo="mine") == []
    assert listed(collector_client, todo="nobody") == [case]
    assert listed(collector_client, q=case.customer.phone) == [case]
    assert listed(collector_client, q=case.customer.name) == [case]
    assert listed(collector_client, q="13000000000") == []


def test_a_closed_case_is_shown_only_when_asked_for(collector_client, case, pay, work):
    pay(case.customer, str(case.overdue))
    work()
    assert listed(collector_client) == []
    assert listed(collector_client, stage="all") == [case]
    assert collector_client.get(reverse("admin:dunning_case_change", args=[case.pk])).status_code == 200


def test_the_list_costs_the_same_however_long_it_is(
    collector_client, make_loan, first_due, run_to, django_assert_max_num_queries
):
    loans = [make_loan() for _loan in range(4)]
    run_to(first_due(loans[0]) + timedelta(days=2))
    with django_assert_max_num_queries(25):
        assert len(listed(collector_client)) == 4


def test_a_call_is_logged_from_the_case_and_the_task_is_done(collector_client, case):
    address = button(case, "log_call")
    assert "It may be made now." in collector_client.get(address).content.decode()
    answer = collector_client.post(address, {"outcome": "PROMISED", "party": "DEBTOR", "note": "Friday"})
    assert answer.status_code == 302
    contact = Contact.objects.get(step="first-call")
    assert (contact.state, contact.note, contact.by.username) == ("DONE", "Friday", "collector")
    page = collector_client.get(reverse("admin:dunning_case_change", args=[case.pk])).content.decode()
    assert "Promised to pay" in page and "Friday" in page


def test_a_call_that_a_rule_forbids_is_shown_and_kept(collector_client, case, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: moment(BusinessDate.current(), 23))
    address = button(case, "log_call")
    assert "night" in collector_client.get(address).content.decode()
    answer = collector_client.post(address, {"outcome": "NO_ANSWER", "party": "DEBTOR"})
    assert answer.status_code == 200
    assert "Not allowed, and kept on file" in answer.content.decode()
    assert Contact.objects.get(state="REFUSED").rule == "QUIET_HOURS"


def test_a_task_is_logged_from_its_own_page(collector_client, case):
    task = Contact.objects.get(step="first-call")
    answer = collector_client.post(button(task, "log_call"), {"outcome": "BUSY", "party": "DEBTOR"})
    assert answer.status_code == 302
    task.refresh_from_db()
    assert (task.state, task.outcome) == ("DONE", "BUSY")


def test_the_other_buttons_of_a_case(collector_client, case):
    day = BusinessDate.current()
    me = User.objects.get(username="collector")
    forms = {
        "take_promise": {"amount": "100", "due_on": day + timedelta(days=3)},
        "assign": {"to": me.pk},
        "log_visit": {"outcome": "NOT_THERE", "party": "DEBTOR", "staff": 2},
        "stop": {"channel": "SMS", "reason": "asked"},
        "dispute": {"loan": "", "amount": "10", "reason": "returned"},
        "pause": {"until": day + timedelta(days=9), "reason": "hospital"},
        "resume": {},
    }
    for name, data in forms.items():
        assert collector_client.get(button(case, name)).status_code == 200, name
        answer = collector_client.post(button(case, name), data)
        assert answer.status_code == 302, (name, answer.context and answer.context["form"].errors)
    case.refresh_from_db()
    assert (case.assigned_to, case.state) == (me, "REMINDING")
    assert Promise.objects.get().amount == Decimal(100)
    assert Dispute.objects.get().state == "OPEN"
    assert StopRequest.objects.get().channel == "SMS"
    assert Contact.objects.filter(channel="VISIT", state="DONE").exists()


@pytest.mark.parametrize(
    ("name", "data", "field"),
    [
        ("take_promise", {"amount": "0", "due_on": "2030-01-01"}, "amount"),
        ("take_promise", {"amount": "1.234", "due_on": "2026-03-20"}, "amount"),
        ("take_promise", {"amount": "10", "due_on": "2020-01-01"}, "due_on"),
        ("pause", {"until": "2020-01-01", "reason": "x"}, "until"),
        ("dispute", {"amount": "99999999", "reason": "x"}, "amount"),
        ("log_call", {"outcome": "", "party": "DEBTOR"}, "outcome"),
        ("log_call", {"outcome": "BUSY", "party": "DEBTOR", "number": "x"}, "number"),
    ],
)
def test_bad_input_is_answered_at_its_field(collector_client, case, name, data, field):
    answer = collector_client.post(button(case, name), data)
    assert answer.status_code == 200
    assert field in answer.context["form"].errors


def test_the_legal_officer_takes_a_matter_through(sign_in, case, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    client = sign_in("legal_officer")
    assert client.post(button(case, "open_matter")).status_code == 302
    matter = LegalMatter.objects.get()
    day = BusinessDate.current()
    for name, data in {
        "file": {"court": "c", "reference": "r"},
        "add_cost": {"kind": "COURT", "amount": "25", "spent_on": day},
        "judge": {"awarded": "100"},
        "enforce": {},
        "close": {"result": "paid"},
    }.items():
        assert client.post(button(matter, name), data).status_code == 302, name
    matter.refresh_from_db()
    assert matter.state == "CLOSED"
    page = client.get(reverse("admin:dunning_legalmatter_change", args=[matter.pk])).content.decode()
    assert "25.00" in page


def test_a_dispute_is_answered_and_a_stop_lifted(sign_in, collector_client, case):
    collector_client.post(button(case, "dispute"), {"amount": "10", "reason": "x"})
    collector_client.post(button(case, "stop"), {"channel": "CALL", "reason": "x"})
    officer = sign_in("credit_officer")
    dispute, stop = Dispute.objects.get(), StopRequest.objects.get()
    assert (
        officer.post(button(dispute, "resolve"), {"outcome": "REJECTED", "answer": "no"}).status_code == 302
    )
    assert collector_client.post(button(stop, "lift")).status_code == 302
    dispute.refresh_from_db()
    stop.refresh_from_db()
    assert dispute.state == "REJECTED" and stop.lifted_at


def test_a_strategy_is_drafted_changed_and_put_in_force(sign_in, books):
    client = sign_in("risk_analyst")
    live = Strategy.objects.get()
    assert client.post(button(live, "new_version")).status_code == 302
    draft = Strategy.objects.get(state="DRAFT")
    step = {
        "code": "x",
        "day": 5,
        "channel": "SMS",
        "template": "overdue_2",
        "stage": "CALLING",
        "min_amount": "0",
    }
    assert client.post(button(draft, "set_step"), step).status_code == 302
    refused = client.post(button(draft, "set_step"), {**step, "template": "none"})
    assert "template" in refused.context["form"].errors
    assert client.post(button(draft, "remove_step"), {"code": "third-call"}).status_code == 302
    assert client.post(button(draft, "publish")).status_code == 302
    assert Strategy.objects.get(state="LIVE") == draft
    page = client.get(reverse("admin:dunning_strategy_change", args=[draft.pk])).content.decode()
    assert "overdue_2" in page


@pytest.mark.parametrize("role", ["accountant", "compliance_officer", "credit_officer"])
def test_who_may_only_read_finds_no_button_and_no_way_round(sign_in, case, role):
    client = sign_in(role)
    assert client.get(reverse("admin:dunning_case_change", args=[case.pk])).status_code == 200
    for name in ("log_call", "take_promise", "pause", "open_matter", "assign"):
        assert client.post(button(case, name)).status_code == 403, name


def test_nobody_adds_changes_or_deletes_by_hand(db):
    User.objects.create_superuser(username="root", password="x")
    client = Client()
    client.force_login(User.objects.get(username="root"))
    for model in ("case", "contact", "promise", "dispute", "legalmatter", "stoprequest", "strategy"):
        assert client.get(reverse(f"admin:dunning_{model}_changelist")).status_code == 200, model
        assert client.get(reverse(f"admin:dunning_{model}_add")).status_code == 403, model


def test_lists_can_be_taken_away_as_files(collector_client, case):
    answer = collector_client.post(
        reverse("admin:dunning_case_export"),
        {"format": "0", "resource": "", "caseresource_id": "on", "caseresource_overdue": "on"},
    )
    assert answer.status_code == 200
    assert str(case.overdue) in answer.content.decode()


def test_the_customers_page_and_the_dashboard_show_collections(collector_client, case):
    page = collector_client.get(reverse("admin:lending_customer_change", args=[case.customer_id]))
    assert str(case) in page.content.decode()
    home = collector_client.get(reverse("admin:index")).content.decode()
    assert "Calls to make" in home
