"""The pages of risk in the staff admin: what they show, and that their buttons call services."""

import json

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from lending import clock
from lending.models import BusinessDate, CreditLine, User
from risk.models import Alert, Appeal, Assessment, Control, Dataset, ModelVersion, PolicyVersion
from risk.services import appeals, scoring
from tests.lending.conftest import MONDAY, moment
from tests.risk.cards import champion
from tests.risk.conftest import row
from tests.risk.test_controls import alice, line, spree_of_orders, spree_of_returns  # noqa: F401 - fixtures
from tests.risk.test_scoring import apply  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: moment(BusinessDate.current()))


@pytest.fixture
def sign_in(db):
    def make(role: str, name: str = "") -> Client:
        user = User.objects.create_user(username=name or role, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def analyst(books, sign_in):
    return sign_in("risk_analyst")


def page(client: Client, name: str, *arguments: object, status: int = 200, **query: str) -> str:
    answer = client.get(reverse(f"admin:{name}", args=arguments), query)
    assert answer.status_code == status, answer.content[:500]
    return answer.content.decode()


def press(client: Client, record: object, button: str, follow: bool = True, **data: str) -> object:
    name = f"admin:{record._meta.app_label}_{record._meta.model_name}_{button}"
    return client.post(reverse(name, args=[record.pk]), data, follow=follow)


LISTS = ["alert", "appeal", "control", "assessment", "policyversion", "modelversion", "dataset"]
FEEDS = ["platformevent", "customerday", "financialstatement"]


@pytest.mark.parametrize("name", LISTS + FEEDS)
def test_every_list_opens_and_its_records_too(analyst, name, line, tell, apply, at, staff):  # noqa: F811
    fill(line, tell, apply, at, staff("second"))
    page(analyst, f"risk_{name}_changelist")
    model = {m._meta.model_name: m for m in (Alert, Appeal, Control, Assessment, PolicyVersion, ModelVersion)}
    if name in model:
        page(analyst, f"risk_{name}_change", model[name].objects.first().pk)


def fill(line, tell, apply, at, approver):  # noqa: F811
    """One of everything."""
    champion(approver, at, return_share_180d=(0.5, 2.0))
    tell(*spree_of_returns())
    appeals.open(line_id=line.pk, text="Please look again", by=None, at=at)
    scoring.score_application(application_id=apply().pk, at=at, on=MONDAY)
    Dataset.objects.create(
        segment="PERSON", as_of=at, target="t", rows=9, bad=1, columns=["a"], file="x", sha256="0", made_at=at
    )


def test_events_assessments_and_data_cannot_be_changed_by_anyone(books, line, tell, staff):  # noqa: F811
    tell(row("alice"))
    client = Client()
    client.force_login(staff("root"))
    for name in (
        "platformevent",
        "customerday",
        "assessment",
        "dataset",
        "financialstatement",
        "alert",
        "appeal",
    ):
        page(client, f"risk_{name}_add", status=403)
    event = line.customer.platform_events.get()
    assert client.post(reverse("admin:risk_platformevent_change", args=[event.pk]), {}).status_code == 403
    assert client.post(reverse("admin:risk_platformevent_delete", args=[event.pk]), {}).status_code == 403


# --- alerts and appeals -------------------------------------------------------------------------------------


def test_an_alert_shows_what_it_saw_and_is_judged_and_lifted(analyst, line, tell):  # noqa: F811
    tell(*spree_of_returns())
    alert = Alert.objects.get()
    shown = page(analyst, "risk_alert_change", alert.pk)
    assert "¥400.00" in shown and "10,000.00 → 5,000.00" in shown
    press(analyst, alert, "judge", outcome="FALSE")
    press(analyst, alert, "lift", reason="The goods were faulty")
    alert.refresh_from_db(fields=["outcome", "closed_by"])
    assert (alert.outcome, alert.closed_by.username) == ("FALSE", "risk_analyst")
    assert CreditLine.objects.get().base_limit == 10000


def test_an_appeal_is_upheld_by_a_button_with_an_answer(analyst, line, tell, at):  # noqa: F811
    tell(*spree_of_orders())
    appeal = appeals.open(line_id=line.pk, text="I have furnished a flat", by=None, at=at)
    assert "I have furnished a flat" in page(analyst, "risk_appeal_change", appeal.pk)
    press(analyst, appeal, "uphold", answer="")
    assert Appeal.objects.get().state == "OPEN"
    press(analyst, appeal, "uphold", answer="A move explains it")
    assert Appeal.objects.get().state == "UPHELD"
    assert CreditLine.objects.get().state == "ACTIVE"
    again = press(analyst, appeal, "reject", answer="No")
    assert "moved on" in again.content.decode()


def test_a_rejected_appeal_stays_rejected(analyst, line, tell, at):  # noqa: F811
    tell(*spree_of_orders())
    appeal = appeals.open(line_id=line.pk, text="Please", by=None, at=at)
    press(analyst, appeal, "reject", answer="The goods went abroad")
    assert Appeal.objects.get().state == "REJECTED"
    assert CreditLine.objects.get().state == "SUSPENDED"


def test_buttons_need_their_permission(books, sign_in, line, tell, at):  # noqa: F811
    tell(*spree_of_orders())
    appeal = appeals.open(line_id=line.pk, text="Please", by=None, at=at)
    for role in ("collector", "legal_officer", "compliance_officer"):
        client = sign_in(role)
        assert press(client, appeal, "uphold", answer="Yes").status_code == 403
        assert press(client, Alert.objects.get(), "lift", reason="x").status_code == 403
    assert Appeal.objects.get().state == "OPEN"


# --- controls -----------------------------------------------------------------------------------------------

LEVELS = {
    "active": "on",
    "window_days": "30",
    "minimum_count": "3",
    "trip": "0.7",
    "release": "0.2",
    "action": "ALERT",
    "cut_share": "0",
    "cooldown_days": "30",
    "usual_floor": "0",
}


def test_levels_are_set_through_the_service(analyst):
    control = Control.objects.get(code="return-share")
    url = reverse("admin:risk_control_change", args=[control.pk])
    assert analyst.post(url, LEVELS).status_code == 302
    control = Control.objects.get(pk=control.pk)
    assert (control.window_days, control.action, str(control.trip)) == (30, "ALERT", "0.7000")


def test_levels_that_contradict_each_other_are_said(analyst):
    control = Control.objects.get(code="return-share")
    url = reverse("admin:risk_control_change", args=[control.pk])
    answer = analyst.post(url, LEVELS | {"release": "0.9"})
    assert answer.status_code == 200
    assert "contradict" in answer.content.decode()
    assert Control.objects.get(pk=control.pk).window_days == 60


# --- policies -----------------------------------------------------------------------------------------------


def policy_form(**changes: object) -> dict[str, str]:
    live = PolicyVersion.objects.get(segment="PERSON", state="LIVE")
    values = {"segment": "PERSON", "note": "tighter", "rules": live.rules, "matrix": live.matrix} | changes
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


RULE = {"code": "X", "kind": "REFER", "expression": "orders_90d < 2", "reason": "LARGE_AMOUNT"}
FAULTY = [
    ({"rules": "{"}, "valid JSON"),
    ({"rules": {"X": 1}}, "must be a list"),
    ({"rules": [{"code": "X"}]}, "A rule has code"),
    ({"rules": [RULE | {"expression": "orders_90d <"}]}, "X: "),
    ({"rules": [RULE | {"expression": "horoscope > 1"}]}, "horoscope"),
    ({"rules": [RULE | {"expression": "orders_90d"}]}, "X: "),
    ({"rules": [RULE | {"kind": "SHOUT"}]}, "unknown kind"),
    ({"rules": [RULE, RULE]}, "used twice"),
    ({"rules": [RULE | {"reason": "BECAUSE"}]}, "no words for the reason"),
    ({"matrix": [1]}, "must be an object"),
    ({"matrix": {"A": {"max": "1000"}}}, "no row"),
]


@pytest.mark.parametrize(("change", "told"), FAULTY)
def test_a_faulty_policy_is_refused_with_what_is_wrong(analyst, change, told):
    answer = analyst.post(reverse("admin:risk_policyversion_add"), policy_form(**change))
    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert PolicyVersion.objects.filter(segment="PERSON").count() == 1


def test_a_policy_is_drafted_revised_and_set_live_by_a_second_person(analyst, sign_in):
    answer = analyst.post(reverse("admin:risk_policyversion_add"), policy_form())
    assert answer.status_code == 302, answer.context["errors"]
    draft = PolicyVersion.objects.get(state="DRAFT")
    assert (draft.version, draft.author.username) == (2, "risk_analyst")
    url = reverse("admin:risk_policyversion_change", args=[draft.pk])
    assert analyst.post(url, policy_form(rules=[RULE])).status_code == 302
    assert "moved on" in press(sign_in("senior_approver"), draft, "go_live").content.decode()
    press(analyst, draft, "shadow")
    assert "second person" in press(analyst, draft, "go_live").content.decode()
    assert PolicyVersion.objects.get(pk=draft.pk).state == "SHADOW"
    press(sign_in("senior_approver", "second"), draft, "go_live")
    states = dict(PolicyVersion.objects.filter(segment="PERSON").values_list("version", "state"))
    assert states == {1: "RETIRED", 2: "LIVE"}
    assert PolicyVersion.objects.get(pk=draft.pk).rules == [RULE]
    assert analyst.post(url, policy_form(note="again")).status_code == 403


def test_a_policy_is_copied_put_in_the_shadow_and_retired(analyst):
    live = PolicyVersion.objects.get(segment="COMPANY")
    press(analyst, live, "copy")
    copy = PolicyVersion.objects.get(segment="COMPANY", version=2)
    assert (copy.state, copy.rules, copy.matrix) == ("DRAFT", live.rules, live.matrix)
    press(analyst, copy, "shadow")
    assert PolicyVersion.objects.get(pk=copy.pk).state == "SHADOW"
    press(analyst, copy, "retire")
    assert PolicyVersion.objects.get(pk=copy.pk).state == "RETIRED"


# --- models -------------------------------------------------------------------------------------------------


def test_a_model_is_promoted_by_a_button(analyst, at, staff):
    model = champion(staff("second"), at, state="VALIDATED")
    press(analyst, model, "challenge")
    press(analyst, model, "promote")
    model = ModelVersion.objects.get(pk=model.pk)
    assert (model.state, model.approver.username) == ("CHAMPION", "risk_analyst")
    press(analyst, model, "retire")
    assert ModelVersion.objects.get(pk=model.pk).state == "RETIRED"


def test_the_table_of_points_can_be_read(analyst, at, staff):
    model = champion(staff("second"), at, return_share_180d=(0.5, 2.0))
    shown = page(analyst, "risk_modelversion_points", model.pk)
    for words in ("up to 0.5", "above 0.5", "-57.7", "not known", model.sha256):
        assert words in shown
    page(analyst, "risk_modelversion_points", 10**6, status=404)


def test_the_catalogue_names_every_feature(analyst):
    shown = page(analyst, "risk_modelversion_features")
    for words in ("return_share_180d", "industry_default_rate", "Longest delay of an instalment in 180 days"):
        assert words in shown


def test_pages_about_models_are_for_those_who_may_see_them(books, sign_in, at, staff):
    model = champion(staff("second"), at)
    collector = sign_in("collector")
    page(collector, "risk_modelversion_points", model.pk, status=403)
    page(collector, "risk_modelversion_features", status=403)


# --- the pages of the house ---------------------------------------------------------------------------------


def test_the_house_shows_what_risk_knows(analyst, line, tell, apply, at, staff):  # noqa: F811
    fill(line, tell, apply, at, staff("second"))
    home = page(analyst, "index")
    for words in ("Appeals to answer", "Open alerts", "Waiting for a score"):
        assert words in home
    customer = page(analyst, "lending_customer_change", line.customer_id)
    for words in ("Features at this moment", "Please look again", "you returned goods for"):
        assert words in customer
    assessment = Assessment.objects.get()
    application = page(analyst, "lending_application_change", assessment.application_id)
    assert "Score and policy" in application
    shown = page(analyst, "risk_assessment_change", assessment.pk)
    for words in ("Unevenness of monthly spending", "lender_type", "Approve"):
        assert words in shown
