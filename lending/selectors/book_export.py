"""The books as a stream: every entry with its lines in the order of booking, however many there are."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.db import connection, transaction

from lending.models import Account, JournalLine
from lending.selectors import ledger

CHUNK = 5000
COLUMNS = (
    "entry",
    "booked_on",
    "value_on",
    "key",
    "memo",
    "product",
    "account",
    "account_name",
    "debit",
    "credit",
    "loan",
)
_FIELDS = (
    *("entry_id", "entry__booked_on", "entry__value_on", "entry__key", "entry__memo", "entry__product__code"),
    *("account_id", "amount", "loan_id"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its lines are (account, amount, loan), debit above zero."""

    number: int
    booked_on: date
    value_on: date
    key: str
    memo: str
    product: str
    lines: list[tuple[str, Decimal, int | None]]


@contextmanager
def one_moment() -> Iterator[None]:
    """What is read inside is as of one moment, though it takes long: entries booked meanwhile are not in it. Within a
    transaction of the caller, that one decides."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def entries(since: date | None = None, until: date | None = None) -> Iterator[Entry]:
    """Entries booked in these days, both counted, in the order of booking."""
    for _number, lines in groupby(_lines(since, until), key=lambda line: line[0]):
        first, *others = lines
        number, booked_on, value_on, key, memo, product, *_rest = first
        parts = [(line[6], line[7], line[8]) for line in (first, *others)]
        yield Entry(number, booked_on, value_on, key, memo, product or "", parts)


def _lines(since: date | None, until: date | None) -> Iterable[tuple[Any, ...]]:
    rows = ledger.lines(since=since, until=until).select_related(None)
    return rows.order_by("entry__booked_on", "entry_id", "id").values_list(*_FIELDS).iterator(CHUNK)


def table(since: date | None = None, until: date | None = None) -> Iterator[list[Any]]:
    """One row per line, under COLUMNS."""
    names = {account.pk: account.local_name for account in Account.objects.all()}
    with one_moment():
        for entry in entries(since, until):
            for account, amount, loan_id in entry.lines:
                yield [
                    entry.number,
                    entry.booked_on,
                    entry.value_on,
                    entry.key,
                    entry.memo,
                    entry.product,
                    account,
                    names[account],
                    amount if amount > 0 else None,
                    -amount if amount < 0 else None,
                    f"L{loan_id:08d}" if loan_id else None,
                ]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the entries: the accounts, what they held before, and what they hold at the end."""

    starts_on: date
    ends_on: date
    accounts: list[Account]
    opening: dict[str, Decimal]
    closing: dict[str, Decimal]


def frame(since: date | None, until: date | None) -> Frame | None:
    """None where nothing was ever booked."""
    days = JournalLine.objects.order_by("entry__booked_on").values_list("entry__booked_on", flat=True)
    first, last = days.first(), days.last()
    if first is None or last is None:
        return None
    starts, ends = since or first, until or last
    before = ledger.sums(until=starts - timedelta(days=1)) if since else {}
    return Frame(
        starts_on=starts,
        ends_on=max(ends, starts),
        accounts=list(Account.objects.all()),
        opening={code: moved.balance for code, moved in before.items() if moved.balance},
        closing={code: moved.balance for code, moved in ledger.sums(until=ends).items()},
    )
