"""Purchases through the API: the whole life of an order, and every way to be refused."""

from decimal import Decimal

import pytest
from django.db import OperationalError, connection

from lending.models import ApiRequest, CreditLine, Loan, Purchase, Transaction, User
from lending.services import lines
from tests.lending import api_support as support
from tests.lending.api_support import order, post, problem


@pytest.fixture(autouse=True)
def alice(make_line, make_customer):
    return make_line("5000", customer=make_customer(platform_ref="alice"))


@pytest.fixture
def shop(db):
    return support.platform()


def test_an_order_is_authorised_captured_and_refunded(shop):
    held = order(shop)
    assert held.status_code == 201
    assert held.json()["state"] == "AUTHORISED"
    line = CreditLine.objects.get()
    assert (line.held, line.used) == (Decimal("1200.00"), Decimal("0.00"))

    captured = post(shop, "/api/v1/purchases/order-1/capture/", {}, "k2")
    assert (captured.status_code, captured.json()["state"]) == (200, "CAPTURED")
    line.refresh_from_db()
    assert (line.held, line.used) == (Decimal("0.00"), Decimal("1200.00"))

    refunded = post(shop, "/api/v1/purchases/order-1/refund/", {"amount": "200.00"}, "k3")
    assert (refunded.json()["refunded"], refunded.json()["state"]) == ("200.00", "CAPTURED")
    line.refresh_from_db()
    assert line.used == Loan.objects.get().principal < Decimal("1200.00")

    whole = post(shop, "/api/v1/purchases/order-1/refund/", {"amount": "1000.00"}, "k4")
    assert whole.json()["state"] == "REFUNDED"
    line.refresh_from_db()
    assert line.used == Decimal("0.00")
    assert Loan.objects.get().state == "SETTLED"


def test_a_voided_order_frees_the_line_and_cannot_be_captured(shop):
    order(shop)
    voided = shop.post("/api/v1/purchases/order-1/void/", headers={"Idempotency-Key": "k2"})
    assert voided.json()["state"] == "VOIDED"
    assert CreditLine.objects.get().held == 0
    assert problem(post(shop, "/api/v1/purchases/order-1/capture/", {}, "k3"))[0] == 409


@pytest.mark.parametrize(
    ("amount", "field"),
    [("0", "amount"), ("0.00", "amount"), ("-5", "amount"), ("10.001", "amount"), ("ten", "amount")]
    + [("1e20", "amount"), ("NaN", "amount"), (None, "amount"), ("99999999999999999", "amount")],
)
def test_an_impossible_amount_is_named(shop, amount, field):
    assert problem(order(shop, amount=amount)) == (400, "invalid", [field])
    assert not Purchase.objects.exists()


def test_an_amount_above_what_is_free_is_refused(shop):
    assert problem(order(shop, amount="5000.01")) == (422, "above_free", ["amount"])
    assert order(shop, key="k2", amount="5000.00").status_code == 201


def test_a_number_of_instalments_that_is_not_on_offer_is_refused(shop):
    assert problem(order(shop, tenor=5)) == (422, "tenor", ["tenor"])


def test_unknown_customers_lines_and_orders_are_not_found(shop, make_customer):
    make_customer(platform_ref="bob")
    assert problem(order(shop, customer="nobody"))[0] == 404
    assert problem(order(shop, key="k2", customer="bob"))[0] == 404
    assert problem(post(shop, "/api/v1/purchases/nothing/capture/", {}, "k3"))[0] == 404
    assert problem(shop.get("/api/v1/lines/bob/"))[0] == 404
    assert problem(shop.get("/api/v1/nothing/"))[0] == 404


def test_a_suspended_line_takes_no_order(shop, alice, at):
    lines.place_hold(line_id=alice.pk, cause="STAFF", by=None, at=at)
    assert problem(order(shop)) == (409, "line_suspended", [])
    assert shop.get("/api/v1/lines/alice/").json()["free"] == "0.00"


def test_a_stranger_gets_nothing(client):
    support.client_of(User.objects.create_user("someone"))
    stranger = support.client_of(User.objects.get(username="someone"))
    assert problem(order(stranger))[0] == 403
    assert problem(stranger.get("/api/v1/lines/alice/"))[0] == 403
    stranger.credentials(HTTP_AUTHORIZATION="Token 0000")
    assert problem(stranger.get("/api/v1/lines/alice/"))[0] == 401
    assert problem(client.get("/api/v1/lines/alice/"))[0] == 401


def test_the_same_key_and_body_give_the_same_answer_and_move_money_once(shop):
    first, second = order(shop), order(shop)
    assert second.json() == first.json()
    assert (second.status_code, second["Idempotent-Replayed"]) == (201, "true")
    post(shop, "/api/v1/purchases/order-1/capture/", {}, "k2")
    refunds = [post(shop, "/api/v1/purchases/order-1/refund/", {"amount": "10"}, "k3") for _ in range(3)]
    assert {refund.json()["refunded"] for refund in refunds} == {"10.00"}
    assert Transaction.objects.filter(type="MERCHANT_REFUND").count() == 1


def test_a_key_belongs_to_one_body_and_to_one_user(shop):
    order(shop)
    assert problem(order(shop, amount="1300.00")) == (422, "key_reused", [])
    other = support.platform("other-shop")
    assert order(other, order_ref="order-2").status_code == 201
    assert ApiRequest.objects.count() == 2


def test_a_refusal_is_kept_and_an_invalid_request_is_not(shop):
    assert problem(order(shop, amount="9999"))[1] == "above_free"
    assert order(shop, amount="9999")["Idempotent-Replayed"] == "true"
    assert problem(order(shop, key="k2", amount="-1"))[0] == 400
    assert order(shop, key="k2", amount="100").status_code == 201


def test_money_moves_under_a_key_only(shop):
    assert problem(order(shop, key="")) == (400, "invalid", ["Idempotency-Key"])
    assert problem(order(shop, key="with space")) == (400, "invalid", ["Idempotency-Key"])
    assert problem(order(shop, key="x" * 65)) == (400, "invalid", ["Idempotency-Key"])


def test_an_order_known_under_other_terms_is_refused(shop):
    order(shop)
    assert problem(order(shop, key="k2", amount="1300")) == (422, "order_known", ["order_ref"])


def test_a_body_that_is_no_object_or_no_json_is_a_clear_word(shop):
    headers = {"Idempotency-Key": "k"}
    for sent in (b"[]", b"null", b"3", b'"text"'):
        answer = shop.post("/api/v1/purchases/", sent, content_type="application/json", headers=headers)
        assert problem(answer)[0] == 400
    broken = shop.post("/api/v1/purchases/", b'{"amount": ', content_type="application/json", headers=headers)
    assert problem(broken) == (400, "parse_error", [])
    deep = shop.post("/api/v1/purchases/", b"[" * 100_000, content_type="application/json", headers=headers)
    assert problem(deep)[0] == 400
    form = shop.post("/api/v1/purchases/", {"amount": "1"}, format="multipart", headers=headers)
    assert problem(form)[0] == 415
    assert problem(shop.delete("/api/v1/purchases/"))[0] == 405


def test_unknown_fields_are_named(shop):
    assert problem(order(shop, colour="red")) == (400, "invalid", ["colour"])


def test_the_quote_shows_every_plan_with_its_annual_cost(shop):
    plans = shop.get("/api/v1/lines/alice/quote/", {"amount": "1200"}).json()
    assert [plan["tenor"] for plan in plans] == [1, 3, 6, 12]
    for plan in plans:
        assert sum(Decimal(row["total"]) for row in plan["rows"]) == Decimal(plan["total"])
        assert Decimal(plan["annual_cost"]) >= 0
    assert problem(shop.get("/api/v1/lines/alice/quote/"))[2] == ["amount"]
    assert problem(shop.get("/api/v1/lines/alice/quote/", {"amount": "0"}))[2] == ["amount"]


def test_lists_come_in_pages_and_can_be_filtered(shop):
    for number in range(3):
        order(shop, key=f"k{number}", order_ref=f"order-{number}", amount="100")
    post(shop, "/api/v1/purchases/order-0/void/", {}, "void")
    page = shop.get("/api/v1/purchases/", {"page_size": 2}).json()
    assert [row["order_ref"] for row in page["results"]] == ["order-2", "order-1"]
    rest = shop.get(page["next"]).json()
    assert [row["order_ref"] for row in rest["results"]] == ["order-0"]
    voided = shop.get("/api/v1/purchases/", {"state": "VOIDED", "customer": "alice"}).json()
    assert [row["order_ref"] for row in voided["results"]] == ["order-0"]
    assert problem(shop.get("/api/v1/purchases/", {"state": "LOST"})) == (400, "invalid", ["state"])
    afar = {"authorised_at_after": "3151-06-07T06:06:58+21:28"}
    assert problem(shop.get("/api/v1/purchases/", afar)) == (400, "invalid", [])


def test_too_many_requests_are_told_when_to_come_back(shop, settings):
    settings.API_REQUESTS_PER_MINUTE = 2
    answers = [shop.get("/api/v1/lines/alice/") for _ in range(3)]
    if len({answer.status_code for answer in answers}) == 1:  # a minute began in between
        answers = [shop.get("/api/v1/lines/alice/") for _ in range(3)]
    assert problem(answers[-1]) == (429, "throttled", [])
    assert 0 < int(answers[-1]["Retry-After"]) <= 60


def test_a_customer_registers_and_is_shown_without_secrets(shop):
    body = {"platform_ref": "carol", "kind": "PERSON", "name": "Carol", "registered_on": "2025-05-05"}
    number = {"id_number": "11010519491231002X", "phone": "13800138000"}
    made = post(shop, "/api/v1/customers/", body | number)
    assert made.status_code == 201
    shown = shop.get("/api/v1/customers/carol/").json()
    assert (shown["state"], shown["masked_phone"]) == ("PROSPECT", "138****8000")
    assert number["id_number"] not in str(shown)
    assert problem(post(shop, "/api/v1/customers/", body))[1:] == ("known", ["platform_ref"])
    wrong = body | {"platform_ref": "dave", "id_number": "110105194912310021"}
    assert problem(post(shop, "/api/v1/customers/", wrong)) == (422, "id_number", ["id_number"])
    industry = body | {"platform_ref": "dave", "industry": "??"}
    assert problem(post(shop, "/api/v1/customers/", industry)) == (400, "invalid", ["industry"])


def test_a_busy_database_says_so(shop):
    with connection.execute_wrapper(_deadlock):
        answer = order(shop)
    assert problem(answer) == (503, "busy", [])
    assert order(shop).status_code == 201


def _deadlock(execute, sql, params, many, context):
    if 'INSERT INTO "lending_purchase"' in sql:
        raise OperationalError("deadlock detected")
    return execute(sql, params, many, context)
