"""Payment files: taken in, looked at, confirmed, and posted in batches that can be killed at any moment.

Each row is a transaction of its own on the loan, with its own entry and its own key. A batch of rows is one
database transaction: after a kill, its rows are all posted or all still waiting. One bad row stops nothing: a
batch that is refused is halved until the bad row stands alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Sum
from django.utils.translation import gettext_lazy as _

from lending import bulk, events, nudge, tables
from lending.bulk import update_many
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import (
    Customer,
    Instalment,
    Loan,
    PaymentFile,
    PaymentRow,
    UnappliedMoney,
    User,
)
from lending.services import billed_ahead, loans, locking, notices, payment_rows, suspense
from lending.services.posting import Posting, Type, post_many

State = PaymentRow.State
BATCH = 500
READ = 5_000
READY = bulk.Select(
    PaymentRow,
    "file_id = %s AND state = 'READY' ORDER BY customer_id, number LIMIT %s FOR NO KEY UPDATE SKIP LOCKED",
)
# Everything that rows for these customers can touch, in the order in which the house locks.
_OWING = "FROM lending_loan WHERE customer_id = ANY(%s::bigint[]) AND state = ANY(%s) ORDER BY id"
LINES = bulk.Tuples(
    "SELECT id FROM lending_creditline"
    " WHERE id IN (SELECT line_id FROM lending_loan WHERE customer_id = ANY(%s::bigint[]))"
    " ORDER BY id FOR NO KEY UPDATE"
)
# Whoever is thanked needs no identity number, which would have to be decrypted.
OWNERS = bulk.Select(Customer, "id = ANY(%s::bigint[])", only=notices.ADDRESSED)
OWING = bulk.Tuples(f"SELECT id {_OWING}")  # noqa: S608
LOANS = bulk.Tuples(f"SELECT id {_OWING} FOR NO KEY UPDATE")  # noqa: S608
READ_COLUMNS = ("state", "loan", "customer", "amount", "value_on", "payer", "note", "key", "code", "details")


@dataclass(frozen=True, slots=True)
class Options:
    """How the payments of a file are to be taken; see the choices of PaymentFile."""

    unplaced: str = PaymentFile.Unplaced.REFUSE
    surplus: str = PaymentFile.Surplus.CREDIT
    channel: str = "file"
    again: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Rows and money of a file by the state of its rows."""

    rows: dict[str, int]
    sums: dict[str, Decimal]

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    @property
    def waiting(self) -> int:
        return self.rows.get(State.READY, 0)

    @property
    def percent(self) -> int:
        """How much is done of what was confirmed."""
        done = sum(self.rows.get(state, 0) for state in (State.POSTED, State.HELD, State.FAILED))
        return 100 * done // (done + self.waiting) if done + self.waiting else 100


def progress(file_id: int) -> Progress:
    found = (
        PaymentRow.objects.filter(file_id=file_id)
        .order_by()
        .values_list("state")
        .annotate(count=Count("pk"), sum=Sum("amount"))
    )
    rows = list(found)
    return Progress(
        {state: count for state, count, _sum in rows},
        {state: amount or ZERO for state, _count, amount in rows},
    )


# --- in -----------------------------------------------------------------------------------------------------


@transaction.atomic
def upload(
    *, name: str, content: bytes, options: Options, by: User | None, at: datetime, on: date
) -> PaymentFile:
    """Take a file in and read it; nothing is posted. The same file again is refused unless `options.again`."""
    fingerprint = sha256(content).hexdigest()
    before = PaymentFile.objects.filter(sha256=fingerprint).exclude(state=PaymentFile.State.DISCARDED)
    first = before.order_by("pk").first()
    if first and not options.again:
        raise Refused(
            "same_file",
            _("This file was taken in before, as %(file)s.") % {"file": first},
            field="file",
        )
    table = tables.read(name, content)
    file = PaymentFile(
        name=name[-200:],
        sha256=fingerprint,
        repeat=(before.aggregate(last=Max("repeat"))["last"] or 0) + 1 if first else 0,
        header=table.header,
        mapping=tables.columns(table.header, payment_rows.COLUMNS),
        unplaced=options.unplaced,
        surplus=options.surplus,
        channel=options.channel,
        uploaded_by=by,
        uploaded_at=at,
    )
    try:
        with transaction.atomic():
            file.save(force_insert=True)
    except IntegrityError as error:
        raise Refused("same_file", _("This file is being taken in already."), field="file") from error
    rows = [PaymentRow(file=file, number=number, cells=cells) for number, cells in table.rows]
    _read(file, rows, on)
    PaymentRow.objects.bulk_create(rows, batch_size=READ)
    events.record("payment_file.uploaded", file, by=by, at=at, file=file.name, rows=len(rows))
    return file


@transaction.atomic
def remap(
    *, file_id: int, mapping: dict[str, int | None], by: User | None, at: datetime, on: date
) -> PaymentFile:
    """Say which column is what, and read the rows again."""
    file = _lock(file_id)
    if file.state != PaymentFile.State.UPLOADED:
        raise Refused("confirmed", _("The file has been confirmed: its columns stand."))
    file.mapping = {
        name: place
        for name, place in mapping.items()
        if place is not None and name in payment_rows.COLUMNS and 0 <= place < len(file.header)
    }
    file.save()
    rows = list(file.rows.order_by("number"))
    _read(file, rows, on)
    for start in range(0, len(rows), READ):
        update_many(rows[start : start + READ], READ_COLUMNS)
    events.record("payment_file.mapped", file, by=by, at=at, file=file.name)
    return file


def _read(file: PaymentFile, rows: Sequence[PaymentRow], on: date) -> None:
    reading = payment_rows.Reading(file, on)
    for start in range(0, len(rows), READ):
        reading.read(rows[start : start + READ])


def interrupted(content: bytes) -> PaymentFile | None:
    """The file of that content that was confirmed and never finished."""
    found = PaymentFile.objects.filter(sha256=sha256(content).hexdigest(), state=PaymentFile.State.CONFIRMED)
    return found.order_by("pk").first()


def not_posted(file: PaymentFile) -> list[list[Any]]:
    """Every row that was not posted: its line, why, and what was written there."""
    states = (State.PROBLEM, State.DUPLICATE, State.FAILED)
    rows = file.rows.filter(state__in=states).order_by("number")
    return [payment_rows.report(row, len(file.header)) for row in rows.iterator(chunk_size=2000)]


def missing(file: PaymentFile) -> list[tuple[str, ...]]:
    """The columns that a file needs and that were not recognised; of each group one is enough."""
    return [group for group in payment_rows.NEEDED if not set(group) & set(file.mapping)]


def _lock(file_id: int) -> PaymentFile:
    return PaymentFile.objects.select_for_update(no_key=True, of=("self",)).get(pk=file_id)


@transaction.atomic
def confirm(*, file_id: int, by: User | None, at: datetime, told: bool = True) -> PaymentFile:
    """Let the rows that are ready be posted, by the workers, who are `told` unless the caller does it himself."""
    file = _lock(file_id)
    if not file.rows.filter(state=State.READY).exists():
        raise Refused("nothing_ready", _("No line of the file can be posted."))
    file.confirm()
    file.confirmed_by, file.confirmed_at = by, at
    file.save()
    sums = progress(file_id)
    events.record(
        "payment_file.confirmed",
        file,
        by=by,
        at=at,
        file=file.name,
        rows=sums.waiting,
        amount=sums.sums[State.READY],
    )
    if told:
        nudge.payments()
    return file


@transaction.atomic
def discard(*, file_id: int, by: User | None, at: datetime) -> PaymentFile:
    """Put the file away; it may be uploaded again."""
    file = _lock(file_id)
    file.discard()
    file.finished_at = at
    file.save()
    events.record("payment_file.discarded", file, by=by, at=at, file=file.name)
    return file


# --- posting ------------------------------------------------------------------------------------------------


def run(
    file_id: int,
    *,
    at: datetime,
    on: date,
    size: int = BATCH,
    tell: Callable[[int], None] | None = None,
) -> int:
    """Post what waits in a confirmed file, batch by batch; returns how many rows were dealt with.

    Several of these may run on one file at once, and any of them may be killed: what waits is found again.
    """
    done = 0
    while count := post_batch(file_id=file_id, at=at, on=on, size=size):
        done += count
        if tell:
            tell(done)
    finish(file_id=file_id, at=at)
    return done


def waiting() -> list[int]:
    """The files that are confirmed and not done, oldest first."""
    found = PaymentFile.objects.filter(state=PaymentFile.State.CONFIRMED)
    return list(found.order_by("confirmed_at", "pk").values_list("pk", flat=True))


@transaction.atomic
def finish(*, file_id: int, at: datetime) -> bool:
    """Close a file in which nothing waits any more."""
    file = _lock(file_id)
    sums = progress(file_id)
    if file.state != PaymentFile.State.CONFIRMED or sums.waiting:
        return False
    file.finish()
    file.finished_at = at
    file.save()
    events.record(
        "payment_file.done",
        file,
        by=None,
        at=at,
        file=file.name,
        rows=sums.rows.get(State.POSTED, 0),
        amount=sums.sums.get(State.POSTED, ZERO),
    )
    return True


@transaction.atomic
def post_batch(*, file_id: int, at: datetime, on: date, size: int = BATCH) -> int:
    """Post the next rows that wait, all in one transaction; rows that another worker holds are passed over."""
    file = PaymentFile.objects.select_related("confirmed_by").get(pk=file_id)
    if file.state != PaymentFile.State.CONFIRMED:
        return 0
    rows = READY(file_id, size)
    if rows:
        _lock_debts(rows, on)
        _Batch(file, at, on).post(rows)
    return len(rows)


def _lock_debts(rows: Sequence[PaymentRow], on: date) -> None:
    """Everything the rows can touch, once and in the order of the house, before any of them is tried."""
    customers = sorted({row.customer_id for row in rows if row.customer_id})
    states = [str(state) for state in Loan.OWING]
    _customers, owing = bulk.read((locking.HELD_IDS, [customers]), (OWING, [customers, states]))
    bulk.read(
        (billed_ahead.BILLED, [on, [loan_id for (loan_id,) in owing]]),
        (LINES, [customers]),
        (LOANS, [customers, states]),
    )


@dataclass(slots=True)
class _Batch:
    """Rows of one file on their way, inside one transaction that holds every lock they need."""

    file: PaymentFile
    at: datetime
    on: date

    @property
    def stamp(self) -> dict[str, Any]:
        return {"by": self.file.confirmed_by, "at": self.at, "on": self.on}

    def post(self, rows: Sequence[PaymentRow]) -> None:
        """All of them together; when that is refused, each half by itself."""
        try:
            with transaction.atomic():
                self._post_together(rows)
        except (Refused, IntegrityError) as error:
            # The database took the half-done work back; what is in memory is fetched anew.
            rows = list(
                PaymentRow.objects.filter(pk__in=[row.pk for row in rows]).order_by("customer_id", "number")
            )
            if len(rows) > 1:
                self.post(rows[: len(rows) // 2])
                self.post(rows[len(rows) // 2 :])
            else:
                self._give_up(rows[0], error)

    def _post_together(self, rows: Sequence[PaymentRow]) -> None:
        known = payment_rows.posted([row.key for row in rows])
        fresh = [row for row in rows if row.key not in known]
        shares = _shares(fresh, self.file.surplus)
        on_loans = [row for row in fresh if row.loan_id and shares[row.pk]]
        post_many([self._posting(row, shares[row.pk]) for row in on_loans], **self.stamp)
        self._thank(on_loans, shares)
        for_customers = [row for row in fresh if not row.loan_id and shares[row.pk]]
        receipts = [self._receipt(row, shares[row.pk]) for row in for_customers]
        if receipts:
            loans.pay_many(receipts=receipts, **self.stamp)
        self._hold(fresh, shares)
        for row in rows:
            if row.key in known:
                row.know(code="paid_before")
            elif shares[row.pk]:
                row.post()
            else:
                row.hold()
        update_many(rows, ["state", "code", "details"])

    def _posting(self, row: PaymentRow, amount: Decimal) -> Posting:
        assert row.loan_id and row.value_on
        return Posting(
            row.loan_id,
            Type.REPAYMENT,
            amount,
            row.key,
            row.value_on,
            channel=self.file.channel,
            note=row.note,
            payment_key=row.key,
        )

    def _receipt(self, row: PaymentRow, amount: Decimal) -> loans.Receipt:
        assert row.customer_id
        return loans.Receipt(row.customer_id, amount, row.key, self.file.channel, row.value_on)

    def _thank(self, rows: Sequence[PaymentRow], shares: Mapping[int, Decimal]) -> None:
        """Payments on loans; those for customers are thanked for where they are spread."""
        ids = {row.pk: row.customer_id for row in rows if row.customer_id}
        owners = {owner.pk: owner for owner in OWNERS(sorted(set(ids.values())))}
        messages = [
            notices.Message(
                customer=owners[ids[row.pk]],
                template="payment_received",
                context={"amount": shares[row.pk]},
                key=f"payment-received:{row.key}",
            )
            for row in rows
        ]
        notices.queue_many(messages, at=self.at)

    def _hold(self, rows: Sequence[PaymentRow], shares: Mapping[int, Decimal]) -> None:
        held = [self._held(row, shares[row.pk]) for row in rows if row.amount != shares[row.pk]]
        if held:
            suspense.hold(held, **self.stamp)

    def _held(self, row: PaymentRow, share: Decimal) -> suspense.Held:
        """What is not for a loan: all of the row, or what it brings beyond what is owed."""
        assert row.amount and row.value_on
        reason = UnappliedMoney.Reason.SURPLUS if share else row.details.get("hold", "NOTHING_OWED")
        return suspense.Held(
            amount=row.amount - share,
            received_on=row.value_on,
            reason=reason,
            key=f"{row.key}:rest" if share else row.key,
            customer_id=row.customer_id,
            payer=row.payer,
            reference=row.note or " ".join(row.cells)[:200],
            channel=self.file.channel,
        )

    def _give_up(self, row: PaymentRow, error: Refused | IntegrityError) -> None:
        """A row that stands alone and is still refused."""
        if isinstance(error, IntegrityError):
            row.know(code="paid_before")
        elif self.file.unplaced == PaymentFile.Unplaced.HOLD and error.code in payment_rows.HOLDS:
            row.details = {"hold": payment_rows.HOLDS[error.code]}
            suspense.hold([self._held(row, ZERO)], **self.stamp)
            row.hold()
        elif error.code in payment_rows.PLAIN:
            row.fail(code=error.code)
        else:
            row.fail(code="refused", value=str(error)[:200])
        row.save()


def _shares(rows: Sequence[PaymentRow], surplus: str) -> dict[int, Decimal]:
    """How much of each row goes to loans: all of it, or where the rest is to be held no more than is owed."""
    shares = {row.pk: ZERO if "hold" in row.details else row.amount or ZERO for row in rows}
    if surplus != PaymentFile.Surplus.HOLD:
        return shares
    owed = _owed({row.customer_id for row in rows if row.customer_id})
    # In the order in which they are posted: those for a loan first.
    for row in sorted(rows, key=lambda row: row.loan_id is None):
        shares[row.pk] = _spend(owed.get(row.customer_id or 0, {}), row.loan_id, shares[row.pk])
    return shares


def _spend(debts: dict[int, Decimal], loan_id: int | None, amount: Decimal) -> Decimal:
    """Take up to that amount off one debt, or off all of them in turn; returns how much was taken."""
    left = amount
    for one in [loan_id] if loan_id else list(debts):
        taken = min(left, debts.get(one, ZERO))
        debts[one] = debts.get(one, ZERO) - taken
        left -= taken
    return amount - left


def _owed(customer_ids: set[int]) -> dict[int, dict[int, Decimal]]:
    """By customer and loan, what is still unpaid of its instalments."""
    rows = Instalment.objects.filter(
        loan__customer_id__in=customer_ids, loan__state__in=Loan.OWING, outstanding__gt=0
    ).order_by()
    owed: dict[int, dict[int, Decimal]] = {}
    for customer_id, loan_id, amount in rows.values_list("loan__customer_id", "loan_id").annotate(
        sum=Sum("outstanding")
    ):
        owed.setdefault(customer_id, {})[loan_id] = amount
    return owed
