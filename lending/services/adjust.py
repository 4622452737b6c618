"""What else people do to a loan: pay out tranches, take part payments ahead, give money back, call it in."""

from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from lending.errors import Refused
from lending.fields import ZERO
from lending.models import Loan, Purchase, Transaction, User
from lending.services import checks
from lending.services.posting import TO_CUSTOMER, Posting, Type, hold, post

SHORTEN, LOWER = "SHORTEN", "LOWER"
FROM_CUSTOMER = (Type.REPAYMENT, Type.SETTLEMENT, Type.PREPAYMENT)
REFUNDS = (Type.GOODWILL, Type.MERCHANT_REFUND, Type.PAYOUT_REFUND)


def standing(loan_id: int) -> QuerySet[Transaction]:
    """The loan's transactions that were not taken back."""
    rows = Transaction.objects.filter(loan_id=loan_id, reversed_by=None)
    return rows.exclude(type=Type.REVERSAL)


def undisbursed(loan: Loan) -> Decimal:
    """What was agreed and has not been paid out yet; nothing of a loan that has ended."""
    if loan.state not in (Loan.State.APPROVED, Loan.State.ACTIVE):
        return ZERO
    out = standing(loan.pk).filter(type=Type.DISBURSEMENT).aggregate(sum=Sum("amount"))["sum"]
    left: Decimal = loan.principal_amount - (out or ZERO)
    return max(left, ZERO)


@transaction.atomic
def disburse(
    *, loan_id: int, amount: Decimal, key: str, by: User | None, at: datetime, on: date
) -> Transaction:
    """Pay out the next tranche to the customer, today; never more in all than was agreed."""
    checks.amount(amount)
    loan = hold(loan_id, on=on)
    posting = Posting(loan_id, Type.DISBURSEMENT, amount, key, on, kind=TO_CUSTOMER)
    if not _posted(key) and amount > undisbursed(loan):
        raise Refused("above_agreed", _("More than is left of the agreed amount."), field="amount")
    return post(posting, by=by, at=at, on=on)


def prepay(
    *,
    loan_id: int,
    amount: Decimal,
    kind: str,
    key: str,
    by: User | None,
    at: datetime,
    on: date,
    value_on: date | None = None,
    channel: str = "",
) -> Transaction:
    """Part of the principal ahead of time: SHORTEN the term, or LOWER the instalments. What is due is paid first."""
    checks.amount(amount)
    if kind not in (SHORTEN, LOWER):
        raise Refused("kind", _("Choose a shorter term or smaller instalments."), field="kind")
    posting = Posting(loan_id, Type.PREPAYMENT, amount, key, value_on or on, kind=kind, channel=channel)
    return post(posting, by=by, at=at, on=on)


@transaction.atomic
def charge_back(
    *,
    transaction_id: int,
    key: str,
    note: str,
    by: User | None,
    at: datetime,
    on: date,
    amount: Decimal | None = None,
) -> Transaction:
    """The bank took a payment back, all that is left of it or a part: it is owed again from today."""
    original = Transaction.objects.select_related("loan").get(pk=transaction_id)
    checks.reason(note)
    hold(original.loan_id, on=on)
    left = chargeable(original)
    if not _posted(key):
        if not left:
            raise Refused("not_chargeable", _("Nothing of this transaction can be taken back."))
        if amount is not None and amount > left:
            raise Refused("above_paid", _("More than is left of this payment."), field="amount")
    value = left if amount is None else amount
    checks.amount(value)
    posting = Posting(
        original.loan_id, Type.CHARGEBACK, value, key, on, note=note, details={"of": original.pk}
    )
    return post(posting, by=by, at=at, on=on)


def chargeable(original: Transaction) -> Decimal:
    """What the bank could still take back of a payment; nothing of what is no payment or was reversed."""
    if original.type not in FROM_CUSTOMER or original.kind == "MERCHANT" or hasattr(original, "reversed_by"):
        return ZERO
    back = standing(original.loan_id).filter(type=Type.CHARGEBACK, details__of=original.pk)
    left: Decimal = original.amount - (back.aggregate(sum=Sum("amount"))["sum"] or ZERO)
    return left


@transaction.atomic
def refund_credit(
    *, loan_id: int, amount: Decimal, key: str, note: str, by: User | None, at: datetime, on: date
) -> Transaction:
    """Pay a credit balance out to the customer."""
    checks.amount(amount)
    loan = hold(loan_id, on=on)
    if not _posted(key) and amount > loan.credit:
        raise Refused("above_credit", _("The amount is above the credit balance."), field="amount")
    return post(Posting(loan_id, Type.CREDIT_REFUND, amount, key, on, note=note), by=by, at=at, on=on)


def refund(
    *, loan_id: int, kind: str, amount: Decimal, key: str, note: str, by: User | None, at: datetime, on: date
) -> Transaction:
    """Credit the loan: GOODWILL at our cost, MERCHANT_REFUND or PAYOUT_REFUND with money that came back.

    Goods of a purchase go back through the purchase, which keeps its own count.
    """
    checks.amount(amount)
    checks.reason(note)
    if kind not in REFUNDS:
        raise Refused("kind", _("Choose what kind of refund it is."), field="kind")
    if kind == Type.MERCHANT_REFUND and Purchase.objects.filter(loan_id=loan_id).exists():
        raise Refused("of_a_purchase", _("Refund the purchase: the loan follows."), field="kind")
    return post(Posting(loan_id, kind, amount, key, on, note=note), by=by, at=at, on=on)


def accelerate(*, loan_id: int, key: str, note: str, by: User | None, at: datetime, on: date) -> Transaction:
    """Call the loan in: everything is due today."""
    checks.reason(note)
    return post(Posting(loan_id, Type.ACCELERATION, ZERO, key, on, note=note), by=by, at=at, on=on)


def check_reversible(original: Transaction) -> None:
    """Refuses what cannot be taken back, or only after something else."""
    if original.type == Type.REVERSAL:
        raise Refused("not_reversible", _("This transaction cannot be reversed."))
    if original.type == Type.DISBURSEMENT:
        _check_disbursement(original)
    if standing(original.loan_id).filter(type=Type.CHARGEBACK, details__of=original.pk).exists():
        raise Refused("charged_back", _("The bank has taken it back: reverse the chargeback first."))


def _check_disbursement(original: Transaction) -> None:
    others = standing(original.loan_id).exclude(pk=original.pk)
    if Purchase.objects.filter(loan_id=original.loan_id).exists():
        raise Refused("of_a_purchase", _("Refund the purchase: the loan follows."))
    first = not others.filter(type=Type.DISBURSEMENT, pk__lt=original.pk).exists()
    if first and others.exists():
        raise Refused("not_alone", _("Reverse what came after the payout first."))


def _posted(key: str) -> bool:
    return Transaction.objects.filter(key=key).exists()
