"""The one way in which a loan moves: append a transaction, fold the loan again, book the difference.

A loan is `replay(terms, transactions)`. Posting locks the lines and loans concerned, always in that order and by
id, folds each loan with the new transaction, writes what changed in the fold to the rows that hold it, and books
the difference between the old and the new position as one balanced entry dated today, whatever the value date.
History is never edited: a backdated payment or a reversal changes the fold, and the difference is today's.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from lending import engine, events
from lending.bulk import update_many
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import CreditLine, Instalment, Loan, Transaction, User
from lending.services import ledger

Type = Transaction.Type

# Where the money of a transaction comes from or goes to.
CONTRA = {
    Type.DISBURSEMENT: ledger.MERCHANTS,
    Type.REPAYMENT: ledger.BANK,
    Type.SETTLEMENT: ledger.BANK,
    Type.CREDIT_REFUND: ledger.BANK,
    Type.MERCHANT_REFUND: ledger.MERCHANTS,
    Type.PAYOUT_REFUND: ledger.MERCHANTS,
    Type.GOODWILL: ledger.GOODWILL,
    Type.WRITE_OFF: ledger.CREDIT_LOSSES,
}
# `kind` says so when a settlement is a whole refund, or a disbursement goes to the customer and not to a shop.
BY_MERCHANT, TO_CUSTOMER = "MERCHANT", "CUSTOMER"

# The parts of a loan's position and the account of each; what is earned or owed back stands on the credit side.
ACCOUNTS = {
    "principal": (ledger.PRINCIPAL, 1),
    "interest": (ledger.INTEREST_RECEIVABLE, 1),
    "fee": (ledger.FEE_RECEIVABLE, 1),
    "penalty": (ledger.PENALTY_RECEIVABLE, 1),
    "credit": (ledger.CREDIT_BALANCES, -1),
    "interest_earned": (ledger.INTEREST_INCOME, -1),
    "fee_earned": (ledger.FEE_INCOME, -1),
    "penalty_earned": (ledger.PENALTY_INCOME, -1),
}


@dataclass(frozen=True, slots=True)
class Posting:
    """A transaction to be. `key` is the caller's: the same key twice posts once."""

    loan_id: int
    type: str
    amount: Decimal
    key: str
    value_on: date
    kind: str = ""
    reverses_id: int | None = None
    channel: str = ""
    note: str = ""
    payment_key: str = ""

    def same_as(self, posted: Transaction) -> bool:
        mine = (self.loan_id, self.type, self.amount, self.value_on, self.kind, self.reverses_id)
        return mine == (
            posted.loan_id,
            posted.type,
            posted.amount,
            posted.value_on,
            posted.kind,
            posted.reverses_id,
        )


@dataclass(slots=True)
class _Account:
    """A loan being posted to: its row, its instalments, and its history so far."""

    loan: Loan
    instalments: dict[int, Instalment]
    history: list[Transaction]
    terms: engine.Terms
    principal_before: Decimal
    changed: dict[int, Instalment] = field(default_factory=dict)
    surplus: set[int] = field(default_factory=set)


@transaction.atomic
def post_many(postings: Sequence[Posting], *, by: User | None, at: datetime, on: date) -> list[Transaction]:
    """Post in the order given; returns one transaction for each posting, also for those posted before.

    Raises `Refused` when a key was used for something else or the loan cannot take the transaction.
    """
    accounts = _lock({posting.loan_id for posting in postings})
    known = {row.key: row for row in Transaction.objects.filter(key__in=[p.key for p in postings])}
    result, new, bookings = [], [], []
    for posting in postings:
        posted = known.get(posting.key)
        if posted is None:
            posted = _draft(posting, by=by, at=at, on=on)
            bookings.append(_fold(accounts[posting.loan_id], posted, on))
            known[posting.key] = posted
            new.append(posted)
        elif not posting.same_as(posted):
            raise Refused("key_reused", _("This key was used for another transaction."), field="key")
        result.append(posted)
    _write(accounts.values(), new, bookings, by=by, at=at)
    return result


def _lock(loan_ids: Iterable[int]) -> dict[int, _Account]:
    ids = sorted(loan_ids)
    line_ids = Loan.objects.filter(pk__in=ids, line__isnull=False).values("line_id")
    list(CreditLine.objects.filter(pk__in=line_ids).order_by("pk").select_for_update().values_list("pk"))
    loans = list(Loan.objects.filter(pk__in=ids).order_by("pk").select_for_update())
    instalments: dict[int, dict[int, Instalment]] = defaultdict(dict)
    history: dict[int, list[Transaction]] = defaultdict(list)
    for row in Instalment.objects.filter(loan_id__in=ids).order_by("number"):
        instalments[row.loan_id][row.number] = row
    for posted in Transaction.objects.filter(loan_id__in=ids).order_by("pk"):
        history[posted.loan_id].append(posted)
    return {
        loan.pk: _Account(
            loan=loan,
            instalments=instalments[loan.pk],
            history=history[loan.pk],
            terms=engine.Terms.from_json(loan.terms),
            principal_before=loan.principal,
        )
        for loan in loans
    }


def _draft(posting: Posting, *, by: User | None, at: datetime, on: date) -> Transaction:
    return Transaction(
        loan_id=posting.loan_id,
        type=posting.type,
        kind=posting.kind,
        amount=posting.amount,
        value_on=posting.value_on,
        booked_on=on,
        at=at,
        by=by,
        channel=posting.channel,
        key=posting.key,
        reverses_id=posting.reverses_id,
        note=posting.note,
        payment_key=posting.payment_key,
    )


def as_events(history: Sequence[Transaction]) -> list[engine.Event]:
    """A loan's transactions as the engine knows them, in the order of posting; a key is a ref."""
    keys = {row.pk: row.key for row in history}
    return [
        engine.Event(
            row.key,
            row.type,
            row.value_on,
            row.amount,
            row.kind if row.type in (Type.CHARGE, Type.WAIVER) else None,
            keys[row.reverses_id] if row.reverses_id else None,
        )
        for row in history
    ]


def _fold(account: _Account, posted: Transaction, on: date) -> ledger.Booking:
    """Fold the loan with the new transaction into its rows; returns the difference to book."""
    _check(account.loan, posted, on)
    history = [*account.history, posted]
    try:
        state = engine.replay(account.terms, as_events(history), on)
    except engine.EventError as error:
        raise Refused("impossible", str(error)) from error
    account.history = history
    position = state.position(on)
    lines = _difference(account.loan, position)
    lines += _contra(account, posted, lines)
    split = state.splits.get(posted.key, engine.Split())
    posted.principal, posted.interest, posted.fee = split.principal, split.interest, split.fee
    posted.penalty, posted.credit = split.penalty, split.overpaid
    _materialise(account, state, position, on)
    return ledger.Booking(
        key=f"transaction:{posted.key}",
        memo=str(Type(posted.type).value),
        booked_on=on,
        value_on=posted.value_on,
        lines=lines,
        loan_id=account.loan.pk,
        product_id=account.loan.product_id,
    )


def _check(loan: Loan, posted: Transaction, on: date) -> None:
    if posted.value_on < loan.disbursed_on:
        raise Refused("before_disbursement", _("The date is before the loan was paid out."), field="value_on")
    if posted.value_on > on:
        raise Refused("future", _("The date lies in the future."), field="value_on")
    closed = loan.state in (Loan.State.SETTLED, Loan.State.CANCELLED, Loan.State.WRITTEN_OFF)
    allowed = {
        Loan.State.SETTLED: (Type.REVERSAL, Type.CREDIT_REFUND, Type.CHARGE, Type.MERCHANT_REFUND),
        Loan.State.WRITTEN_OFF: (Type.REVERSAL, Type.RECOVERY),
    }
    if closed and posted.type not in allowed.get(loan.state, ()):
        raise Refused("loan_closed", _("The loan is closed: it takes no such transaction."))


def _difference(loan: Loan, position: engine.Position) -> list[tuple[str, Decimal]]:
    return [
        (account, sign * (getattr(position, part) - getattr(loan, part)))
        for part, (account, sign) in ACCOUNTS.items()
    ]


def _contra(
    account: _Account, posted: Transaction, lines: list[tuple[str, Decimal]]
) -> list[tuple[str, Decimal]]:
    """The other side: where the money went. An upfront fee is kept back when the loan is paid out."""
    rest = -sum((amount for _, amount in lines), ZERO)
    if posted.type == Type.RECOVERY:
        return [(ledger.BANK, posted.amount), (ledger.RECOVERIES, -posted.amount)]
    if posted.type == Type.DISBURSEMENT and account.terms.upfront_fee:
        fee = account.terms.upfront_fee
        return [(_contra_account(posted), rest + fee), (ledger.FEE_INCOME, -fee)]
    return [(_contra_account(posted), rest)] if rest else []


def _contra_account(posted: Transaction) -> str:
    original = posted.reverses or posted
    if original.kind == BY_MERCHANT:
        return ledger.MERCHANTS
    if original.kind == TO_CUSTOMER:
        return ledger.BANK
    return CONTRA[Type(original.type)]


def _materialise(account: _Account, state: engine.LoanState, position: engine.Position, on: date) -> None:
    loan = account.loan
    for part in ACCOUNTS:
        setattr(loan, part, getattr(position, part))
    loan.oldest_due_on = min((row.due_on for row in state.rows if row.outstanding > 0), default=None)
    _move_state(loan, state, on)
    for row in state.rows:
        _materialise_row(account, row)
    account.surplus = {number for number in account.instalments if number > len(state.rows)}


def _materialise_row(account: _Account, row: engine.InstalmentState) -> None:
    values = {name: getattr(row, name, None) for name in Instalment.AMOUNTS}
    values["penalty_base"] = row.principal_days
    known = account.instalments.get(row.number)
    if known is None:
        known = Instalment(loan_id=account.loan.pk, number=row.number)
        account.instalments[row.number] = known
    elif all(getattr(known, name) == value for name, value in values.items()):
        return
    for name, value in values.items():
        setattr(known, name, value)
    account.changed[row.number] = known


def _move_state(loan: Loan, state: engine.LoanState, on: date) -> None:
    done = state.status in ("SETTLED", "OVERPAID")
    if loan.state == Loan.State.APPROVED:
        loan.activate()
    if state.status == "WRITTEN_OFF" and loan.state in Loan.OWING:
        loan.write_off()
    elif done and loan.state in Loan.OWING:
        loan.settle(on=on)
    elif state.status == "ACTIVE" and loan.state == Loan.State.SETTLED:
        loan.reopen()


def _write(
    accounts: Iterable[_Account],
    posted: list[Transaction],
    bookings: list[ledger.Booking],
    *,
    by: User | None,
    at: datetime,
) -> None:
    accounts = list(accounts)
    Transaction.objects.bulk_create(posted)
    for row, booking in zip(posted, bookings, strict=True):
        booking.transaction_id = row.pk
    ledger.post(bookings)
    _write_instalments(accounts)
    loans = [account.loan for account in accounts]
    update_many(loans, [*ACCOUNTS, "oldest_due_on", "state", "settled_on"])
    _move_lines(accounts)
    by_id = {loan.pk: loan for loan in loans}
    events.record_many(
        [_event(row, by_id[row.loan_id], by, at) for row in posted],
    )


def _event(row: Transaction, loan: Loan, by: User | None, at: datetime) -> Any:
    return events.build(
        f"loan.{row.type.lower()}",
        loan,
        by=by,
        at=at,
        amount=row.amount,
        transaction=row.pk,
        value_on=row.value_on,
        note=row.note,
    )


def _write_instalments(accounts: list[_Account]) -> None:
    changed = [row for account in accounts for row in account.changed.values()]
    gone = [
        account.instalments[number].pk
        for account in accounts
        for number in account.surplus
        if account.instalments[number].pk
    ]
    if gone:
        Instalment.objects.filter(pk__in=gone).delete()
    known = [row for row in changed if row.pk]
    Instalment.objects.bulk_create([row for row in changed if row.pk is None])
    update_many(known, Instalment.AMOUNTS)


def _move_lines(accounts: list[_Account]) -> None:
    """What the principal of a loan moves, the use of its line moves."""
    moved: dict[int, Decimal] = defaultdict(lambda: ZERO)
    for account in accounts:
        if account.loan.line_id:
            moved[account.loan.line_id] += account.loan.principal - account.principal_before
    for line_id, amount in moved.items():
        if amount:
            CreditLine.objects.filter(pk=line_id).update(used=F("used") + amount)
