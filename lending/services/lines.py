"""Steering a credit line: open, hold, cut, restore, raise, close."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk, events
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import CreditLine, Customer, LimitChange, LineHold, Product, TemporaryLimit, User
from lending.selectors import pricing, rules
from lending.services import checks, locking, notices
from lending.services.steps import step

Kind = LimitChange.Kind


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A line to be opened, at the product's price unless another was agreed; `application_id` is where it comes
    from."""

    customer: Customer
    product: Product
    limit: Decimal
    application_id: int | None = None
    annual_rate: Decimal | None = None
    fee_rate: Decimal | None = None


def open_line(
    *,
    customer_id: int,
    product_id: int,
    limit: Decimal,
    by: User | None,
    at: datetime,
    on: date,
    **more: Any,
) -> CreditLine:
    """Open an active line (see `Opening`); its statement day is the product's, or the day of opening, kept within 1
    to 22."""
    customer, product = Customer.objects.get(pk=customer_id), Product.objects.get(pk=product_id)
    opening = Opening(customer=customer, product=product, limit=limit, **more)
    return open_lines([opening], by=by, at=at, on=on)[0]


@transaction.atomic
def open_lines(openings: Sequence[Opening], *, by: User | None, at: datetime, on: date) -> list[CreditLine]:
    """Open a line for each, in a few statements however many they are."""
    for opening in openings:
        checks.amount(opening.limit)
    lines = [_opened(opening, on) for opening in openings]
    bulk.create_many(lines)
    cause = str(_("Line opened"))
    bulk.insert_many(
        [
            LimitChange(
                line=line, kind=Kind.OPENED, before=ZERO, after=line.base_limit, cause=cause, by=by, at=at
            )
            for line in lines
        ]
    )
    events.record_many(
        [events.build("line.opened", line, by=by, at=at, limit=line.base_limit) for line in lines]
    )
    notices.queue_many([_welcome(line) for line in lines], at=at)
    return lines


def _opened(opening: Opening, on: date) -> CreditLine:
    line = CreditLine(
        customer=opening.customer,
        product=opening.product,
        base_limit=opening.limit,
        annual_rate=opening.annual_rate,
        fee_rate=opening.fee_rate,
        statement_day=pricing.statement_day(opening.product, on),
        opened_on=on,
        reviewed_on=on,
        application_id=opening.application_id,
    )
    line.open()
    return line


def _welcome(line: CreditLine) -> notices.Message:
    return notices.Message(
        customer=line.customer,
        template="line_opened",
        context={"limit": line.base_limit},
        key=f"line-opened:{line.pk}",
    )


@transaction.atomic
def place_hold(
    *, line_id: int, cause: str, by: User | None, at: datetime, note: str = "", tell: bool = True
) -> CreditLine:
    """Suspend the line for this cause; a hold of the same cause that is open already stays as it is.

    `tell` is False when the caller sends its own, more exact, notice.
    """
    line = locking.line(line_id)
    if line.holds.filter(cause=cause, lifted_at=None).exists():
        return line
    line.suspend()
    line.save(update_fields=["state"])
    hold = LineHold.objects.create(line=line, cause=cause, note=note[:300], placed_at=at, placed_by=by)
    events.record("line.suspended", line, by=by, at=at, cause=cause, note=note)
    if tell:
        notices.queue(
            customer=line.customer,
            template="line_suspended",
            context={"reason": note or LineHold.Cause(cause).label},
            key=f"hold-placed:{hold.pk}",
            at=at,
        )
    return line


@transaction.atomic
def lift_hold(*, line_id: int, cause: str, by: User | None, at: datetime, note: str = "") -> CreditLine:
    """End the hold of this cause; the line resumes when it was the last. Lifting what is not there does nothing."""
    line = locking.line(line_id)
    hold = line.holds.filter(cause=cause, lifted_at=None).first()
    if hold is None:
        return line
    hold.lifted_at, hold.lifted_by = at, by
    hold.save(update_fields=["lifted_at", "lifted_by"])
    events.record("line.hold_lifted", line, by=by, at=at, cause=cause, note=note)
    if line.state == CreditLine.State.SUSPENDED and not line.holds.filter(lifted_at=None).exists():
        line.resume()
        line.save(update_fields=["state"])
        notices.queue(
            customer=line.customer,
            template="line_restored",
            context={"limit": line.base_limit},
            key=f"hold-lifted:{hold.pk}",
            at=at,
        )
    return line


def cut(
    *, line_id: int, to: Decimal, cause: str, by: User | None, at: datetime, tell: bool = True
) -> CreditLine:
    """Lower the base limit. What is used above it stays as scheduled; there are only no new purchases."""
    return _change(Kind.CUT, line_id, to, cause, by, at, "line_cut" if tell else "")


def cut_many(
    cuts: Sequence[tuple[CreditLine, Decimal]], *, cause: str, by: User | None, at: datetime
) -> None:
    """As `cut`, of lines that the caller has locked, in a few statements. The caller tells the customers."""
    _move(cuts, Kind.CUT, cause, by, at)


def restore(*, line_id: int, to: Decimal, cause: str, by: User | None, at: datetime) -> CreditLine:
    """Give back a limit that was cut, never more than the line once had: that would be a raise."""
    return _change(Kind.RESTORED, line_id, to, cause, by, at, "line_restored")


def raise_limit(*, line_id: int, to: Decimal, cause: str, by: User | None, at: datetime) -> CreditLine:
    """A higher base limit, within the legal cap."""
    return _change(Kind.RAISED, line_id, to, cause, by, at, "limit_raised")


@transaction.atomic
def _change(
    kind: str, line_id: int, to: Decimal, cause: str, by: User | None, at: datetime, template: str
) -> CreditLine:
    line = locking.line(line_id)
    for change in _move([(line, to)], kind, cause, by, at):
        if template:
            notices.queue(
                customer=line.customer,
                template=template,
                context={"limit": to, "before": change.before, "reason": str(cause)},
                key=f"limit-change:{change.pk}",
                at=at,
            )
    return line


def _move(
    wanted: Sequence[tuple[CreditLine, Decimal]], kind: str, cause: str, by: User | None, at: datetime
) -> list[LimitChange]:
    """The base limits of locked lines, where they differ; all or none."""
    changes = []
    for line, to in wanted:
        _check_change(line, kind, to, at)
        if to != line.base_limit:
            before, line.base_limit = line.base_limit, to
            told = str(cause)[:300]
            changes.append(
                LimitChange(line=line, kind=kind, before=before, after=to, cause=told, by=by, at=at)
            )
    bulk.update_many([change.line for change in changes], ["base_limit"])
    bulk.create_many(changes)
    happened = f"line.limit_{kind.lower()}"
    events.record_many(
        [
            events.build(
                happened, one.line, by=by, at=at, before=one.before, after=one.after, cause=str(cause)
            )
            for one in changes
        ]
    )
    return changes


def _check_change(line: CreditLine, kind: str, to: Decimal, at: datetime) -> None:
    if to != 0:
        checks.amount(to, field="to")
    if line.state == CreditLine.State.CLOSED:
        raise Refused("line_closed", _("The line is closed."))
    if kind == Kind.CUT and to > line.base_limit:
        raise Refused("not_a_cut", _("The new limit is above the present one."), field="to")
    if kind != Kind.CUT and to < line.base_limit:
        raise Refused("not_a_raise", _("The new limit is below the present one."), field="to")
    if kind == Kind.RESTORED and not line.limit_changes.filter(after__gte=to).exists():
        raise Refused("above_former", _("The line never had such a limit: ask for a raise."), field="to")
    if kind != Kind.CUT and to > legal_cap(line, at.date()):
        raise Refused("above_cap", _("The limit is above the legal cap."), field="to")


def legal_cap(line: CreditLine, on: date) -> Decimal:
    """The highest limit that the law allows this kind of lender to give this kind of customer."""
    code = "CONSUMER_LINE_CAP" if line.product.audience == "PERSON" else "COMPANY_LINE_CAP"
    return rules.parameter(code, on, lender_type=line.product.lender_type)


@transaction.atomic
def add_temporary_limit(
    *,
    line_id: int,
    amount: Decimal,
    starts_on: date,
    ends_on: date,
    reason: str,
    by: User | None,
    at: datetime,
) -> TemporaryLimit:
    """An amount on top of the base limit from one day to another, both included."""
    checks.amount(amount)
    line = locking.line(line_id)
    if ends_on < starts_on or ends_on < at.date():
        raise Refused("dates", _("The end lies before the beginning or in the past."), field="ends_on")
    if line.base_limit + amount > legal_cap(line, starts_on):
        raise Refused("above_cap", _("The limit is above the legal cap."), field="amount")
    extra = TemporaryLimit.objects.create(
        line=line, amount=amount, starts_on=starts_on, ends_on=ends_on, reason=reason
    )
    events.record("line.temporary_limit", line, by=by, at=at, amount=amount, ends_on=ends_on, reason=reason)
    return extra


@step(_("Temporary limits that have run out are noted"))
def end_temporary_limits(*, on: date, at: datetime) -> int:
    """Close step: the limits whose last day this is leave a word on their lines; a limit itself ends by its date."""
    ended = list(TemporaryLimit.objects.filter(ends_on=on).select_related("line").order_by("pk"))
    events.record_many(
        [
            events.build(
                "line.temporary_limit_ended", row.line, by=None, at=at, amount=row.amount, ends_on=on
            )
            for row in ended
        ]
    )
    return len(ended)


@transaction.atomic
def close(*, line_id: int, by: User | None, at: datetime, note: str = "") -> CreditLine:
    """No further purchases, for good; open authorisations must be captured or voided first."""
    line = locking.line(line_id)
    if line.held:
        raise Refused("line_held", _("An order is still authorised on the line."))
    line.close()
    line.save(update_fields=["state"])
    events.record("line.closed", line, by=by, at=at, note=note)
    return line
