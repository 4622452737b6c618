"""From a customer's wish to a decision."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from lending import bulk, events, words
from lending.errors import Refused
from lending.models import Application, Customer, Document, Event, Loan, Offer, Product, User
from lending.selectors import rules
from lending.services import checks, locking, notices, offers
from lending.services.customers import age
from lending.services.steps import step

State = Application.State
# Put into words when the message is, in the customer's language.
reason_in_words = lazy(words.reason, str)
APPROVE, REFER, DECLINE = "APPROVE", "REFER", "DECLINE"

WITH_LINE = bulk.Tuples(
    "SELECT DISTINCT customer_id FROM lending_creditline WHERE customer_id = ANY(%s::bigint[]) AND state <> 'CLOSED'"
)
PRODUCTS = bulk.Select(Product, "id = ANY(%s::bigint[])")


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a customer asks for: what `start` takes, for many at once."""

    customer_id: int
    product_id: int
    amount: Decimal
    tenor: int | None = None
    purpose: str = ""
    answers: dict[str, Any] | None = None


def start(*, by: User | None, at: datetime, **ask: Any) -> Application:
    """A draft of what is asked for (see `Ask`); refused while another application of the customer is open, or outside
    the product's limits."""
    (application,) = start_many([Ask(**ask)], by=by, at=at)
    if isinstance(application, Refused):
        raise application
    return application


@transaction.atomic
def start_many(asks: Sequence[Ask], *, by: User | None, at: datetime) -> list[Application | Refused]:
    """Drafts of what is asked for, in a few statements however many they are; a refusal holds up no other."""
    ids = {ask.customer_id for ask in asks}
    customers = {row.pk: row for row in locking.HELD(sorted(ids))}
    if len(customers) < len(ids):
        raise Customer.DoesNotExist
    products = {row.pk: row for row in PRODUCTS([ask.product_id for ask in asks])}
    with_line = {customer_id for (customer_id,) in WITH_LINE(sorted(ids))}
    drafts: list[Application | Refused] = []
    for ask in asks:
        if ask.product_id not in products:
            raise Product.DoesNotExist
        drafts.append(
            _draft(
                ask,
                customers[ask.customer_id],
                products[ask.product_id],
                at,
                first=ask.customer_id in ids,
                has_line=ask.customer_id in with_line,
            )
        )
        ids.discard(ask.customer_id)
    started = bulk.create_many([one for one in drafts if isinstance(one, Application)], ignore_known=True)
    events.record_many(
        [
            events.build(
                "application.started", one, by=by, at=at, amount=one.amount, product=one.product.code
            )
            for one in started
        ]
    )
    return [_open_already() if isinstance(one, Application) and one.pk is None else one for one in drafts]


def _draft(
    ask: Ask, customer: Customer, product: Product, at: datetime, *, first: bool, has_line: bool
) -> Application | Refused:
    if not first:
        return _open_already()
    try:
        _check_ask(customer, product, ask.amount, ask.tenor, has_line)
    except Refused as fault:
        return fault
    return Application(
        customer=customer,
        product=product,
        amount=ask.amount,
        tenor=ask.tenor,
        purpose=ask.purpose,
        answers=ask.answers or {},
        created_at=at,
    )


def _open_already() -> Refused:
    return Refused(
        "application_open", _("You have an open application already. Finish or withdraw it first.")
    )


def _check_ask(
    customer: Customer, product: Product, amount: Decimal, tenor: int | None, has_line: bool
) -> None:
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
    if product.max_open_loans is not None and _open_loans(customer, product) >= product.max_open_loans:
        raise Refused(
            "too_many_loans", _("You have as many loans of this kind as there can be."), field="product"
        )
    if product.kind == Product.Kind.LINE and has_line:
        raise Refused("line_open", _("You have a credit line already."), field="product")


def _open_loans(customer: Customer, product: Product) -> int:
    """Loans of any version of the product that still owe."""
    return customer.loans.filter(product__code=product.code, state__in=Loan.OWING).count()


@transaction.atomic
def attach_document(*, application_id: int, kind: str, file: File, by: User | None, at: datetime) -> Document:
    """Add a paper to an application that is still open."""
    application = Application.objects.select_for_update(no_key=True).get(pk=application_id)
    if not application.is_open:
        raise Refused("application_closed", _("The application is closed."))
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    document = Document.objects.create(
        application=application, kind=kind, file=file, sha256=sha256, uploaded_at=at
    )
    events.record("application.document_added", application, by=by, at=at, kind=kind, sha256=sha256)
    return document


def reveal_document(*, document_id: int, by: User, at: datetime) -> Document:
    """A member of the staff takes a paper out: who, which and when is written down."""
    document = Document.objects.select_related("application").get(pk=document_id)
    facts = {"document": document.pk, "kind": document.kind, "sha256": document.sha256}
    events.record("document.revealed", document.application, by=by, at=at, **facts)
    return document


def submit(*, application_id: int, by: User | None, at: datetime) -> Application:
    """Ask for a decision: from now on the row waits for the scorer."""
    return submit_many({application_id: at}, by=by)[0]


@transaction.atomic
def submit_many(moments: Mapping[int, datetime], *, by: User | None) -> list[Application]:
    """Submit each of these applications at its moment, in a few statements however many they are."""
    rows = locking.applications(moments)
    for application in rows:
        application.submit(at=moments[application.pk])
    bulk.update_many(rows, ["state", "submitted_at"])
    events.record_many(
        [events.build("application.submitted", row, by=by, at=moments[row.pk]) for row in rows]
    )
    received = [_message(row, "application_received", moments[row.pk]) for row in rows]
    notices.queue_many(received, at=max(moments.values()))
    return rows


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What becomes of an application: what `decide` takes, for many at once.

    An approval may name a tenor and a price of its own, within what the product allows.
    """

    application_id: int
    outcome: str
    reasons: Sequence[str] = ()
    amount: Decimal | None = None
    grade: str = ""
    note: str = ""
    tenor: int | None = None
    annual_rate: Decimal | None = None
    fee_rate: Decimal | None = None
    # Who asked for the approval of what was declined before; another person decides.
    asked_by_id: int | None = None


def decide(*, by: User | None, at: datetime, on: date, **decision: Any) -> Application:
    """Approve (an offer is made at once), refer to a person, or decline with reasons (see `Decision`).

    `by` is None when the policy decides. An approval may be for less than was asked, never for more.
    """
    (application,) = decide_many([Decision(**decision)], by=by, at=at, on=on)
    if isinstance(application, Refused):
        raise application
    return application


@transaction.atomic
def decide_many(
    decisions: Sequence[Decision], *, by: User | None, at: datetime, on: date
) -> list[Application | Refused]:
    """Decide each, in a few statements however many they are.

    What is refused stays as it was and holds up no other. Raises TransitionNotAllowed, and decides nothing, when one
    of them does not wait for a decision.
    """
    approving = any(one.outcome == APPROVE for one in decisions)
    asked = {one.application_id for one in decisions}
    known = {row.pk: row for row in locking.applications(asked, identified=approving)}
    of_age = rules.duty("MINIMUM_AGE", on) if approving else Decimal(0)
    results: list[_Result | Refused] = []
    for decision in decisions:
        try:
            if decision.outcome == APPROVE:
                _check_person(known[decision.application_id], of_age, on)
            results.append(_decided(known[decision.application_id], decision, by, at, on))
        except Refused as fault:
            results.append(fault)
    done = [result for result in results if isinstance(result, _Result)]
    bulk.update_many([result.application for result in done], DECIDED)
    bulk.create_many([result.offer for result in done if result.offer])
    events.record_many([event for result in done for event in result.events])
    notices.queue_many([result.message for result in done], at=at)
    return [result.application if isinstance(result, _Result) else result for result in results]


DECIDED = (
    *("state", "reasons", "grade", "decision_note", "decided_at", "decided_by", "approved_amount", "tenor"),
    "overridden_by",
)


@dataclass(frozen=True)
class _Result:
    """A decision, not yet written."""

    application: Application
    events: list[Event]
    message: notices.Message
    offer: Offer | None = None


def _decided(
    application: Application, decision: Decision, by: User | None, at: datetime, on: date
) -> _Result:
    _check_review(application, decision, by)
    before = application.reasons
    application.reasons = list(decision.reasons)[:4]
    application.grade = decision.grade or application.grade
    application.decision_note = decision.note
    application.decided_at, application.decided_by = at, by
    decided = {APPROVE: _approve, REFER: _refer, DECLINE: _decline}[decision.outcome]
    result = decided(application, decision, by, at, on)
    if application.review_requested_at and decision.outcome == APPROVE:
        application.overridden_by_id = decision.asked_by_id
        facts = {"declined_for": before, "asked_by": decision.asked_by_id, "reason": decision.note}
        result.events.append(events.build("application.overridden", application, by=by, at=at, **facts))
    return result


def _check_review(application: Application, decision: Decision, by: User | None) -> None:
    """What a person was asked to look at again no machine closes, and one person alone does not approve."""
    if application.review_requested_at is None:
        return
    if by is None:
        raise Refused("person_only", _("A person was asked to decide on this application."))
    if decision.outcome == APPROVE and decision.asked_by_id in (None, by.pk):
        raise Refused("second_person", _("What was declined takes two people to approve."))


def _check_person(application: Application, of_age: Decimal, on: date) -> None:
    """Whatever a policy or an officer says: nobody under age, and no student at a micro-loan company.

    Civil code art. 17; five-agency notice of 2021-03-17 on internet consumer loans to students.
    """
    years = age(application.customer, on)
    if years is not None and years < of_age:
        raise Refused("minor", _("The customer has not come of age."))
    if application.customer.is_student and application.product.lender_type == "MICRO_LOAN":
        raise Refused("student", _("A micro-loan company gives students no consumer credit."))


def _approve(
    application: Application, decision: Decision, by: User | None, at: datetime, on: date
) -> _Result:
    amount = application.amount if decision.amount is None else decision.amount
    checks.amount(amount)
    if amount > application.amount:
        raise Refused("above_asked", _("Approve at most what was asked for."), field="amount")
    if amount < application.product.min_amount:
        raise Refused("below_minimum", _("The amount is below the product's smallest."), field="amount")
    if decision.tenor is not None and decision.tenor not in application.product.tenors:
        raise Refused("tenor", _("This number of instalments is not on offer."), field="tenor")
    application.approved_amount = amount
    application.tenor = decision.tenor or application.tenor
    application.approve()
    price = {"annual_rate": decision.annual_rate, "fee_rate": decision.fee_rate}
    offer = offers.make(application, at=at, on=on, **price)
    told = [
        events.build(
            "application.approved", application, by=by, at=at, amount=amount, grade=application.grade
        ),
        events.build("offer.made", application, by=by, at=at, amount=amount, sheet=offer.sheet_sha256),
    ]
    message = _message(application, "application_approved", at, amount=amount, expires_on=offer.expires_on)
    return _Result(application, told, message, offer)


def _refer(application: Application, decision: Decision, by: User | None, at: datetime, on: date) -> _Result:
    application.decided_at = application.decided_by = None
    application.approved_amount = decision.amount
    application.refer()
    told = events.build("application.referred", application, by=by, at=at, reasons=application.reasons)
    return _Result(application, [told], _message(application, "application_referred", at))


def _decline(
    application: Application, decision: Decision, by: User | None, at: datetime, on: date
) -> _Result:
    if not application.reasons:
        raise Refused("reasons", _("A decline needs at least one reason."), field="reasons")
    application.decline()
    told = events.build("application.declined", application, by=by, at=at, reasons=application.reasons)
    return _Result(application, [told], _message(application, "application_declined", at))


def _message(application: Application, template: str, at: datetime, **context: Any) -> notices.Message:
    return notices.Message(
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
    """A declined customer asks a person to look again; once per application, and no machine may close it.

    A person answers within REVIEW_DAYS. Staff ask for a customer who did so by phone or letter.
    """
    application = Application.objects.select_for_update(no_key=True).get(pk=application_id)
    if application.review_requested_at:
        raise Refused("reviewed", _("A person has looked at this application already."))
    day = timezone.localtime(at).date()
    application.ask_review(at=at, due_on=day + timedelta(days=int(rules.duty("REVIEW_DAYS", day))))
    try:
        with transaction.atomic():
            application.save()
    except IntegrityError as error:
        raise Refused("application_open", _("You have another open application.")) from error
    events.record("application.review_asked", application, by=by, at=at, due_on=application.review_due_on)
    notices.queue_many(
        [_message(application, "review_received", at, due_on=application.review_due_on)], at=at
    )
    return application


@transaction.atomic
def withdraw(*, application_id: int, by: User | None, at: datetime) -> Application:
    """The customer takes the application back."""
    application = Application.objects.select_for_update(no_key=True).get(pk=application_id)
    application.withdraw()
    application.save()
    events.record("application.withdrawn", application, by=by, at=at)
    return application


OFFER_EXPIRED = bulk.Tuples(
    """
    SELECT a.id FROM lending_application a JOIN lending_offer o ON o.application_id = a.id
    WHERE a.state = 'OFFERED' AND o.expires_on < %s
    """
)


@step(_("Offers that nobody accepted run out"))
def expire(*, on: date, at: datetime) -> int:
    """Close step: offers that nobody accepted in time."""
    late = [application_id for (application_id,) in OFFER_EXPIRED(on)]
    rows = [row for row in locking.applications(late) if row.state == State.OFFERED] if late else []
    for application in rows:
        application.expire()
    bulk.update_many(rows, ["state"])
    events.record_many([events.build("application.expired", row, by=None, at=at) for row in rows])
    notices.queue_many([_message(row, "offer_expired", at) for row in rows], at=at)
    return len(rows)
