"""Strategies: one is in force from the start, versions are frozen, and cases stay with theirs."""

from decimal import Decimal

import pytest
from django.db import Error, transaction
from django_fsm import TransitionNotAllowed

from dunning import reference
from dunning.models import Case, Strategy, StrategyStep
from dunning.services import strategy
from lending.errors import Refused
from lending.models import NoticeTemplate
from tests.dunning.conftest import MONDAY, moment

pytestmark = pytest.mark.django_db
AT = {"by": None, "at": moment(MONDAY)}


@pytest.fixture
def live() -> Strategy:
    return Strategy.objects.get(state="LIVE")


@pytest.fixture
def draft(live) -> Strategy:
    return strategy.new_version(strategy_id=live.pk, **AT)


def test_one_is_in_force_from_the_start_and_installing_again_changes_nothing(live):
    reference.install()
    assert Strategy.objects.get() == live
    days = live.steps.values_list("day", "channel", "stage")
    assert list(days) == [
        (-3, "IN_APP", "REMINDING"),
        (-3, "SMS", "REMINDING"),
        (1, "EMAIL", "REMINDING"),
        (1, "SMS", "REMINDING"),
        (4, "CALL", "CALLING"),
        (8, "SMS", "CALLING"),
        (16, "CALL", "CALLING"),
        (31, "EMAIL", "DEMANDING"),
        (31, "LETTER", "DEMANDING"),
        (61, "CALL", "DEMANDING"),
        (91, "LEGAL", "LEGAL"),
    ]


def test_every_message_of_it_has_words_in_both_languages(live):
    for step in live.steps.exclude(template=""):
        languages = NoticeTemplate.objects.filter(code=step.template, channel=step.channel)
        assert set(languages.values_list("language", flat=True)) == {"en", "zh-hans"}


def test_what_is_in_force_is_frozen(live):
    for change in (
        lambda: live.steps.update(day=2),
        lambda: live.steps.all().delete(),
        lambda: StrategyStep.objects.create(strategy=live, code="x", day=1, channel="CALL"),
    ):
        with pytest.raises(Error, match="frozen"), transaction.atomic():
            change()
    with pytest.raises(Refused, match="new version"):
        strategy.remove_step(strategy_id=live.pk, code="first-call", **AT)


def step(**facts) -> dict:
    return {
        "code": "extra-call",
        "day": 5,
        "channel": "CALL",
        "template": "",
        "stage": "CALLING",
        "min_amount": Decimal(0),
        **facts,
    }


def test_a_draft_is_changed_and_put_in_force_and_open_cases_stay_with_theirs(live, draft, overdue, work):
    loan = overdue(2)
    strategy.set_step(strategy_id=draft.pk, **step(), **AT)
    strategy.remove_step(strategy_id=draft.pk, code="second-sms", **AT)
    strategy.publish(strategy_id=draft.pk, **AT)
    live.refresh_from_db()
    draft.refresh_from_db()
    assert (live.state, draft.state, draft.version) == ("RETIRED", "LIVE", 2)
    assert Case.objects.get(customer=loan.customer).strategy == live
    codes = set(draft.steps.values_list("code", flat=True))
    assert "extra-call" in codes and "second-sms" not in codes


def test_the_same_code_changes_the_step(draft):
    strategy.set_step(strategy_id=draft.pk, **step(code="first-call", day=6), **AT)
    assert draft.steps.get(code="first-call").day == 6
    assert draft.steps.count() == 11


def test_contradictions_are_not_put_in_force(draft, live):
    strategy.set_step(strategy_id=draft.pk, **step(day=100, stage="REMINDING"), **AT)
    with pytest.raises(Refused, match="extra-call"):
        strategy.publish(strategy_id=draft.pk, **AT)
    live.refresh_from_db()
    assert live.state == "LIVE"


def test_a_strategy_without_steps_is_not_put_in_force():
    empty = Strategy.objects.create(name="Empty")
    with pytest.raises(Refused, match="no steps"):
        strategy.publish(strategy_id=empty.pk, **AT)


def test_a_version_goes_live_once(draft):
    strategy.publish(strategy_id=draft.pk, **AT)
    with pytest.raises(TransitionNotAllowed):
        strategy.publish(strategy_id=draft.pk, **AT)


@pytest.mark.parametrize(
    "facts", [{"template": "no_such"}, {"template": ""}, {"template": "overdue_1", "channel": "LETTER"}]
)
def test_a_message_needs_words_for_its_channel(draft, facts):
    with pytest.raises(Refused) as refusal:
        strategy.set_step(strategy_id=draft.pk, **step(**{"channel": "SMS", **facts}), **AT)
    assert refusal.value.field == "template"


@pytest.mark.parametrize("channel", ["CALL", "VISIT", "LEGAL"])
def test_before_anything_is_overdue_there_are_only_messages(draft, channel):
    with pytest.raises(Refused) as refusal:
        strategy.set_step(strategy_id=draft.pk, **step(channel=channel, day=0, stage="REMINDING"), **AT)
    assert refusal.value.field == "channel"


def test_a_step_that_is_not_there_cannot_be_removed(draft):
    with pytest.raises(Refused, match="no such step"):
        strategy.remove_step(strategy_id=draft.pk, code="nothing", **AT)
