"""Nobody is judged by what is forbidden, unless the compliance officer has lifted the ban in writing."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from lending.errors import Refused
from lending.models import Event
from risk.engine import forbidden
from risk.models import FeatureWaiver, PolicyVersion
from risk.services import models, policies, waivers
from tests.risk.cards import champion
from tests.risk.conftest import MONDAY, moment


@pytest.mark.parametrize(
    "name, kind",
    [
        ("sex", "SEX"),
        ("applicant_sex", "SEX"),
        ("genderCode", "SEX"),
        ("IsFemale", "SEX"),
        ("RACE", "ETHNICITY"),
        ("性别", "SEX"),
        ("客户民族", "ETHNICITY"),
        ("marital_status", "FAMILY"),
        ("essex_orders", None),
        ("third_party_share", None),
        ("political_party", "OPINION"),
        ("spend_90d", None),
        ("tracer", None),
        ("age", None),
    ],
)
def test_a_forbidden_name_is_known_by_its_words(name, kind):
    assert forbidden.kind_of(name) == kind


def test_what_stands_in_quotes_is_no_name():
    assert forbidden.in_expression('region == "Female Street" && asked > 5') == []
    assert forbidden.in_expression("customer.sex == 1 || race > 2") == ["customer.sex", "race"]
    assert forbidden.in_matrix({"A": {"by": [{"gender": "1"}]}}) == ["gender"]


def given(by, officer, at, **values) -> FeatureWaiver:
    row = waivers.ask(
        **{"feature": "sex", "segment": "PERSON", "scope": "MODEL", "reason": "law X asks for it"} | values,
        ends_on=MONDAY + timedelta(days=30),
        by=by,
        at=at,
    )
    return waivers.decide(waiver_id=row.pk, give=True, opinion="lawful by X", by=officer, at=at)


@pytest.mark.parametrize("act", [models.challenge, models.promote])
def test_a_model_that_uses_it_cannot_be_used(staff, at, act):
    author, boss = staff("author"), staff("boss")
    model = champion(None, at, state="VALIDATED", sex=(0.5, 1.0))
    with pytest.raises(Refused) as refused:
        act(model_id=model.pk, by=boss, at=at)
    assert refused.value.code == "forbidden_feature" and "sex" in str(refused.value)
    row = given(author, boss, at)
    with pytest.raises(Refused):  # leave has an end
        act(model_id=model.pk, by=boss, at=moment(MONDAY + timedelta(days=31)))
    act(model_id=model.pk, by=boss, at=moment(MONDAY + timedelta(days=30)))
    assert Event.objects.filter(kind="waiver.given", subject_id=row.pk, actor=boss).exists()


def test_leave_for_models_is_none_for_policies_and_can_be_revoked(staff, at):
    author, boss = staff("author"), staff("boss")
    row = given(author, boss, at)
    rule = {"code": "R", "kind": "REFER", "expression": "sex == 1", "reason": "OVERDUE"}
    draft = {"segment": "PERSON", "rules": [rule], "matrix": {}, "note": "", "by": author, "at": at}
    with pytest.raises(Refused) as refused:
        policies.draft(**draft)
    assert refused.value.code == "forbidden_feature"
    waivers.revoke(waiver_id=row.pk, opinion="no more", by=boss, at=at)
    given(author, boss, at, scope="BOTH")
    with pytest.raises(Refused) as refused:
        policies.draft(**draft)
    assert refused.value.code == "policy_faults"  # allowed, but there is no such fact
    assert PolicyVersion.objects.filter(author=author).count() == 0


def test_it_takes_two_people_and_words(staff, at):
    author, boss = staff("author"), staff("boss")
    ask = {"segment": "PERSON", "scope": "MODEL", "by": author, "at": at}
    with pytest.raises(Refused):
        waivers.ask(feature="spend", reason="x", ends_on=MONDAY, **ask)
    with pytest.raises(Refused):
        waivers.ask(feature="sex", reason="x", ends_on=MONDAY + timedelta(days=400), **ask)
    row = waivers.ask(feature="sex", reason="x", ends_on=MONDAY, **ask)
    with pytest.raises(Refused):
        waivers.ask(feature="sex", reason="again", ends_on=MONDAY, **ask)
    with pytest.raises(Refused):
        waivers.decide(waiver_id=row.pk, give=True, opinion="fine", by=author, at=at)
    with pytest.raises(Refused):
        waivers.decide(waiver_id=row.pk, give=True, opinion=" ", by=boss, at=at)
    for bad in ({"decided_by": author}, {"state": "GIVEN"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            FeatureWaiver.objects.filter(pk=row.pk).update(**bad)


def test_the_pages_ask_and_answer(staff, at, client):
    client.force_login(staff("author"))
    data = {"feature": "sex", "segment": "PERSON", "scope": "MODEL", "reason": "x"}
    page = client.post(reverse("admin:risk_featurewaiver_ask"), data | {"ends_on": "2020-01-01"})
    assert page.status_code == 200 and not FeatureWaiver.objects.exists()
    from lending import clock

    client.post(reverse("admin:risk_featurewaiver_ask"), data | {"ends_on": clock.wall().date().isoformat()})
    row = FeatureWaiver.objects.get()
    client.force_login(staff("officer"))
    client.post(reverse("admin:risk_featurewaiver_give", args=[row.pk]), {"opinion": "lawful"})
    row.refresh_from_db()
    assert row.state == "GIVEN"
