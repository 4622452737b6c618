"""The link in a message: it opens one page, for one customer, for a while, and does nothing but pay."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from lending import pay_links
from lending.models import Loan, Notice, Payment, Transaction
from lending.services import loans, notices
from lending.views import pay_link as view

from .conftest import MONDAY

D = Decimal
Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def sandbox(settings: Any) -> None:
    settings.PAYMENT_GATEWAY = "lending.gateways.sandbox.Sandbox"
    cache.clear()


@pytest.fixture
def loan(make_loan: Make) -> Loan:
    return make_loan("1200", 3)


def path(loan: Loan, on: date = MONDAY) -> str:
    return f"/p/{pay_links.token(loan.customer_id, on)}/"


def form_on(client: Client, address: str, **values: str) -> dict[str, str]:
    found = re.search(r'name="key" value="([0-9a-f-]{36})"', client.get(address).content.decode())
    assert found
    return {"key": found.group(1), "what": "due"} | values


def pay(client: Client, address: str, outcome: str = "succeed", **values: str) -> Any:
    started = client.post(address, form_on(client, address, **values))
    assert started.url.startswith("/sandbox/"), started.url
    assert client.get(started.url).status_code == 200
    answer = client.post(started.url, {"outcome": outcome})
    return client.get(answer.url, follow=True)


def test_a_reminder_carries_a_link_that_pays_without_signing_in(loan: Loan, at: Any) -> None:
    context = {"amount": D("406"), "due_on": date(2026, 3, 11)}
    notices.queue(customer=loan.customer, template="reminder_before_due", context=context, key="k", at=at)
    found = re.search(r"http://[^/]+(/p/\S+/)", Notice.objects.first().body)
    assert found
    client = Client()
    shown = client.get(found.group(1)).content.decode()
    assert "李*" in shown
    assert "李雷" not in shown
    assert "¥406.00" in shown
    done = pay(client, found.group(1))
    assert "We have received your payment." in done.content.decode()
    assert Transaction.objects.get(type="REPAYMENT").amount == D("406.00")


def test_everything_can_be_paid_at_our_figure_only(loan: Loan) -> None:
    owed = sum(row.outstanding for row in loan.instalments.all())
    pay(Client(), path(loan), what="all", amount="0.01")
    assert Payment.objects.get().amount == owed
    client = Client()
    assert "Nothing is owed at present." in client.get(path(loan)).content.decode()
    assert client.post(path(loan), {"what": "due", "key": "x"}).status_code == 200
    assert Payment.objects.count() == 1


def test_a_payment_that_fails_says_so(loan: Loan) -> None:
    assert "Nothing was taken." in pay(Client(), path(loan), outcome="fail").content.decode()
    assert not Transaction.objects.filter(type="REPAYMENT").exists()


def test_the_same_form_twice_starts_one_payment(loan: Loan) -> None:
    client = Client()
    form = form_on(client, path(loan))
    assert client.post(path(loan), form).url == client.post(path(loan), form).url
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("what", ["", "nothing", "-1"])
def test_a_wrong_choice_is_an_error_of_the_form(loan: Loan, what: str) -> None:
    client = Client()
    assert client.post(path(loan), form_on(client, path(loan), what=what)).status_code == 200
    assert not Payment.objects.exists()


def test_a_link_ends_after_its_days(loan: Loan) -> None:
    client, days = Client(), timedelta(days=pay_links.DAYS)
    assert client.get(path(loan, MONDAY - days)).status_code == 200
    old = client.get(path(loan, MONDAY - days - timedelta(days=1)))
    assert old.status_code == 410
    assert "This link has ended." in old.content.decode()
    assert "406" not in old.content.decode()


def test_a_link_that_was_changed_is_not_found(loan: Loan, make_customer: Make) -> None:
    other = make_customer("韩梅梅")
    mine = pay_links.token(loan.customer_id, MONDAY)
    for text in (
        mine.replace(f"{loan.customer_id}.", f"{other.pk}.", 1),
        mine[:-1] + ("A" if mine[-1] != "A" else "B"),
        "x",
        "1.20990101",
        f"{loan.customer_id}.20990101:" + mine.split(":")[1],
    ):
        assert Client().get(f"/p/{text}/").status_code == 404


def test_a_link_opens_nothing_else(loan: Loan) -> None:
    client = Client()
    client.post(path(loan), form_on(client, path(loan)))
    payment = Payment.objects.get()
    assert client.get(f"/payments/{payment.pk}/").status_code == 302
    assert client.get("/home/").status_code == 302
    assert Client().get(f"/sandbox/{payment.reference}/").status_code == 302, (
        "another browser has no key to it"
    )
    assert Client().get("/p/paid/").status_code == 404


def test_guessing_is_slowed_down(loan: Loan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "MOST", 3)
    client = Client()
    assert [client.get("/p/guess/").status_code for _try in range(5)] == [404, 404, 404, 429, 429]
    assert client.get(path(loan)).status_code == 429


def test_money_that_comes_when_nothing_is_owed_any_more_is_held(loan: Loan, at: Any) -> None:
    client = Client()
    started = client.post(path(loan), form_on(client, path(loan)))
    loans.settle(loan_id=loan.pk, key="s", by=None, at=at, on=MONDAY)
    answer = client.post(started.url, {"outcome": "succeed"})
    assert client.get(answer.url, follow=True).status_code == 200
    assert loan.customer.unapplied.get().amount == D("406.00")
