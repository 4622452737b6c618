"""From a customer's wish to a decision."""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from lending import events, words
from lending.errors import Refused
from lending.models import Application, Customer, Document, Product, User
from lending.services import checks, notices, offers
from lending.services.steps import step

State = Application.State
# Put into words when the message is, in the customer's language.
reason_in_words = lazy(words.reason, str)
APPROVE, REFER, DECLINE = "APPROVE", "REFER", "DECLINE"


@transaction.atomic
def start(
    *,
    customer_id: int,
    product_id: int,
    amount: Decimal,
    by: User | None,
    at: datetime,
    tenor: int | None = None,
    purpose: str = "",
    answers: dict[str, Any] | None = None,
) -> Application:
    """A draft; refused while another application of the customer is open, or outside the product's limits."""
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    product = Product.objects.get(pk=product_id)
    _check_ask(customer, product, amount, tenor)
    application = Application(
        customer=customer,
        product=product,
        amount=amount,
        tenor=tenor,
        purpose=purpose,
        answers=answers or {},
        created_at=at,
    )
    try:
        with transaction.atomic():
            application.save(force_insert=True)
    except IntegrityError as error:
        raise Refused(
            "application_open", _("You have an open application already. Finish or withdraw it first.")
        ) from error
    events.record("application.started", application, by=by, at=at, amount=amount, product=product.code)
    return application


def _check_ask(customer: Customer, product: Product, amount: Decimal, tenor: int | None) -> None:
    checks.amount(amount)
    if product.state != Product.State.LIVE:
        raise Refused("product_not_live", _("This product is not on offer."), field="product")
    if product.audience != customer.kind:
        raise Refused("audience", _("This product is not for this kind of customer."), field="product")
    if customer.state in (Customer.State.BLOCKED, Customer.State.CLOSED):
        raise Refused("customer_blocked", _("We cannot take an application from you at present."))
    if not product.min_amount <= amount <= product.max_amount:
        raise Refused(
            "amount_outside",
            _("Choose an amount from %(low)s to %(high)s.")
            % {"low": product.min_amount, "high": product.max_amount},
            field="amount",
        )
    if product.kind == Product.Kind.LOAN and tenor not in product.tenors:
        raise Refused("tenor", _("This number of instalments is not on offer."), field="tenor")
    if product.kind == Product.Kind.LINE and customer.lines.exclude(state="CLOSED").exists():
        raise Refused("line_open", _("You have a credit line already."), field="product")


@transaction.atomic
def attach_document(*, application_id: int, kind: str, file: File, by: User | None, at: datetime) -> Document:
    """Add a paper to an application that is still open."""
    application = Application.objects.select_for_update().get(pk=application_id)
    if not application.is_open:
        raise Refused("application_closed", _("The application is closed."))
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    document = Document.objects.create(
        application=application, kind=kind, file=file, sha256=sha256, uploaded_at=at
    )
    events.record("application.document_added", application, by=by, at=at, kind=kind, sha256=sha256)
    return document


@transaction.atomic
def submit(*, application_id: int, by: User | None, at: datetime) -> Application:
    """Ask for a decision: from now on the row waits for the scorer."""
    application = Application.objects.select_for_update().get(pk=application_id)
    application.submit(at=at)
    application.save()
    events.record("application.submitted", application, by=by, at=at)
    _tell(application, "application_received", at)
    return application


@transaction.atomic
def decide(
    *,
    application_id: int,
    outcome: str,
    by: User | None,
    at: datetime,
    on: date,
    reasons: Sequence[str] = (),
    amount: Decimal | None = None,
    grade: str = "",
    note: str = "",
) -> Application:
    """Approve (an offer is made at once), refer to a person, or decline with reasons.

    `by` is None when the policy decides. An approval may be for less than was asked, never for more.
    """
    application = (
        Application.objects.select_for_update(of=("self",))
        .select_related("customer", "product")
        .get(pk=application_id)
    )
    application.reasons = list(reasons)[:4]
    application.grade = grade or application.grade
    application.decision_note = note
    application.decided_at, application.decided_by = at, by
    {APPROVE: _approve, REFER: _refer, DECLINE: _decline}[outcome](application, amount, by, at, on)
    return application


def _approve(
    application: Application, amount: Decimal | None, by: User | None, at: datetime, on: date
) -> None:
    amount = application.amount if amount is None else amount
    checks.amount(amount)
    if amount > application.amount:
        raise Refused("above_asked", _("Approve at most what was asked for."), field="amount")
    if amount < application.product.min_amount:
        raise Refused("below_minimum", _("The amount is below the product's smallest."), field="amount")
    application.approved_amount = amount
    application.approve()
    application.save()
    events.record("application.approved", application, by=by, at=at, amount=amount, grade=application.grade)
    offer = offers.make(application, by=by, at=at, on=on)
    _tell(application, "application_approved", at, amount=amount, expires_on=offer.expires_on)


def _refer(application: Application, amount: Decimal | None, by: User | None, at: datetime, on: date) -> None:
    application.decided_at = application.decided_by = None
    application.approved_amount = amount
    application.refer()
    application.save()
    events.record("application.referred", application, by=by, at=at, reasons=application.reasons)
    _tell(application, "application_referred", at)


def _decline(
    application: Application, amount: Decimal | None, by: User | None, at: datetime, on: date
) -> None:
    if not application.reasons:
        raise Refused("reasons", _("A decline needs at least one reason."), field="reasons")
    application.decline()
    application.save()
    events.record("application.declined", application, by=by, at=at, reasons=application.reasons)
    _tell(application, "application_declined", at)


def _tell(application: Application, template: str, at: datetime, **context: Any) -> None:
    notices.queue(
        customer=application.customer,
        template=template,
        context={
            "amount": application.amount,
            "reasons": [reason_in_words(code) for code in application.reasons],
            **context,
        },
        key=f"{template}:{application.pk}:{at:%Y%m%d%H%M%S}",
        at=at,
    )


@transaction.atomic
def ask_review(*, application_id: int, by: User | None, at: datetime) -> Application:
    """A declined customer asks a person to look again; once per application, and no machine may close it."""
    application = Application.objects.select_for_update().get(pk=application_id)
    if application.review_requested_at:
        raise Refused("reviewed", _("A person has looked at this application already."))
    application.ask_review(at=at)
    try:
        with transaction.atomic():
            application.save()
    except IntegrityError as error:
        raise Refused("application_open", _("You have another open application.")) from error
    events.record("application.review_asked", application, by=by, at=at)
    return application


@transaction.atomic
def withdraw(*, application_id: int, by: User | None, at: datetime) -> Application:
    """The customer takes the application back."""
    application = Application.objects.select_for_update().get(pk=application_id)
    application.withdraw()
    application.save()
    events.record("application.withdrawn", application, by=by, at=at)
    return application


@step(_("Offers that nobody accepted run out"))
@transaction.atomic
def expire(*, on: date, at: datetime) -> int:
    """Close step: offers that nobody accepted in time."""
    late = Application.objects.select_for_update(of=("self",)).select_related("customer")
    rows = list(late.filter(state=State.OFFERED, offers__expires_on__lt=on).order_by("pk"))
    for application in rows:
        application.expire()
        application.save()
        events.record("application.expired", application, by=None, at=at)
        _tell(application, "offer_expired", at)
    return len(rows)
