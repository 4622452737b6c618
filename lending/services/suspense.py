"""Money in suspense: taken in, given out and put back. What it is used for is the affair of `unapplied`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from lending import events
from lending.models import Customer, Transaction, UnappliedMoney, UnappliedMove, User
from lending.services import checks, ledger, notices

Kind = UnappliedMove.Kind


@dataclass(frozen=True, slots=True)
class Held:
    """Money to be held. `key` is the caller's: the same key twice holds once."""

    amount: Decimal
    received_on: date
    reason: str
    key: str
    customer_id: int | None = None
    payer: str = ""
    reference: str = ""
    channel: str = ""
    automatic: bool = True
    loan_id: int | None = None
    value_on: date | None = None


@transaction.atomic
def hold(receipts: Sequence[Held], *, by: User | None, at: datetime, on: date) -> list[UnappliedMoney]:
    """Take money into suspense: the bank has it, and we owe it to whoever it belongs to."""
    for receipt in receipts:
        checks.amount(receipt.amount)
    known = {row.key: row for row in UnappliedMoney.objects.filter(key__in=[one.key for one in receipts])}
    fresh = [one for one in receipts if one.key not in known]
    rows = UnappliedMoney.objects.bulk_create([_row(one, at) for one in fresh])
    ledger.post([_booking(f"unapplied:{row.pk}", "HELD", row.amount, row.received_on, on) for row in rows])
    events.record_many(
        [
            events.build("unapplied.held", row, by=by, at=at, amount=row.amount, cause=row.reason)
            for row in rows
        ]
    )
    _tell(rows, at)
    known |= {row.key: row for row in rows}
    return [known[one.key] for one in receipts]


def _tell(rows: Sequence[UnappliedMoney], at: datetime) -> None:
    owners = Customer.objects.in_bulk({row.customer_id for row in rows if row.customer_id})
    notices.queue_many(
        [
            notices.Message(
                customer=owners[row.customer_id],
                template="money_held",
                context={"amount": row.amount},
                key=f"money-held:{row.pk}",
            )
            for row in rows
            if row.customer_id and row.reason != UnappliedMoney.Reason.AHEAD
        ],
        at=at,
    )


def _row(one: Held, at: datetime) -> UnappliedMoney:
    return UnappliedMoney(
        customer_id=one.customer_id,
        amount=one.amount,
        left=one.amount,
        received_on=one.received_on,
        reason=one.reason,
        payer=one.payer[:120],
        reference=one.reference[:200],
        channel=one.channel,
        key=one.key,
        automatic=one.automatic,
        loan_id=one.loan_id,
        value_on=one.value_on,
        held_at=at,
    )


def take(
    money: UnappliedMoney,
    kind: str,
    amount: Decimal,
    *,
    key: str,
    customer_id: int | None,
    by: User | None,
    at: datetime,
    on: date,
) -> UnappliedMove:
    """Note that some of it went out, on a row that the caller has locked."""
    move = UnappliedMove.objects.create(
        money=money, kind=kind, amount=amount, key=key, customer_id=customer_id, on=on, at=at, by=by
    )
    money.left -= amount
    if not money.left:
        money.use_up() if kind == Kind.APPLIED else money.refund()
    money.save()
    return move


def pay_out(money: UnappliedMoney, amount: Decimal, *, key: str, on: date) -> None:
    """The entry of a refund: out of suspense, out of the bank."""
    ledger.post([_booking(key, "PAID BACK", -amount, on, on)])


def lock(paid: Transaction) -> None:
    """Lock the money that a payment was made of, before its loan is: the order of all who use it."""
    money = UnappliedMove.objects.filter(key=paid.payment_key, kind=Kind.APPLIED).values("money_id")
    list(UnappliedMoney.objects.filter(pk__in=money).select_for_update(no_key=True).values_list("pk"))


def restore(paid: Transaction, *, by: User | None, at: datetime, on: date) -> None:
    """A payment made of suspense money was reversed: the books put it back there, and so do we."""
    move = UnappliedMove.objects.get(key=paid.payment_key, kind=Kind.APPLIED)
    money = UnappliedMoney.objects.select_for_update(no_key=True, of=("self",)).get(pk=move.money_id)
    UnappliedMove.objects.create(
        money=money,
        kind=Kind.RESTORED,
        amount=paid.amount,
        key=f"back:{paid.pk}",
        customer_id=move.customer_id,
        on=on,
        at=at,
        by=by,
    )
    money.left += paid.amount
    money.restore()
    # Whoever took it back had a reason: the clock must not apply it again the same night.
    money.automatic = False
    money.save()
    events.record("unapplied.restored", money, by=by, at=at, amount=paid.amount)


def _booking(key: str, memo: str, amount: Decimal, value_on: date, on: date) -> ledger.Booking:
    """Into suspense above zero, out of it below."""
    lines = [(ledger.BANK, amount), (ledger.SUSPENSE, -amount)]
    return ledger.Booking(key=key, memo=memo, booked_on=on, value_on=value_on, lines=lines)
