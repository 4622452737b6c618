"""Events come in once each, in any order, from any number of workers."""

import random
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, connections, transaction

from lending.errors import Refused
from lending.services import close, customers
from risk.daysums import AGGREGATES, COLUMNS, SUMS
from risk.models import CustomerDay, PlatformEvent
from risk.services import events
from risk.services.events import EventRow, ingest
from tests.lending.conftest import MONDAY, moment
from tests.risk.conftest import days_ago, row, sums


@pytest.fixture
def alice(make_customer):
    return make_customer(platform_ref="alice")


def test_events_become_daily_sums(alice, tell):
    result = tell(
        row("alice", "ORDER", amount="120.50"),
        row("alice", "ORDER", amount="80", data={"risky": True}),
        row("alice", "DELIVERY", data={"promised_on": "2026-03-01"}),
        row("alice", "DELIVERY", data={"promised_on": "2026-03-02"}),
        row("alice", "RETURN", amount="20.50"),
        row("alice", "CANCEL", amount="5"),
        row("alice", "DISPUTE"),
        row("alice", "INVOICE", amount="7"),
        row("alice", "INVOICE_PAID", amount="6"),
        row("alice", "GOODS_RECEIVED", amount="9"),
        row("alice", "GOODS_RECEIVED", amount="4", data={"promised_on": "2026-03-01"}),
        row("alice", "GOODS_REJECTED", amount="3"),
        row("alice", "ADDRESS_CHANGE"),
    )
    assert (result.accepted, result.duplicates, result.refused) == (13, 0, [])
    assert sums(alice.pk) == {
        "orders": 2,
        "order_amount": Decimal("200.50"),
        "risky_amount": Decimal("80.00"),
        "deliveries": 2,
        "late_deliveries": 1,
        "returns": 1,
        "return_amount": Decimal("20.50"),
        "cancels": 1,
        "cancel_amount": Decimal("5.00"),
        "disputes": 1,
        "invoices": 1,
        "invoice_amount": Decimal("7.00"),
        "invoices_paid": 1,
        "invoice_paid_amount": Decimal("6.00"),
        "goods_received": 2,
        "late_goods": 1,
        "goods_amount": Decimal("13.00"),
        "rejections": 1,
        "rejected_amount": Decimal("3.00"),
        "address_changes": 1,
    }


def test_a_day_is_one_of_the_lenders_time_zone(alice, tell):
    tell(row("alice", at=datetime.fromisoformat("2026-03-01T15:59:59+00:00")))  # 23:59:59 in Shanghai
    tell(row("alice", at=datetime.fromisoformat("2026-03-01T16:00:00+00:00")))  # midnight
    assert list(CustomerDay.objects.order_by("day").values_list("day", "orders")) == [
        (MONDAY - timedelta(days=1), 1),
        (MONDAY, 1),
    ]


def test_the_same_event_twice_counts_once(alice, tell):
    order = row("alice")
    assert tell(order, order).duplicates == 1
    again = tell(order)
    assert (again.accepted, again.duplicates, again.refused) == (0, 1, [])
    assert sums(alice.pk)["orders"] == 1


def test_another_source_may_use_the_same_number(alice, tell):
    order = row("alice")
    assert tell(order, replace(order, source="other")).accepted == 2


@pytest.mark.parametrize("change", [{"amount": "99"}, {"kind": "RETURN"}, {"order_ref": "x"}])
def test_a_known_number_with_other_content_is_refused(alice, tell, change):
    order = row("alice")
    tell(order)
    result = tell(replace(order, **change))
    assert (result.accepted, result.duplicates) == (0, 0)
    assert [(r.index, r.field) for r in result.refused] == [(0, "external_id")]
    assert sums(alice.pk)["orders"] == 1


def test_a_number_used_twice_within_a_batch_for_different_events_is_refused(alice, tell):
    order = row("alice")
    result = tell(order, replace(order, amount="7"))
    assert (result.accepted, result.duplicates) == (1, 0)
    assert [(r.index, r.field) for r in result.refused] == [(1, "external_id")]
    assert sums(alice.pk)["order_amount"] == Decimal("100.00")


def recomputed() -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT customer_id, (at AT TIME ZONE 'Asia/Shanghai')::date, {AGGREGATES}
                FROM risk_platformevent e GROUP BY 1, 2 ORDER BY 1, 2"""
        )
        return cursor.fetchall()


def stored() -> list[tuple]:
    return list(CustomerDay.objects.order_by("customer_id", "day").values_list("customer_id", "day", *SUMS))


def test_any_order_and_any_batches_give_the_sums_of_the_events(alice, make_customer, tell):
    make_customer(name="韩梅梅", platform_ref="mei")
    kinds = PlatformEvent.Kind.values
    rng = random.Random(7)
    rows = [
        row(
            rng.choice(["alice", "mei"]),
            rng.choice(kinds),
            days_ago(rng.randrange(9)),
            str(rng.randrange(500)),
        )
        for _ in range(200)
    ]
    rng.shuffle(rows)
    for start in range(0, 200, 37):
        tell(*rows[start : start + 60])  # batches that overlap
    assert PlatformEvent.objects.count() == 200
    assert stored() == recomputed()
    assert COLUMNS.split(", ") == list(SUMS)


BAD = [
    ({"customer_ref": "nobody"}, "customer_ref"),
    ({"customer_ref": None}, "customer_ref"),
    ({"customer_ref": "a\x00"}, "customer_ref"),
    ({"kind": "GIFT"}, "kind"),
    ({"kind": ["ORDER"]}, "kind"),
    ({"amount": "-1"}, "amount"),
    ({"amount": "1.001"}, "amount"),
    ({"amount": None}, "amount"),
    ({"amount": ""}, "amount"),
    ({"amount": "abc"}, "amount"),
    ({"amount": "NaN"}, "amount"),
    ({"amount": "Infinity"}, "amount"),
    ({"amount": "1e13"}, "amount"),
    ({"amount": True}, "amount"),
    ({"at": moment(MONDAY, 13)}, "at"),
    ({"at": "2026-03-02T09:00:00"}, "at"),
    ({"at": "2026-13-02T09:00:00Z"}, "at"),
    ({"at": "yesterday"}, "at"),
    ({"at": None}, "at"),
    ({"at": datetime.fromisoformat("1990-12-31T00:00:00+08:00")}, "at"),
    ({"source": ""}, "source"),
    ({"source": "s" * 41}, "source"),
    ({"external_id": "  "}, "external_id"),
    ({"external_id": "e" * 101}, "external_id"),
    ({"external_id": 7}, "external_id"),
    ({"external_id": "\ud800"}, "external_id"),
    ({"order_ref": "o" * 65}, "order_ref"),
    ({"data": []}, "data"),
    ({"data": {"a": float("nan")}}, "data"),
    ({"data": {"a": "\x00"}}, "data"),
    ({"data": {"a": "\ud800"}}, "data"),
    ({"data": {"a": object()}}, "data"),
    ({"data": {"a": "b" * 5000}}, "data"),
    ({"data": {"promised_on": "soon"}}, "data"),
]


@pytest.mark.parametrize(("change", "field"), BAD)
def test_a_row_at_fault_is_refused_by_field_and_the_others_go_in(alice, tell, change, field):
    result = tell(row("alice"), replace(row("alice"), **change), row("alice"))
    assert result.accepted == 2
    assert [(r.index, r.field) for r in result.refused] == [(1, field)]
    assert result.refused[0].message
    assert sums(alice.pk)["orders"] == 2


def test_amounts_come_as_text_or_number(alice, tell):
    tell(row("alice", amount=12.3), row("alice", amount=7), row("alice", amount=Decimal("0.70")))
    assert sums(alice.pk)["order_amount"] == Decimal("20.00")


def test_an_amount_of_zero_is_a_free_gift(alice, tell):
    assert tell(row("alice", amount=0)).accepted == 1


def test_a_batch_has_a_largest_size(alice, tell, monkeypatch):
    monkeypatch.setattr(events, "MAX_BATCH", 2)
    with pytest.raises(Refused) as refused:
        tell(row("alice"), row("alice"), row("alice"))
    assert refused.value.code == "batch_too_large"
    assert not PlatformEvent.objects.exists()


def test_an_empty_batch_is_fine(tell):
    assert tell().accepted == 0


def test_events_are_never_edited_or_deleted(alice, tell):
    tell(row("alice"))
    for change in (
        lambda: PlatformEvent.objects.update(kind="RETURN"),
        lambda: PlatformEvent.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_the_same_batches_count_each_event_once():
    """Two connections send the same events in opposite orders, at once."""
    close.open_books(on=MONDAY)
    at = moment(MONDAY)
    for n in range(20):
        customers.register(
            kind="PERSON", name="甲", platform_ref=f"c{n}", registered_on=MONDAY, by=None, at=at
        )
    rows = [row(f"c{n % 20}", at=days_ago(n % 3), amount="10") for n in range(600)]
    batches = [rows[start : start + 50] for start in range(0, 600, 25)]
    barrier, results, errors = threading.Barrier(2), [], []

    def work(mine: list[list[EventRow]]) -> None:
        try:
            barrier.wait()
            results.extend(ingest(rows=batch, at=at) for batch in mine)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    backwards = [list(reversed(batch)) for batch in reversed(batches)]
    threads = [threading.Thread(target=work, args=(mine,)) for mine in (batches, backwards)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert sum(result.accepted for result in results) == 600
    assert stored() == recomputed()
    assert sum(day.orders for day in CustomerDay.objects.all()) == 600
