"""What staff ask for at their desks: done at once where one person may, else put before a second person."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending.errors import Refused
from lending.models import (
    Application,
    ApprovalRequest,
    CreditLine,
    Loan,
    TemporaryLimit,
    Transaction,
    User,
)
from lending.selectors import rules
from lending.services import applications, approvals, checks, lines


@transaction.atomic
def approve_application(
    *, application_id: int, amount: Decimal, note: str, by: User, at: datetime, on: date
) -> Application | ApprovalRequest:
    """Approve it, or ask a second person to when the amount is above SECOND_PERSON_ABOVE."""
    application = Application.objects.select_related("product").get(pk=application_id)
    above = rules.parameter("SECOND_PERSON_ABOVE", on, lender_type=application.product.lender_type)
    if amount <= above:
        return applications.decide(
            application_id=application_id,
            outcome=applications.APPROVE,
            amount=amount,
            note=note,
            by=by,
            at=at,
            on=on,
        )
    _check_ask(application, amount)
    return _ask(
        "application.approve",
        {"application_id": application_id},
        {"amount": str(amount), "note": note},
        reason=note,
        customer_id=application.customer_id,
        amount=amount,
        by=by,
        at=at,
        on=on,
    )


def _check_ask(application: Application, amount: Decimal) -> None:
    checks.amount(amount)
    if application.state not in (Application.State.SUBMITTED, Application.State.REFERRED):
        raise Refused("not_waiting", _("This application does not wait for a decision."))
    if amount > application.amount:
        raise Refused("above_asked", _("Approve at most what was asked for."), field="amount")


@transaction.atomic
def give_temporary_limit(
    *,
    line_id: int,
    amount: Decimal,
    starts_on: date,
    ends_on: date,
    reason: str,
    by: User,
    at: datetime,
    on: date,
) -> TemporaryLimit | ApprovalRequest:
    """Add to the limit for a time, or ask a second person to when it is above SECOND_PERSON_ABOVE."""
    line = CreditLine.objects.select_related("product").get(pk=line_id)
    if amount <= rules.parameter("SECOND_PERSON_ABOVE", on, lender_type=line.product.lender_type):
        return lines.add_temporary_limit(
            line_id=line_id,
            amount=amount,
            starts_on=starts_on,
            ends_on=ends_on,
            reason=reason,
            by=by,
            at=at,
        )
    return _ask(
        "line.temporary_limit",
        {"line_id": line_id},
        {"amount": str(amount), "starts_on": str(starts_on), "ends_on": str(ends_on), "reason": reason},
        reason=reason,
        customer_id=line.customer_id,
        amount=amount,
        by=by,
        at=at,
        on=on,
    )


def ask_raise(*, line_id: int, to: Decimal, reason: str, by: User, at: datetime, on: date) -> ApprovalRequest:
    """Ask for a higher limit."""
    checks.amount(to, field="to")
    line = CreditLine.objects.get(pk=line_id)
    if to <= line.base_limit:
        raise Refused("not_a_raise", _("The new limit is below the present one."), field="to")
    details = {"to": str(to), "cause": reason}
    return _ask(
        "line.raise_limit",
        {"line_id": line_id},
        details,
        reason=reason,
        customer_id=line.customer_id,
        amount=to,
        by=by,
        at=at,
        on=on,
    )


def ask_waiver(
    *, loan_id: int, kind: str, amount: Decimal, key: str, reason: str, by: User, at: datetime, on: date
) -> ApprovalRequest:
    """Ask to give up INTEREST, FEE or PENALTY that a loan owes."""
    checks.amount(amount)
    loan = Loan.objects.get(pk=loan_id)
    details = {"kind": kind, "amount": str(amount), "key": key, "note": reason}
    return _ask(
        "loan.waive",
        {"loan_id": loan_id},
        details,
        reason=reason,
        customer_id=loan.customer_id,
        amount=amount,
        by=by,
        at=at,
        on=on,
    )


def ask_write_off(
    *, loan_id: int, key: str, reason: str, by: User, at: datetime, on: date
) -> ApprovalRequest:
    """Ask to give a loan up in the books."""
    loan = Loan.objects.get(pk=loan_id)
    return _ask(
        "loan.write_off",
        {"loan_id": loan_id},
        {"key": key, "note": reason},
        reason=reason,
        customer_id=loan.customer_id,
        amount=loan.principal + loan.interest + loan.fee + loan.penalty,
        by=by,
        at=at,
        on=on,
    )


def ask_reversal(
    *, transaction_id: int, key: str, reason: str, by: User, at: datetime, on: date
) -> ApprovalRequest:
    """Ask to take a transaction back."""
    row = Transaction.objects.select_related("loan").get(pk=transaction_id)
    return _ask(
        "loan.reverse",
        {"transaction_id": transaction_id},
        {"key": key, "note": reason},
        reason=reason,
        customer_id=row.loan.customer_id,
        amount=row.amount,
        by=by,
        at=at,
        on=on,
    )


@transaction.atomic
def _ask(
    command: str, subject: dict[str, int], details: dict[str, Any], *, reason: str, by: User, **options: Any
) -> ApprovalRequest:
    """Ask once: the same thing on the same record does not wait twice."""
    same = ApprovalRequest.objects.filter(
        command=command, state=ApprovalRequest.State.PENDING, payload__contains=subject
    )
    if same.exists():
        raise Refused("asked_already", _("This waits for a second person already."))
    return approvals.ask(command=command, payload=subject | details, reason=reason, by=by, **options)
