"""Reads of the books."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from lending.fields import ZERO
from lending.models import Account, JournalLine, Loan
from lending.services import ledger


@dataclass(frozen=True, slots=True)
class TieOut:
    """A control account against the loans that it stands for."""

    account: str
    books: Decimal
    loans: Decimal

    @property
    def difference(self) -> Decimal:
        return self.books - self.loans


def trial_balance(on: date | None = None) -> QuerySet[Account]:
    """Every account with `debit`, `credit` and `balance` (debit above zero) of the entries booked up to that day."""
    until = Q(lines__entry__booked_on__lte=on) if on else Q()
    return Account.objects.annotate(
        debit=Coalesce(Sum("lines__amount", filter=until & Q(lines__amount__gt=0)), ZERO),
        credit=-Coalesce(Sum("lines__amount", filter=until & Q(lines__amount__lt=0)), ZERO),
        balance=Coalesce(Sum("lines__amount", filter=until), ZERO),
    ).order_by("code")


def account_statement(account_code: str, limit: int = 200) -> list[tuple[JournalLine, Decimal]]:
    """The latest lines of one account, newest first, each with the balance after it.

    Counted back from the balance of today, so that an old account costs no more than a young one.
    """
    lines = JournalLine.objects.filter(account_id=account_code)
    balance = lines.aggregate(sum=Coalesce(Sum("amount"), ZERO))["sum"]
    statement = []
    for line in lines.select_related("entry", "loan").order_by("-pk")[:limit]:
        statement.append((line, balance))
        balance -= line.amount
    return statement


CONTROLS = {
    ledger.PRINCIPAL: ("principal", 1),
    ledger.INTEREST_RECEIVABLE: ("interest", 1),
    ledger.FEE_RECEIVABLE: ("fee", 1),
    ledger.PENALTY_RECEIVABLE: ("penalty", 1),
    ledger.CREDIT_BALANCES: ("credit", -1),
}


def tie_out() -> list[TieOut]:
    """The books against the sum of the loans, account by account; every difference should be zero."""
    loans = Loan.objects.aggregate(
        **{part: Coalesce(Sum(part), ZERO) for part, _sign in CONTROLS.values()},
    )
    books = dict(
        JournalLine.objects.filter(account__roles__role__in=CONTROLS)
        .values_list("account__roles__role")
        .annotate(sum=Sum("amount"))
    )
    return [
        TieOut(account, books.get(account, ZERO), sign * loans[part] + ZERO)
        for account, (part, sign) in CONTROLS.items()
    ]
