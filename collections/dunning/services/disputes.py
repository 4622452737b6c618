"""Amounts that a customer says are not owed."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext_lazy as _

from dunning.models import Case, Dispute
from dunning.selectors import arrears
from lending import events
from lending.errors import Refused
from lending.models import Customer, Instalment, Loan, User
from lending.selectors import rules
from lending.services import checks


@transaction.atomic
def open(
    *,
    customer_id: int,
    amount: Decimal,
    reason: str,
    by: User | None,
    at: datetime,
    on: date,
    loan_id: int | None = None,
) -> Dispute:
    """Write down a dispute about a loan, or about the whole debt. Nobody is chased for the amount while it is open.

    Raises Refused (field amount, reason or loan) for an amount above what is unpaid, a missing reason,
    somebody else's loan, or a dispute that is open already.
    """
    checks.amount(amount)
    Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
    if not reason.strip():
        raise Refused("reason", _("What is disputed, and why?"), field="reason")
    loans = Loan.objects.filter(customer_id=customer_id, state__in=Loan.OWING)
    if loan_id is not None and not loans.filter(pk=loan_id).exists():
        raise Refused("loan", _("This loan is not one the customer owes."), field="loan")
    same = Q(loan_id=loan_id) if loan_id else Q(loan=None)
    if Dispute.objects.filter(same, customer_id=customer_id, state=Dispute.State.OPEN).exists():
        raise Refused("open", _("A dispute about this is open already."), field="loan")
    disputable = loans if loan_id is None else loans.filter(pk=loan_id)
    unpaid = Instalment.objects.filter(loan__in=disputable).aggregate(sum=Sum("outstanding"))["sum"]
    if amount > (unpaid or 0):
        raise Refused("amount", _("The amount is above what is unpaid."), field="amount")
    overdue = arrears.overdue(on, [customer_id])
    dispute = Dispute.objects.create(
        customer_id=customer_id,
        loan_id=loan_id,
        amount=amount,
        whole=customer_id in overdue and amount >= overdue[customer_id].amount,
        reason=reason.strip()[:300],
        opened_on=on,
        answer_by=on + timedelta(days=int(rules.parameter("DISPUTE_ANSWER_DAYS", on))),
    )
    events.record("dispute.opened", dispute, by=by, at=at, amount=amount, loan=loan_id)
    return dispute


@transaction.atomic
def resolve(
    *, dispute_id: int, outcome: str, answer: str, by: User | None, at: datetime, on: date
) -> Dispute:
    """Answer a dispute: UPHELD, REJECTED or WITHDRAWN. The strategy looks at the case again.

    Raises Refused for another outcome or without an answer, TransitionNotAllowed when it was answered before.
    """
    dispute = (
        Dispute.objects.select_for_update(no_key=True, of=("self",))
        .select_related("customer")
        .get(pk=dispute_id)
    )
    ways = {
        Dispute.State.UPHELD: dispute.uphold,
        Dispute.State.REJECTED: dispute.reject,
        Dispute.State.WITHDRAWN: dispute.withdraw,
    }
    if outcome not in ways:
        raise Refused("outcome", _("Choose how it was decided."), field="outcome")
    if not answer.strip():
        raise Refused("answer", _("Give the customer an answer."), field="answer")
    ways[Dispute.State(outcome)](on=on, answer=answer.strip()[:300])
    dispute.save(update_fields=["state", "resolved_on", "answer"])
    Case.objects.filter(customer_id=dispute.customer_id).exclude(state=Case.State.CLOSED).update(
        next_action_on=on
    )
    events.record("dispute.resolved", dispute, by=by, at=at, outcome=outcome, answer=dispute.answer)
    return dispute
