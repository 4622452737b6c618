"""The buttons of the staff admin: each asks, calls one service, and turns a refusal into words."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from lending.models import (
    Application,
    ApprovalRequest,
    BusinessDate,
    Collateral,
    CreditLine,
    Customer,
    Event,
    LimitChange,
    Loan,
    Transaction,
)
from lending.services import applications
from lending.services import desk as desk_service
from tests.lending.admin_support import button, desk, member, page, words

Make = Callable[..., object]


@pytest.fixture
def waiting(make_customer: Make, product: Make, at: object) -> Callable[..., Application]:
    """An application that waits for an officer."""

    def make(amount: str = "8000", code: str = "pay-later") -> Application:
        shelf = product(code)
        customer = make_customer(kind=shelf.audience)
        application = applications.start(
            customer_id=customer.pk, product_id=shelf.pk, amount=Decimal(amount), by=None, at=at
        )
        return applications.submit(application_id=application.pk, by=None, at=at)

    return make


def test_an_officer_makes_a_counter_offer(waiting: Make) -> None:
    application = waiting("8000")
    response = desk("credit_officer").post(
        button(application, "approve"), {"amount": "6000", "note": "Thin file"}, follow=True
    )
    assert "The offer is made." in words(response)
    application.refresh_from_db()
    assert (application.state, application.approved_amount) == ("OFFERED", Decimal("6000.00"))
    assert application.decided_by == member("credit_officer")


def test_looking_at_a_button_does_nothing(waiting: Make) -> None:
    application = waiting()
    before = Event.objects.count()
    client = desk("credit_officer")
    for name in ("approve", "decline", "refer"):
        assert client.get(button(application, name)).status_code == 200
    application.refresh_from_db()
    assert application.state == "SUBMITTED"
    assert Event.objects.count() == before


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"amount": "0", "note": "x"}, "greater than or equal to 0.01"),
        ({"amount": "-5", "note": "x"}, "greater than or equal to 0.01"),
        ({"amount": "100.001", "note": "x"}, "no more than 2 decimal places"),
        ({"amount": "8000.01", "note": "x"}, "Approve at most what was asked for."),
        ({"amount": "10", "note": "x"}, "below the product"),
        ({"amount": "6000"}, "This field is required."),
        ({"amount": "six thousand", "note": "x"}, "Enter a number."),
    ],
)
def test_a_wrong_approval_is_answered_in_the_form(waiting: Make, values: dict, fault: str) -> None:
    application = waiting("8000")
    response = desk("credit_officer").post(button(application, "approve"), values)
    assert response.status_code == 200
    assert fault in words(response)
    application.refresh_from_db()
    assert application.state == "SUBMITTED"


def test_a_large_amount_takes_two_people(waiting: Make) -> None:
    application = waiting("90000")
    officer = desk("credit_officer")
    answer = {"amount": "90000", "note": "Good standing"}
    assert "second person" in words(officer.post(button(application, "approve"), answer, follow=True))
    application.refresh_from_db()
    request = ApprovalRequest.objects.get()
    assert (application.state, request.state, request.amount) == ("SUBMITTED", "PENDING", Decimal("90000.00"))

    # Asked twice, it waits once.
    assert "waits for a second person already" in words(officer.post(button(application, "approve"), answer))

    # An approver who asked for it cannot allow it: no button, and no way around the button.
    ApprovalRequest.objects.filter(pk=request.pk).update(maker=member("senior_approver"))
    maker = desk("senior_approver")
    assert button(request, "approve") not in maker.get(page(request)).content.decode()
    assert "you asked for this yourself" in words(maker.post(button(request, "approve"), {}))

    checker = desk("senior_approver", "another")
    assert button(request, "approve") in checker.get(page(request)).content.decode()
    assert "Approved and done." in words(checker.post(button(request, "approve"), {}, follow=True))
    application.refresh_from_db()
    request.refresh_from_db()
    assert (application.state, request.state) == ("OFFERED", "APPROVED")
    assert request.checker == member("senior_approver", "another")


def test_a_decline_needs_a_reason(waiting: Make, settings: object) -> None:
    application = waiting()
    settings.REASON_CHOICES = "tests.lending.test_admin_actions.reasons"
    client = desk("credit_officer")
    assert "This field is required." in words(client.post(button(application, "decline"), {}))
    assert "is not one of the available choices" in words(
        client.post(button(application, "decline"), {"reasons": ["NO_SUCH"]})
    )
    five = ["HIGH_RETURNS", "R0", "R1", "R2", "R3"]
    assert "at most four" in words(client.post(button(application, "decline"), {"reasons": five}))
    client.post(button(application, "decline"), {"reasons": ["HIGH_RETURNS"]})
    application.refresh_from_db()
    assert (application.state, application.reasons) == ("DECLINED", ["HIGH_RETURNS"])


def reasons() -> list[tuple[str, str]]:
    return [("HIGH_RETURNS", "Many orders came back"), *((f"R{number}", "Other") for number in range(4))]


def test_what_has_moved_on_says_so(waiting: Make, at: object, books: object) -> None:
    application = waiting()
    client = desk("credit_officer")
    applications.withdraw(application_id=application.pk, by=None, at=at)
    response = client.post(button(application, "approve"), {"amount": "100", "note": "x"}, follow=True)
    assert "has moved on" in words(response)
    application.refresh_from_db()
    assert application.state == "WITHDRAWN"


def test_a_line_is_held_and_let_go(make_line: Make) -> None:
    line, client = make_line(), desk("credit_officer")
    client.post(button(line, "suspend"), {"reason": "Odd orders"})
    line.refresh_from_db()
    assert line.state == CreditLine.State.SUSPENDED
    assert line.holds.get().placed_by == member("credit_officer")
    client.post(button(line, "lift_hold"), {"cause": "STAFF", "reason": "Explained"})
    line.refresh_from_db()
    assert line.state == CreditLine.State.ACTIVE


def test_a_limit_is_cut_at_once_and_raised_by_two(make_line: Make) -> None:
    line, client = make_line("10000"), desk("credit_officer")
    assert "above the present one" in words(client.post(button(line, "cut"), {"to": "20000", "reason": "x"}))
    client.post(button(line, "cut"), {"to": "4000", "reason": "Returns"})
    line.refresh_from_db()
    assert line.base_limit == Decimal("4000.00")
    assert 'value="10000.00"' in client.get(button(line, "restore")).content.decode()
    client.post(button(line, "raise_limit"), {"to": "12000", "reason": "Good payer"})
    line.refresh_from_db()
    assert line.base_limit == Decimal("4000.00")
    request = ApprovalRequest.objects.get(command="line.raise_limit")
    desk("senior_approver").post(button(request, "approve"), {"remark": "ok"})
    line.refresh_from_db()
    assert line.base_limit == Decimal("12000.00")
    assert list(line.limit_changes.values_list("kind", flat=True)) == ["RAISED", "CUT", "OPENED"]
    assert LimitChange.objects.get(kind="RAISED").by == member("senior_approver")


def test_a_restore_is_no_raise_in_disguise(make_line: Make) -> None:
    line, client = make_line("10000"), desk("credit_officer")
    client.post(button(line, "cut"), {"to": "4000", "reason": "Returns"})
    said = words(client.post(button(line, "restore"), {"to": "10000.01", "reason": "Explained"}))
    assert "never had such a limit" in said
    client.post(button(line, "restore"), {"to": "10000", "reason": "Explained"})
    line.refresh_from_db()
    assert line.base_limit == Decimal("10000.00")


def test_a_temporary_limit_takes_two_when_it_is_large(make_line: Make, books: date) -> None:
    line, client = make_line("10000"), desk("credit_officer")
    values = {"starts_on": str(books), "ends_on": "2026-03-31", "reason": "Festival"}
    past = client.post(button(line, "temporary_limit"), values | {"amount": "10", "ends_on": "2026-03-01"})
    assert "lies before the beginning" in words(past)
    client.post(button(line, "temporary_limit"), values | {"amount": "2000"})
    assert line.limit(books) == Decimal("12000.00")
    client.post(button(line, "temporary_limit"), values | {"amount": "60000"})
    assert line.limit(books) == Decimal("12000.00")
    request = ApprovalRequest.objects.get(command="line.temporary_limit")
    desk("senior_approver").post(button(request, "approve"), {})
    assert line.limit(books) == Decimal("72000.00")


def test_a_repayment_posted_twice_is_booked_once(make_loan: Make, books: object) -> None:
    loan, client = make_loan(), desk("accountant")
    form = client.get(button(loan, "repay")).context["form"]
    values = {"amount": "100", "channel": "bank", "value_on": str(books), "key": form["key"].value()}
    for _again in range(2):
        assert client.post(button(loan, "repay"), values).status_code == 302
    assert Transaction.objects.filter(type="REPAYMENT").count() == 1


def test_a_waiver_and_a_write_off_wait(make_loan: Make) -> None:
    loan = make_loan()
    collector, lawyer = desk("collector"), desk("legal_officer")
    collector.post(button(loan, "waive"), {"kind": "PENALTY", "amount": "5", "note": "Illness", "key": "k-1"})
    lawyer.post(button(loan, "write_off"), {"note": "Insolvent", "key": "k-2"})
    assert set(ApprovalRequest.objects.values_list("command", "state")) == {
        ("loan.waive", "PENDING"),
        ("loan.write_off", "PENDING"),
    }
    loan.refresh_from_db()
    assert loan.state == Loan.State.ACTIVE
    request = ApprovalRequest.objects.get(command="loan.write_off")
    desk("senior_approver").post(button(request, "approve"), {})
    loan.refresh_from_db()
    assert loan.state == Loan.State.WRITTEN_OFF


def test_a_rejected_request_changes_nothing(make_loan: Make, at: object, books: object) -> None:
    loan = make_loan()
    request = desk_service.ask_write_off(
        loan_id=loan.pk, key="k", reason="Old", by=member("legal_officer"), at=at, on=books
    )
    checker = desk("senior_approver")
    assert "This field is required." in words(checker.post(button(request, "reject"), {}))
    checker.post(button(request, "reject"), {"remark": "Try again first"})
    request.refresh_from_db()
    loan.refresh_from_db()
    assert (request.state, loan.state) == ("REJECTED", Loan.State.ACTIVE)


def test_a_maker_takes_a_request_back(make_loan: Make, at: object, books: object) -> None:
    request = desk_service.ask_write_off(
        loan_id=make_loan().pk, key="k", reason="Old", by=member("legal_officer"), at=at, on=books
    )
    stranger = desk("collector")
    assert "Only the person who asked" in words(stranger.post(button(request, "withdraw"), {}))
    desk("legal_officer").post(button(request, "withdraw"), {})
    request.refresh_from_db()
    assert request.state == "WITHDRAWN"


def test_a_masked_number_is_shown_once_and_that_is_written_down(make_customer: Make) -> None:
    customer = make_customer(phone="13812345678")
    client = desk("collector")
    assert "13812345678" not in client.get(page(customer)).content.decode()
    assert "138****5678" in client.get(page(customer)).content.decode()
    response = client.post(button(customer, "reveal"), {"field": "phone"})
    assert "13812345678" in words(response)
    assert "no-store" in response["Cache-Control"]
    assert Event.objects.get(kind="customer.revealed").actor == member("collector")
    assert desk("accountant").post(button(customer, "reveal"), {"field": "phone"}).status_code == 403


def test_a_blocked_customer_and_back(make_customer: Make) -> None:
    customer, client = make_customer(), desk("credit_officer")
    client.post(button(customer, "block"), {"reason": "Sanctions"})
    customer.refresh_from_db()
    assert customer.state == Customer.State.BLOCKED
    client.post(button(customer, "unblock"), {"reason": "Other person"})
    customer.refresh_from_db()
    assert customer.state == Customer.State.ACTIVE


def test_collateral_from_proposal_to_release(make_customer: Make, books: object) -> None:
    customer, client = make_customer(platform_ref="P-9"), desk("credit_officer")
    propose = reverse("admin:lending_collateral_propose")
    values = {
        "customer": "P-9",
        "kind": "RECEIVABLE",
        "description": "Invoices of spring",
        "value": "10000",
        "haircut": "0.2",
        "valued_on": str(books),
    }
    assert "no such customer" in words(client.post(propose, values | {"customer": "nobody"}))
    assert "from the future" in words(client.post(propose, values | {"valued_on": "2031-01-01"}))
    client.post(propose, values)
    item = Collateral.objects.get(customer=customer)
    client.post(button(item, "verify"), {"reason": "Debtor confirmed"})
    assert "register number is missing" in words(client.post(button(item, "pledge"), {"reason": "Signed"}))
    client.post(button(item, "register"), {"register_no": "R-77"})
    client.post(button(item, "pledge"), {"reason": "Signed"})
    item.refresh_from_db()
    assert (item.state, item.lending_value(books)) == ("PLEDGED", Decimal("8000.00"))
    client.post(button(item, "release"), {"reason": "Paid"})
    item.refresh_from_db()
    assert item.state == "RELEASED"


def test_the_accountant_closes_the_day(books: object) -> None:
    client = desk("accountant")
    close = reverse("admin:lending_businessdate_close_day")
    assert client.get(close).status_code == 200
    assert BusinessDate.current() == books
    assert "is closed" in words(client.post(close, {}, follow=True))
    assert (BusinessDate.current() - books).days == 1
    assert desk("credit_officer").post(close, {}).status_code == 403


def totals(response: Any) -> list[str]:
    return [cell["text"] for cell in response.context["totals"] if "." in str(cell["text"])]


def test_the_trial_balance_is_zero_and_ties_to_the_loans(make_loan: Make) -> None:
    make_loan("1200")
    response = desk("accountant").get(reverse("admin:lending_account_trial_balance"))
    assert totals(response) == ["0.00", "1,200.00", "1,200.00", "0.00"]
    ties = desk("accountant").get(reverse("admin:lending_account_tie_out"))
    assert len(ties.context["rows"]) == 1 and totals(ties) == ["0.00"]
    before = desk("accountant").get(reverse("admin:lending_account_trial_balance"), {"on": "2020-01-01"})
    assert totals(before) == ["0.00"] * 4
    wrong = desk("accountant").get(reverse("admin:lending_account_trial_balance"), {"on": "2026-02-31"})
    assert wrong.status_code == 200


def test_a_document_is_only_downloaded(waiting: Make, at: object, settings: object, tmp_path: object) -> None:
    from django.core.files.base import ContentFile

    settings.MEDIA_ROOT = tmp_path
    application = waiting()
    document = applications.attach_document(
        application_id=application.pk, kind="INCOME", file=ContentFile(b"<script>", "x.html"), by=None, at=at
    )
    url = reverse("admin:lending_application_document", args=[document.pk])
    response = desk("credit_officer").get(url)
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Type"] == "application/octet-stream"
    assert desk("collector").get(url).status_code == 403
    assert desk("credit_officer").get(url.replace(str(document.pk), "999999")).status_code == 404
