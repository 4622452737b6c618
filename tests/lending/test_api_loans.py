"""Loans through the API: read them, and post what came in for them, once."""

from datetime import timedelta
from decimal import Decimal

import pytest

from lending.models import JournalEntry, Loan, Transaction
from tests.lending import api_support as support
from tests.lending.api_support import post, problem
from tests.lending.conftest import MONDAY


@pytest.fixture
def loan(make_loan, make_line, make_customer):
    return make_loan("1200", line=make_line("5000", customer=make_customer(platform_ref="alice")))


@pytest.fixture
def shop(db):
    return support.platform()


def repay(client, loan, key="k1", **body):
    return post(client, f"/api/v1/loans/{loan.pk}/repayments/", {"amount": "300.00"} | body, key)


def test_a_loan_shows_what_is_owed_and_when(shop, loan):
    listed = shop.get("/api/v1/loans/", {"customer": "alice", "state": "ACTIVE"}).json()["results"]
    assert [one["number"] for one in listed] == [str(loan)]
    assert shop.get("/api/v1/loans/", {"customer": "bob"}).json()["results"] == []
    shown = shop.get(f"/api/v1/loans/{loan.pk}/").json()
    assert shown["principal"] == "1200.00"
    assert [row["number"] for row in shown["instalments"]] == [1, 2, 3]
    assert sum(Decimal(row["principal"]) for row in shown["instalments"]) == 1200


def test_a_repayment_is_posted_once_however_often_it_is_sent(shop, loan):
    first, again = repay(shop, loan), repay(shop, loan)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again["Idempotent-Replayed"] == "true"
    assert first.json() == again.json()
    posted = Transaction.objects.get(type="REPAYMENT")
    assert (posted.amount, posted.by.username) == (Decimal("300.00"), "shop")
    assert Loan.objects.get().principal == 1200 - posted.principal


@pytest.mark.parametrize("amount", ["0", "-1", "1.001", "ten", None])
def test_an_amount_that_is_none_is_refused_at_its_field(shop, loan, amount):
    assert problem(repay(shop, loan, amount=amount))[2] == ["amount"]
    assert not Transaction.objects.filter(type="REPAYMENT").exists()


def test_what_cannot_be_is_refused_and_nothing_is_written(shop, loan):
    before = JournalEntry.objects.count()
    tomorrow, before_birth = MONDAY + timedelta(days=1), MONDAY - timedelta(days=1)
    assert problem(repay(shop, loan, "a", currency="USD"))[1:] == ("currency", ["currency"])
    assert problem(repay(shop, loan, "b", value_on=str(tomorrow)))[1:] == ("future", ["value_on"])
    assert problem(repay(shop, loan, "c", value_on=str(before_birth)))[1] == "before_disbursement"
    assert problem(post(shop, "/api/v1/loans/999999/repayments/", {"amount": "1"}, "d"))[0] == 404
    assert problem(post(shop, f"/api/v1/loans/{loan.pk}/repayments/", {"amount": "1"}))[0] == 400  # no key
    assert JournalEntry.objects.count() == before


def test_a_key_that_was_used_for_another_amount_is_refused(shop, loan):
    repay(shop, loan)
    assert problem(repay(shop, loan, amount="301.00"))[0] == 422


def test_more_than_is_owed_becomes_a_credit_balance_and_the_next_is_refused(shop, loan):
    assert Decimal(repay(shop, loan, amount="5000.00").json()["credit"]) > 0
    assert Loan.objects.get().state == "SETTLED"
    assert problem(repay(shop, loan, "k2"))[:2] == (409, "loan_closed")
