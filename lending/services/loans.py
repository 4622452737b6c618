"""What people do to a loan: pay, settle, charge, waive, reverse, write off, recover."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk, engine
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import Customer, Loan, Transaction, User
from lending.services import adjust, checks, locking, notices, restructure, suspense
from lending.services.posting import FROM_SUSPENSE, Posting, Type, as_events, hold, post, post_many

# Asked for every payment: what it posted before, and what its customer owes, oldest first.
BY_PAYMENT = bulk.Select(Transaction, "payment_key = ANY(%s::text[]) ORDER BY id")
OWED = bulk.Tuples("""
    SELECT l.customer_id, i.loan_id, i.outstanding
    FROM lending_instalment i JOIN lending_loan l ON l.id = i.loan_id
    WHERE l.customer_id = ANY(%s::bigint[]) AND l.state = ANY(%s::text[]) AND i.outstanding > 0
    ORDER BY i.due_on, i.loan_id, i.number
""")


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that came in from a customer, to be spread over their loans."""

    customer_id: int
    amount: Decimal
    key: str
    channel: str = ""
    value_on: date | None = None
    kind: str = ""


def payoff(loan: Loan, on: date) -> engine.Payoff:
    """What settles the loan on that day: what is billed, the rest of the principal, interest for the days used."""
    history = list(loan.transactions.order_by("pk"))
    return engine.payoff(engine.Terms.from_json(loan.terms), as_events(history), on)


def repay(
    *,
    loan_id: int,
    amount: Decimal,
    key: str,
    by: User | None,
    at: datetime,
    on: date,
    value_on: date | None = None,
    channel: str = "",
    currency: str = "",
) -> Transaction:
    """A payment on one loan; more than is owed becomes its credit balance.

    Refused in another currency than the loan's, where one is named.
    """
    checks.amount(amount)
    posting = Posting(
        loan_id, Type.REPAYMENT, amount, key, value_on or on, channel=channel, currency=currency
    )
    return post(posting, by=by, at=at, on=on)


def pay(
    *,
    customer_id: int,
    amount: Decimal,
    key: str,
    by: User | None,
    at: datetime,
    on: date,
    channel: str = "",
) -> list[Transaction]:
    """A payment on everything the customer owes, oldest due date first; what is left over becomes a credit balance.

    Refused when nothing is owed. The same key again returns what it posted.
    """
    receipt = Receipt(customer_id, amount, key, channel)
    return pay_many(receipts=[receipt], by=by, at=at, on=on)


@transaction.atomic
def pay_many(*, receipts: Sequence[Receipt], by: User | None, at: datetime, on: date) -> list[Transaction]:
    """Several payments at once, in order, each as `pay` would take it."""
    for receipt in receipts:
        checks.amount(receipt.amount)
    held = locking.HELD(sorted({receipt.customer_id for receipt in receipts}))
    customers = {customer.pk: customer for customer in held}
    known = _posted([receipt.key for receipt in receipts])
    fresh = [receipt for receipt in receipts if receipt.key not in known]
    postings = _spread(fresh, on)
    posted = post_many(postings, by=by, at=at, on=on)
    _thank(fresh, customers, at)
    return [row for receipt in receipts for row in known.get(receipt.key, [])] + posted


def _posted(keys: Sequence[str]) -> dict[str, list[Transaction]]:
    """What these keys posted before; a payment's transactions carry its key and their loan's number."""
    found: dict[str, list[Transaction]] = {}
    for row in BY_PAYMENT(list(keys)):
        found.setdefault(row.payment_key, []).append(row)
    return found


def _spread(receipts: Sequence[Receipt], on: date) -> list[Posting]:
    owed = _owed({receipt.customer_id for receipt in receipts})
    postings = []
    for receipt in receipts:
        postings += _spread_one(receipt, owed.get(receipt.customer_id, []), on)
    return postings


def _owed(customer_ids: set[int]) -> dict[int, list[list]]:
    """Per customer the unpaid instalments as [loan, amount still open], oldest due date first."""
    owed: dict[int, list[list]] = {}
    for customer_id, loan_id, outstanding in OWED(list(customer_ids), [str(state) for state in Loan.OWING]):
        owed.setdefault(customer_id, []).append([loan_id, outstanding])
    return owed


def _spread_one(receipt: Receipt, owed: list[list], on: date) -> list[Posting]:
    if not any(amount for _loan, amount in owed):
        raise Refused("nothing_owed", _("Nothing is owed at present."))
    left = receipt.amount
    shares: dict[int, Decimal] = {}
    for row in owed:
        taken = min(left, row[1])
        if taken:
            shares[row[0]] = shares.get(row[0], ZERO) + taken
            row[1] -= taken
            left -= taken
    if left:
        last = owed[-1][0]
        shares[last] = shares.get(last, ZERO) + left
    return [
        Posting(
            loan_id,
            Type.REPAYMENT,
            amount,
            f"{receipt.key}:{loan_id}",
            receipt.value_on or on,
            kind=receipt.kind,
            channel=receipt.channel,
            payment_key=receipt.key,
        )
        for loan_id, amount in shares.items()
    ]


def _thank(receipts: Sequence[Receipt], customers: dict[int, Customer], at: datetime) -> None:
    notices.queue_many(
        [
            notices.Message(
                customer=customers[receipt.customer_id],
                template="payment_received",
                context={"amount": receipt.amount},
                key=f"payment-received:{receipt.key}",
            )
            for receipt in receipts
        ],
        at=at,
    )


@transaction.atomic
def settle(
    *, loan_id: int, key: str, by: User | None, at: datetime, on: date, channel: str = ""
) -> Transaction:
    """Pay the loan off today: future instalments fall away, interest counts only for the days used."""
    loan = hold(loan_id, on=on)
    posted = Transaction.objects.filter(key=key, loan=loan).first()
    if posted:
        return posted
    if loan.state not in Loan.OWING:
        raise Refused("loan_closed", _("The loan owes nothing that could be settled."))
    amount = payoff(loan, on).total
    posting = Posting(loan_id, Type.SETTLEMENT, amount, key, on, channel=channel)
    posted = post(posting, by=by, at=at, on=on)
    notices.queue(
        customer=loan.customer,
        template="loan_settled",
        context={"loan": str(loan), "amount": amount},
        key=f"loan-settled:{key}",
        at=at,
    )
    return posted


def charge(
    *, loan_id: int, kind: str, amount: Decimal, key: str, note: str, by: User | None, at: datetime, on: date
) -> Transaction:
    """Add a FEE or PENALTY by hand."""
    return _adjust(Type.CHARGE, loan_id, kind, amount, key, note, by, at, on)


def waive(
    *, loan_id: int, kind: str, amount: Decimal, key: str, note: str, by: User | None, at: datetime, on: date
) -> Transaction:
    """Give up INTEREST, FEE or PENALTY that is owed, oldest first; never more than is owed."""
    return _adjust(Type.WAIVER, loan_id, kind, amount, key, note, by, at, on)


def _adjust(
    type_: str,
    loan_id: int,
    kind: str,
    amount: Decimal,
    key: str,
    note: str,
    by: User | None,
    at: datetime,
    on: date,
) -> Transaction:
    checks.amount(amount)
    checks.reason(note)
    posting = Posting(loan_id, type_, amount, key, on, kind=kind, note=note)
    return post(posting, by=by, at=at, on=on)


@transaction.atomic
def reverse(
    *, transaction_id: int, key: str, note: str, by: User | None, at: datetime, on: date
) -> Transaction:
    """Take a transaction back: the loan is folded as if it had never been; the books take the difference today."""
    original = Transaction.objects.select_related("loan").get(pk=transaction_id)
    if original.kind == FROM_SUSPENSE:
        suspense.lock(original)
    known = Transaction.objects.filter(reverses=original).first()
    if known and known.key != key:
        raise Refused("reversed", _("This transaction has been reversed already."))
    if not known:
        adjust.check_reversible(original)
    checks.reason(note)
    posting = Posting(
        original.loan_id,
        Type.REVERSAL,
        original.amount,
        key,
        on,
        reverses_id=original.pk,
        note=note,
    )
    posted = post(posting, by=by, at=at, on=on)
    if original.kind == FROM_SUSPENSE and not known:
        suspense.restore(original, by=by, at=at, on=on)
    if restructure.is_restructuring(original):
        restructure.unwatch(original.loan)
    return posted


@transaction.atomic
def write_off(*, loan_id: int, key: str, note: str, by: User | None, at: datetime, on: date) -> Transaction:
    """Give the loan up in the books: what is outstanding becomes a credit loss. The debt itself stands."""
    loan = hold(loan_id, on=on)
    owed = loan.principal + loan.interest + loan.fee + loan.penalty
    posted = Transaction.objects.filter(key=key, loan=loan).first()
    if posted:
        return posted
    posting = Posting(loan_id, Type.WRITE_OFF, max(owed, ZERO), key, on, note=note)
    return post(posting, by=by, at=at, on=on)


def recover(
    *, loan_id: int, amount: Decimal, key: str, by: User | None, at: datetime, on: date, channel: str = ""
) -> Transaction:
    """Money that came in on a loan after it was written off."""
    checks.amount(amount)
    posting = Posting(loan_id, Type.RECOVERY, amount, key, on, channel=channel)
    return post(posting, by=by, at=at, on=on)
