"""Every (state, transition) pair of every machine in risk, by table; and what the database itself refuses."""

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django_fsm import TransitionNotAllowed

from lending.models import Product, User
from lending.services import applications
from risk.models import Alert, Appeal, Assessment, Control, Dataset, ModelVersion, PolicyVersion

AT = datetime(2026, 3, 2, tzinfo=UTC)
WHO = User(pk=1, username="who")
ANSWER = {"answer": "because", "by": WHO, "at": AT}

MACHINES = {
    ModelVersion: {
        "validate": ({}, {"DRAFT": "VALIDATED"}),
        "challenge": ({}, {"VALIDATED": "CHALLENGER"}),
        "promote": ({"approver": WHO, "at": AT}, {"VALIDATED": "CHAMPION", "CHALLENGER": "CHAMPION"}),
        "reinstate": ({"approver": WHO, "at": AT}, {"RETIRED": "CHAMPION"}),
        "retire": (
            {"at": AT},
            dict.fromkeys(["DRAFT", "VALIDATED", "CHALLENGER", "CHAMPION"], "RETIRED"),
        ),
    },
    PolicyVersion: {
        "shadow": ({}, {"DRAFT": "SHADOW"}),
        "go_live": ({"approver": WHO, "at": AT}, {"SHADOW": "LIVE"}),
        "retire": ({"at": AT}, dict.fromkeys(["DRAFT", "SHADOW", "LIVE"], "RETIRED")),
    },
    Alert: {
        "release": ({"at": AT}, {"OPEN": "RELEASED"}),
        "lift": ({"by": WHO, "at": AT}, {"OPEN": "LIFTED"}),
    },
    Appeal: {
        "uphold": (ANSWER, {"OPEN": "UPHELD"}),
        "reject": (ANSWER, {"OPEN": "REJECTED"}),
    },
}
PAIRS = [
    (model, state, name, arguments, allowed.get(state))
    for model, table in MACHINES.items()
    for name, (arguments, allowed) in table.items()
    for state in model.State.values
]


@pytest.mark.parametrize(
    ("model", "state", "name", "arguments", "target"),
    PAIRS,
    ids=[f"{m.__name__}-{state}-{name}" for m, state, name, _arguments, _target in PAIRS],
)
def test_every_pair_of_state_and_transition(model, state, name, arguments, target):
    row = model(state=state)
    if target is None:
        with pytest.raises(TransitionNotAllowed):
            getattr(row, name)(**arguments)
        assert row.state == state
    else:
        getattr(row, name)(**arguments)
        assert row.state == target


@pytest.mark.parametrize("model", MACHINES, ids=lambda model: model.__name__)
def test_the_table_names_every_transition(model):
    declared = {found.method.__name__ for found in model._meta.get_field("state").get_all_transitions(model)}
    assert declared == set(MACHINES[model])


@pytest.mark.parametrize("model", MACHINES, ids=lambda model: model.__name__)
def test_a_state_is_changed_by_transitions_alone(model):
    with pytest.raises(AttributeError):
        model(state=model.State.values[0]).state = model.State.values[-1]


# --- what the database refuses ------------------------------------------------------------------------------


@pytest.fixture
def people(staff):
    return staff("author"), staff("approver")


def make_model(version=1, **values):
    basics = {"segment": "PERSON", "version": version, "card": "{}", "sha256": "0", "created_at": AT}
    return ModelVersion.objects.create(**basics | values)


def make_policy(version, **values):
    return PolicyVersion.objects.create(
        **{"segment": "PERSON", "version": version, "created_at": AT} | values
    )


def refused(act):
    with pytest.raises(DatabaseError), transaction.atomic():
        act()


def test_an_unknown_state_or_segment_is_refused(db):
    refused(lambda: make_model(state="LOVED"))
    refused(lambda: make_model(segment="DOG"))
    refused(lambda: make_policy(9, state="LOVED"))


def test_an_author_never_approves(people):
    author, approver = people
    refused(lambda: make_model(author=author, approver=author, state="CHAMPION"))
    refused(lambda: make_policy(9, author=author, approver=author, state="SHADOW"))
    make_model(author=author, approver=approver, state="CHAMPION")


def test_a_segment_has_one_champion_and_one_live_policy(people):
    _author, approver = people
    make_model(state="CHAMPION", approver=approver)
    make_model(segment="COMPANY", state="CHAMPION", approver=approver)
    refused(lambda: make_model(2, state="CHAMPION", approver=approver))
    refused(lambda: make_policy(9, state="LIVE"))  # one ships with the system


def test_a_champion_was_approved(db, people):
    refused(lambda: make_model(state="CHAMPION"))
    refused(lambda: make_policy(9, segment="PERSON", author=people[0], state="LIVE"))


def test_a_version_is_frozen_once_it_is_no_draft(db):
    model = make_model(state="VALIDATED")
    refused(lambda: ModelVersion.objects.filter(pk=model.pk).update(card="[]"))
    refused(lambda: ModelVersion.objects.filter(pk=model.pk).update(metrics={"auc": 1}))
    refused(lambda: PolicyVersion.objects.filter(state="LIVE").update(rules=[]))
    draft = make_policy(9)
    PolicyVersion.objects.filter(pk=draft.pk).update(matrix={"A": {}})


def test_what_was_assessed_and_trained_on_is_never_edited(db, books, make_customer, at):
    application = applications.start(
        customer_id=make_customer().pk,
        product_id=Product.objects.get(code="pay-later").pk,
        amount=Product.objects.get(code="pay-later").min_amount,
        by=None,
        at=at,
    )
    values = {"application": application, "as_of": at, "inputs": {}, "outcome": "REFER", "at": at}
    Assessment.objects.create(**values)
    refused(lambda: Assessment.objects.update(outcome="APPROVE"))
    refused(lambda: Assessment.objects.all().delete())
    with pytest.raises(IntegrityError), transaction.atomic():
        Assessment.objects.create(**values)
    Dataset.objects.create(
        segment="PERSON", as_of=at, target="t", rows=1, bad=0, columns=[], file="x", sha256="0", made_at=at
    )
    refused(lambda: Dataset.objects.update(bad=1))


@pytest.mark.parametrize(
    "change",
    [{"release": "0.7"}, {"window_days": 0}, {"action": "CUT", "cut_share": "0"}, {"cut_share": "1.5"}],
)
def test_levels_that_contradict_each_other_are_refused(db, change):
    refused(lambda: Control.objects.filter(code="return-share").update(**change))
