"""The books as Beancount text: opened accounts, entries with links to their loans, and the balances at the end.

The sign is Beancount's own: debit above zero. Every account carries its code; names are told beside it.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from lending.models import Account
from lending.selectors import book_export
from lending.selectors.book_export import Entry, Frame

ROOTS = {
    Account.Kind.ASSET: "Assets",
    Account.Kind.LIABILITY: "Liabilities",
    Account.Kind.EQUITY: "Equity",
    Account.Kind.INCOME: "Income",
    Account.Kind.EXPENSE: "Expenses",
}


def text(since: date | None = None, until: date | None = None) -> Iterator[str]:
    """The file, piece by piece, as of one moment. From a day on, it begins with what the accounts held before; it ends
    with an assertion of each balance as the ledger has it, so that a reader finds out what is missing."""
    with book_export.one_moment():
        yield f'option "title" {_quoted("OpenTab")}\noption "operating_currency" "{settings.CURRENCY}"\n\n'
        frame = book_export.frame(since, until)
        if frame is None:
            return
        names = {account.pk: name(account) for account in frame.accounts}
        yield from _head(frame, names)
        for entry in book_export.entries(since, until):
            yield _entry(entry, names)
        for code, account in names.items():
            day, amount = frame.ends_on + timedelta(days=1), frame.closing.get(code, Decimal("0.00"))
            yield f"{day} balance {account} {_amount(amount)}\n"


def name(account: Account) -> str:
    """Assets:1303-Loans-Principal: the root by kind, the code, and what of the English name a name can hold."""
    words = re.findall(r"[A-Za-z0-9]+", account.name)
    return f"{ROOTS[Account.Kind(account.kind)]}:{'-'.join([account.pk, *(word.capitalize() for word in words)])}"


def _head(frame: Frame, names: dict[str, str]) -> Iterator[str]:
    opened = frame.starts_on - timedelta(days=1)
    for account in frame.accounts:
        yield f"{opened} open {names[account.pk]} {settings.CURRENCY}\n"
        yield f"  name: {_quoted(account.name)}\n  name-zh: {_quoted(account.name_zh)}\n"
    yield "\n"
    if frame.opening:
        yield f'{opened} * "Balances brought forward"\n'
        for code, amount in sorted(frame.opening.items()):
            yield f"  {names[code]} {_amount(amount)}\n"
        yield "\n"


def _entry(entry: Entry, names: dict[str, str]) -> str:
    loans = sorted({loan for _account, _amount, loan in entry.lines if loan})
    links = "".join(f" ^L{loan:08d}" for loan in loans)
    tag = f" #{entry.product}" if entry.product else ""
    lines = [
        f"{entry.booked_on} * {_quoted(entry.memo)}{tag}{links}",
        f"  entry: {entry.number}",
        f"  key: {_quoted(entry.key)}",
        f"  value-date: {entry.value_on}",
        *(f"  {names[account]} {_amount(amount)}" for account, amount, _loan in entry.lines),
    ]
    return "\n".join(lines) + "\n\n"


def _amount(amount: Decimal) -> str:
    return f"{amount:.2f} {settings.CURRENCY}"


def _quoted(words: Any) -> str:
    plain = " ".join(str(words).split())
    return '"{}"'.format(plain.replace("\\", "\\\\").replace('"', '\\"'))
