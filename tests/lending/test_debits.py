"""Direct debits: signed, announced, tried in order, posted once, given up with a word; and everything in between."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from lending import gateways
from lending.engine import debit as engine
from lending.errors import Refused
from lending.gateways.sandbox import Sandbox
from lending.models import (
    BankLine,
    Debit,
    DebitAttempt,
    Loan,
    Mandate,
    MandateAccount,
    Notice,
    Payment,
    UnappliedMoney,
)
from lending.services import bank, debits, loans, mandates
from tests.lending import web_support as web
from tests.lending.admin_support import button, desk, page, words

from .conftest import MONDAY, moment

D = Decimal
Make = Callable[..., Any]
GOOD, EMPTY, CLOSED, SILENT = "6222020000009999", "6222020000000001", "6222020000000002", "6222020000000004"
DUE = date(2026, 3, 11)


@pytest.fixture(autouse=True)
def sandbox(settings: Any) -> None:
    settings.PAYMENT_GATEWAY = "lending.gateways.sandbox.Sandbox"


@pytest.fixture
def sign(make_loan: Make, at: datetime) -> Make:
    """A loan of three times 406.00, due first on 11 March, with a mandate on these accounts."""

    def make(*numbers: str, limit: str = "5000", **values: Any) -> Loan:
        loan = make_loan("1200", 3)
        accounts = [("ICBC", number) for number in numbers or (GOOD,)]
        stamp = {"by": None, "at": at, "on": MONDAY}
        mandates.sign(customer_id=loan.customer_id, accounts=accounts, limit=D(limit), **stamp, **values)
        return loan

    return make


def day(on: date = DUE, hour: int = 9) -> dict[str, Any]:
    return {"on": on, "at": moment(on, hour)}


def run(on: date = DUE, hour: int = 9) -> int:
    debits.plan(**day(on, hour))
    return debits.collect(**day(on, hour))


def paid(loan: Loan) -> list[Decimal]:
    return list(loan.transactions.filter(type="REPAYMENT").values_list("amount", flat=True))


def debit() -> Debit:
    return Debit.objects.get()


# --- the checks, on plain values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owing", "due", "limit", "payoff", "amount", "stop"),
    [
        (False, "0", "0", "0", "0", "CLOSED"),
        (False, "10", "5", "10", "0", "CLOSED"),
        (True, "0", "5", "10", "0", "CURRENT"),
        (True, "10", "0", "10", "0", "NO_AMOUNT"),
        (True, "10", "8", "100", "8", ""),
        (True, "10", "20", "7", "7", ""),
        (True, "10", "20", "30", "10", ""),
    ],
)
def test_closed_then_current_then_amount_then_payoff(
    owing: bool, due: str, limit: str, payoff: str, amount: str, stop: str
) -> None:
    verdict = engine.judge(engine.Facts(owing, D(due), D(limit), D(payoff)))
    assert (verdict.amount, verdict.stop) == (D(amount), stop)


def test_the_days_to_try_are_counted_from_the_due_day() -> None:
    days = [7, 0, 1, 3]
    tries = [DUE]
    while following := engine.next_try(DUE, tries[-1], days):
        tries.append(following)
    assert [(one - DUE).days for one in tries] == [0, 1, 3, 7]


# --- announcing and taking --------------------------------------------------------------------------------------


def test_what_is_due_is_announced_before_and_taken_on_the_day(sign: Make, run_to: Make) -> None:
    loan = sign()
    assert run(DUE - timedelta(days=3)) == 0
    assert not Debit.objects.exists()
    run(DUE - timedelta(days=2))
    assert (debit().state, debit().amount, debit().next_on) == ("PLANNED", D("406.00"), DUE)
    announced = Notice.objects.filter(template__code="debit_planned")
    assert "6222********9999" in announced.first().body
    count = announced.count()
    run_to(DUE)
    assert run() == 1
    assert run() == 0, "a second run takes nothing"
    assert (debit().state, debit().collected, paid(loan)) == ("PAID", D("406.00"), [D("406.00")])
    assert announced.count() == count
    assert Payment.objects.get().state == "PAID"


def test_a_customer_who_paid_before_is_left_alone(sign: Make, run_to: Make, at: datetime) -> None:
    loan = sign()
    run(DUE - timedelta(days=2))
    loans.repay(loan_id=loan.pk, amount=D("406"), key="p", by=None, at=at, on=MONDAY)
    run_to(DUE)
    assert run() == 0
    assert (debit().state, debit().reason) == ("STOPPED", "CURRENT")


def test_a_settled_loan_is_closed(sign: Make, run_to: Make, at: datetime) -> None:
    loan = sign()
    run(DUE - timedelta(days=2))
    loans.settle(loan_id=loan.pk, key="s", by=None, at=at, on=MONDAY)
    run_to(DUE)
    run()
    assert (debit().state, debit().reason) == ("STOPPED", "CLOSED")


def test_never_more_than_the_mandate_allows(sign: Make, run_to: Make) -> None:
    loan = sign(limit="100")
    run(DUE - timedelta(days=2))
    run_to(DUE)
    run()
    assert paid(loan) == [D("100.00")]


def test_fallback_accounts_are_asked_in_their_order(sign: Make, run_to: Make) -> None:
    loan = sign(CLOSED, EMPTY, GOOD)
    run(DUE - timedelta(days=2))
    run_to(DUE)
    assert run() == 3
    codes = list(DebitAttempt.objects.order_by("number").values_list("code", "account__position"))
    assert codes == [("CLOSED_ACCOUNT", 1), ("INSUFFICIENT", 2), ("OK", 3)]
    assert MandateAccount.objects.get(position=1).closed_at
    assert paid(loan) == [D("406.00")]
    assert not Notice.objects.filter(template__code="debit_failed").exists()


def test_an_empty_account_is_asked_again_on_the_days_of_the_rule_and_then_no_more(
    sign: Make, run_to: Make
) -> None:
    sign(EMPTY)
    run(DUE - timedelta(days=2))
    asked = []
    for ahead in range(10):
        on = DUE + timedelta(days=ahead)
        run_to(on)
        asked += [ahead] * run(on)
        run(on, hour=20)
    assert asked == [0, 1, 3, 7]
    assert (debit().state, debit().reason, debit().next_on) == ("FAILED", "TRIES", None)
    told = Notice.objects.filter(template__code="debit_failed", channel="IN_APP")
    assert told.count() == 4


def test_when_the_only_account_is_closed_nothing_is_tried_again(sign: Make, run_to: Make) -> None:
    sign(CLOSED)
    run(DUE - timedelta(days=2))
    run_to(DUE)
    assert run() == 1
    assert (debit().state, debit().reason) == ("FAILED", "NO_ACCOUNT")


def test_the_rule_of_a_product_goes_before_the_house_s(sign: Make, run_to: Make, settings: Any) -> None:
    settings.AUTO_DEBIT = {
        "notice_days": 2,
        "retry_days": [0, 1, 3],
        "products": {"pay-later": {"notice_days": 4, "retry_days": [0]}},
    }
    sign(EMPTY)
    run(DUE - timedelta(days=4))
    assert debit().amount == D("406.00")
    run_to(DUE)
    run()
    assert debit().state == "FAILED"


def test_a_debit_without_an_answer_is_asked_again_under_its_reference_and_posted_once(
    sign: Make, run_to: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    loan = sign(SILENT)
    run(DUE - timedelta(days=2))
    run_to(DUE)
    assert run() == 1
    assert DebitAttempt.objects.get().state == "SENT"
    assert run() == 0, "not while the answer may still come"
    asked: list[str] = []

    def answer(self: Sandbox, order: gateways.Order) -> gateways.Taken:
        asked.append(order.reference)
        return gateways.Taken("OK")

    monkeypatch.setattr(Sandbox, "debit", answer)
    assert run(hour=10) == 1
    assert asked == [DebitAttempt.objects.get().reference]
    attempt = DebitAttempt.objects.get()
    debits._hear(attempt.pk, gateways.Taken("OK"), **day())
    assert paid(loan) == [D("406.00")]


def test_an_answer_that_comes_after_the_debt_went_is_held_for_the_customer(
    sign: Make, run_to: Make, at: datetime
) -> None:
    loan = sign(SILENT)
    run(DUE - timedelta(days=2))
    then = run_to(DUE)
    run()
    loans.settle(loan_id=loan.pk, key="s", by=None, at=then, on=DUE)
    debits._hear(DebitAttempt.objects.get().pk, gateways.Taken("OK"), **day())
    assert UnappliedMoney.objects.get().customer_id == loan.customer_id


@pytest.mark.parametrize("end", ["revoke", "suspend"])
def test_nothing_is_taken_under_a_mandate_that_was_taken_back(sign: Make, run_to: Make, end: str) -> None:
    loan = sign()
    run(DUE - timedelta(days=2))
    then = run_to(DUE)
    getattr(mandates, end)(mandate_id=Mandate.objects.get().pk, reason="asked", by=None, at=then)
    run()
    assert (debit().state, debit().reason, paid(loan)) == ("STOPPED", "MANDATE", [])


def test_a_mandate_runs_out_in_the_close(sign: Make, run_to: Make) -> None:
    sign(valid_to=DUE - timedelta(days=1))
    run(DUE - timedelta(days=2))
    assert not Debit.objects.exists(), "nothing is planned beyond its last day"
    run_to(DUE)
    assert Mandate.objects.get().state == "EXPIRED"
    assert Notice.objects.filter(template__code="mandate_ended").exists()


def test_money_from_a_signed_account_is_known_at_the_bank(sign: Make, at: datetime) -> None:
    loan = sign()
    text = f"date,amount,payer account\n2026-03-02,406,{GOOD}\n"
    bank.take_in(name="s", content=text.encode(), account="main", by=None, at=at)
    bank.match_lines(at=at, on=MONDAY)
    assert (BankLine.objects.get().state, paid(loan)) == ("POSTED", [D("406.00")])


# --- signing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "limit", "field"),
    [
        ([], "10", "number_1"),
        (["123"], "10", "number_1"),
        (["no digits"], "10", "number_1"),
        ([GOOD, GOOD], "10", "number_2"),
        ([GOOD] * 4, "10", "number_1"),
        ([GOOD], "0", "limit"),
        ([GOOD], "-1", "limit"),
        ([GOOD], "1.005", "limit"),
    ],
)
def test_what_cannot_be_signed_is_refused_at_its_field(
    make_customer: Make, at: datetime, numbers: list[str], limit: str, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        mandates.sign(
            customer_id=make_customer().pk,
            accounts=[("ICBC", number) for number in numbers],
            limit=D(limit),
            by=None,
            at=at,
            on=MONDAY,
        )
    assert refused.value.field == field
    assert not Mandate.objects.exists()


@pytest.fixture
def customer(books: date) -> tuple[Client, Any]:
    return web.customer()


FORM = {"bank_1": "ICBC", "number_1": "6222 0200 0000 9999", "limit": "2,000", "agreed": "on"}


def test_a_customer_signs_and_ends_it_on_the_web(customer: tuple[Client, Any]) -> None:
    client, owner = customer
    assert client.get("/me/debit/").status_code == 200
    assert client.post("/me/debit/", FORM).url == "/me/debit/"
    shown = client.get("/me/debit/").content.decode()
    assert "6222********9999" in shown
    assert GOOD not in shown
    mandate = owner.mandates.get()
    assert (mandate.state, mandate.limit_per_debit) == ("ACTIVE", D("2000.00"))
    stranger, _other = web.customer("mei@example.com")
    assert stranger.post(f"/me/debit/{mandate.pk}/end/").status_code == 404
    client.post(f"/me/debit/{mandate.pk}/end/")
    again = client.post(f"/me/debit/{mandate.pk}/end/", follow=True)
    assert again.status_code == 200
    mandate.refresh_from_db()
    assert mandate.state == "REVOKED"
    client.post("/me/debit/", FORM)
    assert owner.mandates.filter(state="ACTIVE").count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"agreed": ""}, "agreed"),
        ({"number_1": "x"}, "number_1"),
        ({"number_2": "6222020000009999", "bank_2": "ABC"}, "number_2"),
        ({"number_2": "6222020000008888"}, "bank_2"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1.234"}, "limit"),
        ({"valid_to": "2020-01-01"}, "valid_to"),
    ],
)
def test_the_form_says_what_is_wrong(customer: tuple[Client, Any], change: dict, field: str) -> None:
    client, owner = customer
    assert web.errors(client.post("/me/debit/", FORM | change), field)
    assert not owner.mandates.exists()


def test_without_a_gateway_nothing_can_be_signed(customer: tuple[Client, Any], settings: Any) -> None:
    settings.PAYMENT_GATEWAY = ""
    client, owner = customer
    assert web.errors(client.post("/me/debit/", FORM))
    assert not owner.mandates.exists()


# --- at the desk ------------------------------------------------------------------------------------------------


def test_staff_suspend_resume_revoke_and_call_off(sign: Make) -> None:
    sign()
    run(DUE - timedelta(days=2))
    mandate, client = Mandate.objects.get(), desk("accountant")
    assert "6222********9999" in words(client.get(page(mandate)))
    client.post(button(mandate, "suspend"), {"reason": "asked by phone"})
    client.post(button(mandate, "resume"))
    assert client.get(page(debit())).status_code == 200
    client.post(button(debit(), "stop"))
    assert (debit().state, debit().reason) == ("STOPPED", "STAFF")
    client.post(button(mandate, "revoke"), {"reason": "fraud"})
    mandate.refresh_from_db()
    assert mandate.state == "REVOKED"
    assert "has moved on" in words(client.post(button(mandate, "resume"), follow=True))
    assert desk("collector").post(button(mandate, "revoke"), {"reason": "x"}).status_code == 403
    for name in ("mandate", "debit"):
        assert client.get(f"/admin/lending/{name}/?q=1").status_code == 200
