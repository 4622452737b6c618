"""What staff ask for at their desks: done at once where one person may, else put before a second person."""

from collections.abc import Sequence
from dataclasses import dataclass
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
from lending.services import (
    adjust,
    applications,
    approvals,
    checks,
    lines,
    loans,
    products,
    reapproval,
    restructure,
)


def approve_application(
    *, by: User, at: datetime, on: date, **approval: Any
) -> Application | ApprovalRequest:
    """Approve it (see `Approval`), or ask a second person to when the amount is above SECOND_PERSON_ABOVE."""
    (done,) = approve_applications([Approval(**approval)], by=by, at=at, on=on)
    if isinstance(done, Refused):
        raise done
    return done


@dataclass(frozen=True, kw_only=True)
class Approval:
    """Which application an officer approves, and how much of it.

    Tenor and price are the application's and the product's unless others within the product are given.
    """

    application_id: int
    amount: Decimal
    note: str = ""
    tenor: int | None = None
    annual_rate: Decimal | None = None
    fee_rate: Decimal | None = None

    @property
    def terms(self) -> dict[str, Any]:
        """What deviates."""
        named = {"tenor": self.tenor, "annual_rate": self.annual_rate, "fee_rate": self.fee_rate}
        return {name: term for name, term in named.items() if term is not None}


@transaction.atomic
def approve_applications(
    wanted: Sequence[Approval], *, by: User, at: datetime, on: date
) -> list[Application | ApprovalRequest | Refused]:
    """Approve each, or ask a second person to: above SECOND_PERSON_ABOVE, and whatever the amount for those that were
    declined before. A refusal holds up no other."""
    rows = Application.objects.select_related("product").in_bulk([a.application_id for a in wanted])
    if len(rows) < len({a.application_id for a in wanted}):
        raise Application.DoesNotExist
    lenders = {row.product.lender_type for row in rows.values()}
    above = {lender: rules.parameter("SECOND_PERSON_ABOVE", on, lender_type=lender) for lender in lenders}
    done: dict[int, Application | ApprovalRequest | Refused] = {}
    alone = []
    for approval in wanted:
        application = rows[approval.application_id]
        small = approval.amount <= above[application.product.lender_type]
        if small and application.review_requested_at is None:
            alone.append(approval)
        else:
            done[application.pk] = _asked(application, approval, by, at, on)
    decisions = [
        applications.Decision(
            application_id=a.application_id,
            outcome=applications.APPROVE,
            amount=a.amount,
            note=a.note,
            **a.terms,
        )
        for a in alone
    ]
    decided = applications.decide_many(decisions, by=by, at=at, on=on) if decisions else []
    done.update(zip([a.application_id for a in alone], decided, strict=True))
    return [done[approval.application_id] for approval in wanted]


def _asked(
    application: Application, approval: Approval, by: User, at: datetime, on: date
) -> ApprovalRequest | Refused:
    try:
        _check_ask(application, approval.amount)
        again = application.review_requested_at is not None
        return _ask(
            "application.override" if again else "application.approve",
            {"application_id": application.pk},
            {"amount": str(approval.amount), "note": approval.note}
            | ({"asked_by": by.pk} if again else {})
            | {name: str(term) for name, term in approval.terms.items()},
            reason=approval.note,
            customer_id=application.customer_id,
            amount=approval.amount,
            by=by,
            at=at,
            on=on,
        )
    except Refused as fault:
        return fault


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


def reapprove_line(
    *, line_id: int, note: str, by: User, at: datetime, on: date
) -> CreditLine | ApprovalRequest:
    """Approve a line for another year, or ask a second person to when its limit is above SECOND_PERSON_ABOVE."""
    line = CreditLine.objects.select_related("product").get(pk=line_id)
    reapproval.check(line, on)
    if line.base_limit <= rules.parameter("SECOND_PERSON_ABOVE", on, lender_type=line.product.lender_type):
        return reapproval.reapprove(line_id=line_id, note=note, by=by, at=at, on=on)
    return _ask(
        reapproval.COMMAND,
        {"line_id": line_id},
        {"note": note},
        reason=note,
        customer_id=line.customer_id,
        amount=line.base_limit,
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
    asked = {"kind": kind, "amount": str(amount)}
    return _ask_for_loan("loan.waive", loan, amount, asked, key, reason, by=by, at=at, on=on)


def waive(
    *, loan_id: int, kind: str, amount: Decimal, key: str, reason: str, by: User, at: datetime, on: date
) -> Transaction | ApprovalRequest:
    """Waive it, or ask a second person to when it is above WAIVE_ALONE_UP_TO."""
    checks.amount(amount)
    product = Loan.objects.select_related("product").get(pk=loan_id).product
    if amount > rules.duty("WAIVE_ALONE_UP_TO", on, lender_type=product.lender_type):
        return ask_waiver(
            loan_id=loan_id, kind=kind, amount=amount, key=key, reason=reason, by=by, at=at, on=on
        )
    return loans.waive(loan_id=loan_id, kind=kind, amount=amount, key=key, note=reason, by=by, at=at, on=on)


def ask_restructuring(
    *,
    loan_id: int,
    kind: str,
    details: dict[str, Any],
    key: str,
    reason: str,
    by: User,
    at: datetime,
    on: date,
) -> ApprovalRequest:
    """Ask for another schedule of a loan."""
    loan = Loan.objects.select_related("product").get(pk=loan_id)
    restructure.check(loan, kind, on)
    asked = {"kind": kind, "details": details}
    return _ask_for_loan("loan.restructure", loan, loan.principal, asked, key, reason, by=by, at=at, on=on)


def ask_acceleration(
    *, loan_id: int, key: str, reason: str, by: User, at: datetime, on: date
) -> ApprovalRequest:
    """Ask to call a loan in."""
    loan = Loan.objects.get(pk=loan_id)
    return _ask_for_loan("loan.accelerate", loan, loan.principal, {}, key, reason, by=by, at=at, on=on)


def ask_write_off(
    *, loan_id: int, key: str, reason: str, by: User, at: datetime, on: date
) -> ApprovalRequest:
    """Ask to give a loan up in the books."""
    loan = Loan.objects.get(pk=loan_id)
    owed = loan.principal + loan.interest + loan.fee + loan.penalty
    return _ask_for_loan("loan.write_off", loan, owed, {}, key, reason, by=by, at=at, on=on)


def ask_reversal(
    *, transaction_id: int, key: str, reason: str, by: User, at: datetime, on: date
) -> ApprovalRequest:
    """Ask to take a transaction back."""
    row = Transaction.objects.select_related("loan").get(pk=transaction_id)
    adjust.check_reversible(row)
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
def ask_go_live(*, product_id: int, reason: str, by: User, at: datetime, on: date) -> ApprovalRequest:
    """Ask a second person to put a draft on sale; refused at once when it could not be sold. Until they decide, the
    draft cannot be changed."""
    products.check_ready(product_id=product_id, on=on)
    return _ask(products.GO_LIVE, {"product_id": product_id}, {}, reason=reason, by=by, at=at, on=on)


@transaction.atomic
def _ask_for_loan(
    command: str,
    loan: Loan,
    amount: Decimal,
    asked: dict[str, Any],
    key: str,
    reason: str,
    *,
    by: User,
    **when: Any,
) -> ApprovalRequest:
    """Ask for a transaction on a loan; it will carry that key and the reason as its note."""
    return _ask(
        command,
        {"loan_id": loan.pk},
        {**asked, "key": key, "note": reason},
        reason=reason,
        customer_id=loan.customer_id,
        amount=amount,
        by=by,
        **when,
    )


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
