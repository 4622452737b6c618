"""Accounts that are booked to a target: what they should hold is computed, and the difference is booked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from lending import bulk
from lending.fields import ZERO
from lending.selectors import ledger as books
from lending.services import ledger

# The close asks these for every target of every day.
LOCK = bulk.Tuples(
    "SELECT id FROM lending_product WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE"
)
BOOKED = bulk.Tuples("SELECT key FROM lending_journalentry WHERE key = ANY(%s::varchar[])")

# Per product, account by account.
Balances = dict[int, dict[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Target:
    """What a role should hold. `sign` is +1 where that stands on the debit side, -1 on the credit side."""

    role: str
    contra: str
    sign: int
    kind: str
    memo: str

    def named(self, suffix: str) -> "Target":
        """The same under keys of its own, for a second booking on one day."""
        return replace(self, kind=f"{self.kind}-{suffix}")


# What several targets should hold, by product.
Goals = Sequence[tuple[Target, Mapping[int, Decimal]]]

ACCRUAL = Target(ledger.ACCRUED_INTEREST, ledger.INTEREST_INCOME, 1, "accrual", "interest accrued")


def book(
    target: Target, amounts: Mapping[int, Decimal], *, on: date, only: Sequence[int] | None = None
) -> int:
    """Book each product to its amount as of the day: one entry per product, kind and day, none where nothing moves.

    Products that are not named go to zero, or stay as they are when `only` says which are meant. A second run for a
    day books nothing. What stands on an account that played the role before a change of the chart moves to the account
    that plays it now. Returns the number of entries.
    """
    return book_all([(target, amounts)], on=on, only=only)


def book_all(goals: Goals, *, on: date, only: Sequence[int] | None = None) -> int:
    """The same for several targets, none of which stands on an account of another."""
    lock({product_id for _target, amounts in goals for product_id in amounts})
    held = balances([target.role for target, _amounts in goals], on)
    chart = ledger.Chart.read()
    bookings = [
        _booking(target, product_id, amounts.get(product_id, ZERO), standing.get(product_id, {}), chart, on)
        for target, amounts in goals
        for standing in [held.get(target.role, {})]
        for product_id in sorted({*amounts, *standing} if only is None else only)
    ]
    new = unbooked([booking for booking in bookings if any(amount for _role, amount in booking.lines)])
    ledger.post(new, chart)
    return len(new)


def unbooked(bookings: Sequence[ledger.Booking]) -> list[ledger.Booking]:
    """Those whose key nobody has booked yet."""
    if not bookings:
        return []
    done = {key for (key,) in BOOKED([booking.key for booking in bookings])}
    return [booking for booking in bookings if booking.key not in done]


def _booking(
    target: Target,
    product_id: int,
    amount: Decimal,
    standing: Mapping[str, Decimal],
    chart: ledger.Chart,
    on: date,
) -> ledger.Booking:
    now = chart.account(target.role, product_id)
    wanted = dict.fromkeys(standing, ZERO) | {now: target.sign * amount}
    lines: list[tuple[str, Decimal]] = [
        (account, goal - standing.get(account, ZERO)) for account, goal in sorted(wanted.items())
    ]
    lines.append((target.contra, -sum((moved for _account, moved in lines), ZERO)))
    key = f"{target.kind}:{on}:{product_id}"
    return ledger.Booking(key, target.memo, on, on, lines, product_id=product_id)


def lock(products: Collection[int]) -> None:
    """One at a time per product: what is booked is a difference to what stands."""
    if products:
        LOCK(list(products))


def balances(roles: Sequence[str], on: date) -> dict[str, Balances]:
    """What stands on the accounts that play each role or ever did, by product, of entries booked up to the day."""
    found: dict[str, Balances] = {}
    for role, product_id, account, amount in books.standing(roles, on):
        if product_id is not None:
            found.setdefault(role, {}).setdefault(product_id, {})[account] = amount
    return found
