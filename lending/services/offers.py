"""The offer: what it costs in full, shown before anything is signed, and what acceptance brings."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk, events, words
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import Application, ContractDocument, Event, Loan, Offer, Product, User
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


def show(*, offer_id: int, **how: Any) -> Offer:
    """The customer opened the sheet; see `show_many`."""
    (offer,) = show_many([offer_id], **how)
    return offer


@transaction.atomic
def show_many(
    offer_ids: Iterable[int],
    *,
    by: User | None,
    at: datetime,
    on: date | None = None,
    language: str = "",
) -> list[Offer]:
    """Customers opened the sheets; of each the first time counts.

    A loan's schedule begins on the day it is paid out: opened on a later business date `on`, the sheet is written
    anew for that day, and is to be read anew.
    """
    found = locking.offers(offer_ids)
    stale = [
        offer for offer in found if on is not None and offer.accepted_at is None and not _is_of(offer, on)
    ]
    for offer in stale:
        assert on is not None
        _write_sheet(offer, on)
        offer.shown_at = None
    unseen = [offer for offer in found if offer.shown_at is None]
    for offer in unseen:
        offer.shown_at = at
    bulk.update_many(stale, SHEET)
    bulk.update_many(unseen, ["shown_at"])
    events.record_many([_told("offer.rewritten", offer, by, at) for offer in stale])
    events.record_many(
        [
            _told("offer.shown", offer, by, at, language=language or offer.application.customer.language)
            for offer in unseen
        ]
    )
    return found


SHEET = ("annual_cost", "sheet", "sheet_sha256")


def _told(kind: str, offer: Offer, by: User | None, at: datetime, **facts: Any) -> Event:
    return events.build(kind, offer.application, by=by, at=at, sheet=offer.sheet_sha256, **facts)


def _is_of(offer: Offer, on: date) -> bool:
    """Whether the sheet is the one to sign on that day. A line's is an example, good on any day."""
    dated = offer.application.product.kind == Product.Kind.LOAN
    of_day = not dated or offer.sheet["on"] == on.isoformat()
    return bool(of_day and offer.sheet["version"] == sheets.SHEET_VERSION)


def reading_seconds(on: date, lender_type: str = "") -> int:
    """How long the sheet must have been open before it can be confirmed; none before the rule came into force."""
    return int(rules.duty("READING_SECONDS", on, lender_type=lender_type))


def accept(*, offer_id: int, **how: Any) -> Application:
    """The customer confirms the sheet; see `accept_many`. Raises what is refused."""
    (application,) = accept_many([offer_id], **how)
    if isinstance(application, Refused):
        raise application
    return application


@transaction.atomic
def accept_many(
    offer_ids: Sequence[int], *, by: User | None, at: datetime, on: date, language: str = ""
) -> list[Application | Refused]:
    """Customers confirm their sheets: these are kept for good, and the lines open or the loans are paid out.

    Refused when the offer has run out or the sheet was not open for the forced reading time; nothing is lost then, and
    no other is held up. Accepting twice returns the booked application.
    """
    results: dict[int, Application | Refused] = {}
    documents: list[ContractDocument] = []
    for offer in locking.offers(offer_ids, with_applications=True):
        results[offer.pk] = offer.application
        if offer.accepted_at is None:
            try:
                documents.append(_accepted(offer, at, on, language))
            except Refused as fault:
                results[offer.pk] = fault
    accepted = [document.offer for document in documents]
    bulk.update_many(accepted, ["accepted_at"])
    bulk.insert_many(documents)
    events.record_many([_told("offer.accepted", offer, by, at) for offer in accepted])
    _fulfil(accepted, by=by, at=at, on=on)
    return [results[offer_id] for offer_id in offer_ids]


def _accepted(offer: Offer, at: datetime, on: date, language: str) -> ContractDocument:
    application = offer.application
    _check_acceptance(offer, application, at, on)
    offer.accepted_at = at
    document = contracts.signed(offer, language=language or application.customer.language)
    application.accept()
    return document


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


def _fulfil(accepted: Sequence[Offer], *, by: User | None, at: datetime, on: date) -> None:
    of_lines = [offer for offer in accepted if offer.application.product.kind == Product.Kind.LINE]
    of_loans = [offer for offer in accepted if offer.application.product.kind == Product.Kind.LOAN]
    if of_lines:
        lines.open_lines([_opening(offer) for offer in of_lines], by=by, at=at, on=on)
    if of_loans:
        _pay_out(of_loans, by=by, at=at, on=on)
    applications = [offer.application for offer in accepted]
    for application in applications:
        application.book()
        application.customer.activate()
    with bulk.together():
        bulk.update_many(applications, ["state"])
        bulk.update_many([application.customer for application in applications], ["state"])
    events.record_many(
        [
            events.build("application.booked", offer.application, by=by, at=at, amount=offer.amount)
            for offer in accepted
        ]
    )


def _opening(offer: Offer) -> lines.Opening:
    application = offer.application
    return lines.Opening(
        customer=application.customer,
        product=application.product,
        limit=offer.amount,
        application_id=application.pk,
        annual_rate=offer.annual_rate,
        fee_rate=offer.fee_rate,
    )


def _pay_out(accepted: Sequence[Offer], *, by: User | None, at: datetime, on: date) -> None:
    booking.book(
        [_loan(offer, on) for offer in accepted],
        keys=[f"disburse:{offer.application_id}" for offer in accepted],
        amounts=[min(offer.application.first_tranche or offer.amount, offer.amount) for offer in accepted],
        kind=posting.TO_CUSTOMER,
        by=by,
        at=at,
        on=on,
    )


def _loan(offer: Offer, on: date) -> Loan:
    application = offer.application
    assert application.tenor is not None  # asked of everyone who wants a loan
    price = {"annual_rate": offer.annual_rate, "fee_rate": offer.fee_rate}
    quote = pricing.quote(application.product, offer.amount, application.tenor, on, **price)
    return booking.draft(
        customer_id=application.customer_id,
        product=application.product,
        application_id=application.pk,
        terms=quote.terms,
        rows=quote.rows,
        annual_cost=offer.annual_cost,
    )
