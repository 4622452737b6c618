"""The same key on two real connections at once, and a process that dies in the middle."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import close_old_connections, connection, connections, transaction

from lending import reference
from lending.models import ApiRequest, Purchase
from lending.services import close
from tests.lending import api_support as support
from tests.lending.api_support import order, problem
from tests.lending.conftest import MONDAY

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def books(transactional_db):
    reference.install()
    close.open_books(on=MONDAY)
    reference.starter_products()
    return MONDAY


@pytest.fixture
def shop(make_line, make_customer):
    make_line("5000", customer=make_customer(platform_ref="alice"))
    return support.platform()


def in_threads(work, count):
    def run(number):
        close_old_connections()
        try:
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_eight_at_once_with_one_key_buy_once(shop):
    answers = in_threads(lambda _: order(shop), 8)
    done = [answer for answer in answers if answer.status_code == 201]
    assert done
    assert {answer.json()["order_ref"] for answer in done} == {"order-1"}
    assert all(problem(answer)[1] == "in_flight" for answer in answers if answer.status_code != 201)
    assert (Purchase.objects.count(), ApiRequest.objects.count()) == (1, 1)


def test_eight_orders_at_once_never_use_more_than_the_line(shop):
    answers = in_threads(lambda n: order(shop, key=f"k{n}", order_ref=f"order-{n}", amount="1000"), 8)
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [422] * 3


def test_a_request_in_flight_is_told_to_come_back(shop):
    """Another connection holds the line, so the first request waits in the middle of its work."""
    waiting, go_on = threading.Event(), threading.Event()

    def hold(execute, sql, params, many, context):
        if 'INSERT INTO "lending_purchase"' in sql:
            waiting.set()
            go_on.wait(10)
        return execute(sql, params, many, context)

    def first(_number):
        with connection.execute_wrapper(hold):
            return order(shop)

    with ThreadPoolExecutor(1) as pool:
        one = pool.submit(lambda: in_threads(first, 1)[0])
        assert waiting.wait(10)
        assert problem(order(shop)) == (409, "in_flight", [])
        go_on.set()
        assert one.result().status_code == 201
    assert order(shop)["Idempotent-Replayed"] == "true"


def test_what_dies_before_the_commit_can_be_sent_again(shop):
    def die(execute, sql, params, many, context):
        if 'INSERT INTO "lending_apirequest"' in sql:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(die):
        assert problem(order(shop))[0] == 503
    connection.close()
    assert not Purchase.objects.exists()
    assert order(shop).status_code == 201


def test_the_database_itself_keeps_a_key_for_one_request(shop):
    order(shop)
    kept = ApiRequest.objects.get()
    kept.pk = None
    with pytest.raises(Exception, match="api_request_once"), transaction.atomic():
        kept.save(force_insert=True)
