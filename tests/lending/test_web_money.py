"""Buying, giving back, paying and settling on the pages; and every way to get it wrong."""

from datetime import date
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from lending import gateways, reference
from lending.models import CreditLine, Loan, Payment, Purchase, Transaction
from lending.services import close, lines
from tests.lending import web_support as web

AUTUMN = date(2026, 11, 23)


@pytest.fixture(autouse=True)
def books(db, settings):
    settings.DEMO_SHOP = True
    settings.PAYMENT_GATEWAY = "lending.gateways.sandbox.Sandbox"
    close.open_books(on=AUTUMN)
    reference.starter_products()


@pytest.fixture
def owner():
    return web.with_line()


@pytest.fixture
def bought(owner):
    client, _line = owner
    web.buy(client)
    return client, Purchase.objects.get()


# --- the shop -------------------------------------------------------------------------------------------------------


def test_each_plan_shows_its_full_cost_before_it_is_bought(owner):
    client, _line = owner
    answer = client.get("/shop/shoes/")
    page = answer.content.decode()
    plans = answer.context["form"].plans
    assert [plan.tenor for plan in plans] == [1, 3, 6, 12]
    for plan in plans:
        assert f"¥{plan.total:,.2f}" in page
        assert f"¥{plan.cost:,.2f}" in page
        assert f"{float(plan.annual_cost):.2%}" in page


def test_buying_makes_a_loan_and_uses_the_line(owner):
    client, line = owner
    answer = web.buy(client)
    purchase = Purchase.objects.get()
    assert answer.url == f"/purchases/{purchase.pk}/"
    assert purchase.state == "CAPTURED"
    line.refresh_from_db()
    assert (line.used, line.held) == (Decimal("459.00"), 0)


def test_the_same_form_sent_twice_buys_once(owner):
    client, _line = owner
    order = {"key": web.key_on(client, "/shop/shoes/"), "tenor": 3}
    first, second = client.post("/shop/shoes/", order), client.post("/shop/shoes/", order)
    assert first.url == second.url
    assert Purchase.objects.count() == 1


def test_one_key_does_not_buy_two_things(owner):
    client, _line = owner
    order = {"key": web.key_on(client, "/shop/shoes/"), "tenor": 3}
    client.post("/shop/shoes/", order)
    assert web.errors(client.post("/shop/kettle/", order))
    assert Purchase.objects.count() == 1


def test_a_purchase_above_what_is_free_is_refused_in_words(owner):
    client, _line = owner
    assert web.errors(web.buy(client, "laptop"))
    assert not Purchase.objects.exists()


def test_a_purchase_on_a_suspended_line_is_refused_in_words(owner):
    client, line = owner
    lines.place_hold(line_id=line.pk, cause="STAFF", note="A check.", by=None, at=web.now()["at"])
    assert web.errors(web.buy(client))
    assert not Purchase.objects.exists()


@pytest.mark.parametrize("tenor", ["", "5", "-1", "three"])
def test_a_plan_that_is_not_on_offer_is_refused(owner, tenor):
    client, _line = owner
    assert web.errors(web.buy(client, tenor=tenor), "tenor")


def test_a_form_without_its_key_buys_nothing(owner):
    client, _line = owner
    assert web.errors(client.post("/shop/shoes/", {"tenor": 3}), "key")
    assert not Purchase.objects.exists()


def test_without_a_line_the_shop_leads_to_an_application():
    client, _customer = web.customer()
    assert "/apply/" in client.get("/shop/shoes/").content.decode()
    assert client.post("/shop/shoes/", {"tenor": 3}).status_code == 200
    assert not Purchase.objects.exists()


def test_outside_a_demo_there_is_no_shop(bought, settings):
    client, purchase = bought
    settings.DEMO_SHOP = False
    assert client.get("/shop/").status_code == 404
    assert client.post("/shop/shoes/", {"tenor": 3}).status_code == 404
    assert client.post(f"/purchases/{purchase.pk}/return/", {"amount": "1"}).status_code == 404


# --- returns --------------------------------------------------------------------------------------------------------


def test_a_return_lowers_what_is_owed_once(bought):
    client, purchase = bought
    path = f"/purchases/{purchase.pk}/return/"
    form = {"key": web.key_on(client, path), "amount": "100"}
    for _again in range(2):
        assert client.post(path, form).status_code == 302
    purchase.refresh_from_db()
    assert purchase.refunded == 100
    assert Transaction.objects.filter(type="MERCHANT_REFUND").count() == 1


@pytest.mark.parametrize("amount", ["0", "-1", "1.001", "459.01", ""])
def test_a_return_that_cannot_be_is_refused_at_its_field(bought, amount):
    client, purchase = bought
    assert web.errors(web.submit(client, f"/purchases/{purchase.pk}/return/", amount=amount), "amount")
    assert not Transaction.objects.exclude(type="DISBURSEMENT").exists()


def test_a_spree_of_returns_cuts_the_line_and_says_why(owner):
    client, line = owner
    for _number in range(5):
        bought = web.buy(client, "kettle", tenor=1).url
        web.submit(client, f"{bought}return/", amount="129")
    line.refresh_from_db()
    assert line.base_limit == 2500
    page = client.get("/home/").content.decode()
    assert "¥645.00" in page
    assert "/line/appeal/" in page
    answer = client.post("/line/appeal/", {"text": "Every kettle leaked, so I sent them back."}, follow=True)
    assert "Every kettle leaked" in answer.content.decode()


def test_a_purchase_made_elsewhere_cannot_be_returned_here(bought):
    client, purchase = bought
    Purchase.objects.filter(pk=purchase.pk).update(order_ref="platform-1")
    assert client.post(f"/purchases/{purchase.pk}/return/", {"amount": "1"}).status_code == 404


# --- paying ---------------------------------------------------------------------------------------------------------


def pay(client, amount, outcome="succeed"):
    """Through the gateway and back, as a browser goes."""
    payment = Payment.objects.get(pk=web.submit(client, "/pay/", amount=amount).url.split("/")[2])
    gateway = client.post(f"/payments/{payment.pk}/gateway/").url
    back = client.post(gateway, {"outcome": outcome}).url
    return payment, back, client.get(back)


def test_the_amount_is_what_falls_due_next(bought):
    client, purchase = bought
    first = purchase.loan.instalments.first()
    assert client.get("/pay/").context["form"].initial["amount"] == first.outstanding


def test_a_payment_pays_the_oldest_debt(bought):
    client, purchase = bought
    due = purchase.loan.instalments.first().outstanding
    payment, _back, answer = pay(client, str(due))
    assert answer.url == f"/payments/{payment.pk}/"
    payment.refresh_from_db()
    assert payment.state == "PAID"
    assert purchase.loan.instalments.first().outstanding == 0


def test_the_gateway_may_answer_twice(bought):
    client, _purchase = bought
    _payment, back, _answer = pay(client, "100")
    client.get(back)
    client.post("/payments/return/", dict(parse_qs(urlsplit(back).query)))
    assert Transaction.objects.filter(type="REPAYMENT").count() == 1


def test_a_failed_payment_says_so_and_moves_nothing(bought):
    client, _purchase = bought
    payment, _back, answer = pay(client, "100", "fail")
    assert Payment.objects.get(pk=payment.pk).state == "FAILED"
    assert not Transaction.objects.filter(type="REPAYMENT").exists()
    assert Payment.objects.get().error in client.get(answer.url).content.decode()


def test_the_same_form_sent_twice_starts_one_payment(bought):
    client, _purchase = bought
    form = {"key": web.key_on(client, "/pay/"), "amount": "100"}
    assert client.post("/pay/", form).url == client.post("/pay/", form).url
    assert client.post("/pay/", form | {"amount": "120"}).status_code == 302
    assert sorted(Payment.objects.values_list("amount", flat=True)) == [100, 120]


@pytest.mark.parametrize("amount", ["0", "-5", "1.001", "99999", "", "ten", "NaN"])
def test_an_amount_that_cannot_be_paid_is_refused_at_its_field(bought, amount):
    client, _purchase = bought
    assert web.errors(web.submit(client, "/pay/", amount=amount), "amount")
    assert not Payment.objects.exists()


def test_whoever_owes_nothing_is_told_so(owner):
    client, _line = owner
    assert "key" not in client.get("/pay/").content.decode()
    key = "0" * 8 + "-0000-4000-8000-" + "0" * 12
    assert web.errors(client.post("/pay/", {"key": key, "amount": "5"}))
    assert not Payment.objects.exists()


@pytest.fixture
def answered(bought):
    """A payment at the gateway, and the honest answer to it."""
    client, _purchase = bought
    client.post("/pay/", {"key": web.key_on(client, "/pay/"), "amount": "100"})
    payment = Payment.objects.get()
    return client, payment, gateways.current().answer(payment, "fail")


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "succeed"},
        {"amount": "0.01"},
        {"reference": "another"},
        {"signature": ""},
        {"signature": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_forged_answer_is_turned_away(answered, change, method):
    client, payment, honest = answered
    answer = getattr(client, method)("/payments/return/", honest | change)
    assert answer.status_code == 403
    payment.refresh_from_db()
    assert payment.state == "STARTED"
    assert not Transaction.objects.filter(type="REPAYMENT").exists()


def test_an_answer_without_anything_is_turned_away(answered):
    client, _payment, _honest = answered
    assert client.get("/payments/return/").status_code == 403


def test_without_a_gateway_nobody_can_pay_and_nothing_breaks(answered, settings):
    client, payment, _honest = answered
    settings.PAYMENT_GATEWAY = ""
    answer = client.post(f"/payments/{payment.pk}/gateway/", follow=True)
    assert answer.status_code == 200
    assert list(answer.context["messages"])
    assert client.get(f"/sandbox/{payment.reference}/").status_code == 404
    assert client.get("/payments/return/", {"reference": "x"}).status_code == 403


# --- settling -------------------------------------------------------------------------------------------------------


def test_a_loan_is_settled_at_the_price_that_was_shown(bought):
    client, purchase = bought
    path = f"/loans/{purchase.loan_id}/settle/"
    quoted = client.get(path).context["payoff"].total
    answer = web.submit(client, path, quoted=str(quoted), agreed="on")
    payment = Payment.objects.get()
    assert answer.url == f"/payments/{payment.pk}/"
    client.get(client.post(f"/sandbox/{payment.reference}/", {"outcome": "succeed"}).url)
    assert Loan.objects.get().state == "SETTLED"
    assert CreditLine.objects.get().used == 0


def test_a_price_that_is_no_longer_right_is_shown_again(bought):
    client, purchase = bought
    path = f"/loans/{purchase.loan_id}/settle/"
    answer = web.submit(client, path, quoted="1.00", agreed="on")
    assert web.errors(answer)
    assert f'value="{answer.context["payoff"].total}"' in answer.content.decode()
    assert not Payment.objects.exists()


def test_settling_needs_the_tick(bought):
    client, purchase = bought
    path = f"/loans/{purchase.loan_id}/settle/"
    quoted = client.get(path).context["payoff"].total
    assert web.errors(web.submit(client, path, quoted=str(quoted)), "agreed")


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_loan_shows_its_schedule_with_totals(bought):
    client, purchase = bought
    answer = client.get(f"/loans/{purchase.loan_id}/")
    totals = answer.context["totals"]
    assert totals["total"] == totals["outstanding"] == sum(row.total for row in answer.context["rows"])
    assert f"{totals['total']:,.2f}" in answer.content.decode()


def test_a_bill_shows_what_is_on_it(bought):
    client, purchase = bought
    bill = web.bill(purchase.line)
    answer = client.get(f"/bills/{bill.pk}/")
    assert answer.context["totals"]["total"] == bill.amount
    assert f"/bills/{bill.pk}/" in client.get("/bills/").content.decode()
