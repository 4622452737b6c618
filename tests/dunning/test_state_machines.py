"""Every state machine of collections, walked pair by pair: what is in the table is allowed, everything else refused."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django_fsm import TransitionNotAllowed

from dunning.models import Case, Contact, Dispute, LegalMatter, Promise, Strategy

DAY = date(2026, 3, 2)
ANSWER = {"on": DAY, "answer": "x"}
YOUNG = ("REMINDING", "CALLING", "DEMANDING")

# model -> transition -> (arguments, {source: target})
MACHINES: dict[type[models.Model], dict[str, tuple[dict[str, Any], dict[str, str]]]] = {
    Strategy: {
        "go_live": ({}, {"DRAFT": "LIVE"}),
        "retire": ({}, {"LIVE": "RETIRED"}),
    },
    Case: {
        "remind": ({}, dict.fromkeys(("CALLING", "DEMANDING"), "REMINDING")),
        "call": ({}, dict.fromkeys(("REMINDING", "DEMANDING"), "CALLING")),
        "demand": ({}, dict.fromkeys(("REMINDING", "CALLING"), "DEMANDING")),
        "go_legal": ({}, dict.fromkeys(YOUNG, "LEGAL")),
        "leave_court": ({}, {"LEGAL": "DEMANDING"}),
        "pause": ({"until": DAY, "reason": "x"}, dict.fromkeys(YOUNG, "PAUSED")),
        "resume": ({}, {"PAUSED": "REMINDING"}),
        "close": ({"on": DAY, "end": "PAID"}, dict.fromkeys((*YOUNG, "LEGAL", "PAUSED"), "CLOSED")),
    },
    Contact: {
        "refuse": ({"rule": "STOPPED", "params": {}}, {"PLANNED": "REFUSED"}),
        "done": ({"at": None}, {"PLANNED": "DONE"}),
        "cancel": ({}, {"PLANNED": "CANCELLED"}),
    },
    Promise: {
        "keep": ({"on": DAY, "received": Decimal(1)}, {"OPEN": "KEPT"}),
        "break_": ({"on": DAY, "received": Decimal(0)}, {"OPEN": "BROKEN"}),
        "cancel": ({"on": DAY}, {"OPEN": "CANCELLED"}),
    },
    Dispute: {
        "uphold": (ANSWER, {"OPEN": "UPHELD"}),
        "reject": (ANSWER, {"OPEN": "REJECTED"}),
        "withdraw": (ANSWER, {"OPEN": "WITHDRAWN"}),
    },
    LegalMatter: {
        "file": ({"on": DAY, "court": "c", "reference": ""}, {"NOTICE": "FILED"}),
        "judge": ({"on": DAY, "awarded": Decimal(0)}, {"FILED": "JUDGED"}),
        "enforce": ({"on": DAY}, {"JUDGED": "ENFORCED"}),
        "close": (
            {"on": DAY, "result": "x"},
            dict.fromkeys(("NOTICE", "FILED", "JUDGED", "ENFORCED"), "CLOSED"),
        ),
    },
}


def pairs() -> Iterator[Any]:
    for model, transitions in MACHINES.items():
        for name, (arguments, allowed) in transitions.items():
            for state in model._meta.get_field("state").choices:
                yield pytest.param(
                    model,
                    name,
                    arguments,
                    state[0],
                    allowed.get(state[0]),
                    id=f"{model.__name__}-{name}-{state[0]}",
                )


@pytest.mark.parametrize(("model", "name", "arguments", "source", "target"), list(pairs()))
def test_every_pair_of_state_and_transition(model, name, arguments, source, target):
    record = model(state=source)
    if target is None:
        with pytest.raises(TransitionNotAllowed):
            getattr(record, name)(**arguments)
        assert record.state == source
    else:
        getattr(record, name)(**arguments)
        assert record.state == target


@pytest.mark.parametrize("model", MACHINES)
def test_the_table_names_every_transition(model):
    declared = {transition.name for transition in model._meta.get_field("state").get_all_transitions(model)}
    assert declared == set(MACHINES[model])


@pytest.mark.parametrize("model", MACHINES)
def test_a_state_is_not_set_by_hand(model):
    record = model()
    with pytest.raises(AttributeError, match="state"):
        record.state = "ANYTHING"


@pytest.mark.django_db
@pytest.mark.parametrize("model", MACHINES)
def test_the_database_knows_the_states_too(model):
    checks = {constraint.name for constraint in model._meta.constraints}
    name = next(name for name in checks if name.endswith("state_known"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name])
        definition = cursor.fetchone()[0]
    for state, _label in model._meta.get_field("state").choices:
        assert f"'{state}'" in definition


@pytest.mark.django_db
def test_there_is_one_live_strategy():
    with pytest.raises(IntegrityError, match="strategy_one_live"), transaction.atomic():
        Strategy.objects.create(name="Other", state="LIVE")
