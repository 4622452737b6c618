"""Bringing a loan to a day without anything new: for one that the close had to leave behind."""

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk
from lending.errors import Refused
from lending.services import ledger, posting


@transaction.atomic
def refold(*, loan_id: int, key: str, on: date) -> bool:
    """Fold the loan, write what changed, and book the difference under `key`. It is brought to `on`, or to the day
    after, when the close of `on` has been through with its shard already: then the entry is of that day.

    Returns whether the books moved. Raises Refused when the loan cannot be folded, or when it and its transactions
    differ by more than what time brings.
    """
    account = posting.lock(loan_id, on=on)
    loan, on = account.loan, account.day
    state = posting.replay(account.terms, account.history, on)
    position = state.position
    lines = posting.difference(loan, position)
    if sum(amount for _account, amount in lines):
        raise Refused("unbalanced", _("The loan and its transactions differ by more than what time brings."))
    posting.materialise(account, state, position, on)
    booking = ledger.Booking(key, "caught up", on, on, lines, loan_id=loan.pk, product_id=loan.product_id)
    ledger.post([booking])
    _write(account)
    return any(amount for _account, amount in lines)


@transaction.atomic
def behind(*, loan_ids: Sequence[int], on: date) -> list[int]:
    """Those of the loans whose balances are not those of their transactions on the day on which they stand, or that
    cannot be folded."""
    accounts = posting.lock_many(loan_ids, on=on) if loan_ids else {}
    return [loan_id for loan_id in loan_ids if _differs(accounts[loan_id])]


def _differs(account: posting.Account) -> bool:
    try:
        position = posting.replay(account.terms, account.history, account.day).position
    except Refused:
        return True
    return any(amount for _account, amount in posting.difference(account.loan, position))


def _write(account: posting.Account) -> None:
    """Time moves neither the principal, so the line stays as it is, nor the number of instalments."""
    bulk.update_many(list(account.changed.values()), posting.WRITTEN)
    bulk.update_many([account.loan], posting.WRITTEN_OF_LOANS)
