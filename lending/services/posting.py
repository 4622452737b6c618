"""The one way in which a loan moves: append a transaction, fold the loan again, book the difference.

A loan is `replay(terms, transactions)`. Posting locks the lines and loans concerned, always in that order and by
id, folds each loan with the new transaction, writes what changed in the fold to the rows that hold it, and books
the difference between the old and the new position as one balanced entry dated today, whatever the value date.
A loan that the close has billed for the next day already is folded as of that day (services/billed_ahead.py).
History is never edited: a backdated payment or a reversal changes the fold, and the difference is today's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk, engine, events
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import CreditLine, Instalment, Loan, Transaction, User
from lending.services import billed_ahead, ledger

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
    Type.RECOVERY: ledger.BANK,
    Type.PREPAYMENT: ledger.BANK,
    Type.CHARGEBACK: ledger.BANK,
}
# `kind` says so when a settlement is a whole refund, or a disbursement goes to the customer and not to a shop.
BY_MERCHANT, TO_CUSTOMER = "MERCHANT", "CUSTOMER"
# ... or that a payment comes out of money that lay in suspense.
FROM_SUSPENSE = "SUSPENSE"

# The kinds that the engine knows, and the types whose details it reads.
WITH_KIND = (Type.CHARGE, Type.WAIVER, Type.PREPAYMENT)
RESTRUCTURINGS = (*Transaction.RESTRUCTURINGS, Type.ACCELERATION)

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

# What is read for a posting, in one round trip. Lines are locked before loans, each by id, as everywhere.
LINES = bulk.Select(
    CreditLine,
    "id IN (SELECT line_id FROM lending_loan WHERE id = ANY(%s::bigint[])) ORDER BY id FOR NO KEY UPDATE",
)
LOANS = bulk.Select(Loan, "id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE")
HISTORY = bulk.Tuples(
    "SELECT loan_id, id, key, type, value_on, amount, kind, reverses_id, details FROM lending_transaction"
    " WHERE loan_id = ANY(%s::bigint[]) ORDER BY id"
)
POSTED = bulk.Select(Transaction, "key = ANY(%s::varchar[])")
WRITTEN = (*Instalment.AMOUNTS, "statement", "accrues_from")
# What a row holds, and where a fold says it: all at once, for each posting looks at every instalment of its loans.
HELD = (*Instalment.AMOUNTS, "accrues_from", "statement_id")
_folded = attrgetter(*({"penalty_base": "principal_days"}.get(name, name) for name in Instalment.AMOUNTS))
# Most instalments stay as they are: they are compared as they come.
INSTALMENTS = bulk.Tuples(
    f"SELECT loan_id, number, id, {', '.join(HELD)} FROM lending_instalment"  # noqa: S608
    " WHERE loan_id = ANY(%s::bigint[]) ORDER BY loan_id, number"
)
WRITTEN_OF_LOANS = (*ACCOUNTS, "oldest_due_on", "matures_on", "state", "settled_on")
# Of each transaction to be and of its entry.
IDS = bulk.Tuples(
    "SELECT nextval(pg_get_serial_sequence('lending_transaction', 'id')),"
    " nextval(pg_get_serial_sequence('lending_journalentry', 'id')) FROM generate_series(1, %s)"
)


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
    currency: str = ""  # the loan's own unless named
    details: Mapping[str, Any] = field(default_factory=dict)

    def same_as(self, posted: Transaction) -> bool:
        mine = (self.loan_id, self.type, self.amount, self.value_on, self.kind, self.reverses_id)
        return self.details == posted.details and mine == (
            posted.loan_id,
            posted.type,
            posted.amount,
            posted.value_on,
            posted.kind,
            posted.reverses_id,
        )


class Past(NamedTuple):
    """What a fold asks of a transaction that was posted before: its row, as far as that."""

    pk: int
    key: str
    type: str
    value_on: date
    amount: Decimal
    kind: str
    reverses_id: int | None
    details: dict[str, Any]


@dataclass(slots=True)
class Account:
    """A loan being posted to: its row, its instalments, and its history so far."""

    loan: Loan
    terms: engine.Terms
    principal_before: Decimal
    # The day on which its rows stand: the business date, or the next one when that is billed already.
    day: date
    # By number, the key of each instalment, if it has one yet, and what it holds.
    instalments: dict[int, tuple[int | None, tuple[Any, ...]]] = field(default_factory=dict)
    history: list[Past | Transaction] = field(default_factory=list)
    changed: dict[int, Instalment] = field(default_factory=dict)
    surplus: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Read:
    """What one batch works on: everything locked, and keys for the rows that it will write."""

    accounts: dict[int, Account]
    lines: dict[int, CreditLine]
    known: dict[str, Transaction]
    ids: list[tuple[Any, ...]]
    chart: ledger.Chart


def post(posting: Posting, *, by: User | None, at: datetime, on: date) -> Transaction:
    """Post one; see `post_many`."""
    return post_many([posting], by=by, at=at, on=on)[0]


@transaction.atomic
def post_many(postings: Sequence[Posting], *, by: User | None, at: datetime, on: date) -> list[Transaction]:
    """Post in the order given; returns one transaction for each posting, also for those posted before.

    Raises `Refused` when a key was used for something else or the loan cannot take the transaction.
    """
    read = _read(postings, on)
    accounts, known = read.accounts, read.known
    result, new, bookings = [], [], []
    for posting, (id_, entry_id) in zip(postings, read.ids, strict=True):
        posted = known.get(posting.key)
        if posted is None:
            _check_currency(posting, accounts[posting.loan_id].loan)
            posted = _draft(posting, id_, by=by, at=at, on=on)
            bookings.append(_fold(accounts[posting.loan_id], posted, on, entry_id))
            known[posting.key] = posted
            new.append(posted)
        elif not posting.same_as(posted):
            raise Refused("key_reused", _("This key was used for another transaction."), field="key")
        result.append(posted)
    _write(read, new, bookings, by=by, at=at)
    return result


def _read(postings: Sequence[Posting], on: date) -> "_Read":
    """Lock the loans and read all that is theirs, and what the keys have posted before."""
    ids, keys = sorted({posting.loan_id for posting in postings}), [posting.key for posting in postings]
    _, billed, lines, loans, instalments, history, known, new, chart = bulk.read(
        (bulk.KEEP_PLANS, []),
        (billed_ahead.BILLED, [on, ids]),
        (LINES, [ids]),
        (LOANS, [ids]),
        (INSTALMENTS, [ids]),
        (HISTORY, [ids]),
        (POSTED, [keys]),
        (IDS, [len(postings)]),
        (ledger.CHART, []),
    )
    if len(loans) < len(ids):
        raise Loan.DoesNotExist(f"no loan {sorted({*ids} - {loan.pk for loan in loans})}")
    return _Read(
        _accounts(loans, instalments, history, {pk: billed_ahead.day_of(pk, on, billed) for pk in ids}),
        {line.pk: line for line in lines},
        {row.key: row for row in known},
        new,
        ledger.Chart.of(chart),
    )


def _accounts(
    loans: Sequence[Loan],
    instalments: Sequence[tuple[Any, ...]],
    history: Sequence[tuple[Any, ...]],
    days: Mapping[int, date],
) -> dict[int, Account]:
    accounts = {
        loan.pk: Account(loan, engine.Terms.from_json(loan.terms), loan.principal, days[loan.pk])
        for loan in loans
    }
    for row in instalments:
        loan_id, number, pk = row[:3]
        accounts[loan_id].instalments[number] = pk, row[3:]
    for loan_id, *past, details in history:
        accounts[loan_id].history.append(Past._make((*past, json.loads(details))))
    return accounts


def hold(loan_id: int, *, on: date) -> Loan:
    """The loan, locked as for a posting and with what a posting locks before it, for who looks at it and then posts:
    a loan that is locked alone waits for its line while another that holds the line waits for the loan.

    Raises Loan.DoesNotExist.
    """
    _billed, _lines, loans = bulk.read(
        (billed_ahead.BILLED, [on, [loan_id]]), (LINES, [[loan_id]]), (LOANS, [[loan_id]])
    )
    if not loans:
        raise Loan.DoesNotExist(f"no loan {loan_id}")
    loan: Loan = loans[0]
    return loan


def lock(loan_id: int, *, on: date) -> Account:
    """A loan and all that is theirs, locked for who folds it and moves no principal: its line stays as it is, and free.
    Raises Loan.DoesNotExist."""
    return lock_many([loan_id], on=on)[loan_id]


def lock_many(loan_ids: Sequence[int], *, on: date) -> dict[int, Account]:
    """As `lock`, for several loans in one round trip."""
    ids = sorted(loan_ids)
    billed, loans, instalments, history = bulk.read(
        (billed_ahead.BILLED, [on, ids]),
        (LOANS, [ids]),
        (INSTALMENTS, [ids]),
        (HISTORY, [ids]),
    )
    days = {pk: billed_ahead.day_of(pk, on, billed) for pk in ids}
    accounts = _accounts(loans, instalments, history, days)
    if missing := {*ids} - accounts.keys():
        raise Loan.DoesNotExist(f"no loan {sorted(missing)}")
    return accounts


def replay(terms: engine.Terms, history: Sequence[Past | Transaction], on: date) -> engine.LoanState:
    """The fold of these transactions as of `on`. Raises Refused for one that cannot have happened."""
    try:
        return engine.replay(terms, as_events(history), on)
    except engine.EventError as error:
        raise Refused("impossible", str(error)) from error


def _draft(posting: Posting, id_: int, *, by: User | None, at: datetime, on: date) -> Transaction:
    return bulk.new(
        Transaction,
        id=id_,
        loan_id=posting.loan_id,
        type=posting.type,
        kind=posting.kind,
        amount=posting.amount,
        value_on=posting.value_on,
        booked_on=on,
        at=at,
        by_id=by.pk if by else None,
        channel=posting.channel,
        key=posting.key,
        reverses_id=posting.reverses_id,
        note=posting.note,
        payment_key=posting.payment_key,
        details=dict(posting.details),
    )


def as_events(history: Sequence[Past | Transaction]) -> list[engine.Event]:
    """A loan's transactions as the engine knows them, in the order of posting; a key is a ref."""
    keys: dict[Any, str] = {row.pk: row.key for row in history}
    return [
        engine.Event(
            row.key,
            row.type,
            row.value_on,
            row.amount,
            row.kind if row.type in WITH_KIND else None,
            keys.get(row.reverses_id or row.details.get("of")),
            row.details if row.type in RESTRUCTURINGS else None,
        )
        for row in history
    ]


def _fold(account: Account, posted: Transaction, on: date, entry_id: int) -> ledger.Booking:
    """Fold the loan with the new transaction into its rows; returns the difference to book."""
    _check(account.loan, posted, on)
    history = [*account.history, posted]
    state = replay(account.terms, history, account.day)
    account.history = history
    position = state.position
    lines = difference(account.loan, position)
    lines += _contra(account, posted, lines)
    split = state.splits.get(posted.key, engine.Split())
    posted.principal, posted.interest, posted.fee = split.principal, split.interest, split.fee
    posted.penalty, posted.credit = split.penalty, split.overpaid
    materialise(account, state, position, on)
    return ledger.Booking(
        key=f"transaction:{posted.key}",
        memo=str(Type(posted.type).value),
        booked_on=on,
        value_on=posted.value_on,
        lines=lines,
        entry_id=entry_id,
        transaction_id=posted.pk,
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
        Loan.State.SETTLED: (
            *(Type.REVERSAL, Type.CREDIT_REFUND, Type.CHARGE, Type.MERCHANT_REFUND, Type.CHARGEBACK),
        ),
        Loan.State.WRITTEN_OFF: (Type.REVERSAL, Type.RECOVERY),
    }
    if closed and posted.type not in allowed.get(loan.state, ()):
        raise Refused("loan_closed", _("The loan is closed: it takes no such transaction."))


def _check_currency(posting: Posting, loan: Loan) -> None:
    if posting.currency not in ("", loan.currency):
        raise Refused("currency", _("The loan is in another currency."), field="currency")


def difference(loan: Loan, position: engine.Position) -> list[tuple[str, Decimal]]:
    """By account, what the books lack of that position."""
    return [
        (account, sign * (getattr(position, part) - getattr(loan, part)))
        for part, (account, sign) in ACCOUNTS.items()
    ]


def _contra(
    account: Account, posted: Transaction, lines: list[tuple[str, Decimal]]
) -> list[tuple[str, Decimal]]:
    """The other side: where the money went. An upfront fee is kept back when the first of a loan is paid out."""
    rest = -sum((amount for _, amount in lines), ZERO)
    original = posted.reverses or posted
    sign = -1 if posted.reverses_id else 1
    if original.type == Type.RECOVERY:
        amount = sign * posted.amount
        return [(_contra_account(original), amount), (ledger.RECOVERIES, -amount)]
    if original.type == Type.DISBURSEMENT and account.terms.upfront_fee and _is_first(account, original):
        fee = sign * account.terms.upfront_fee
        return [(_contra_account(original), rest + fee), (ledger.FEE_INCOME, -fee)]
    return [(_contra_account(original), rest)] if rest else []


def _is_first(account: Account, paid_out: Transaction) -> bool:
    return account.history[0].pk == paid_out.pk


def _contra_account(original: Transaction) -> str:
    if original.kind == BY_MERCHANT:
        return ledger.MERCHANTS
    if original.kind == TO_CUSTOMER:
        return ledger.BANK
    if original.kind == FROM_SUSPENSE:
        return ledger.SUSPENSE
    return CONTRA[Type(original.type)]


def materialise(account: Account, state: engine.LoanState, position: engine.Position, on: date) -> None:
    """Put the fold into the rows of the loan; nothing is written yet."""
    loan = account.loan
    for part in ACCOUNTS:
        setattr(loan, part, getattr(position, part))
    loan.oldest_due_on = state.unpaid_since
    _move_state(loan, state, on)
    if loan.state in Loan.OWING:
        loan.matures_on = state.matures_on or loan.matures_on
    bills = {held[0]: held[-1] for _pk, held in account.instalments.values() if held[-1]}
    for row, since in zip(
        state.rows, accrual_starts(loan.disbursed_on, account.terms, state.rows), strict=True
    ):
        _materialise_row(account, row, since, bills.get(row.due_on))
    beyond = {number for number in account.instalments if number > len(state.rows)}
    account.surplus = {number for number in beyond if account.instalments[number][0]}
    for number in beyond - account.surplus:  # made and taken away in the same batch
        del account.instalments[number], account.changed[number]


def accrual_starts(
    disbursed_on: date, terms: engine.Terms, rows: Sequence[engine.InstalmentState]
) -> list[date]:
    """From which day the interest of each instalment accrues: the due date before it, or the end of the interest-free
    days."""
    first = disbursed_on + timedelta(days=terms.interest_free_days)
    return list(accumulate((row.due_on for row in rows[:-1]), max, initial=first))[: len(rows)]


def _materialise_row(
    account: Account, row: engine.InstalmentState, accrues_from: date, bill_id: int | None
) -> None:
    """A bill stays with the due date that it was made for, whatever number the instalment has by now."""
    values = (*_folded(row), accrues_from, bill_id)
    pk, held = account.instalments.get(row.number, (None, None))
    if held == values:
        return
    account.instalments[row.number] = pk, values
    account.changed[row.number] = bulk.new(
        Instalment,
        id=pk,
        loan_id=account.loan.pk,
        number=row.number,
        **dict(zip(HELD, values, strict=True)),
    )


def _move_state(loan: Loan, state: engine.LoanState, on: date) -> None:
    if loan.state == Loan.State.APPROVED:
        loan.activate()
    if loan.state == Loan.State.WRITTEN_OFF and state.status != "WRITTEN_OFF":
        loan.restore()
    if loan.state == Loan.State.SETTLED and state.status in ("ACTIVE", "ACCELERATED"):
        loan.reopen()
    if loan.state not in Loan.OWING:
        return
    if state.status == "APPROVED":
        loan.cancel()
    elif state.status == "WRITTEN_OFF":
        loan.write_off()
    elif state.status in ("SETTLED", "OVERPAID"):
        loan.settle(on=on)
    elif state.status == "ACCELERATED" and loan.state == Loan.State.ACTIVE:
        loan.accelerate()
    elif state.status == "ACTIVE" and loan.state == Loan.State.ACCELERATED:
        loan.slow_down()


def _write(
    read: _Read, posted: list[Transaction], bookings: list[ledger.Booking], *, by: User | None, at: datetime
) -> None:
    """All that changed, in one round trip."""
    if not posted:
        return
    accounts = list(read.accounts.values())
    loans = [account.loan for account in accounts]
    new, gone = _sorted_out(accounts)
    if gone:
        Instalment.objects.filter(pk__in=gone).delete()
    with bulk.together():
        bulk.insert_many(posted)
        ledger.post(bookings, read.chart)
        bulk.insert_many(new)
        bulk.update_many([row for a in accounts for row in a.changed.values() if row.pk], WRITTEN)
        bulk.update_many(loans, WRITTEN_OF_LOANS)
        bulk.update_many(_moved_lines(read), ["used"])
        events.record_many([_event(row, read.accounts[row.loan_id].loan, by, at) for row in posted])


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


def _sorted_out(accounts: list[Account]) -> tuple[list[Instalment], list[int]]:
    """The instalments that the loans have now and had not, and the keys of those that they had and have not."""
    new = [row for account in accounts for row in account.changed.values() if row.pk is None]
    surplus = [account.instalments[number][0] for account in accounts for number in account.surplus]
    return new, [pk for pk in surplus if pk]


def _moved_lines(read: _Read) -> list[CreditLine]:
    """What the principal of a loan moves, the use of its line moves."""
    moved: dict[int, CreditLine] = {}
    for account in read.accounts.values():
        amount = account.loan.principal - account.principal_before
        if account.loan.line_id and amount:
            line = moved[account.loan.line_id] = read.lines[account.loan.line_id]
            line.used += amount
    return list(moved.values())
