"""A large book for benchmarks, made by COPY: loans of 12 instalments at every age, some of them late.

Each loan is one of some hundred kinds, whose rows the engine has made; only numbers differ. So every balance is what
the engine says, and a benchmark can check what came out.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import house  # finds the product and sets Django up
from django.db import connection, transaction

from lending import engine, reference
from lending.engine import calendar
from lending.models import (
    Account,
    BusinessDate,
    Customer,
    Instalment,
    JournalLine,
    Loan,
    Product,
    Transaction,
)
from lending.services import close, ledger, posting

TODAY = date(2026, 6, 9)
SHANGHAI = ZoneInfo("Asia/Shanghai")
AMOUNT = Decimal("12000.00")
INSTALMENTS = 12
# Of a hundred loans, so many are late, and so many fall due on each of the days that the measured closes open. The day
# before them nothing falls due: its close, which finds all the late loans at once, is the beginning.
LATE, DUE = 6, 3
CLOSED_DAYS = 3
SCATTER = 37  # prime to a hundred
ZERO = Decimal("0.00")
# Where the numbers go in the text of a row.
LOAN, CUSTOMER = "\x01", "\x02"


@dataclass(frozen=True)
class Kind:
    """Loans with the same dates: the day of the month on which they fall due, the number of instalments that have
    fallen due, and whether those were paid."""

    due_day: int
    elapsed: int
    paid: bool

    @property
    def first_due_on(self) -> date:
        """The last due date up to today is the one that has elapsed last."""
        last = TODAY.replace(day=self.due_day)
        last = last if last <= TODAY else calendar.add_months(last, -1)
        return calendar.add_months(last, 1 - self.elapsed)

    @property
    def disbursed_on(self) -> date:
        return calendar.add_months(self.first_due_on, -1)


def kind_of(number: int) -> Kind:
    """6 in 100 have paid none of one to four instalments; of the others 3 in 100 fall due on each of the days after
    tomorrow. They lie scattered over the book, as in life."""
    slot, turn = number * SCATTER % 100, number // 100
    if slot < LATE:
        return Kind(due_day=1 + turn % 8, elapsed=1 + turn % 4, paid=False)
    if slot < LATE + DUE * CLOSED_DAYS:
        day = TODAY.day + 2 + (slot - LATE) // DUE
        return Kind(due_day=day, elapsed=turn % 2, paid=True)
    other = [*range(1, TODAY.day + 1), *range(TODAY.day + 2 + CLOSED_DAYS, 29)]
    return Kind(due_day=other[turn % len(other)], elapsed=turn % 2, paid=True)


# Columns that the close itself fills, as they are on a new loan.
_HAVE_DEFAULTS = [
    field.name
    for field in Loan._meta.concrete_fields
    if field.name in ("bucket", "own_class", "asset_class", "peak_bucket")
]


class Template:
    """The rows of a kind as text for COPY, with places for the numbers."""

    def __init__(self, kind: Kind, product: Product) -> None:
        terms = product.terms(AMOUNT, INSTALMENTS, kind.disbursed_on, kind.first_due_on)
        self.events = self._events(terms, kind)
        state = engine.replay(terms, self.events, TODAY)
        self.position = state.position
        self.loan = _line(self._loan(terms, state, product))
        starts = posting.accrual_starts(kind.disbursed_on, terms, state.rows)
        self.instalments = "".join(map(_line, map(self._instalment, state.rows, starts)))
        self.transactions = "".join(_line(self._transaction(one, state)) for one in self.events)

    def _events(self, terms: engine.Terms, kind: Kind) -> list[engine.Event]:
        out = [engine.Event("out", "DISBURSEMENT", terms.disbursed_on, terms.principal)]
        due = engine.schedule(terms)[: kind.elapsed] if kind.paid else []
        return out + [engine.Event("p1", "REPAYMENT", row.due_on, row.total) for row in due[:1]]

    def _loan(self, terms: engine.Terms, state: engine.LoanState, product: Product) -> dict[str, Any]:
        oldest = min(row.due_on for row in state.rows if row.outstanding > 0)
        return {
            "id": LOAN,
            "customer_id": CUSTOMER,
            "product_id": product.pk,
            "state": "ACTIVE",
            "currency": "CNY",
            "terms": json.dumps(terms.to_json()),
            "principal_amount": AMOUNT,
            "annual_cost": "0.12",
            "disbursed_on": terms.disbursed_on,
            "matures_on": state.rows[-1].due_on,
            "oldest_due_on": oldest,
            **{name: Loan._meta.get_field(name).default for name in _HAVE_DEFAULTS},
            **{part: getattr(self.position, part) for part in posting.ACCOUNTS},
        }

    def _instalment(self, row: engine.InstalmentState, accrues_from: date) -> dict[str, Any]:
        names = [name for name in Instalment.AMOUNTS if name != "penalty_base"]
        values = {name: getattr(row, name) for name in names}
        values |= {"penalty_base": row.principal_days, "accrues_from": accrues_from}
        return {"loan_id": LOAN, "number": row.number, **values}

    def _transaction(self, one: engine.Event, state: engine.LoanState) -> dict[str, Any]:
        split = state.splits.get(one.ref, engine.Split())
        return {
            "loan_id": LOAN,
            "type": one.type,
            "kind": "",
            "amount": one.amount,
            "value_on": one.on,
            "booked_on": one.on,
            "at": datetime.combine(one.on, time(12), SHANGHAI),
            "channel": "",
            "key": LOAN + ":" + one.ref,
            "payment_key": "",
            "principal": split.principal,
            "interest": split.interest,
            "fee": split.fee,
            "penalty": split.penalty,
            "credit": ZERO,
            "note": "",
            "details": "{}",
        }


def _line(values: dict[str, Any]) -> str:
    cells = ("\\N" if value is None else str(value).replace("\\", "\\\\") for value in values.values())
    return "\t".join(cells) + "\n"


def build(loans: int, say: Any) -> None:
    """Products, customers (one for two loans), loans, instalments, transactions, and the books that go with them."""
    reference.install()
    close.open_books(on=TODAY)
    reference.starter_products()
    product = _product()
    kinds: dict[Kind, Template] = {}
    numbers = range(1, loans + 1)
    of = [kinds.setdefault(kind, None) or kind for kind in map(kind_of, numbers)]  # type: ignore[func-returns-value, arg-type]
    templates = {kind: Template(kind, product) for kind in kinds}
    any_one = next(iter(templates.values()))
    with _bare(Loan, Instalment, Transaction, Customer):
        _copy(Customer, _customer_names(), _customers((loans + 1) // 2))
        _agree()
        say("customers")
        for model, part in ((Loan, "loan"), (Instalment, "instalments"), (Transaction, "transactions")):
            lines = (
                getattr(templates[kind], part)
                .replace(LOAN, str(number))
                .replace(CUSTOMER, str((number + 1) // 2))
                for number, kind in zip(numbers, of, strict=True)
            )
            _copy(model, _names(any_one, model), lines)
            say(part)
    _book(templates, of)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('lending_loan', 'id'), %s), "
            "setval(pg_get_serial_sequence('lending_customer', 'id'), %s)",
            [loans, (loans + 1) // 2],
        )
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")


def _product() -> Product:
    product = Product(
        code="bench",
        name="Term loan",
        name_zh="分期贷款",
        kind="LOAN",
        audience="PERSON",
        method="EQUAL_INSTALMENT",
        annual_rate=Decimal("0.12"),
        tenors=[INSTALMENTS],
        max_amount=Decimal(50000),
        penalty_rate=Decimal("0.18"),
    )
    product.go_live()
    product.save()
    return product


def _customer_names() -> list[str]:
    return [field.column for field in Customer._meta.concrete_fields]


def _customers(count: int) -> Iterator[str]:
    """One person after another, all but the number and the name the same."""
    example = Customer(
        kind="PERSON",
        name=CUSTOMER,
        platform_ref=CUSTOMER,
        registered_on=TODAY,
        state="ACTIVE",
        email=f"{CUSTOMER}@example.com",
    )
    example.set_phone(
        "13800000000"
    )  # one number for all: to encrypt each would take longer than all the rest
    values = {}
    for field in Customer._meta.concrete_fields:
        value = field.get_db_prep_save(getattr(example, field.attname), connection)
        values[field.column] = getattr(value, "obj", value)
    values["id"] = CUSTOMER
    line = _line(values)
    return (line.replace(CUSTOMER, str(number)) for number in range(1, count + 1))


def _agree() -> None:
    """Everybody takes messages."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO lending_consent (customer_id, purpose, text_version, given_at) "
            "SELECT id, 'ELECTRONIC', '1', %s FROM lending_customer",
            [moment(TODAY)],
        )


def _names(template: Template, model: type) -> list[str]:
    if model is Loan:
        return _columns_of_loan()
    if model is Instalment:
        amounts = (name for name in Instalment.AMOUNTS if name != "penalty_base")
        return ["loan_id", "number", *amounts, "penalty_base", "accrues_from"]
    first = "loan_id type kind amount value_on booked_on at channel key payment_key"
    return [*first.split(), "principal", "interest", "fee", "penalty", "credit", "note", "details"]


def _columns_of_loan() -> list[str]:
    first = (
        "id customer_id product_id state currency terms principal_amount annual_cost disbursed_on matures_on"
    )
    return [*first.split(), "oldest_due_on", *_HAVE_DEFAULTS, *posting.ACCOUNTS]


def _copy(model: Any, columns: list[str], lines: Iterator[str]) -> None:
    table, names = model._meta.db_table, ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        block: list[str] = []
        for line in lines:
            block.append(line)
            if len(block) == 500:
                copy.write("".join(block))
                block = []
        copy.write("".join(block))


class _bare:
    """The tables without their secondary indexes and triggers while rows pour in: the engine made the rows."""

    def __init__(self, *models: Any) -> None:
        self.tables = [model._meta.db_table for model in models]

    def __enter__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE i.tablename = ANY(%s) AND NOT EXISTS "
                "(SELECT FROM pg_constraint c WHERE c.conname = i.indexname)",
                [self.tables],
            )
            self.indexes = cursor.fetchall()
            for name, _definition in self.indexes:
                cursor.execute(f'DROP INDEX "{name}"')
            cursor.execute("SET session_replication_role = replica")

    def __exit__(self, *error: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = origin")
            cursor.execute("SET maintenance_work_mem = '512MB'")
            for _name, definition in self.indexes:
                cursor.execute(definition)


@transaction.atomic
def _book(templates: dict[Kind, Template], of: list[Kind]) -> None:
    """One opening entry for all: what the loans say, and what it cost."""
    sums = dict.fromkeys(posting.ACCOUNTS, ZERO)
    counts: dict[Kind, int] = {}
    for kind in of:
        counts[kind] = counts.get(kind, 0) + 1
    for kind, count in counts.items():
        for part in sums:
            sums[part] += count * getattr(templates[kind].position, part)
    lines = [(account, sign * sums[part]) for part, (account, sign) in posting.ACCOUNTS.items()]
    lines.append((ledger.CAPITAL, -sum(amount for _account, amount in lines)))
    ledger.post([ledger.Booking("opening", "opening", TODAY, TODAY, lines)])


def live_through_the_day() -> None:
    """What falls due on the open day is paid, by all but one in 30. Then what a day of 24 hours has time for: the
    database goes over what has changed, for which the tables ask when one row in a hundred has, and the disk takes
    in what was written."""
    today = BusinessDate.current()
    due = Instalment.objects.filter(due_on=today, outstanding__gt=0).order_by("loan_id")
    rows = [
        posting.Posting(loan_id, "REPAYMENT", amount, f"{today}:{loan_id}", today)
        for turn, (loan_id, amount) in enumerate(due.values_list("loan_id", "outstanding"))
        if turn % 30
    ]
    for first in range(0, len(rows), 500):
        posting.post_many(rows[first : first + 500], by=None, at=moment(today), on=today)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM lending_loan, lending_instalment")
    os.sync()
    house.say(f"  {today}: {len(rows):,} payments")


def check(sample: int) -> int:
    """Fold a sample of the loans again; raises AssertionError where a row says something else. Returns how many."""
    on = BusinessDate.current()
    newest = Loan.objects.order_by("-pk").values_list("pk", flat=True)[0]
    # A stride that is prime to a hundred meets every kind of loan.
    ids = list(range(1, newest + 1, max(newest // sample, 1) | 1))[:sample]
    for loan in Loan.objects.filter(pk__in=ids):
        history = list(Transaction.objects.filter(loan=loan).order_by("pk"))
        state = engine.replay(engine.Terms.from_json(loan.terms), posting.as_events(history), on)
        position = state.position
        found = {part: getattr(loan, part) for part in posting.ACCOUNTS}
        assert found == {part: getattr(position, part) for part in posting.ACCOUNTS}, (
            loan.pk,
            found,
            position,
        )
    assert Account.objects.exists() and JournalLine.objects.exists()
    return len(ids)


def moment(day: date) -> datetime:
    return datetime.combine(day, time(23, 30), SHANGHAI)


DAY = timedelta(days=1)
