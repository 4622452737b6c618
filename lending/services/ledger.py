"""The books: balanced entries, appended and never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lending import bulk
from lending.models import JournalEntry, JournalLine

ENTRY_IDS = bulk.Ids(JournalEntry)

BANK = "1002"
INTEREST_RECEIVABLE = "1132"
FEE_RECEIVABLE = "1133"
PENALTY_RECEIVABLE = "1134"
PRINCIPAL = "1303"
MERCHANTS = "2202"
CREDIT_BALANCES = "2241"
SUSPENSE = "2245"
CAPITAL = "4001"
INTEREST_INCOME = "6011"
FEE_INCOME = "6021"
PENALTY_INCOME = "6031"
RECOVERIES = "6302"
CREDIT_LOSSES = "6701"
GOODWILL = "6711"


@dataclass(slots=True)
class Booking:
    """An entry to be: its lines are (account, amount), debit above zero; zero lines are dropped."""

    key: str
    memo: str
    booked_on: date
    value_on: date
    lines: Sequence[tuple[str, Decimal]]
    entry_id: int = 0  # zero until it has one
    transaction_id: int | None = None
    loan_id: int | None = None
    product_id: int | None = None


def post(bookings: Sequence[Booking]) -> None:
    """Append the entries in two statements; raises ValueError for one that does not balance.

    An entry without a line that moves anything is left out: nothing happened to the books. Those that have no
    number yet are given one.
    """
    moving = [booking for booking in bookings if any(amount for _, amount in booking.lines)]
    for booking in moving:
        if sum(amount for _, amount in booking.lines):
            raise ValueError(f"{booking.key} does not balance: {booking.lines}")
    nameless = [booking for booking in moving if not booking.entry_id]
    for booking, entry_id in zip(nameless, ENTRY_IDS(len(nameless)) if nameless else (), strict=True):
        booking.entry_id = entry_id
    with bulk.together():
        bulk.insert_many([_entry(booking) for booking in moving])
        bulk.insert_many(
            [
                JournalLine(
                    entry_id=booking.entry_id, account_id=account, amount=amount, loan_id=booking.loan_id
                )
                for booking in moving
                for account, amount in booking.lines
                if amount
            ]
        )


def _entry(booking: Booking) -> JournalEntry:
    return JournalEntry(
        id=booking.entry_id,
        key=booking.key,
        memo=booking.memo,
        booked_on=booking.booked_on,
        value_on=booking.value_on,
        transaction_id=booking.transaction_id,
        product_id=booking.product_id,
    )
