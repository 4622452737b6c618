"""Two people for what matters: the maker never checks, and what is approved is done."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from lending.errors import Refused
from lending.models import ApprovalRequest, CreditLine, User
from lending.services import approvals

from .conftest import MONDAY

D = Decimal
Staff = Callable[[str], User]


@pytest.fixture
def request_(make_line: Callable[..., CreditLine], staff: Staff, at: datetime) -> ApprovalRequest:
    line = make_line("1000")
    return approvals.ask(
        command="line.raise_limit",
        payload={"line_id": line.pk, "to": "5000", "cause": "good payer"},
        reason="good payer",
        amount=D("5000"),
        customer_id=line.customer_id,
        by=staff("maker"),
        at=at,
        on=MONDAY,
    )


def test_a_second_person_approves_and_it_is_done(
    request_: ApprovalRequest, staff: Staff, at: datetime
) -> None:
    done = approvals.approve(request_id=request_.pk, by=staff("checker"), at=at, on=MONDAY)
    line = CreditLine.objects.get()
    assert (done.state, line.base_limit) == ("APPROVED", D("5000.00"))


def test_the_maker_cannot_check(request_: ApprovalRequest, at: datetime) -> None:
    with pytest.raises(Refused, match="second person"):
        approvals.approve(request_id=request_.pk, by=request_.maker, at=at, on=MONDAY)
    with pytest.raises(IntegrityError, match="maker_is_not_checker"), transaction.atomic():
        ApprovalRequest.objects.filter(pk=request_.pk).update(checker=request_.maker)


def test_someone_without_the_right_cannot_check(request_: ApprovalRequest, at: datetime) -> None:
    clerk = User.objects.create_user("clerk", password="x", is_staff=True)
    with pytest.raises(Refused, match="may not decide"):
        approvals.approve(request_id=request_.pk, by=clerk, at=at, on=MONDAY)


def test_what_cannot_be_done_any_more_is_not_approved(
    request_: ApprovalRequest, staff: Staff, at: datetime
) -> None:
    CreditLine.objects.update(base_limit=D("6000"))
    with pytest.raises(Refused, match="below the present"):
        approvals.approve(request_id=request_.pk, by=staff("checker"), at=at, on=MONDAY)
    request_.refresh_from_db()
    assert (request_.state, request_.checker) == ("PENDING", None)


def test_a_rejection_needs_a_word(request_: ApprovalRequest, staff: Staff, at: datetime) -> None:
    checker = staff("checker")
    with pytest.raises(Refused, match="Say why"):
        approvals.reject(request_id=request_.pk, by=checker, at=at, remark=" ")
    assert approvals.reject(request_id=request_.pk, by=checker, at=at, remark="no").state == "REJECTED"
    assert CreditLine.objects.get().base_limit == D("1000.00")


def test_only_the_maker_withdraws(request_: ApprovalRequest, staff: Staff, at: datetime) -> None:
    with pytest.raises(Refused):
        approvals.withdraw(request_id=request_.pk, by=staff("checker"), at=at)
    assert approvals.withdraw(request_id=request_.pk, by=request_.maker, at=at).state == "WITHDRAWN"


def test_a_request_runs_out(request_: ApprovalRequest, run_to: Callable[[date], datetime]) -> None:
    run_to(MONDAY + timedelta(days=approvals.DAYS_OPEN + 2))
    request_.refresh_from_db()
    assert request_.state == "EXPIRED"


def test_an_unknown_command_is_refused(staff: Staff, at: datetime, books: date) -> None:
    with pytest.raises(Refused) as refused:
        approvals.ask(command="rm", payload={}, reason="x", by=staff("maker"), at=at, on=MONDAY)
    assert refused.value.field == "command"
