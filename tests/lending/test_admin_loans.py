"""The buttons of a loan: a form, a preview with both schedules, and only then the deed."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from lending.models import (
    ApprovalRequest,
    BusinessDate,
    JournalLine,
    Loan,
    Offer,
    Product,
    ReliefRequest,
    Transaction,
    UnappliedMoney,
)
from lending.services import applications, loans, offers, restructure, tranches
from tests.lending.admin_support import button, desk, page, words

D = Decimal
Make = Callable[..., Any]


def key_of(response: Any) -> str:
    found = re.search(r'name="key" value="([^"]+)"', response.content.decode())
    assert found
    return found.group(1)


def seen_on(response: Any) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', response.content.decode())
    assert found
    return found.group(1)


def fill(client: Client, record: Any, name: str, **values: Any) -> tuple[dict[str, Any], Any]:
    """The form as a browser would send it with the preview button; returns what it sent and the answer."""
    blank = client.get(button(record, name))
    assert blank.status_code == 200
    form = {"key": key_of(blank)} | values
    return form, client.post(button(record, name), form | {"step": "preview"})


def test_a_prepayment_is_shown_then_confirmed(make_loan: Make) -> None:
    loan, accountant = make_loan("1200", 6), desk("accountant")
    today = BusinessDate.current().isoformat()
    form, shown = fill(accountant, loan, "prepay", amount="500", kind="LOWER", channel="bank", value_on=today)
    text = words(shown)
    for part in (
        "What this will do",
        "Schedule before and after",
        "Entry in the books",
        "1002",
        "500.00",
        "Confirm",
    ):
        assert part in text
    assert shown.content.decode().count("staff-changed") > 5
    assert not loan.transactions.filter(type="PREPAYMENT").exists()
    seen = seen_on(shown)
    changed = accountant.post(button(loan, "prepay"), form | {"step": "edit"})
    assert "Confirm" not in words(changed) and 'value="500"' in changed.content.decode()
    done = accountant.post(button(loan, "prepay"), form | {"step": "confirm", "seen": seen}, follow=True)
    assert "The prepayment is booked." in words(done)
    assert loan.transactions.get(type="PREPAYMENT").amount == D("500.00")
    again = accountant.post(button(loan, "prepay"), form | {"step": "confirm"}, follow=True)
    assert again.status_code == 200
    assert loan.transactions.filter(type="PREPAYMENT").count() == 1


def test_a_repayment_dated_ahead_is_held(make_loan: Make) -> None:
    loan, accountant = make_loan("1200", 6), desk("accountant")
    ahead = BusinessDate.current() + timedelta(days=3)
    form, shown = fill(accountant, loan, "repay", amount="10", channel="bank", value_on=ahead.isoformat())
    assert "before that day closes" in words(shown)
    sent = form | {"step": "confirm", "seen": seen_on(shown)}
    done = accountant.post(button(loan, "repay"), sent, follow=True)
    assert "will be posted when its day closes" in words(done)
    held = UnappliedMoney.objects.get()
    assert (held.loan_id, held.value_on, held.left) == (loan.pk, ahead, D("10.00"))
    assert not loan.transactions.filter(type="REPAYMENT").exists()


def test_a_preview_that_no_longer_holds_is_shown_again(make_loan: Make, at: Any) -> None:
    loan, accountant = make_loan("1200", 6), desk("accountant")
    today = BusinessDate.current()
    form, shown = fill(accountant, loan, "repay", amount="10", channel="bank", value_on=today.isoformat())
    loans.repay(loan_id=loan.pk, amount=D("5"), key="other", by=None, at=at, on=today)
    answer = accountant.post(button(loan, "repay"), form | {"step": "confirm", "seen": seen_on(shown)})
    assert "has moved in the meantime" in words(answer)
    assert loan.transactions.filter(type="REPAYMENT").count() == 1
    accountant.post(button(loan, "repay"), form | {"step": "confirm", "seen": seen_on(answer)})
    assert loan.transactions.filter(type="REPAYMENT").count() == 2


@pytest.mark.parametrize(
    ("name", "values", "words_"),
    [
        ("reschedule", {"instalments": "12", "accrued": "CARRY"}, "New schedule"),
        (
            "hardship",
            {"instalments": "9", "skip": "2", "skipped_interest": "CARRY", "accrued": "CARRY"},
            "Hardship",
        ),
        (
            "holiday",
            {
                "instalments": "2",
                "skipped_interest": "CARRY",
                "overdue_principal": "KEEP",
                "overdue_interest": "KEEP",
                "overdue_penalty": "KEEP",
            },
            "holiday",
        ),
    ],
)
def test_relief_is_previewed_and_then_asked_for(
    name: str, values: dict[str, str], words_: str, make_loan: Make
) -> None:
    loan, officer = make_loan("1200", 6), desk("credit_officer")
    arrears = {"overdue_interest": "CARRY", "overdue_fee": "CARRY", "overdue_penalty": "WAIVE"}
    form, shown = fill(officer, loan, name, note="Illness", **arrears | values)
    assert words_ in words(shown) and "Nothing moves in the books today." in words(shown)
    assert (loan.transactions.count(), ApprovalRequest.objects.count()) == (1, 0)
    answer = officer.post(button(loan, name), form | {"step": "confirm", "seen": seen_on(shown)}, follow=True)
    assert "A second person is asked" in words(answer)
    asked = ApprovalRequest.objects.get()
    approver = desk("senior_approver")
    assert "instalments: " in words(approver.get(page(asked)))
    approver.post(button(asked, "approve"), {"remark": "yes"})
    loan.refresh_from_db()
    assert loan.transactions.count() == 2
    assert loan.watch_until == date(2027, 3, 2)


def test_arrears_are_moved_from_the_page(make_loan: Make, run_to: Callable[[date], Any]) -> None:
    loan, collector = make_loan("1200", 3), desk("collector")
    run_to(date(2026, 3, 14))
    for name, values in (("reage", {"instalments": "2"}), ("reamortise", {})):
        arrears = {"overdue_interest": "CARRY", "overdue_fee": "CARRY", "overdue_penalty": "CARRY"}
        _form, shown = fill(collector, loan, name, note="Agreed", **arrears | values)
        assert "406.00" in words(shown) and "Confirm" in words(shown)
    form, shown = fill(collector, loan, "accelerate", note="Fraud")
    assert "Active → Accelerated" in words(shown)
    collector.post(button(loan, "accelerate"), form | {"step": "confirm", "seen": seen_on(shown)})
    assert ApprovalRequest.objects.get().command == "loan.accelerate"


def test_refusals_are_words_in_the_form(make_loan: Make) -> None:
    loan, accountant, officer = make_loan("1200", 6), desk("accountant"), desk("credit_officer")
    dated = {"channel": "bank", "value_on": "2026-03-03"}
    for value, fault in (("0", "greater than or equal"), ("1.001", "2 decimal places"), ("", "required")):
        _form, shown = fill(accountant, loan, "prepay", amount=value, kind="LOWER", **dated)
        assert fault in words(shown)
    _form, shown = fill(accountant, loan, "prepay", amount="5", kind="LOWER", **dated)
    assert "The date lies in the future." in words(shown)
    _form, shown = fill(accountant, loan, "prepay", amount="5", kind="FASTER", **dated)
    assert "FASTER is not one of the available choices" in words(shown)
    _form, shown = fill(officer, loan, "reage", note="x", instalments="3")
    assert "This would change nothing." in words(shown)
    _form, shown = fill(
        officer,
        loan,
        "reschedule",
        note="x",
        accrued="CARRY",
        first_due_on="2026-03-02",
        annual_rate="2",
        overdue_interest="CARRY",
        overdue_fee="CARRY",
        overdue_penalty="CARRY",
    )
    assert "must lie in the future" in words(shown) and "less than or equal to 1" in words(shown)
    assert loan.transactions.count() == 1


def test_each_verb_asks_for_its_permission(make_loan: Make) -> None:
    loan = make_loan("1200", 6)
    for role, may, may_not in (
        ("accountant", ("repay", "prepay", "refund"), ("reschedule", "accelerate")),
        ("credit_officer", ("reschedule", "holiday"), ("repay", "accelerate", "refund", "write_off")),
        ("collector", ("reage", "accelerate"), ("repay", "refund", "disburse")),
        ("risk_analyst", (), ("repay", "reschedule", "accelerate", "refund")),
    ):
        client = desk(role)
        assert {client.get(button(loan, name)).status_code for name in may} <= {200}
        assert {client.get(button(loan, name)).status_code for name in may_not} == {403}


def test_a_payment_is_charged_back_and_the_reversal_of_a_payout_refused(make_loan: Make, at: Any) -> None:
    loan, accountant = make_loan("1200", 6), desk("accountant")
    paid = loans.repay(loan_id=loan.pk, amount=D("300"), key="r", by=None, at=at, on=BusinessDate.current())
    form, shown = fill(accountant, paid, "charge_back", amount="300", note="No funds")
    assert "300.00" in words(shown)
    accountant.post(button(paid, "charge_back"), form | {"step": "confirm", "seen": seen_on(shown)})
    assert loan.transactions.get(type="CHARGEBACK").details == {"of": paid.pk}
    out = loan.transactions.get(type="DISBURSEMENT")
    _form, shown = fill(accountant, out, "reverse", note="x")
    assert "Refund the purchase" in words(shown)


def test_a_loan_goes_out_in_tranches(make_customer: Make, product: Make, at: Any) -> None:
    shelf = Product.objects.filter(kind="LOAN", state="LIVE").first()
    assert shelf
    customer = make_customer(kind=shelf.audience)
    stamp = {"by": None, "at": at}
    asked = applications.start(
        customer_id=customer.pk, product_id=shelf.pk, amount=shelf.max_amount, tenor=shelf.tenors[-1], **stamp
    )
    applications.submit(application_id=asked.pk, **stamp)
    whole, first = shelf.max_amount, (shelf.max_amount / 4).quantize(D("0.01"))
    officer = desk("senior_approver")
    answer = officer.post(button(asked, "plan_tranches"), {"first": str(whole)})
    assert "must be less than the whole" in words(answer)
    officer.post(button(asked, "plan_tranches"), {"first": str(first)})
    on = BusinessDate.current()
    decided = applications.decide(application_id=asked.pk, outcome="APPROVE", on=on, amount=whole, **stamp)
    offer = decided.offers.get()
    offers.show(offer_id=offer.pk, **stamp)
    Offer.objects.filter(pk=offer.pk).update(shown_at=at - timedelta(minutes=1))
    offers.accept(offer_id=offer.pk, on=on, **stamp)
    loan = Loan.objects.get(application=asked)
    assert (loan.principal, loan.principal_amount) == (first, whole)
    text = words(officer.get(page(loan)))
    assert f"{whole - first:,.2f}" in text
    form, shown = fill(officer, loan, "disburse", amount=str(whole - first + 1))
    assert "More than is left of the agreed amount." in words(shown)
    form, shown = fill(officer, loan, "disburse", amount=str(whole - first))
    officer.post(button(loan, "disburse"), form | {"step": "confirm", "seen": seen_on(shown)})
    loan.refresh_from_db()
    assert loan.principal == whole
    fees = JournalLine.objects.filter(loan=loan, account_id="6021")
    assert sum(line.amount for line in fees) == -D(loan.terms.get("upfront_fee", "0"))
    tail = Transaction.objects.filter(loan=loan, type="DISBURSEMENT").order_by("-pk").first()
    assert tail
    loans.reverse(transaction_id=tail.pk, key="back", note="Not drawn", on=on, **stamp)
    head = Transaction.objects.filter(loan=loan, type="DISBURSEMENT").order_by("pk").first()
    assert head
    loans.reverse(transaction_id=head.pk, key="back2", note="Not drawn", on=on, **stamp)
    loan.refresh_from_db()
    assert (loan.state, loan.principal) == ("CANCELLED", D(0))
    assert sum(line.amount for line in JournalLine.objects.filter(loan=loan, account_id="1002")) == 0


def test_tranches_are_for_loans_that_are_not_out_yet(make_customer: Make, product: Make, at: Any) -> None:
    line = product("pay-later")
    customer = make_customer(kind=line.audience)
    asked = applications.start(customer_id=customer.pk, product_id=line.pk, amount=D("5000"), by=None, at=at)
    applications.submit(application_id=asked.pk, by=None, at=at)
    with pytest.raises(tranches.Refused, match="no tranches"):
        tranches.plan(application_id=asked.pk, first=D("1"), by=None, at=at)


def test_a_quote_for_any_day(make_loan: Make) -> None:
    loan, accountant = make_loan("1200", 6), desk("accountant")
    today, later = words(accountant.get(page(loan))), words(accountant.get(f"{page(loan)}?on=2026-05-12"))
    assert "What ends the loan on 2026-03-02." in today
    assert "What ends the loan on 2026-05-12." in later and today != later
    assert accountant.get(f"{page(loan)}?on=soon").status_code == 200


def test_a_request_for_relief_is_answered(make_loan: Make, at: Any) -> None:
    loan, collector = make_loan("1200", 6), desk("collector")
    asked = restructure.ask_relief(
        loan_id=loan.pk, reason="ILLNESS", wish="PAUSE", words="Broken leg", by=None, at=at
    )
    assert "Broken leg" in words(collector.get(page(asked)))
    assert "A pause of some months" in words(collector.get(page(loan)))
    assert "required" in words(collector.post(button(asked, "decline"), {"answer": ""}))
    collector.post(button(asked, "decline"), {"answer": "Please send a paper."})
    asked.refresh_from_db()
    assert (asked.state, asked.answer) == (ReliefRequest.State.DECLINED, "Please send a paper.")
