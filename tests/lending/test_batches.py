"""Batches of the services: one that is refused holds up no other, and nobody gets through twice."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import DataError

from lending import bulk
from lending.errors import Refused
from lending.models import Application, Customer, Event, Product, Purchase
from lending.services import applications, customers, purchases
from lending.shares import Share

AT = datetime(2026, 3, 2, 4, tzinfo=UTC)
ON = date(2026, 3, 2)
pytestmark = pytest.mark.django_db


def newcomer(ref, **values):
    facts = {"kind": "PERSON", "name": "王芳", "platform_ref": ref, "registered_on": ON}
    return customers.Newcomer(**facts | values)


def codes(answers):
    return [answer.code if isinstance(answer, Refused) else "" for answer in answers]


def test_of_newcomers_the_known_the_nameless_and_the_second_of_a_name_are_refused():
    customers.register_many([newcomer("a")], by=None, at=AT)
    wanted = [newcomer("a"), newcomer("b"), newcomer("b"), newcomer("c", name=" "), newcomer("d")]
    found = customers.register_many(wanted, by=None, at=AT)
    assert codes(found) == ["known", "", "known", "name", ""]
    assert set(Customer.objects.values_list("platform_ref", flat=True)) == {"a", "b", "d"}
    assert Event.objects.filter(kind="customer.registered").count() == 3


@pytest.mark.parametrize("count", [1, bulk.FEW + 1])
def test_what_is_too_long_is_refused_and_not_cut(count):
    """Few rows go as values, many as arrays: neither is cut."""
    people = [
        Customer(kind="PERSON", name="x" * 121, platform_ref=f"x{number}", registered_on=ON)
        for number in range(count)
    ]
    with pytest.raises(DataError):
        bulk.create_many(people)


@pytest.mark.parametrize("count", [1, bulk.FEW, bulk.FEW + 1])
def test_few_rows_and_many_are_written_alike(make_line, count):
    """Lists, empty values, JSON and keys come back as they went, in their order."""
    product = make_line().product
    people = customers.register_many([newcomer(str(n)) for n in range(count)], by=None, at=AT)
    rows = [
        Application(
            customer=one,
            product=product,
            amount=Decimal("1000.10"),
            reasons=["A", "B, C"],
            answers={"a": ["ä"]},
            created_at=AT,
        )
        for one in people
    ]
    assert bulk.create_many(rows) == rows
    for row in rows:
        row.reasons, row.amount, row.tenor = [], Decimal("7.00"), None
    bulk.update_many(rows, ["reasons", "amount", "tenor"])
    found = list(Application.objects.order_by("pk"))
    assert [row.pk for row in found] == [row.pk for row in rows]
    assert all(
        (row.reasons, row.amount, row.tenor, row.answers) == ([], 7, None, {"a": ["ä"]}) for row in found
    )
    told = [Event(kind="x.y", subject_type="x", subject_id=1, at=AT, data={"n": n}) for n in range(count)]
    bulk.insert_many(told)
    assert [row.data["n"] for row in Event.objects.filter(kind="x.y").order_by("pk")] == list(range(count))


@pytest.mark.parametrize("text", ["NULL", "", " a, b ", '"c" {d}', "\\", '\\"e\\\\', "f\ng", "王芳"])
@pytest.mark.parametrize("count", [1, bulk.FEW + 1])
def test_text_is_written_to_the_letter(text, count):
    event = {"kind": "x.y", "subject_type": text, "subject_id": 1, "at": AT, "data": {"text": text}}
    bulk.insert_many([bulk.new(Event, **event) for _ in range(count)])
    found = list(Event.objects.filter(kind="x.y"))
    assert len(found) == count
    assert all((row.subject_type, row.data, row.at) == (text, {"text": text}, AT) for row in found)


def test_a_new_row_has_the_defaults_of_its_model_and_no_other_columns():
    made, plain = bulk.new(Event, kind="x.y"), Event(kind="x.y")
    columns = [column.attname for column in Event._meta.concrete_fields]
    assert [getattr(made, name) for name in columns] == [getattr(plain, name) for name in columns]
    assert (made._state.adding, made.actor) == (True, None)
    with pytest.raises(TypeError, match="actor"):
        bulk.new(Event, actor=None)


def test_two_asks_of_one_customer_become_one_application(make_line):
    product = make_line().product
    people = customers.register_many([newcomer("one"), newcomer("two")], by=None, at=AT)
    ids = [people[0].pk, people[0].pk, people[1].pk]
    asks = [
        applications.Ask(customer_id=pk, product_id=product.pk, amount=Decimal(amount))
        for pk, amount in zip(ids, (product.min_amount, product.min_amount, 0), strict=True)
    ]
    found = applications.start_many(asks, by=None, at=AT)
    assert codes(found) == ["", "application_open", "amount"]
    again = applications.start_many(asks[:1], by=None, at=AT)
    assert codes(again) == ["application_open"]


def test_orders_are_held_until_the_line_is_full(make_line):
    line = make_line()
    tenor = sorted(Product.objects.get(pk=line.product_id).tenors)[0]
    amounts = {"o-1": line.base_limit - 100, "o-2": Decimal("100.01"), "o-3": Decimal(0), "o-4": Decimal(100)}
    orders = [
        purchases.Order(line_id=line.pk, order_ref=ref, amount=amount, tenor=tenor)
        for ref, amount in amounts.items()
    ]
    found = purchases.authorise_many(orders, by=None, at=AT, on=ON)
    assert codes(found) == ["", "above_free", "amount", ""]
    line.refresh_from_db()
    assert line.held == line.base_limit
    assert codes(purchases.authorise_many(orders[:1], by=None, at=AT, on=ON)) == [""]
    assert Purchase.objects.count() == 2


def test_everybody_belongs_to_one_share():
    customers.register_many([newcomer(f"s{number}") for number in range(7)], by=None, at=AT)
    ids = set(Customer.objects.values_list("pk", flat=True))
    shares = [{pk for pk in ids if pk in Share(number, 3)} for number in range(3)]
    assert set.union(*shares) == ids
    assert sum(map(len, shares)) == len(ids)
