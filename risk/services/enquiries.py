"""Asking a bureau or an identity check: the consent first, then the row, then the question, then the answer."""

import logging
from datetime import datetime
from uuid import uuid4

from django.db import transaction
from django.utils.translation import gettext as _

from lending import events
from lending.errors import Refused
from lending.models import Consent, Customer, User
from risk import bureaus
from risk.models import Enquiry, EnquiryResult

log = logging.getLogger(__name__)

PURPOSES = {
    Enquiry.Kind.BUREAU: Consent.Purpose.BUREAU_QUERY,
    Enquiry.Kind.IDENTITY: Consent.Purpose.CREDIT_ASSESSMENT,
}


def ask(*, customer_id: int, kind: str, by: User | None, at: datetime) -> EnquiryResult:
    """Ask about a customer and keep the answer. An enquiry without one is on record too, as NO_ANSWER.

    Raises Refused without a standing consent for it, and where no source is set up. The enquiry is committed before the
    source is asked: nobody is asked about of whom it is not on record by what right.
    """
    source = bureaus.current(kind)
    enquiry = _open(customer_id, kind, source, by, at)
    customer = enquiry.customer
    subject = bureaus.Subject(
        reference=str(enquiry.reference),
        kind=customer.kind,
        name=customer.name,
        id_number=customer.id_number or "",
        phone=customer.phone or "",
        consent=enquiry.consent_id,
    )
    try:
        answer = source.ask(subject)
    except OSError as error:
        log.warning("no answer to enquiry %s: %s", enquiry.reference, error)
        answer = bureaus.Answer(EnquiryResult.Outcome.NO_ANSWER)
    return _close(enquiry, answer, by, at)


@transaction.atomic
def _open(customer_id: int, kind: str, source: bureaus.Source, by: User | None, at: datetime) -> Enquiry:
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
    purpose = PURPOSES[Enquiry.Kind(kind)]
    consent = customer.consents.filter(purpose=purpose, withdrawn_at=None).first()
    if consent is None:
        raise Refused("no_consent", _("The customer has not agreed to this: %s") % purpose.label)
    enquiry = Enquiry.objects.create(
        customer=customer,
        kind=kind,
        consent=consent,
        reference=uuid4(),
        source=source.name,
        licence=source.licence,
        asked_at=at,
        asked_by=by,
    )
    events.record("enquiry.asked", enquiry, by=by, at=at, source=source.name, consent=consent.pk)
    return enquiry


@transaction.atomic
def _close(enquiry: Enquiry, answer: bureaus.Answer, by: User | None, at: datetime) -> EnquiryResult:
    result = EnquiryResult.objects.create(
        enquiry=enquiry,
        outcome=EnquiryResult.Outcome(answer.outcome),
        figures=dict(answer.figures),
        at=at,
    )
    events.record("enquiry.answered", enquiry, by=by, at=at, outcome=result.outcome)
    return result
