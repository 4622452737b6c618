"""The books: balanced entries, appended and never changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from lending import bulk
from lending.errors import Refused
from lending.models import JournalEntry, JournalLine, Role

ENTRY_IDS = bulk.Ids(JournalEntry)

# The house books to roles; the chart of accounts says which account plays each (services/chart.py).
BANK = Role.BANK
INTEREST_RECEIVABLE = Role.INTEREST_RECEIVABLE
FEE_RECEIVABLE = Role.FEE_RECEIVABLE
PENALTY_RECEIVABLE = Role.PENALTY_RECEIVABLE
ACCRUED_INTEREST = Role.ACCRUED_INTEREST
SUSPENDED_INTEREST = Role.SUSPENDED_INTEREST
SUSPENDED_FEES = Role.SUSPENDED_FEES
SUSPENDED_PENALTIES = Role.SUSPENDED_PENALTIES
PRINCIPAL = Role.PRINCIPAL
PROVISION = Role.PROVISION
MERCHANTS = Role.MERCHANTS
CREDIT_BALANCES = Role.CREDIT_BALANCES
SUSPENSE = Role.UNAPPLIED
CAPITAL = Role.CAPITAL
INTEREST_INCOME = Role.INTEREST_INCOME
FEE_INCOME = Role.FEE_INCOME
PENALTY_INCOME = Role.PENALTY_INCOME
RECOVERIES = Role.RECOVERIES
CREDIT_LOSSES = Role.CREDIT_LOSSES
IMPAIRMENT = Role.IMPAIRMENT
GOODWILL = Role.GOODWILL


@dataclass(slots=True)
class Booking:
    """An entry to be: its lines are (role, amount), debit above zero; zero lines are dropped.

    The code of an account may stand in place of a role where no role fits.
    """

    key: str
    memo: str
    booked_on: date
    value_on: date
    lines: Sequence[tuple[str, Decimal]]
    entry_id: int = 0  # zero until it has one
    transaction_id: int | None = None
    loan_id: int | None = None
    product_id: int | None = None


@dataclass(slots=True)
class Chart:
    """The chart of accounts as it stands, read once for a batch."""

    house: dict[str, str] = field(default_factory=dict)
    own: dict[tuple[int | None, str], str] = field(default_factory=dict)
    # No entry may be dated before it: the first day after the last month that is closed.
    open_from: date = date.min

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, int | None, date | None]]) -> "Chart":
        chart = cls()
        for role, account, product_id, open_from in rows:
            if open_from:
                chart.open_from = open_from
            elif product_id is None:
                chart.house[role] = account
            else:
                chart.own[product_id, role] = account
        return chart

    @classmethod
    def read(cls) -> "Chart":
        return cls.of(CHART())

    def account(self, role: str, product_id: int | None) -> str:
        """The code of the account; a code in place of a role is its own account."""
        if self.own and (own := self.own.get((product_id, role))):
            return own
        return self.house.get(role, role)


# Few rows and no more with every day: mappings of the house, of products, and the end of the closed months.
CHART = bulk.Tuples(
    """
    SELECT m.role, m.account_id, p.id, NULL::date
    FROM lending_accountmapping m LEFT JOIN lending_product p ON p.code = m.product_code
    WHERE m.until IS NULL AND (m.product_code = '' OR p.id IS NOT NULL)
    UNION ALL
    SELECT '', '', NULL, (MAX(month) + interval '1 month')::date
    FROM lending_accountingperiod WHERE state = 'CLOSED' HAVING COUNT(*) > 0
    """
)


def post(bookings: Sequence[Booking], chart: Chart | None = None) -> None:
    """Append the entries; raises ValueError for one that does not balance, `Refused` for one dated into a closed
    period.

    An entry without a line that moves anything is left out: nothing happened to the books. Those that have no
    number yet are given one. `chart` is for callers that have read it together with other things.
    """
    moving = [booking for booking in bookings if any(amount for _role, amount in booking.lines)]
    if not moving:
        return
    for booking in moving:
        if sum(amount for _role, amount in booking.lines):
            raise ValueError(f"{booking.key} does not balance: {booking.lines}")
    chart = chart or Chart.read()
    nameless = [booking for booking in moving if not booking.entry_id]
    for booking, entry_id in zip(nameless, ENTRY_IDS(len(nameless)) if nameless else (), strict=True):
        booking.entry_id = entry_id
    entries = [_entry(booking, chart) for booking in moving]
    lines = [
        bulk.new(
            JournalLine,
            entry_id=booking.entry_id,
            account_id=chart.account(role, booking.product_id),
            amount=amount,
            loan_id=booking.loan_id,
        )
        for booking in moving
        for role, amount in booking.lines
        if amount
    ]
    with bulk.together():
        bulk.insert_many(entries)
        bulk.insert_many(lines)


def _entry(booking: Booking, chart: Chart) -> JournalEntry:
    if booking.booked_on < chart.open_from:
        raise Refused("period_closed", _("The accounting period of this date is closed."))
    return bulk.new(
        JournalEntry,
        id=booking.entry_id,
        key=booking.key,
        memo=booking.memo,
        booked_on=booking.booked_on,
        value_on=booking.value_on,
        transaction_id=booking.transaction_id,
        product_id=booking.product_id,
    )
