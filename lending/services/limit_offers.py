"""A higher limit is offered, never given: the customer sees what using it costs, and takes or leaves it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from lending import bulk, events
from lending.errors import Refused
from lending.models import CreditLine, LimitOffer, Loan, User
from lending.selectors import rules
from lending.services import lines, notices, purchases
from lending.services.steps import step

CAUSE = "LIMIT_OFFER"
State = LimitOffer.State


@dataclass(frozen=True, kw_only=True)
class Raise:
    """A line, under the caller's lock, and the limit that is to be offered on it."""

    line: CreditLine
    to: Decimal
    expires_on: date


@transaction.atomic
def offer_many(raises: Sequence[Raise], *, at: datetime, on: date) -> list[LimitOffer]:
    """Offer these limits in a few statements however many they are; returns the offers that were made.

    A line that has an open offer keeps that. A limit above SECOND_PERSON_ABOVE is for a person to look at first.
    """
    alone = {
        lender: rules.parameter("SECOND_PERSON_ABOVE", on, lender_type=lender)
        for lender in {one.line.product.lender_type for one in raises}
    }
    rows = [
        LimitOffer(
            line=one.line,
            customer=one.line.customer,
            state=State.OFFERED if one.to <= alone[one.line.product.lender_type] else State.PROPOSED,
            before=one.line.base_limit,
            to=one.to,
            made_on=on,
            expires_on=one.expires_on,
        )
        for one in raises
    ]
    made = bulk.create_many(rows, ignore_known=True)
    events.record_many(
        [events.build("limit_offer.made", row, by=None, at=at, before=row.before, to=row.to) for row in made]
    )
    notices.queue_many([_message(row) for row in made if row.state == State.OFFERED], at=at)
    return made


def _message(offer: LimitOffer) -> notices.Message:
    return notices.Message(
        customer=offer.customer,
        template="limit_offer",
        context={"limit": offer.to, "before": offer.before, "expires_on": offer.expires_on},
        key=f"limit-offer:{offer.pk}",
    )


def costs(offer: LimitOffer, on: date) -> list[dict[str, Any]]:
    """What it costs to use the amount that is new, for each number of instalments: plain values as text."""
    plans = purchases.plans(offer.line, offer.to - offer.before, on)
    return [
        {
            "tenor": plan.tenor,
            "instalment": str(plan.instalment),
            "total": str(plan.total),
            "cost": str(plan.cost),
            "annual_cost": str(plan.annual_cost),
        }
        for plan in plans
    ]


def _locked(offer_id: int) -> LimitOffer:
    """The offer under lock, after its line: in the order in which everybody locks."""
    line_id = LimitOffer.objects.values_list("line_id", flat=True).get(pk=offer_id)
    CreditLine.objects.select_for_update(no_key=True).get(pk=line_id)
    rows = LimitOffer.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "line__product", "customer"
    )
    return rows.get(pk=offer_id)


@transaction.atomic
def accept(*, offer_id: int, by: User | None, at: datetime, on: date) -> LimitOffer:
    """The customer takes it, and the limit rises at once.

    Raises Refused when it ran out, when the line has changed since, or while something is overdue.
    """
    offer = _locked(offer_id)
    _check(offer, on)
    offer.accept(by=by, at=at, shown=costs(offer, on))
    offer.save(update_fields=["state", "decided_by", "decided_at", "shown"])
    events.record("limit_offer.accepted", offer, by=by, at=at, before=offer.before, to=offer.to)
    lines.raise_limit(line_id=offer.line_id, to=offer.to, cause=CAUSE, by=by, at=at)
    return offer


def _check(offer: LimitOffer, on: date) -> None:
    if offer.expires_on < on:
        raise Refused("offer_expired", _("This offer has ended."))
    if offer.line.state != CreditLine.State.ACTIVE or offer.line.base_limit != offer.before:
        raise Refused("line_changed", _("Your line has changed since: this offer no longer stands."))
    overdue = Loan.objects.filter(customer_id=offer.customer_id, state__in=Loan.OWING, oldest_due_on__lt=on)
    if overdue.exists():
        raise Refused("overdue", _("Please pay what is overdue first."))


@transaction.atomic
def decline(*, offer_id: int, by: User | None, at: datetime) -> LimitOffer:
    """The customer leaves it: the limit stays."""
    offer = _locked(offer_id)
    offer.decline(by=by, at=at)
    offer.save(update_fields=["state", "decided_by", "decided_at"])
    events.record("limit_offer.declined", offer, by=by, at=at)
    return offer


@transaction.atomic
def release(*, offer_id: int, by: User, at: datetime, on: date) -> LimitOffer:
    """A person lets a large offer go out to its customer."""
    offer = _locked(offer_id)
    _check(offer, on)
    offer.release()
    offer.save(update_fields=["state"])
    events.record("limit_offer.released", offer, by=by, at=at, to=offer.to)
    notices.queue_many([_message(offer)], at=at)
    return offer


@transaction.atomic
def withdraw(*, offer_id: int, reason: str, by: User, at: datetime) -> LimitOffer:
    """Staff take it back before the customer has answered."""
    offer = _locked(offer_id)
    offer.withdraw(by=by, at=at)
    offer.save(update_fields=["state", "decided_by", "decided_at"])
    events.record("limit_offer.withdrawn", offer, by=by, at=at, reason=reason)
    return offer


@step(_("Offers of a higher limit run out"))
def expire(*, on: date, at: datetime) -> int:
    """Close step: end the offers that nobody answered in time, and those whose line has changed since."""
    still = Q(line__state=CreditLine.State.ACTIVE, line__base_limit=F("before"))
    rows = list(
        LimitOffer.objects.select_for_update(no_key=True, of=("self",))
        .filter(Q(expires_on__lt=on) | ~still, state__in=LimitOffer.OPEN)
        .order_by("pk")
    )
    for offer in rows:
        if offer.expires_on < on:
            offer.expire()
        else:
            offer.withdraw(by=None, at=at)
    bulk.update_many(rows, ["state", "decided_at"])
    events.record_many(
        [events.build(f"limit_offer.{row.state.lower()}", row, by=None, at=at) for row in rows]
    )
    return len(rows)
