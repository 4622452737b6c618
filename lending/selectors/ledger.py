"""Reads of the books: balances as of any day, statements, and the tie to the loans.

Days that are over are read from their sums (AccountDay), the days since from the lines themselves: a report costs days
times accounts and the lines of a day or two, however many lines there are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet, Sum, Window
from django.db.models.functions import Coalesce

from lending import bulk
from lending.fields import ZERO
from lending.models import Account, ControlBalance, JournalLine, Loan
from lending.services import ledger

# Every close asks these several times.
KEPT_UNTIL = bulk.Tuples("SELECT MAX(date) FROM lending_accountday")
ROLES = bulk.Tuples("SELECT role, account_id FROM lending_accountmapping")
STANDING = bulk.Tuples(
    """
    SELECT account_id, product_id, SUM(amount) FROM (
        SELECT account_id, product_id, debit - credit AS amount FROM lending_accountday
        WHERE account_id = ANY(%s::varchar[]) AND date <= %s
        UNION ALL
        SELECT l.account_id, e.product_id, l.amount
        FROM lending_journalentry e JOIN lending_journalline l ON l.entry_id = e.id
        WHERE l.account_id = ANY(%s::varchar[]) AND e.booked_on <= %s
          AND e.booked_on > COALESCE((SELECT MAX(date) FROM lending_accountday), '-infinity')
    ) moved GROUP BY 1, 2
    """
)

_SUMS = """
SELECT account_id, SUM(debit), SUM(credit) FROM (
    SELECT d.account_id, d.debit, d.credit FROM lending_accountday d
    WHERE d.date >= %(since)s AND d.date <= %(until)s AND d.date <= %(kept)s
      AND (%(products)s::bigint[] IS NULL OR d.product_id = ANY(%(products)s::bigint[]))
    UNION ALL
    SELECT l.account_id, GREATEST(l.amount, 0), GREATEST(-l.amount, 0)
    FROM lending_journalentry e JOIN lending_journalline l ON l.entry_id = e.id
    WHERE e.booked_on >= %(since)s AND e.booked_on <= %(until)s AND e.booked_on > %(kept)s
      AND (%(products)s::bigint[] IS NULL OR e.product_id = ANY(%(products)s::bigint[]))
) moved GROUP BY account_id
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """What was booked on an account in some days: sums of both sides."""

    debit: Decimal = ZERO
    credit: Decimal = ZERO

    @property
    def balance(self) -> Decimal:
        return self.debit - self.credit


@dataclass(frozen=True, slots=True)
class Balance:
    """An account over a period; `opening` and `closing` are debit above zero."""

    account: Account
    opening: Decimal
    debit: Decimal
    credit: Decimal

    @property
    def closing(self) -> Decimal:
        return self.opening + self.debit - self.credit

    @property
    def balance(self) -> Decimal:
        return self.closing


@dataclass(frozen=True, slots=True)
class TieOut:
    """A control account against the loans that it stands for, of one product or of all; debit above zero."""

    role: str
    books: Decimal
    loans: Decimal
    product_id: int | None = None

    @property
    def difference(self) -> Decimal:
        return self.books - self.loans


def kept_until() -> date:
    """The last day whose sums are kept."""
    ((day,),) = KEPT_UNTIL()
    return day or date.min


def sums(
    *, until: date | None = None, since: date | None = None, products: Sequence[int] | None = None
) -> dict[str, Moved]:
    """What was booked on each account in these days, both counted, by its code."""
    values = {
        "since": since or date.min,
        "until": until or date.max,
        "kept": kept_until(),
        "products": list(products) if products is not None else None,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, values)
        return {account: Moved(debit, credit) for account, debit, credit in cursor.fetchall()}


def trial_balance(
    on: date | None = None, since: date | None = None, products: Sequence[int] | None = None
) -> list[Balance]:
    """Every account in the order of the chart, with what it was before `since` and what was booked from then on up to
    and including `on`."""
    before = sums(until=since - timedelta(days=1), products=products) if since else {}
    moved = sums(until=on, since=since, products=products)
    return [
        Balance(
            account,
            before.get(account.pk, Moved()).balance,
            moved.get(account.pk, Moved()).debit,
            moved.get(account.pk, Moved()).credit,
        )
        for account in Account.objects.all()
    ]


def lines(
    *,
    since: date | None = None,
    until: date | None = None,
    account: str = "",
    products: Sequence[int] | None = None,
    loan_id: int | None = None,
) -> QuerySet[JournalLine]:
    """Journal lines in the order in which they were booked."""
    found = JournalLine.objects.select_related("entry", "entry__product", "account", "loan")
    if since:
        found = found.filter(entry__booked_on__gte=since)
    if until:
        found = found.filter(entry__booked_on__lte=until)
    if account:
        found = found.filter(account_id=account)
    if products is not None:
        found = found.filter(entry__product_id__in=products)
    if loan_id is not None:
        found = found.filter(loan_id=loan_id)
    return found.order_by("entry__booked_on", "id")


def statement(account: str, **asked: Any) -> tuple[Decimal, QuerySet[JournalLine]]:
    """The balance of an account before the period, and its lines in it, each with the `balance` after it.

    Takes what `lines` takes.
    """
    since = asked.get("since")
    opening = ZERO
    if since and asked.get("loan_id") is None:
        before = sums(until=since - timedelta(days=1), products=asked.get("products"))
        opening = before.get(account, Moved()).balance
    elif since:
        earlier = lines(account=account, **asked | {"since": None, "until": since - timedelta(days=1)})
        opening = earlier.aggregate(sum=Coalesce(Sum("amount"), ZERO))["sum"]
    running = Window(Sum("amount"), order_by=[F("entry__booked_on").asc(), F("id").asc()])
    return opening, lines(account=account, **asked).annotate(balance=running + opening)


CONTROLS = {
    ledger.PRINCIPAL: ("principal", 1),
    ledger.INTEREST_RECEIVABLE: ("interest", 1),
    ledger.FEE_RECEIVABLE: ("fee", 1),
    ledger.PENALTY_RECEIVABLE: ("penalty", 1),
    ledger.CREDIT_BALANCES: ("credit", -1),
}


def accounts_of_roles() -> dict[str, set[str]]:
    """The accounts that play each role or ever did."""
    found: dict[str, set[str]] = {}
    for role, account in ROLES():
        found.setdefault(role, set()).add(account)
    return found


def standing(roles: Iterable[str], on: date | None = None) -> Iterator[tuple[str, int | None, str, Decimal]]:
    """What stands on the accounts that play these roles or ever did, of entries booked up to the day: role, product,
    account, balance. An account of several roles is told for the last of them."""
    accounts = accounts_of_roles()
    role_of = {account: str(role) for role in roles for account in accounts.get(role, ())}
    asked = sorted(role_of), on or date.max
    for account, product_id, amount in STANDING(*asked, *asked):
        yield role_of[account], product_id, account, amount


def role_balances(roles: Iterable[str], on: date | None = None) -> dict[tuple[str, int | None], Decimal]:
    """What stands on the accounts of these roles, by role and product; a product without any is left out."""
    found: dict[tuple[str, int | None], Decimal] = {}
    for role, product_id, _account, amount in standing(roles, on):
        found[role, product_id] = found.get((role, product_id), ZERO) + amount
    return found


def loan_balances() -> dict[tuple[str, int | None], Decimal]:
    """What the loans say that the control accounts should hold, as they stand now."""
    sums_ = {part: Sum(part) for part, _sign in CONTROLS.values()}
    rows: Iterable[Any] = Loan.objects.order_by().values("product_id").annotate(**sums_)
    return {
        (str(role), row["product_id"]): sign * row[part]
        for row in rows
        for role, (part, sign) in CONTROLS.items()
    }


def tie_out() -> list[TieOut]:
    """The books against the sum of the loans now, control account by control account; every difference should be
    zero."""
    books, loans = role_balances(CONTROLS), loan_balances()
    return [
        TieOut(
            str(role),
            sum((amount for (one, _product), amount in books.items() if one == role), ZERO),
            sum((amount for (one, _product), amount in loans.items() if one == role), ZERO),
        )
        for role in CONTROLS
    ]


def tie_out_by_product(on: date | None = None) -> list[TieOut]:
    """The same for each product: as it stands now, or as the close of a day that is over found it, then with accrued
    and suspended interest too."""
    if on is not None:
        kept = ControlBalance.objects.filter(date=on).order_by("product", "id")
        return [TieOut(row.role, row.books, row.loans, row.product_id) for row in kept]
    books, loans = role_balances(CONTROLS), loan_balances()
    order = [str(role) for role in CONTROLS]
    keys = sorted({*books, *loans}, key=lambda key: (key[1] or 0, order.index(key[0])))
    rows = [
        TieOut(role, books.get((role, id_), ZERO), loans.get((role, id_), ZERO), id_) for role, id_ in keys
    ]
    return [row for row in rows if row.books or row.loans]


# A loan whose own rows contradict each other: what it owes against its instalments, its principal and its credit
# against its own lines in the books (interest is booked in sums, so it has none of its own).
_OFFENDERS = """
WITH rows AS (
    SELECT i.loan_id,
           SUM(i.principal + i.penalty) + COALESCE(SUM(i.interest + i.fee) FILTER (WHERE i.due_on <= %(on)s), 0)
             - SUM(i.principal_paid + i.interest_paid + i.fee_paid + i.penalty_paid + i.waived + i.written_off)
             AS owed
    FROM lending_instalment i GROUP BY i.loan_id
), booked AS (
    SELECT j.loan_id,
           COALESCE(SUM(j.amount) FILTER (WHERE j.account_id = ANY(%(principal)s::varchar[])), 0) AS principal,
           COALESCE(-SUM(j.amount) FILTER (WHERE j.account_id = ANY(%(credit)s::varchar[])), 0) AS credit
    FROM lending_journalline j
    WHERE j.loan_id IS NOT NULL AND j.account_id = ANY(%(principal)s::varchar[] || %(credit)s::varchar[])
    GROUP BY j.loan_id
)
SELECT l.id, l.principal + l.interest + l.fee + l.penalty, COALESCE(rows.owed, 0),
       l.principal, COALESCE(booked.principal, 0), l.credit, COALESCE(booked.credit, 0)
FROM lending_loan l LEFT JOIN rows ON rows.loan_id = l.id LEFT JOIN booked ON booked.loan_id = l.id
WHERE (%(product)s::bigint IS NULL OR l.product_id = %(product)s)
  AND (l.principal + l.interest + l.fee + l.penalty <> COALESCE(rows.owed, 0)
       OR l.principal <> COALESCE(booked.principal, 0) OR l.credit <> COALESCE(booked.credit, 0))
ORDER BY l.id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Offender:
    """A loan that does not agree with itself or with its lines in the books."""

    loan_id: int
    owed: Decimal
    owed_by_instalments: Decimal
    principal: Decimal
    principal_booked: Decimal
    credit: Decimal
    credit_booked: Decimal


def offenders(on: date, product_id: int | None = None, limit: int = 500) -> list[Offender]:
    """The loans behind a difference, as they stand on the open business date. Reads the whole book."""
    accounts = accounts_of_roles()
    values = {
        "on": on,
        "product": product_id,
        "limit": limit,
        "principal": sorted(accounts.get(ledger.PRINCIPAL, ())),
        "credit": sorted(accounts.get(ledger.CREDIT_BALANCES, ())),
    }
    with connection.cursor() as cursor:
        cursor.execute(_OFFENDERS, values)
        return [Offender(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Statements:
    """Balance sheet and profit and loss, from one reading. Amounts on the side where they normally stand."""

    assets: list[tuple[Account, Decimal]]
    liabilities: list[tuple[Account, Decimal]]
    equity: list[tuple[Account, Decimal]]
    profit: Decimal

    @property
    def balanced(self) -> bool:
        sides = (
            sum((amount for _a, amount in side), ZERO)
            for side in (self.assets, self.liabilities, self.equity)
        )
        assets, liabilities, equity = sides
        return assets == liabilities + equity + self.profit


def balance_sheet(on: date, products: Sequence[int] | None = None) -> Statements:
    """What the house has and owes at the end of a day; profit is all that was earned so far and not paid out."""
    rows = trial_balance(on, products=products)
    return Statements(
        assets=[(row.account, row.closing) for row in rows if row.account.kind == Account.Kind.ASSET],
        liabilities=[
            (row.account, -row.closing) for row in rows if row.account.kind == Account.Kind.LIABILITY
        ],
        equity=[(row.account, -row.closing) for row in rows if row.account.kind == Account.Kind.EQUITY],
        profit=-sum((row.closing for row in rows if _is_result(row.account)), ZERO),
    )


def profit_and_loss(
    since: date, until: date, products: Sequence[int] | None = None
) -> tuple[list[tuple[Account, Decimal]], list[tuple[Account, Decimal]]]:
    """Income and expense of a period by account, each on its own side."""
    moved = sums(until=until, since=since, products=products)
    accounts = Account.objects.all()
    return (
        [(one, -moved.get(one.pk, Moved()).balance) for one in accounts if one.kind == Account.Kind.INCOME],
        [(one, moved.get(one.pk, Moved()).balance) for one in accounts if one.kind == Account.Kind.EXPENSE],
    )


def _is_result(account: Account) -> bool:
    return account.kind in (Account.Kind.INCOME, Account.Kind.EXPENSE)
