"""The offer: what it costs in full, shown before anything is signed, and what acceptance brings."""

import hashlib
import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk, engine, events
from lending.engine import calendar
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import Application, CreditLine, Offer, Product, User
from lending.selectors import rules
from lending.services import booking, lines, posting

SHEET_VERSION = 1


def sheet(product: Product, amount: Decimal, tenor: int | None, on: date) -> dict[str, Any]:
    """The disclosure sheet 综合融资成本明示表 (金规〔2026〕2号): plain JSON values, one plan per number of instalments.

    For a line the plans are an example: the whole limit bought today. The cost of each purchase is shown again
    before it is bought.
    """
    tenors = [tenor] if tenor else sorted(product.tenors)
    first_due_on = _first_due_on(product, on)
    plans = [_plan(product.terms(amount, one, on, first_due_on)) for one in tenors]
    return {
        "version": SHEET_VERSION,
        "on": on.isoformat(),
        "product": product.code,
        "product_version": product.version,
        "currency": product.currency,
        "principal": str(amount),
        "plans": plans,
        "annual_cost": str(max(Decimal(plan["annual_cost"]) for plan in plans)),
        "penalty_rate": str(product.penalty_rate),
        "penalty_grace_days": product.penalty_grace_days,
        "other_charges": [],
    }


def _first_due_on(product: Product, on: date) -> date | None:
    if product.kind == Product.Kind.LOAN:
        return None
    return calendar.first_due_on(on, min(on.day, lines.LAST_STATEMENT_DAY))


def _plan(terms: engine.Terms) -> dict[str, Any]:
    rows = engine.schedule(terms)
    cost = engine.annual_cost(terms, rows)
    return {
        "tenor": terms.instalments,
        "rows": [
            {
                "due_on": row.due_on.isoformat(),
                "principal": str(row.principal),
                "interest": str(row.interest),
                "fee": str(row.fee),
                "total": str(row.total),
                "balance": str(row.balance),
            }
            for row in rows
        ],
        "interest": str(sum((row.interest for row in rows), ZERO)),
        "fee": str(sum((row.fee for row in rows), ZERO)),
        "upfront_fee": str(terms.upfront_fee),
        "total": str(sum((row.total for row in rows), ZERO)),
        "annual_cost": f"{cost.effective:.6f}",
        "annual_cost_nominal": f"{cost.nominal:.6f}",
    }


def fingerprint(content: dict[str, Any]) -> str:
    """The sha256 of the sheet's canonical JSON."""
    text = json.dumps(content, cls=DjangoJSONEncoder, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def make(application: Application, *, at: datetime, on: date) -> Offer:
    """What puts the approved amount before the customer, not yet saved; refuses when its all-in cost is above the
    legal cap.

    Called by `applications.decide_many` under the application's lock.
    """
    product = application.product
    content = sheet(product, application.approved_amount, application.tenor, on)
    annual_cost = Decimal(content["annual_cost"])
    cap = rules.parameter("ALL_IN_COST_CAP", on, lender_type=product.lender_type)
    if annual_cost > cap:
        raise Refused("above_cost_cap", _("The all-in annual cost is above the legal cap."))
    application.offer()
    return Offer(
        application=application,
        amount=application.approved_amount,
        tenor=application.tenor,
        annual_cost=annual_cost,
        sheet=content,
        sheet_sha256=fingerprint(content),
        made_at=at,
        expires_on=on + timedelta(days=product.offer_days),
    )


@transaction.atomic
def show(*, offer_id: int, by: User | None, at: datetime) -> Offer:
    """The customer opened the sheet; the first time counts."""
    offer = Offer.objects.select_for_update(of=("self",)).select_related("application").get(pk=offer_id)
    if offer.shown_at is None:
        offer.shown_at = at
        offer.save(update_fields=["shown_at"])
        events.record("offer.shown", offer.application, by=by, at=at, sheet=offer.sheet_sha256)
    return offer


def reading_seconds(on: date, lender_type: str = "") -> int:
    """How long the sheet must have been open before it can be confirmed; none before the rule came into force."""
    return int(rules.duty("READING_SECONDS", on, lender_type=lender_type))


@transaction.atomic
def accept(*, offer_id: int, by: User | None, at: datetime, on: date) -> Application:
    """The customer confirms the sheet: the line opens, or the loan is paid out.

    Refused when the offer has run out or the sheet was not open for the forced reading time. Accepting twice returns
    the booked application.
    """
    application_id = Offer.objects.values_list("application_id", flat=True).get(pk=offer_id)
    application = (
        Application.objects.select_for_update(of=("self",))
        .select_related("customer", "product")
        .get(pk=application_id)
    )
    offer = Offer.objects.select_for_update().get(pk=offer_id)
    if offer.accepted_at:
        return application
    _check_acceptance(offer, application, at, on)
    offer.accepted_at = at
    offer.save(update_fields=["accepted_at"])
    application.accept()
    events.record("offer.accepted", application, by=by, at=at, sheet=offer.sheet_sha256)
    _fulfil(application, offer, by=by, at=at, on=on)
    return application


def _check_acceptance(offer: Offer, application: Application, at: datetime, on: date) -> None:
    if application.state != Application.State.OFFERED:
        raise Refused("offer_gone", _("This offer is no longer open."))
    if offer.expires_on < on:
        raise Refused("offer_expired", _("This offer has expired."))
    needed = reading_seconds(on, application.product.lender_type)
    read = (at - offer.shown_at).total_seconds() if offer.shown_at else 0
    if offer.shown_at is None or read < needed:
        raise Refused("too_quick", _("Please take a moment to read the cost sheet before you confirm."))
    if application.customer.state == application.customer.State.BLOCKED:
        raise Refused("customer_blocked", _("We cannot open this for you at present."))


def _fulfil(application: Application, offer: Offer, *, by: User | None, at: datetime, on: date) -> None:
    if application.product.kind == Product.Kind.LINE:
        _open_line(application, offer, by=by, at=at, on=on)
    else:
        _pay_out(application, offer, by=by, at=at, on=on)
    application.book()
    customer = application.customer
    customer.activate()
    with bulk.together():
        bulk.update_many([application], ["state"])
        bulk.update_many([customer], ["state"])
    events.record("application.booked", application, by=by, at=at, amount=offer.amount)


def _open_line(
    application: Application, offer: Offer, *, by: User | None, at: datetime, on: date
) -> CreditLine:
    opening = lines.Opening(
        customer=application.customer,
        product_id=application.product_id,
        limit=offer.amount,
        application_id=application.pk,
    )
    return lines.open_lines([opening], by=by, at=at, on=on)[0]


def _pay_out(application: Application, offer: Offer, *, by: User | None, at: datetime, on: date) -> None:
    assert application.tenor is not None  # asked of everyone who wants a loan
    terms = application.product.terms(offer.amount, application.tenor, on)
    rows = engine.schedule(terms)
    loan = booking.draft(
        customer_id=application.customer_id,
        product=application.product,
        application_id=application.pk,
        terms=terms,
        rows=rows,
        annual_cost=engine.annual_cost(terms, rows).effective,
    )
    booking.book(
        [loan],
        keys=[f"disburse:{application.pk}"],
        kind=posting.TO_CUSTOMER,
        by=by,
        at=at,
        on=on,
    )
