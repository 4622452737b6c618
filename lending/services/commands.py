"""The commands of lending that need a second person. Payloads are plain JSON, so amounts arrive as text."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from lending.models import AssetClass, User
from lending.services import (
    adjust,
    applications,
    downgrades,
    lines,
    loans,
    products,
    reapproval,
    restructure,
)
from lending.services import periods as _periods  # noqa: F401  (registers its command)
from lending.services import unapplied as _unapplied  # noqa: F401  (so that its command is known)
from lending.services.approvals import command


@command("application.approve", _("Approve an application"))
def approve_application(
    *,
    application_id: int,
    amount: str,
    note: str,
    by: User,
    at: datetime,
    on: date,
    asked_by: int | None = None,
    **terms: str,
) -> Any:
    tenor = terms.pop("tenor", None)
    return applications.decide(
        application_id=application_id,
        outcome=applications.APPROVE,
        amount=Decimal(amount),
        tenor=int(tenor) if tenor else None,
        **{name: Decimal(rate) for name, rate in terms.items()},
        note=note,
        asked_by_id=asked_by,
        by=by,
        at=at,
        on=on,
    )


@command("application.override", _("Override a decline"))
def override(*, application_id: int, asked_by: int, **approval: Any) -> Any:
    """An approval of what was declined before; the database refuses one person in both parts."""
    return approve_application(application_id=application_id, asked_by=asked_by, **approval)


@command("line.raise_limit", _("Raise a limit"))
def raise_limit(*, line_id: int, to: str, cause: str, by: User, at: datetime, on: date) -> Any:
    return lines.raise_limit(line_id=line_id, to=Decimal(to), cause=cause, by=by, at=at)


@command(reapproval.COMMAND, _("Approve a line for another year"))
def reapprove_line(*, line_id: int, note: str, by: User, at: datetime, on: date) -> Any:
    return reapproval.reapprove(line_id=line_id, note=note, by=by, at=at, on=on)


@command("line.temporary_limit", _("Give a temporary limit"))
def temporary_limit(
    *,
    line_id: int,
    amount: str,
    starts_on: str,
    ends_on: str,
    reason: str,
    by: User,
    at: datetime,
    on: date,
) -> Any:
    return lines.add_temporary_limit(
        line_id=line_id,
        amount=Decimal(amount),
        starts_on=date.fromisoformat(starts_on),
        ends_on=date.fromisoformat(ends_on),
        reason=reason,
        by=by,
        at=at,
    )


@command("loan.waive", _("Waive a charge"))
def waive(
    *, loan_id: int, kind: str, amount: str, key: str, note: str, by: User, at: datetime, on: date
) -> Any:
    return loans.waive(
        loan_id=loan_id, kind=kind, amount=Decimal(amount), key=key, note=note, by=by, at=at, on=on
    )


@command("loan.write_off", _("Write off a loan"))
def write_off(*, loan_id: int, key: str, note: str, by: User, at: datetime, on: date) -> Any:
    return loans.write_off(loan_id=loan_id, key=key, note=note, by=by, at=at, on=on)


@command(downgrades.UPGRADE, _("Put a loan in a better class"))
def upgrade(*, loan_id: int, tier: str, note: str, by: User, at: datetime, on: date) -> Any:
    return downgrades.upgrade(loan_id=loan_id, to=AssetClass[tier], reason=note, by=by, at=at, on=on)


@command("loan.reverse", _("Reverse a transaction"))
def reverse(*, transaction_id: int, key: str, note: str, by: User, at: datetime, on: date) -> Any:
    return loans.reverse(transaction_id=transaction_id, key=key, note=note, by=by, at=at, on=on)


@command(products.GO_LIVE, _("Put a product on sale"), permission="lending.change_product")
def go_live(*, product_id: int, by: User, at: datetime, on: date) -> Any:
    return products.go_live(product_id=product_id, by=by, at=at, on=on)


@command("loan.restructure", _("Restructure a loan"))
def restructure_loan(
    *, loan_id: int, kind: str, details: dict[str, Any], key: str, note: str, by: User, at: datetime, on: date
) -> Any:
    return restructure.restructure(
        loan_id=loan_id, kind=kind, details=details, key=key, note=note, by=by, at=at, on=on
    )


@command("loan.accelerate", _("Call in a loan"))
def accelerate(*, loan_id: int, key: str, note: str, by: User, at: datetime, on: date) -> Any:
    return adjust.accelerate(loan_id=loan_id, key=key, note=note, by=by, at=at, on=on)
