"""Direct debits: announced, tried account by account, posted once, and given up with a word to the customer.

An attempt is a row before the gateway is asked, and the gateway is asked outside any transaction, under a reference
that it takes money for only once. A worker that dies in between leaves an attempt that was sent: the next one asks
again under the same reference, and either way the money is posted once.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Min, Sum
from django.utils.translation import gettext_lazy as _

from lending import events, gateways
from lending.engine import debit as engine
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import Debit, DebitAttempt, Instalment, Loan, Mandate, MandateAccount, Payment, User
from lending.services import notices, payments

Reason = Debit.Reason
# After this long without a word, an attempt that was sent is asked about again.
SILENCE = timedelta(minutes=10)


def rules(product_code: str = "") -> Mapping[str, Any]:
    """How debits of a product are announced and tried: settings.AUTO_DEBIT, and what it says for the product."""
    own = settings.AUTO_DEBIT.get("products", {}).get(product_code, {})
    return {**settings.AUTO_DEBIT, **own}


# --- announcing ---------------------------------------------------------------------------------------------


@transaction.atomic
def plan(*, on: date, at: datetime) -> int:
    """Plan a debit for every due day that comes up under a mandate, and tell the customers; each once."""
    days = max(rules(code)["notice_days"] for code in ("", *settings.AUTO_DEBIT.get("products", {})))
    mandates = {
        mandate.customer_id: mandate
        for mandate in Mandate.objects.filter(state=Mandate.State.ACTIVE).select_related("customer")
    }
    count = 0
    for customer_id, due_on, amount, code in _coming(mandates, on, on + timedelta(days=days)):
        mandate, rule = mandates[customer_id], rules(code)
        day = max(due_on + timedelta(days=min(rule["retry_days"])), on + timedelta(days=rule["notice_days"]))
        if due_on > on + timedelta(days=rule["notice_days"]) or (mandate.valid_to and mandate.valid_to < day):
            continue
        debit, made = Debit.objects.get_or_create(
            customer_id=customer_id,
            due_on=due_on,
            defaults={"mandate": mandate, "amount": amount, "next_on": day, "planned_at": at},
        )
        if made:
            _announce(debit, mandate, day, at)
            count += 1
    return count


def _coming(mandates: Mapping[int, Mandate], first: date, last: date) -> list[tuple[int, date, Decimal, str]]:
    """(customer, due day, open amount, product) of what falls due in these days and has no debit yet."""
    known = set(
        Debit.objects.filter(customer_id__in=mandates, due_on__range=(first, last)).values_list(
            "customer_id", "due_on"
        )
    )
    rows = (
        Instalment.objects.filter(
            loan__customer_id__in=mandates,
            loan__state__in=Loan.OWING,
            due_on__range=(first, last),
            outstanding__gt=0,
        )
        .order_by("loan__customer_id", "due_on")
        .values_list("loan__customer_id", "due_on")
        .annotate(sum=Sum("outstanding"), code=Min("loan__product__code"))
    )
    return [row for row in rows if (row[0], row[1]) not in known]


def _announce(debit: Debit, mandate: Mandate, day: date, at: datetime) -> None:
    events.record("debit.planned", debit, by=None, at=at, amount=debit.amount, due_on=debit.due_on)
    account = mandate.accounts.filter(closed_at=None).first()
    notices.queue(
        customer=mandate.customer,
        template="debit_planned",
        context={
            "amount": min(debit.amount, mandate.limit_per_debit),
            "day": day,
            "account": str(account or ""),
        },
        key=f"debit-planned:{debit.pk}",
        at=at,
    )


# --- trying -------------------------------------------------------------------------------------------------


def collect(*, on: date, at: datetime) -> int:
    """Try every debit whose day has come; returns how many attempts were made. Safe to run by two at once."""
    due = Debit.objects.filter(state=Debit.State.PLANNED, next_on__lte=on).order_by("next_on", "pk")
    return sum(_work(pk, on=on, at=at) for pk in list(due.values_list("pk", flat=True)))


def _work(debit_id: int, *, on: date, at: datetime) -> int:
    """Account after account, until one gives the money or none is left for the day."""
    count = 0
    while attempt := _send(debit_id, on=on, at=at):
        count += 1
        answer = gateways.debit(_order(attempt))
        _hear(attempt.pk, answer, on=on, at=at)
        if answer.ok or answer.code == "UNKNOWN":
            break
    return count


def _order(attempt: DebitAttempt) -> gateways.Order:
    account = attempt.account
    return gateways.Order(
        attempt.reference, account.number, account.bank, attempt.amount, str(attempt.debit.mandate)
    )


@transaction.atomic
def _send(debit_id: int, *, on: date, at: datetime) -> DebitAttempt | None:
    """The attempt to make now, written down before it is made; None when there is none, or another worker is at it."""
    waiting = Debit.objects.filter(pk=debit_id, state=Debit.State.PLANNED, next_on__lte=on)
    debit = (
        waiting.select_for_update(no_key=True, skip_locked=True, of=("self",))
        .select_related("mandate__customer")
        .first()
    )
    if debit is None:
        return None
    attempts = list(debit.attempts.select_related("account", "debit__mandate").order_by("number"))
    sent = next((one for one in attempts if one.state == DebitAttempt.State.SENT), None)
    if sent:
        return _ask_again(sent, at)
    verdict = _judge(debit, on)
    if verdict.stop:
        _stop(debit, verdict.stop, at)
        return None
    account = _next_account(debit, attempts, on)
    if account is None:
        _put_off(debit, attempts, verdict.amount, on, at)
        return None
    number = len(attempts) + 1
    return DebitAttempt.objects.create(
        debit=debit,
        number=number,
        account=account,
        amount=verdict.amount,
        on=on,
        reference=f"debit-{debit.pk}-{number}",
        sent_at=at,
    )


def _ask_again(sent: DebitAttempt, at: datetime) -> DebitAttempt | None:
    if at - sent.sent_at < SILENCE:
        return None
    sent.sent_at = at
    sent.save(update_fields=["sent_at"])
    return sent


def _judge(debit: Debit, on: date) -> engine.Verdict:
    """Closed, current, amount, payoff: in this order. What is due is all that is due by the debit's day."""
    mandate = debit.mandate
    if mandate.state != Mandate.State.ACTIVE or (mandate.valid_to and mandate.valid_to < on):
        return engine.Verdict(ZERO, Reason.MANDATE)
    rows = Instalment.objects.filter(
        loan__customer_id=debit.customer_id, loan__state__in=Loan.OWING, outstanding__gt=0
    )
    owed = rows.aggregate(sum=Sum("outstanding"))["sum"] or ZERO
    due = rows.filter(due_on__lte=debit.due_on).aggregate(sum=Sum("outstanding"))["sum"] or ZERO
    owing = Loan.objects.filter(customer_id=debit.customer_id, state__in=Loan.OWING).exists()
    return engine.judge(engine.Facts(owing, due, mandate.limit_per_debit, owed))


def _next_account(debit: Debit, attempts: list[DebitAttempt], on: date) -> MandateAccount | None:
    """The next one that is open and was not asked today."""
    asked = {one.account_id for one in attempts if one.on == on}
    return debit.mandate.accounts.filter(closed_at=None).exclude(pk__in=asked).order_by("position").first()


def _stop(debit: Debit, reason: str, at: datetime) -> None:
    debit.stop(reason=reason)
    debit.finished_at, debit.next_on = at, None
    debit.save()
    events.record("debit.stopped", debit, by=None, at=at, cause=reason)


def _put_off(debit: Debit, attempts: list[DebitAttempt], amount: Decimal, on: date, at: datetime) -> None:
    """No account gave it today: on another day again, or not at all; the customer is told each time."""
    usable = debit.mandate.accounts.filter(closed_at=None).exists()
    debit.next_on = (
        engine.next_try(debit.due_on, on, rules(_product(debit))["retry_days"]) if usable else None
    )
    if debit.next_on is None:
        debit.fail(reason=Reason.TRIES if usable else Reason.NO_ACCOUNT)
        debit.finished_at = at
        events.record("debit.failed", debit, by=None, at=at, amount=amount, cause=debit.reason)
    debit.save()
    notices.queue(
        customer=debit.mandate.customer,
        template="debit_failed",
        context={"amount": amount},
        key=f"debit-failed:{debit.pk}:{len(attempts)}",
        at=at,
    )


def _product(debit: Debit) -> str:
    rows = Instalment.objects.filter(loan__customer_id=debit.customer_id, due_on=debit.due_on)
    return rows.aggregate(code=Min("loan__product__code"))["code"] or ""


@transaction.atomic
def _hear(attempt_id: int, answer: gateways.Taken, *, on: date, at: datetime) -> None:
    """What the gateway said. A second word on the same attempt changes nothing."""
    debit = Debit.objects.select_for_update(no_key=True, of=("self",)).get(attempts=attempt_id)
    attempt = (
        debit.attempts.select_for_update(no_key=True, of=("self",))
        .select_related("account")
        .get(pk=attempt_id)
    )
    if attempt.state != DebitAttempt.State.SENT or answer.code == "UNKNOWN":
        return
    attempt.finished_at = at
    if answer.ok:
        attempt.succeed()
        attempt.code, attempt.payment = answer.code, _post(debit, attempt, on=on, at=at)
        if debit.state == Debit.State.PLANNED:
            debit.succeed()
        debit.collected, debit.finished_at, debit.next_on = attempt.amount, at, None
        debit.save()
    else:
        attempt.fail(code=answer.code)
        if answer.code == "CLOSED_ACCOUNT":
            attempt.account.closed_at = at
            attempt.account.save(update_fields=["closed_at"])
        events.record("debit.refused", debit, by=None, at=at, amount=attempt.amount, cause=answer.code)
    attempt.save()


def _post(debit: Debit, attempt: DebitAttempt, *, on: date, at: datetime) -> Payment:
    """A payment like any other through a gateway; when nothing is owed any more, its money is held."""
    payment = Payment.objects.create(
        customer_id=debit.customer_id,
        amount=attempt.amount,
        gateway="debit",
        reference=attempt.reference,
        started_at=attempt.sent_at,
    )
    return payments.finish(reference=payment.reference, ok=True, at=at, on=on)


@transaction.atomic
def stop(*, debit_id: int, by: User | None, at: datetime) -> Debit:
    """Staff call a debit off; one that was sent and not answered has to be waited for."""
    debit = Debit.objects.select_for_update(no_key=True, of=("self",)).get(pk=debit_id)
    if debit.attempts.filter(state=DebitAttempt.State.SENT).exists():
        raise Refused("debit_sent", _("The bank has been asked: wait for its answer."))
    debit.stop(reason=Reason.STAFF)
    debit.finished_at, debit.next_on = at, None
    debit.save()
    events.record("debit.stopped", debit, by=by, at=at, cause=Reason.STAFF)
    return debit
