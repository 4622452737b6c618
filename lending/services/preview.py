"""What something would do to a loan: done for real inside a transaction, looked at, and rolled back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction

from lending.fields import ZERO
from lending.models import Instalment, JournalLine, Loan

BALANCES = ("principal", "interest", "fee", "penalty", "credit")


@dataclass(frozen=True, slots=True)
class Pair:
    """An instalment before and after, either of which may be missing."""

    due_on: date
    before: Instalment | None
    after: Instalment | None

    @property
    def changed(self) -> bool:
        return _figures(self.before) != _figures(self.after)


@dataclass(frozen=True, slots=True)
class Preview:
    """Both schedules side by side, the balances (name, before, after), and the entry (account, amount)."""

    before: Loan
    after: Loan
    pairs: list[Pair]
    lines: list[tuple[Any, Decimal]]
    mark: str  # of the loan that it was made on: another mark means that the loan has moved since

    @property
    def balances(self) -> list[tuple[Any, Decimal, Decimal]]:
        words = {field.name: field.verbose_name for field in Loan._meta.concrete_fields}
        return [(words[name], getattr(self.before, name), getattr(self.after, name)) for name in BALANCES]

    @property
    def sides(self) -> list[tuple[Any, Decimal, Decimal]]:
        """The entry as (account, debit, credit)."""
        return [(account, max(amount, ZERO), max(-amount, ZERO)) for account, amount in self.lines]


def try_out(loan_id: int, act: Callable[[], Any]) -> Preview:
    """Run `act` and look at the loan before and after; nothing of it stays. Raises what `act` raises."""
    with transaction.atomic():
        before, old = _look(loan_id)
        mark = str(before.transactions.order_by("-pk").values_list("pk", flat=True).first())
        known = set(JournalLine.objects.filter(loan_id=loan_id).values_list("pk", flat=True))
        act()
        after, new = _look(loan_id)
        booked = JournalLine.objects.filter(loan_id=loan_id).exclude(pk__in=known).select_related("account")
        lines = [(row.account, row.amount) for row in booked.order_by("pk")]
        transaction.set_rollback(True)
    return Preview(before, after, _paired(old, new), lines, mark)


def _look(loan_id: int) -> tuple[Loan, list[Instalment]]:
    loan = Loan.objects.select_related("product", "customer").get(pk=loan_id)
    return loan, list(loan.instalments.order_by("due_on", "number"))


def _paired(old: list[Instalment], new: list[Instalment]) -> list[Pair]:
    """Instalments of the same day stand side by side, in the order in which they have that day."""
    before, after = _by_day(old), _by_day(new)
    days = sorted(before.keys() | after.keys())
    return [Pair(day[0], before.get(day), after.get(day)) for day in days]


def _by_day(rows: list[Instalment]) -> dict[tuple[date, int], Instalment]:
    found: dict[tuple[date, int], Instalment] = {}
    for row in rows:
        number = sum(1 for day, _ in found if day == row.due_on)
        found[row.due_on, number] = row
    return found


def _figures(row: Instalment | None) -> tuple[Any, ...] | None:
    if row is None:
        return None
    return row.principal, row.interest, row.fee, row.penalty, row.paid, row.waived, row.written_off
