"""Relief for a customer who cannot pay as agreed: another schedule, a holiday, arrears moved, a hardship plan.

It is given because a loan is overdue, not in spite of it. How often is limited by the product; after it the loan is
watched. Two people stand behind each: these functions are the commands, `desk.ask_restructuring` asks for them.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import engine, events
from lending.engine import calendar
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import Loan, ReliefRequest, Transaction, User
from lending.services import adjust, checks, notices
from lending.services.posting import Posting, Type, hold, post

KINDS = Transaction.RESTRUCTURINGS
# A hardship plan where nobody says otherwise: half the rate, half as many instalments again, three months' holiday.
HARDSHIP_RATE, HARDSHIP_TERM, HARDSHIP_HOLIDAY = Decimal("0.5"), Decimal("1.5"), 3


@transaction.atomic
def restructure(
    *,
    loan_id: int,
    kind: str,
    details: Mapping[str, Any],
    key: str,
    note: str,
    by: User | None,
    at: datetime,
    on: date,
    value_on: date | None = None,
) -> Transaction:
    """Give the loan what was agreed, watch it from now on, and tell the customer.

    Refused above the product's limit, for what the engine cannot read, and where it would change nothing.
    """
    loan = hold(loan_id, on=on)
    if known := Transaction.objects.filter(key=key).first():
        return post(_posting(loan, kind, details, key, note, known.value_on), by=by, at=at, on=on)
    check(loan, kind, on)
    checks.reason(note)
    before = _schedule(loan)
    posted = post(_posting(loan, kind, details, key, note, value_on or on), by=by, at=at, on=on)
    if _schedule(loan) == before:
        raise Refused("changes_nothing", _("This would change nothing."))
    _watch(loan, on, by=by, at=at)
    _answer(loan, note, by=by, at=at)
    _tell(loan, posted, at)
    return posted


def _posting(
    loan: Loan, kind: str, details: Mapping[str, Any], key: str, note: str, value_on: date
) -> Posting:
    return Posting(loan.pk, kind, ZERO, key, value_on, note=note, details=details)


def check(loan: Loan, kind: str, on: date) -> None:
    """Refuses a loan that owes nothing, and one more restructuring than its product allows in its months."""
    if kind not in KINDS:
        raise Refused("kind", _("There is no such restructuring."), field="kind")
    if loan.state not in Loan.OWING:
        raise Refused("loan_closed", _("The loan is closed: it takes no such transaction."))
    product = loan.product
    since = calendar.add_months(on, -product.restructuring_months)
    done = adjust.standing(loan.pk).filter(type__in=KINDS, booked_on__gt=since).count()
    if done >= product.max_restructurings:
        raise Refused(
            "too_often",
            _("The product allows %(most)s restructurings in %(months)s months, and there were %(done)s.")
            % {"most": product.max_restructurings, "months": product.restructuring_months, "done": done},
        )


def hardship_plan(loan: Loan, on: date) -> dict[str, Any]:
    """The preset: what the form of a hardship plan begins with."""
    terms = engine.Terms.from_json(loan.terms)
    left = loan.instalments.filter(due_on__gt=on, outstanding__gt=0).count() or 1
    return {
        "annual_rate": terms.annual_rate * HARDSHIP_RATE,
        "instalments": int(left * HARDSHIP_TERM + Decimal("0.5")),
        "skip": HARDSHIP_HOLIDAY,
    }


def _schedule(loan: Loan) -> list[tuple[Any, ...]]:
    rows = loan.instalments.order_by("number")
    return list(rows.values_list("due_on", "principal", "interest", "fee", "penalty", "outstanding"))


def _watch(loan: Loan, on: date, *, by: User | None, at: datetime) -> None:
    until = calendar.add_months(on, loan.product.watch_months)
    loan.refresh_from_db(fields=["watch_until", "matures_on"])
    loan.watch_until = max(until, loan.watch_until or until)
    loan.save(update_fields=["watch_until"])
    events.record("loan.watched", loan, by=by, at=at, until=loan.watch_until)


def _answer(loan: Loan, note: str, *, by: User | None, at: datetime) -> None:
    """The customer had asked for it: that is answered now."""
    request = (
        ReliefRequest.objects.select_for_update(no_key=True)
        .filter(loan=loan, state=ReliefRequest.State.OPEN)
        .first()
    )
    if request:
        request.grant(at=at, by=by, answer=note[:300])
        request.save()
        events.record("relief.granted", request, by=by, at=at)


def _tell(loan: Loan, posted: Transaction, at: datetime) -> None:
    first = loan.instalments.filter(outstanding__gt=0).order_by("due_on").first()
    notices.queue(
        customer=loan.customer,
        template="loan_restructured",
        context={
            "loan": str(loan),
            "next_due_on": first.due_on if first else loan.matures_on,
            "next_amount": first.outstanding if first else ZERO,
            "matures_on": loan.matures_on,
        },
        key=f"loan-restructured:{posted.key}",
        at=at,
    )


def unwatch(loan: Loan) -> None:
    """After a reversal: a loan that no restructuring stands on is watched no more."""
    if loan.watch_until and not adjust.standing(loan.pk).filter(type__in=KINDS).exists():
        Loan.objects.filter(pk=loan.pk).update(watch_until=None)


# --- what the customer asks for ------------------------------------------------------------------------------------


@transaction.atomic
def ask_relief(
    *, loan_id: int, reason: str, wish: str, words: str, by: User | None, at: datetime
) -> ReliefRequest:
    """The customer asks for help with a loan that owes; once at a time."""
    loan = (
        Loan.objects.select_for_update(no_key=True, of=("self",)).select_related("customer").get(pk=loan_id)
    )
    if loan.state not in Loan.OWING:
        raise Refused("loan_closed", _("This loan owes nothing."))
    if loan.relief_requests.filter(state=ReliefRequest.State.OPEN).exists():
        raise Refused("asked_already", _("You have asked already. We will answer here."))
    request = ReliefRequest.objects.create(
        customer=loan.customer, loan=loan, reason=reason, wish=wish, words=words, asked_at=at
    )
    events.record("relief.asked", request, by=by, at=at, reason=reason, wish=wish)
    return request


@transaction.atomic
def withdraw_relief(*, request_id: int, by: User | None, at: datetime) -> ReliefRequest:
    """The customer needs it no more."""
    request = _open(request_id)
    request.withdraw()
    request.save()
    events.record("relief.withdrawn", request, by=by, at=at)
    return request


@transaction.atomic
def decline_relief(*, request_id: int, answer: str, by: User | None, at: datetime) -> ReliefRequest:
    """Say no, with words that the customer reads."""
    checks.reason(answer, field="answer")
    request = _open(request_id)
    request.decline(at=at, by=by, answer=answer)
    request.save()
    events.record("relief.declined", request, by=by, at=at)
    notices.queue(
        customer=request.customer,
        template="relief_declined",
        context={"loan": str(request.loan), "answer": answer},
        key=f"relief-declined:{request.pk}",
        at=at,
    )
    return request


def _open(request_id: int) -> ReliefRequest:
    rows = ReliefRequest.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "customer", "loan"
    )
    request = rows.get(pk=request_id)
    if request.state != ReliefRequest.State.OPEN:
        raise Refused("answered", _("This request has been answered already."))
    return request


def is_restructuring(posted: Transaction) -> bool:
    return Type(posted.type) in KINDS
