"""The offer: what it costs in full, shown before anything is signed, and what acceptance brings."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk, events, words
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import Application, CreditLine, Offer, Product, User
from lending.selectors import pricing, rules
from lending.services import booking, contracts, lines, locking, posting, sheets

fingerprint = sheets.fingerprint


def sheet(product: Product, amount: Decimal, tenor: int | None, on: date, **price: Any) -> dict[str, Any]:
    """The disclosure sheet of that amount on that day: `sheets.content`."""
    return sheets.content(product, amount, tenor, on, **price)


def make(
    application: Application,
    *,
    at: datetime,
    on: date,
    annual_rate: Decimal | None = None,
    fee_rate: Decimal | None = None,
) -> Offer:
    """What puts the approved amount before the customer, not yet saved; refuses when its all-in cost is above the
    legal cap.

    The price is the product's unless another one within its range is given. Called by `applications.decide_many`
    under the application's lock.
    """
    product = application.product
    _check_price(product, annual_rate, fee_rate)
    offer = Offer(
        application=application,
        amount=application.approved_amount,
        tenor=application.tenor,
        annual_rate=annual_rate,
        fee_rate=fee_rate,
        made_at=at,
        expires_on=on + timedelta(days=product.offer_days),
    )
    _write_sheet(offer, on)
    application.offer()
    return offer


def _check_price(product: Product, annual_rate: Decimal | None, fee_rate: Decimal | None) -> None:
    for field, rate, (low, high) in (
        ("annual_rate", annual_rate, product.rate_range),
        ("fee_rate", fee_rate, product.fee_range),
    ):
        if rate is not None and not low <= rate <= high:
            text = _("The product allows %(low)s to %(high)s.")
            limits = {"low": words.percent(low), "high": words.percent(high)}
            raise Refused("price_outside", text % limits, field=field)


def _write_sheet(offer: Offer, on: date) -> None:
    product = offer.application.product
    price = {"annual_rate": offer.annual_rate, "fee_rate": offer.fee_rate}
    content = sheet(product, offer.amount, offer.tenor, on, **price)
    content |= {"borrower": offer.application.customer.name, "application": str(offer.application)}
    if Decimal(content["annual_cost"]) > Decimal(content["cap"]):
        raise Refused("above_cost_cap", _("The all-in annual cost is above the legal cap."))
    offer.annual_cost = Decimal(content["annual_cost"])
    offer.sheet, offer.sheet_sha256 = content, fingerprint(content)


@transaction.atomic
def show(
    *, offer_id: int, by: User | None, at: datetime, on: date | None = None, language: str = ""
) -> Offer:
    """The customer opened the sheet; the first time counts.

    A loan's schedule begins on the day it is paid out: opened on a later business date `on`, the sheet is written
    anew for that day, and is to be read anew.
    """
    offer = locking.offer(offer_id)
    if on is not None and offer.accepted_at is None and not _is_of(offer, on):
        _write_sheet(offer, on)
        offer.shown_at = None
        offer.save()
        events.record("offer.rewritten", offer.application, by=by, at=at, sheet=offer.sheet_sha256)
    if offer.shown_at is None:
        offer.shown_at = at
        bulk.update_many([offer], ["shown_at"])
        facts = {"sheet": offer.sheet_sha256, "language": language or offer.application.customer.language}
        events.record("offer.shown", offer.application, by=by, at=at, **facts)
    return offer


def _is_of(offer: Offer, on: date) -> bool:
    """Whether the sheet is the one to sign on that day. A line's is an example, good on any day."""
    dated = offer.application.product.kind == Product.Kind.LOAN
    of_day = not dated or offer.sheet["on"] == on.isoformat()
    return bool(of_day and offer.sheet["version"] == sheets.SHEET_VERSION)


def reading_seconds(on: date, lender_type: str = "") -> int:
    """How long the sheet must have been open before it can be confirmed; none before the rule came into force."""
    return int(rules.duty("READING_SECONDS", on, lender_type=lender_type))


@transaction.atomic
def accept(*, offer_id: int, by: User | None, at: datetime, on: date, language: str = "") -> Application:
    """The customer confirms the sheet: it is kept for good, and the line opens or the loan is paid out.

    Refused when the offer has run out or the sheet was not open for the forced reading time; nothing is lost then.
    Accepting twice returns the booked application.
    """
    offer = locking.offer(offer_id, with_application=True)
    application = offer.application
    if offer.accepted_at:
        return application
    _check_acceptance(offer, application, at, on)
    offer.accepted_at = at
    bulk.update_many([offer], ["accepted_at"])
    contracts.sign(offer, language=language or application.customer.language)
    application.accept()
    events.record("offer.accepted", application, by=by, at=at, sheet=offer.sheet_sha256)
    _fulfil(application, offer, by=by, at=at, on=on)
    return application


def _check_acceptance(offer: Offer, application: Application, at: datetime, on: date) -> None:
    if application.state != Application.State.OFFERED:
        raise Refused("offer_gone", _("This offer is no longer open."))
    if offer.expires_on < on:
        raise Refused("offer_expired", _("This offer has expired."))
    _check_reading(offer, application, at, on)
    if application.customer.state == application.customer.State.BLOCKED:
        raise Refused("customer_blocked", _("We cannot open this for you at present."))
    if not _is_of(offer, on):
        raise Refused(
            "sheet_of_another_day",
            _(
                "The dates have moved on since you opened this sheet. Please read the new one and confirm again."
            ),
        )
    _check_security(offer, application, on)


def _check_reading(offer: Offer, application: Application, at: datetime, on: date) -> None:
    needed = reading_seconds(on, application.product.lender_type)
    read = int((at - offer.shown_at).total_seconds()) if offer.shown_at else 0
    if offer.shown_at is None or read < needed:
        text = _(
            "Please take a moment to read the cost sheet: you can confirm in %(seconds)s seconds. Your offer stands."
        )
        raise Refused("too_quick", text % {"seconds": max(needed - read, 1)})


def _check_security(offer: Offer, application: Application, on: date) -> None:
    """The product's required security must be pledged and in force before money goes out."""
    share = application.product.required_coverage
    if not share:
        return
    needed = (offer.amount * share).quantize(ZERO)
    pledged = sum((item.lending_value(on) for item in application.customer.collateral.all()), ZERO)
    if pledged < needed:
        raise Refused(
            "security_missing",
            _("Security of %(needed)s must be pledged first; %(pledged)s is. Your offer stands.")
            % {"needed": words.money(needed), "pledged": words.money(pledged)},
        )


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
        product=application.product,
        limit=offer.amount,
        application_id=application.pk,
        annual_rate=offer.annual_rate,
        fee_rate=offer.fee_rate,
    )
    return lines.open_lines([opening], by=by, at=at, on=on)[0]


def _pay_out(application: Application, offer: Offer, *, by: User | None, at: datetime, on: date) -> None:
    assert application.tenor is not None  # asked of everyone who wants a loan
    price = {"annual_rate": offer.annual_rate, "fee_rate": offer.fee_rate}
    quote = pricing.quote(application.product, offer.amount, application.tenor, on, **price)
    loan = booking.draft(
        customer_id=application.customer_id,
        product=application.product,
        application_id=application.pk,
        terms=quote.terms,
        rows=quote.rows,
        annual_cost=offer.annual_cost,
    )
    booking.book(
        [loan],
        keys=[f"disburse:{application.pk}"],
        amounts=[min(application.first_tranche or offer.amount, offer.amount)],
        kind=posting.TO_CUSTOMER,
        by=by,
        at=at,
        on=on,
    )
