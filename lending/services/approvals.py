"""Maker and checker: what one person asks for, another must allow. The database refuses the same person twice."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk, events
from lending.errors import Refused
from lending.models import ApprovalRequest, User
from lending.services import checks
from lending.services.steps import step

DAYS_OPEN = 14


@dataclass(frozen=True, slots=True)
class Command:
    """Something that needs two people: what runs, what it is called, and who may allow it."""

    run: Callable[..., Any]
    label: Any
    permission: str


COMMANDS: dict[str, Command] = {}


def command(name: str, label: Any, permission: str = "lending.check_approval") -> Callable[..., Any]:
    """Register a function as a command: it is called with the payload, and `by`, `at`, `on` of the checker."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        COMMANDS[name] = Command(run, label, permission)
        return run

    return register


@transaction.atomic
def ask(
    *,
    command: str,
    payload: dict[str, Any],
    reason: str,
    by: User,
    at: datetime,
    on: date,
    customer_id: int | None = None,
    amount: Decimal | None = None,
) -> ApprovalRequest:
    """Put a command before a second person; the payload is plain JSON."""
    if command not in COMMANDS:
        raise Refused("command", _("There is no such command."), field="command")
    checks.reason(reason, field="reason")
    request = ApprovalRequest.objects.create(
        command=command,
        payload=payload,
        reason=reason,
        maker=by,
        made_at=at,
        customer_id=customer_id,
        amount=amount,
        expires_on=on + timedelta(days=DAYS_OPEN),
    )
    events.record("approval.asked", request, by=by, at=at, command=command, reason=reason)
    return request


@transaction.atomic
def approve(*, request_id: int, by: User, at: datetime, on: date, remark: str = "") -> ApprovalRequest:
    """Allow it and do it, in one transaction: if it cannot be done any more, nothing is approved."""
    request = _checked(request_id, by, at, remark)
    request.approve(checker=by)
    request.save()
    events.record("approval.approved", request, by=by, at=at, command=request.command, remark=remark)
    COMMANDS[request.command].run(**request.payload, by=by, at=at, on=on)
    return request


@transaction.atomic
def reject(*, request_id: int, by: User, at: datetime, remark: str) -> ApprovalRequest:
    """Refuse it, with a word why."""
    checks.reason(remark, field="remark")
    request = _checked(request_id, by, at, remark)
    request.reject(checker=by)
    request.save()
    events.record("approval.rejected", request, by=by, at=at, command=request.command, remark=remark)
    return request


def _checked(request_id: int, by: User, at: datetime, remark: str) -> ApprovalRequest:
    request = ApprovalRequest.objects.select_for_update(no_key=True, of=("self",)).get(pk=request_id)
    if request.maker_id == by.pk:
        raise Refused("same_person", _("A second person must decide: you asked for this yourself."))
    if not by.has_perm(COMMANDS[request.command].permission):
        raise Refused("permission", _("You may not decide on this."))
    request.checked_at, request.remark = at, remark
    return request


@transaction.atomic
def withdraw(*, request_id: int, by: User, at: datetime) -> ApprovalRequest:
    """The maker takes the request back."""
    request = ApprovalRequest.objects.select_for_update(no_key=True, of=("self",)).get(pk=request_id)
    if request.maker_id != by.pk:
        raise Refused("not_maker", _("Only the person who asked can withdraw."))
    request.withdraw()
    request.save()
    events.record("approval.withdrawn", request, by=by, at=at, command=request.command)
    return request


EXPIRED = bulk.Select(ApprovalRequest, "state = 'PENDING' AND expires_on < %s ORDER BY id FOR NO KEY UPDATE")


@step(_("Requests that nobody decided run out"))
def expire(*, on: date, at: datetime) -> int:
    """Close step: requests that nobody decided in time."""
    rows = EXPIRED(on)
    for request in rows:
        request.expire()
        request.save()
        events.record("approval.expired", request, by=None, at=at, command=request.command)
    return len(rows)
