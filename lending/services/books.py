"""What the close keeps of the books: sums of days, the tie to the loans, and the list of months."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from django.db import connection
from django.utils.translation import gettext_lazy as _

from lending.fields import ZERO
from lending.models import ControlBalance
from lending.selectors import ledger as books
from lending.services import suspension, targets
from lending.services.steps import step

# Days before the one that closes take no entries any more; one dated back all the same takes their sums away (a
# trigger), and they are made anew here.
_KEEP = """
INSERT INTO lending_accountday (date, account_id, product_id, debit, credit)
SELECT e.booked_on, l.account_id, e.product_id, SUM(GREATEST(l.amount, 0)), SUM(GREATEST(-l.amount, 0))
FROM lending_journalentry e JOIN lending_journalline l ON l.entry_id = e.id
WHERE e.booked_on > %(kept)s AND e.booked_on < %(on)s
GROUP BY e.booked_on, l.account_id, e.product_id
"""

_MONTHS = """
INSERT INTO lending_accountingperiod (month, state)
SELECT m::date, 'OPEN' FROM generate_series(
    date_trunc('month', LEAST((SELECT MIN(booked_on) FROM lending_journalentry), %(on)s)), %(on)s, interval '1 month'
) m
ON CONFLICT DO NOTHING
"""


@step(_("Sums of the books are kept, and tied to the loans"))
def keep(*, on: date, at: datetime) -> int:
    """Close step, after the accrual and before billing: the loans and the books stand at the end of the day. Returns
    the number of sums kept."""
    with connection.cursor() as cursor:
        cursor.execute(_MONTHS, {"on": on})
        cursor.execute(_KEEP, {"on": on, "kept": books.kept_until()})
        kept = int(cursor.rowcount)
    return kept + _tie(on)


def _tie(on: date) -> int:
    """Write down what every control account held and should have held."""
    should = {key: amount for key, amount in books.loan_balances().items() if amount}
    for target, amounts in suspension.held(on):
        should |= _signed(target, amounts)
    roles = [*books.CONTROLS, *(target.role for target in suspension.PARTS.values())]
    return _write(on, should, books.role_balances(roles, on))


def tie_targets(goals: targets.Goals, on: date) -> int:
    """Write down roles that are kept to targets, against what the targets were computed to be."""
    should: dict[tuple[str, int | None], Decimal] = {}
    for target, amounts in goals:
        should |= _signed(target, amounts)
    return _write(on, should, books.role_balances([target.role for target, _amounts in goals], on))


def _signed(target: targets.Target, amounts: Mapping[int, Decimal]) -> dict[tuple[str, int | None], Decimal]:
    return {(str(target.role), product_id): target.sign * amount for product_id, amount in amounts.items()}


def _write(
    on: date,
    loans: Mapping[tuple[str, int | None], Decimal],
    held: Mapping[tuple[str, int | None], Decimal],
) -> int:
    rows = [
        ControlBalance(
            date=on, product_id=product_id, role=role, books=held.get(key, ZERO), loans=loans.get(key, ZERO)
        )
        for key in sorted({*loans, *held}, key=str)
        for role, product_id in [key]
        if product_id is not None and (held.get(key) or loans.get(key))
    ]
    ControlBalance.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)
