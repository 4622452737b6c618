"""The event feed: every event once, the wrong ones named, the others in."""

from datetime import timedelta

import pytest

from lending import clock
from lending.models import User
from risk.models import CustomerDay, PlatformEvent
from tests.lending import api_support as support
from tests.lending.api_support import post, problem

PATH = "/api/v1/events/"


@pytest.fixture
def shop(books, make_customer):
    make_customer(platform_ref="alice")
    return support.platform()


def event(number=1, **changes):
    return {
        "customer_ref": "alice",
        "external_id": f"e{number}",
        "kind": "ORDER",
        "at": (clock.now() - timedelta(hours=1)).isoformat(),
        "order_ref": f"o{number}",
        "amount": "99.90",
    } | changes


def test_events_are_taken_in_once(shop):
    batch = [event(1), event(2)]
    assert post(shop, PATH, batch).json() == {"accepted": 2, "duplicates": 0, "refused": []}
    assert post(shop, PATH, [*batch, event(3)]).json() == {"accepted": 1, "duplicates": 2, "refused": []}
    assert PlatformEvent.objects.count() == 3
    assert sum(day.orders for day in CustomerDay.objects.all()) == 3


def test_a_wrong_event_is_named_and_holds_up_no_other(shop):
    batch = [
        event(1, customer_ref="nobody"),
        event(2),
        event(3, kind="GIFT"),
        "text",
        event(5, colour="red"),
        event(6, amount="1.234"),
        event(7, at="yesterday"),
        event(8, at=(clock.now() + timedelta(days=2)).isoformat()),
        {"customer_ref": "alice"},
        event(10, amount="-1"),
        event(11, external_id=None),
        event(12, amount=None),
        event(13, data="x"),
        event(14, order_ref="\x00"),
        event(15, customer_ref=["alice"]),
        event(16, kind={"a": 1}),
        event(17, at="2020-01-01T00:00:00"),
    ]
    answer = post(shop, PATH, batch)
    assert answer.status_code == 200
    told = answer.json()
    assert told["accepted"] == 1
    faults = {one["index"]: one["field"] for one in told["refused"]}
    assert set(faults) == set(range(len(batch))) - {1}
    assert (faults[0], faults[2], faults[3], faults[4]) == ("customer_ref", "kind", "", "colour")
    assert (faults[5], faults[6], faults[7], faults[9]) == ("amount", "at", "at", "amount")
    assert all(one["message"] for one in told["refused"])


@pytest.mark.parametrize("body", [[], {}, None, 3, "text"])
def test_what_is_no_list_of_events_is_refused(shop, body):
    assert problem(post(shop, PATH, body))[:2] == (400, "invalid")


def test_a_thousand_at_a_time_and_no_more(shop):
    assert problem(post(shop, PATH, [event(n) for n in range(1001)]))[0] == 400
    assert post(shop, PATH, [event(n) for n in range(1000)]).json()["accepted"] == 1000


def test_a_zone_far_from_greenwich_is_a_zone(shop):
    assert post(shop, PATH, [event(1, at="2025-06-07T06:06:58+21:28")]).json()["accepted"] == 1


def test_two_platforms_may_use_the_same_numbers(shop):
    other = support.platform("other-shop")
    assert post(shop, PATH, [event(1)]).json()["accepted"] == 1
    assert post(other, PATH, [event(1)]).json()["accepted"] == 1


def test_a_customer_cannot_feed_events(shop):
    stranger = support.client_of(User.objects.create_user("someone"))
    assert problem(post(stranger, PATH, [event(1)]))[0] == 403
    assert not PlatformEvent.objects.exists()


def test_a_body_that_is_too_large_is_not_read(shop):
    text = b"[" + b" " * 5_000_000 + b"]"
    answer = shop.post(PATH, text, content_type="application/json")
    assert problem(answer) == (413, "too_large", [])
