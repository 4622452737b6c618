"""How statements reach the server: what is asked for in the same words is planned once, whatever the values."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.db.models import F

from config.simulation.silence import quiet
from lending import bulk, events
from lending.models import AssetClass, Customer, Event
from lending.services import customers

AT = datetime(2026, 3, 2, 4, tzinfo=UTC)
ON = date(2026, 3, 2)
SMALL, LARGE, HUGE = 7, 40_000, 2**40
pytestmark = pytest.mark.django_db


def plans(like):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s", [like])
        return cursor.fetchone()[0]


@pytest.fixture
def people():
    known = [
        customers.Newcomer(kind="PERSON", name=name, platform_ref=name, registered_on=ON)
        for name in ('Ann "A"', "Bob, {B}", "陈\\C")
    ]
    return customers.register_many(known, by=None, at=AT)


def test_small_and_large_numbers_share_a_plan():
    same = bulk.Tuples("SELECT %s + 0 AS number_of_one_type")
    for _ in range(9):
        assert [same(number)[0][0] for number in (SMALL, LARGE, -LARGE)] == [SMALL, LARGE, -LARGE]
    assert plans("%number_of_one_type%") == 1
    assert same(HUGE) == [(HUGE,)]
    assert same(AssetClass.LOSS) == [(5,)]


def test_lists_share_a_plan_however_many_and_large_their_numbers_are():
    listed = bulk.Tuples("SELECT n AS number_of_a_list FROM unnest(%s::bigint[]) AS n")
    for numbers in ([SMALL], [SMALL, LARGE], [HUGE], []) * 4:
        assert [number for (number,) in listed(numbers)] == numbers
    assert plans("%number_of_a_list%") == 1


def test_rows_with_and_without_a_value_share_a_plan(people):
    before = plans('INSERT INTO "lending_event"%VALUES ($1::%')
    for number in range(9):
        row = events.build("a.b", people[0], by=None, at=AT)
        row.customer_id = None if number % 2 else people[number % 3].pk
        bulk.insert_many([row])
    assert plans('INSERT INTO "lending_event"%VALUES ($1::%') - before <= 1
    assert Event.objects.filter(kind="a.b", customer=None).count() == 4


def test_percent_signs_and_placeholders_reach_the_server_as_they_are_meant():
    assert bulk.Tuples("SELECT %s::int %% 4, '%%s', %s::text")(7, "%s") == [(3, "%s", "%s")]


LISTS = {
    "keys": lambda rows: Customer.objects.filter(pk__in=[row.pk for row in rows[:2]]),
    "without": lambda rows: Customer.objects.exclude(pk__in=[row.pk for row in rows[:2]]),
    "words": lambda rows: Customer.objects.filter(name__in=[rows[0].name, rows[1].name, rows[2].name]),
    "words and nothing": lambda rows: Customer.objects.filter(name__in=[None, rows[1].name]),
    "nothing": lambda rows: Customer.objects.filter(pk__in=[]),
    "dates": lambda rows: Customer.objects.filter(registered_on__in=[ON]),
    "rows of another": lambda rows: Event.objects.filter(customer__in=rows[:2]),
    "keys of another": lambda rows: Event.objects.filter(customer_id__in=[rows[1].pk, rows[2].pk]),
    "another question": lambda rows: Customer.objects.filter(pk__in=Event.objects.values("customer_id")),
    "an expression": lambda rows: Customer.objects.filter(pk__in=[F("pk"), 0]),
}


@pytest.mark.parametrize("name", LISTS)
def test_what_is_in_a_list_is_found_while_a_simulation_is_quiet(people, name):
    expected = list(LISTS[name](people).order_by("pk"))
    with quiet():
        assert list(LISTS[name](people).order_by("pk")) == expected
    assert list(LISTS[name](people).order_by("pk")) == expected


def test_while_a_simulation_is_quiet_lists_of_any_length_are_one_text(people):
    with quiet():
        for count in (1, 2, 3) * 2:
            assert Customer.objects.filter(pk__in=[row.pk for row in people[:count]]).count() == count
        assert plans('SELECT COUNT(*)%"lending_customer"."id" = ANY%') == 1
