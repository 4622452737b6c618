"""What becomes of money in suspense: applied to a customer or a loan, paid back, or used by the clock."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Max, Q, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from lending import events
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import (
    ApprovalRequest,
    Customer,
    Instalment,
    Loan,
    Transaction,
    UnappliedMoney,
    UnappliedMove,
    User,
)
from lending.services import approvals, checks, loans, notices, suspense
from lending.services.posting import FROM_SUSPENSE, Posting, Type, post
from lending.services.steps import step

# A payment dated further ahead than that is a slip of the pen.
LONGEST_AHEAD = timedelta(days=366)
REFUND, SET_ASIDE = "unapplied.refund", "transaction.set_aside"


def hold(
    *,
    amount: Decimal,
    received_on: date,
    key: str,
    by: User | None,
    at: datetime,
    on: date,
    reason: str = UnappliedMoney.Reason.BY_HAND,
    customer_id: int | None = None,
    payer: str = "",
    reference: str = "",
    channel: str = "",
    automatic: bool = True,
) -> UnappliedMoney:
    """Take in money that cannot be placed, or that somebody wants to look at first."""
    if received_on > on:
        raise Refused("future", _("The date lies in the future."), field="received_on")
    receipt = suspense.Held(
        amount, received_on, reason, key, customer_id, payer, reference, channel, automatic
    )
    money = suspense.hold([receipt], by=by, at=at, on=on)[0]
    if (money.amount, money.customer_id) != (amount, customer_id):
        raise Refused("key_reused", _("This key was used for another transaction."), field="key")
    return money


@transaction.atomic
def repay(
    *,
    loan_id: int,
    amount: Decimal,
    value_on: date,
    key: str,
    by: User | None,
    at: datetime,
    on: date,
    channel: str = "",
) -> Transaction | UnappliedMoney:
    """A payment on one loan, dated at any day; one of a day to come is held, and posted by the close of that day.

    Refused more than `LONGEST_AHEAD` ahead, and on a loan that takes no payments.
    """
    if value_on <= on:
        return loans.repay(
            loan_id=loan_id, amount=amount, value_on=value_on, key=key, channel=channel, by=by, at=at, on=on
        )
    if value_on > on + LONGEST_AHEAD:
        raise Refused("future", _("That lies more than a year ahead."), field="value_on")
    loan = Loan.objects.get(pk=loan_id)
    if loan.state not in Loan.OWING:
        raise Refused("loan_closed", _("This loan takes no payments."))
    receipt = suspense.Held(
        amount,
        on,
        UnappliedMoney.Reason.AHEAD,
        key,
        loan.customer_id,
        reference=str(loan),
        channel=channel,
        loan_id=loan_id,
        value_on=value_on,
    )
    money = suspense.hold([receipt], by=by, at=at, on=on)[0]
    if (money.amount, money.loan_id, money.value_on) != (amount, loan_id, value_on):
        raise Refused("key_reused", _("This key was used for another transaction."), field="key")
    return money


@transaction.atomic
def name_payer(
    *, unapplied_id: int, customer_id: int, automatic: bool, by: User | None, at: datetime
) -> UnappliedMoney:
    """Say whose money it is; `automatic` lets the daily close use it for what falls due."""
    money = _lock(unapplied_id)
    money.customer, money.automatic = Customer.objects.get(pk=customer_id), automatic
    money.save()
    events.record("unapplied.named", money, by=by, at=at, amount=money.left)
    return money


@transaction.atomic
def apply(
    *,
    unapplied_id: int,
    amount: Decimal,
    key: str,
    by: User | None,
    at: datetime,
    on: date,
    customer_id: int | None = None,
    loan_id: int | None = None,
    value_on: date | None = None,
) -> UnappliedMoney:
    """Use some of it: on one loan, or on everything that the customer owes, oldest first.

    It counts from the day on which it was received, and not before a loan was paid out. A loan that was written
    off takes it as a recovery.
    """
    checks.amount(amount)
    payer = Q(loans=loan_id) if loan_id else Q(pk=customer_id or 0)
    _lock_customers(Customer.objects.filter(payer).values("pk"))
    money = _lock(unapplied_id)
    if _moved(money, amount, key):
        return money
    payer_id = _post(money, amount, customer_id, loan_id, key, value_on, by=by, at=at, on=on)
    suspense.take(
        money, UnappliedMove.Kind.APPLIED, amount, key=key, customer_id=payer_id, by=by, at=at, on=on
    )
    if money.customer_id is None:
        money.customer_id = payer_id
        money.save()
    events.record("unapplied.applied", money, by=by, at=at, amount=amount)
    return money


def _post(
    money: UnappliedMoney,
    amount: Decimal,
    customer_id: int | None,
    loan_id: int | None,
    key: str,
    value_on: date | None,
    *,
    by: User | None,
    at: datetime,
    on: date,
) -> int:
    """The payment itself; returns whose debt it paid."""
    wanted = value_on or money.value_on or money.received_on
    if loan_id is not None:
        loan = Loan.objects.get(pk=loan_id)
        type_ = Type.RECOVERY if loan.state == Loan.State.WRITTEN_OFF else Type.REPAYMENT
        day = max(wanted, loan.disbursed_on)
        posting = Posting(
            loan_id, type_, amount, key, day, kind=FROM_SUSPENSE, channel="unapplied", payment_key=key
        )
        post(posting, by=by, at=at, on=on)
        return loan.customer_id
    if customer_id is None:
        raise Refused("target", _("Name a customer or a loan."), field="customer")
    owing = Loan.objects.filter(customer_id=customer_id, state__in=Loan.OWING)
    day = max(wanted, owing.aggregate(day=Max("disbursed_on"))["day"] or wanted)
    receipt = loans.Receipt(customer_id, amount, key, "unapplied", day, FROM_SUSPENSE)
    loans.pay_many(receipts=[receipt], by=by, at=at, on=on)
    return customer_id


def _moved(money: UnappliedMoney, amount: Decimal, key: str) -> bool:
    """Whether this key has moved the money before. Refuses it for another move, and more than is held."""
    known = UnappliedMove.objects.filter(key=key).first()
    if known and (known.money_id, known.amount) != (money.pk, amount):
        raise Refused("key_reused", _("This key was used for another transaction."), field="key")
    if not known and amount > money.left:
        raise Refused("too_much", _("Less than that is still held."), field="amount")
    return known is not None


def _lock(unapplied_id: int) -> UnappliedMoney:
    return UnappliedMoney.objects.select_for_update(no_key=True, of=("self",)).get(pk=unapplied_id)


def _lock_customers(ids: QuerySet) -> None:
    """Before their money and their loans."""
    list(Customer.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True).values_list("pk"))


def ask_set_aside(
    *, transaction_id: int, key: str, reason: str, by: User, at: datetime, on: date
) -> ApprovalRequest:
    """Ask a second person to take a payment off its loan and hold its money."""
    paid = Transaction.objects.select_related("loan").get(pk=transaction_id)
    if paid.type not in (Type.REPAYMENT, Type.RECOVERY):
        raise Refused("not_a_payment", _("Only a payment can be set aside."))
    return approvals.ask(
        command=SET_ASIDE,
        payload={"transaction_id": transaction_id, "key": key, "note": reason},
        reason=reason,
        customer_id=paid.loan.customer_id,
        amount=paid.amount,
        by=by,
        at=at,
        on=on,
    )


@approvals.command("transaction.set_aside", _("Take a payment off its loan and hold its money"))
@transaction.atomic
def set_aside(
    *, transaction_id: int, key: str, note: str, by: User | None, at: datetime, on: date
) -> UnappliedMoney:
    """Take back a payment that went to the wrong place, and hold its money until the right one is known."""
    paid = Transaction.objects.select_related("loan").get(pk=transaction_id)
    if paid.type not in (Type.REPAYMENT, Type.RECOVERY):
        raise Refused("not_a_payment", _("Only a payment can be set aside."))
    loans.reverse(transaction_id=transaction_id, key=key, note=note, by=by, at=at, on=on)
    if paid.kind == FROM_SUSPENSE:
        return UnappliedMoney.objects.get(moves__key=f"back:{paid.pk}")
    return hold(
        amount=paid.amount,
        received_on=paid.value_on,
        key=f"aside:{paid.pk}",
        reference=str(paid),
        channel=paid.channel,
        automatic=False,
        by=by,
        at=at,
        on=on,
    )


# --- paying back --------------------------------------------------------------------------------------------


@transaction.atomic
def ask_refund(
    *, unapplied_id: int, amount: Decimal, key: str, reason: str, by: User, at: datetime, on: date
) -> ApprovalRequest:
    """Ask a second person to pay some of it back to where it came from."""
    checks.amount(amount)
    money = _lock(unapplied_id)
    if amount > money.left:
        raise Refused("too_much", _("Less than that is still held."), field="amount")
    if _asked([unapplied_id]):
        raise Refused("asked_already", _("This waits for a second person already."))
    payload = {"unapplied_id": unapplied_id, "amount": str(amount), "key": key}
    return approvals.ask(
        command=REFUND,
        payload=payload,
        reason=reason,
        customer_id=money.customer_id,
        amount=amount,
        by=by,
        at=at,
        on=on,
    )


@approvals.command(REFUND, _("Pay back money that is held"))
def run_refund(*, unapplied_id: int, amount: str, key: str, by: User, at: datetime, on: date) -> None:
    refund(unapplied_id=unapplied_id, amount=Decimal(amount), key=key, by=by, at=at, on=on)


@transaction.atomic
def refund(
    *, unapplied_id: int, amount: Decimal, key: str, by: User | None, at: datetime, on: date
) -> UnappliedMoney:
    """Pay some of it back: out of suspense, out of the bank. Staff ask for it with `ask_refund`."""
    checks.amount(amount)
    money = _lock(unapplied_id)
    if _moved(money, amount, key):
        return money
    suspense.take(
        money,
        UnappliedMove.Kind.REFUNDED,
        amount,
        key=key,
        customer_id=money.customer_id,
        by=by,
        at=at,
        on=on,
    )
    suspense.pay_out(money, amount, key=f"unapplied:{money.pk}:{key}", on=on)
    events.record("unapplied.refunded", money, by=by, at=at, amount=amount)
    if money.customer:
        notices.queue(
            customer=money.customer,
            template="money_returned",
            context={"amount": amount},
            key=f"money-returned:{key}",
            at=at,
        )
    return money


def _asked(unapplied_ids: Iterable[int]) -> set[int]:
    """Those whose refund waits for a second person."""
    pending = ApprovalRequest.objects.filter(command=REFUND, state=ApprovalRequest.State.PENDING)
    return set(pending.values_list("payload__unapplied_id", flat=True)) & set(unapplied_ids)


# --- the clock ----------------------------------------------------------------------------------------------


@step(_("Money that is held pays what has fallen due"))
def apply_unapplied(*, on: date, at: datetime) -> int:
    """Close step: money held for a customer pays what has fallen due by the end of that day, oldest receipt first."""
    if not _usable(on).exists():
        return 0
    _lock_customers(_usable(on).values("customer_id"))
    count = _post_dated(on, at)
    due = _due(on)
    held = _usable(on).filter(customer_id__in=due).order_by("customer_id", "received_on", "pk")
    waiting = list(held.values_list("pk", "customer_id", "left"))
    asked = _asked(pk for pk, _customer, _left in waiting)
    for pk, customer_id, left in waiting:
        amount = min(left, due[customer_id])
        if not amount or pk in asked:
            continue
        if _applied(pk, amount, value_on=on, at=at, on=on, customer_id=customer_id):
            due[customer_id] -= amount
            count += 1
    return count


def _usable(on: date) -> QuerySet[UnappliedMoney]:
    """What the close may use by itself; money dated ahead waits for its day."""
    held = UnappliedMoney.objects.filter(state=UnappliedMoney.State.HELD, automatic=True)
    return held.filter(Q(value_on=None) | Q(value_on__lte=on))


def _post_dated(on: date, at: datetime) -> int:
    """Payments dated ahead whose day has come, each on its loan; where that is closed, they are money like other."""
    waiting = _usable(on).filter(loan__state__in=Loan.OWING).order_by("customer_id", "value_on", "pk")
    rows = list(waiting.values_list("pk", "loan_id", "left", "value_on"))
    asked = _asked(pk for pk, _loan, _left, _day in rows)
    return sum(
        _applied(pk, left, value_on=day or on, at=at, on=on, loan_id=loan_id)
        for pk, loan_id, left, day in rows
        if pk not in asked
    )


def _applied(pk: int, amount: Decimal, *, value_on: date, at: datetime, on: date, **target: int) -> bool:
    """Whether it could be done; what is refused waits for a person and does not hold up the day."""
    number = UnappliedMove.objects.filter(money_id=pk).count() + 1
    try:
        with transaction.atomic():
            apply(
                unapplied_id=pk,
                amount=amount,
                key=f"unapplied:{pk}:{number}",
                value_on=value_on,
                **target,
                by=None,
                at=at,
                on=on,
            )
    except Refused:
        return False
    return True


def _due(on: date) -> dict[int, Decimal]:
    """What customers for whom money is held have to pay by that day."""
    held = _usable(on)
    rows = Instalment.objects.filter(
        loan__customer_id__in=held.exclude(customer=None).values("customer_id"),
        loan__state__in=Loan.OWING,
        due_on__lte=on,
        outstanding__gt=0,
    )
    sums = rows.order_by().values_list("loan__customer_id").annotate(sum=Sum("outstanding"))
    return {customer_id: amount or ZERO for customer_id, amount in sums}
