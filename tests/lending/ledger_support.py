"""Loans of any terms, and the books seen by role, for the tests of the ledger."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from lending import engine
from lending.models import Account, AccountMapping, JournalEntry, JournalLine, Loan, Product
from lending.selectors.ledger import tie_out, trial_balance
from lending.services import booking, posting, suspension

D = Decimal


def lend(customer_id: int, code: str, amount: str, tenor: int, on: date, at: datetime, **terms: Any) -> Loan:
    """A loan of that product, paid out to the customer on the day."""
    product = Product.objects.get(code=code)
    agreed = engine.Terms.from_json(product.terms(D(amount), tenor, on).to_json() | terms)
    rows = engine.schedule(agreed)
    draft = booking.draft(
        customer_id=customer_id, product=product, terms=agreed, rows=rows, annual_cost=D("0.1")
    )
    key = f"loan-{Loan.objects.count()}"
    return booking.book([draft], keys=[key], by=None, at=at, on=on, kind=posting.TO_CUSTOMER)[0]


def standing(role: str, on: date | None = None, product_code: str = "") -> Decimal:
    """What stands on the accounts of a role, debit above zero."""
    lines = JournalLine.objects.filter(
        account_id__in=AccountMapping.objects.filter(role=role).values("account_id")
    )
    if on:
        lines = lines.filter(entry__booked_on__lte=on)
    if product_code:
        lines = lines.filter(entry__product__code=product_code)
    return sum(lines.values_list("amount", flat=True), D("0.00"))


def roles_of(entry: JournalEntry) -> dict[str, Decimal]:
    """An entry's lines by the role of their account in the house."""
    roles = dict(AccountMapping.objects.filter(until=None).values_list("account_id", "role"))
    return {roles[account]: amount for account, amount in entry.lines.values_list("account_id", "amount")}


def engine_accrued(loan: Loan, on: date) -> Decimal:
    """What the engine says a loan has earned by the end of the day and was not billed: the interest that settling it
    then would charge, less what has been billed."""
    history = list(loan.transactions.order_by("pk"))
    agreed, happened = engine.Terms.from_json(loan.terms), posting.as_events(history)
    billed = sum((r.interest for r in engine.replay(agreed, happened, on).rows if r.due_on <= on), D(0))
    paid = sum((r.interest_paid for r in engine.replay(agreed, happened, on).rows), D(0))
    return engine.payoff(agreed, happened, on).interest + paid - billed


def agrees() -> None:
    """The books balance, tie to the loans, and hold in suspense what they should."""
    assert sum(account.balance for account in trial_balance()) == 0
    assert [row.difference for row in tie_out()] == [0] * len(tie_out())


def suspense_agrees(on: date) -> None:
    for target, amounts in suspension.held(on):
        assert -standing(target.role) == sum(amounts.values(), D(0)), target.role


def accounts() -> dict[str, Decimal]:
    return {row.account.pk: row.balance for row in trial_balance()}


def account(code: str) -> Account:
    return Account.objects.get(pk=code)
