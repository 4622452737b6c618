"""Payments through a gateway: started here, finished when the gateway says so, posted once."""

import uuid
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import events
from lending.errors import Refused
from lending.models import Customer, Loan, Payment, UnappliedMoney, User
from lending.services import checks, loans, notices, suspense


@transaction.atomic
def start(
    *,
    customer_id: int,
    amount: Decimal,
    by: User | None,
    at: datetime,
    on: date,
    settles_id: int | None = None,
    reference: str = "",
) -> Payment:
    """Note that the customer goes to the gateway. The same reference again returns the payment that it began."""
    checks.amount(amount)
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
    known = Payment.objects.filter(reference=reference, customer=customer).first() if reference else None
    if known:
        return known
    owing = Loan.objects.filter(customer=customer, state__in=Loan.OWING)
    if settles_id is not None:
        owing = owing.filter(pk=settles_id)
    if not owing.exists():
        raise Refused("nothing_owed", _("Nothing is owed at present."))
    payment = Payment.objects.create(
        customer=customer,
        amount=amount,
        settles_id=settles_id,
        gateway=settings.PAYMENT_GATEWAY.rsplit(".", 1)[-1],
        reference=reference or uuid.uuid4().hex,
        started_at=at,
    )
    events.record("payment.started", payment, by=by, at=at, amount=amount)
    return payment


@transaction.atomic
def finish(*, reference: str, ok: bool, at: datetime, on: date, error: str = "") -> Payment:
    """What the gateway said. A second word on a finished payment changes nothing."""
    payment = (
        Payment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("customer")
        .get(reference=reference)
    )
    if payment.state != Payment.State.STARTED:
        return payment
    payment.finished_at = at
    if ok:
        payment.succeed()
        payment.save()
        _post(payment, at, on)
    else:
        payment.fail(error=error)
        payment.save()
        _regret(payment, at)
    kind = "payment.received" if ok else "payment.failed"
    events.record(kind, payment, by=None, at=at, amount=payment.amount)
    return payment


def _post(payment: Payment, at: datetime, on: date) -> None:
    """Settle the loan when the money still covers its payoff; otherwise it pays the oldest debts first."""
    key = f"payment:{payment.reference}"
    loan = payment.settles
    if loan and loan.state in Loan.OWING and loans.payoff(loan, on).total == payment.amount:
        loans.settle(loan_id=loan.pk, key=key, by=None, at=at, on=on, channel=payment.gateway)
        return
    try:
        with transaction.atomic():
            loans.pay(
                customer_id=payment.customer_id,
                amount=payment.amount,
                key=key,
                by=None,
                at=at,
                on=on,
                channel=payment.gateway,
            )
    except Refused:
        _keep(payment, key, at, on)


def _keep(payment: Payment, key: str, at: datetime, on: date) -> None:
    """The debt went while the money was on its way: the gateway has taken it, so it is held for the customer."""
    held = suspense.Held(
        amount=payment.amount,
        received_on=on,
        reason=UnappliedMoney.Reason.NOTHING_OWED,
        key=key,
        customer_id=payment.customer_id,
        payer=payment.customer.name,
        reference=payment.reference,
        channel=payment.gateway[:20],
    )
    suspense.hold([held], by=None, at=at, on=on)


def _regret(payment: Payment, at: datetime) -> None:
    notices.queue(
        customer=payment.customer,
        template="payment_failed",
        context={"amount": payment.amount},
        key=f"payment-failed:{payment.reference}",
        at=at,
    )
