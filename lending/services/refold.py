"""Bringing a loan to a day without anything new: for one that the close had to leave behind."""

from datetime import date

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk, engine
from lending.errors import Refused
from lending.models import CreditLine, Instalment, Loan, Transaction
from lending.services import ledger, posting


@transaction.atomic
def refold(*, loan_id: int, key: str, on: date) -> bool:
    """Fold the loan as of `on`, write what changed, and book the difference under `key`.

    Returns whether the books moved. Raises Refused when the loan cannot be folded, or when it and its transactions
    differ by more than what time brings.
    """
    account = _lock(loan_id)
    loan = account.loan
    state = _fold(account, on)
    position = state.position(on)
    lines = posting._difference(loan, position)
    if sum(amount for _account, amount in lines):
        raise Refused("unbalanced", _("The loan and its transactions differ by more than what time brings."))
    posting._materialise(account, state, position, on)
    booking = ledger.Booking(key, "caught up", on, on, lines, loan_id=loan.pk, product_id=loan.product_id)
    ledger.post([booking])
    _write(account)
    return any(amount for _account, amount in lines)


@transaction.atomic
def is_behind(*, loan_id: int, on: date) -> bool:
    """Whether the loan's balances are not those of its transactions as of `on`; also where it cannot be folded."""
    account = _lock(loan_id)
    try:
        position = _fold(account, on).position(on)
    except Refused:
        return True
    return any(amount for _account, amount in posting._difference(account.loan, position))


def _fold(account: posting._Account, on: date) -> engine.LoanState:
    try:
        return engine.replay(account.terms, posting.as_events(account.history), on)
    except engine.EventError as error:
        raise Refused("impossible", str(error)) from error


def _lock(loan_id: int) -> posting._Account:
    """The line first, then the loan, as every posting does."""
    line_ids = Loan.objects.filter(pk=loan_id, line__isnull=False).values("line_id")
    list(CreditLine.objects.filter(pk__in=line_ids).select_for_update().values_list("pk"))
    loan = Loan.objects.select_for_update().get(pk=loan_id)
    account = posting._Account(loan, engine.Terms.from_json(loan.terms), loan.principal)
    account.instalments = {row.number: row for row in Instalment.objects.filter(loan_id=loan_id)}
    account.history = list(Transaction.objects.filter(loan_id=loan_id).order_by("pk"))
    return account


def _write(account: posting._Account) -> None:
    """Time moves neither the principal, so the line stays as it is, nor the number of instalments."""
    bulk.update_many(list(account.changed.values()), Instalment.AMOUNTS)
    bulk.update_many([account.loan], [*posting.ACCOUNTS, "oldest_due_on", "state", "settled_on"])
