"""The book at a glance: what the dashboard shows, in a handful of statements however large the book is."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import dropwhile
from typing import Any

from django.db import connection
from django.db.models import Count, DecimalField, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from lending.fields import ZERO
from lending.models import (
    Application,
    CreditLine,
    DayGlance,
    Industry,
    Instalment,
    JournalEntry,
    Loan,
    Transaction,
)
from lending.selectors import finding
from lending.services import ledger

WINDOW = timedelta(days=30)
MONEY = DecimalField(max_digits=18, decimal_places=2)

# The buckets of days past due: lowest day of each, and what it is called.
BUCKETS = ((0, "0"), (1, "1–30"), (31, "31–60"), (61, "61–90"), (91, "90+"))


@dataclass(frozen=True, slots=True)
class Glance:
    """The whole book on one day. Amounts in the currency's minor unit, `buckets` in the order of BUCKETS."""

    lines: int
    limits: Decimal
    used: Decimal
    outstanding: Decimal
    buckets: tuple[Decimal, ...]
    overdue: Decimal
    approved: int
    decided: int
    collected: Decimal

    def par(self, days: int) -> Decimal | None:
        """Portfolio at risk: the share of outstanding principal in loans at least so many days past due."""
        late = sum(
            (amount for (low, _name), amount in zip(BUCKETS, self.buckets, strict=True) if low >= days), ZERO
        )
        return late / self.outstanding if self.outstanding else None

    @property
    def approval_rate(self) -> Decimal | None:
        return Decimal(self.approved) / self.decided if self.decided else None


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the first page shows of the book. `as_of_opening` says that it is what the close left when the
    day opened; otherwise it is as of now. `industries` are codes ("" for none) with their outstanding principal."""

    glance: Glance
    history: list["Month"]
    outcomes: list[tuple[date, dict[str, int]]]
    industries: list[tuple[str, Decimal]]
    as_of_opening: bool = False


def overview(on: date) -> Overview:
    """As of now while the book is small enough to be added up; of a large one, what the close has written down."""
    kept = DayGlance.objects.filter(date=on).first() if finding.is_large(Loan) else None
    return _read(kept.figures) if kept else compute(on)


def compute(on: date) -> Overview:
    found = [(row.code if row else "", amount) for row, amount in industries()]
    return Overview(glance(on), history(on), outcomes(on), found)


def _read(kept: dict[str, Any]) -> Overview:
    """What `compute` found, as JSON has it."""
    figures = kept["glance"]
    counts = {name: figures[name] for name in ("lines", "approved", "decided")}
    sums = {
        name: Decimal(figures[name]) for name in ("limits", "used", "outstanding", "overdue", "collected")
    }
    return Overview(
        glance=Glance(buckets=tuple(map(Decimal, figures["buckets"])), **counts, **sums),
        history=[
            Month(date.fromisoformat(m["on"]), Decimal(m["outstanding"]), Decimal(m["overdue"]))
            for m in kept["history"]
        ],
        outcomes=[(date.fromisoformat(month), states) for month, states in kept["outcomes"]],
        industries=[(code, Decimal(amount)) for code, amount in kept["industries"]],
        as_of_opening=True,
    )


def glance(on: date) -> Glance:
    """The book as of the business date; approvals and money collected are those of the last 30 days."""
    lines = CreditLine.objects.exclude(state=CreditLine.State.CLOSED).aggregate(
        count=Count("pk", filter=Q(state=CreditLine.State.ACTIVE)),
        limits=Coalesce(Sum("base_limit"), ZERO),
        used=Coalesce(Sum("used"), ZERO),
    )
    buckets = _buckets(on)
    approved, decided = _decisions(on)
    return Glance(
        lines=lines["count"],
        limits=lines["limits"],
        used=lines["used"],
        outstanding=sum(buckets, ZERO),
        buckets=buckets,
        overdue=_overdue(on),
        approved=approved,
        decided=decided,
        collected=_collected(on),
    )


def _buckets(on: date) -> tuple[Decimal, ...]:
    """Outstanding principal by days past due."""
    lows = [low for low, _name in BUCKETS]
    sums = {}
    for number, low in enumerate(lows):
        oldest = Q(oldest_due_on__lte=on - timedelta(days=low))
        if number + 1 < len(lows):
            oldest &= Q(oldest_due_on__gt=on - timedelta(days=lows[number + 1]))
        current = Q(oldest_due_on=None) | Q(oldest_due_on__gte=on)
        sums[f"b{low}"] = Coalesce(Sum("principal", filter=oldest if low else current), ZERO)
    row = Loan.objects.filter(state__in=Loan.OWING).aggregate(**sums)
    return tuple(row[f"b{low}"] for low in lows)


def _overdue(on: date) -> Decimal:
    late = Instalment.objects.filter(
        due_on__lt=on, paid_on=None, outstanding__gt=0, loan__state__in=Loan.OWING
    )
    return late.aggregate(sum=Coalesce(Sum("outstanding"), ZERO))["sum"]


def _decisions(on: date) -> tuple[int, int]:
    """How many applications were approved, and decided at all, in the window."""
    decided = Application.objects.filter(decided_at__date__gt=on - WINDOW, decided_at__date__lte=on)
    row = decided.aggregate(
        approved=Count("pk", filter=~Q(state=Application.State.DECLINED)), decided=Count("pk")
    )
    return row["approved"], row["decided"]


def _collected(on: date) -> Decimal:
    """Customers' money booked in the window; what merchants gave back is not theirs."""
    kinds = Transaction.Type
    reversed_ = Transaction.objects.filter(type=kinds.REVERSAL).values("reverses_id")
    received = Transaction.objects.filter(
        type__in=[kinds.REPAYMENT, kinds.SETTLEMENT, kinds.RECOVERY],
        booked_on__gt=on - WINDOW,
        booked_on__lte=on,
    ).exclude(Q(kind="MERCHANT") | Q(pk__in=reversed_))
    return received.aggregate(sum=Coalesce(Sum("amount"), ZERO))["sum"]


@dataclass(frozen=True, slots=True)
class Month:
    """A point of the charts over time: the book at the end of a month (or today, for the running one)."""

    on: date
    outstanding: Decimal
    overdue: Decimal


# Both as sums of changes, so that a book of any age is read once: principal from the ledger; what was overdue
# from the day after an instalment fell due until the day on which it was paid.
_HISTORY = """
WITH ends AS (
    SELECT LEAST((date_trunc('month', m) + interval '1 month - 1 day')::date, %(on)s::date) AS day
    FROM generate_series(%(start)s::date, %(on)s::date, interval '1 month') m
), principal AS MATERIALIZED (
    SELECT e.booked_on AS day, SUM(l.amount) AS amount
    FROM lending_journalline l JOIN lending_journalentry e ON e.id = l.entry_id
    WHERE l.account_id IN (SELECT account_id FROM lending_accountmapping WHERE role = %(role)s)
    GROUP BY e.booked_on
), late AS MATERIALIZED (
    SELECT day, SUM(amount) AS amount FROM (
        SELECT i.due_on + 1 AS day, i.total - i.waived - i.written_off AS amount
        FROM lending_instalment i WHERE i.due_on < %(on)s AND (i.paid_on IS NULL OR i.paid_on > i.due_on)
        UNION ALL
        SELECT i.paid_on, -(i.total - i.waived - i.written_off)
        FROM lending_instalment i WHERE i.paid_on > i.due_on
    ) changes GROUP BY day
)
SELECT day,
       COALESCE((SELECT SUM(amount) FROM principal p WHERE p.day <= ends.day), 0),
       COALESCE((SELECT SUM(amount) FROM late WHERE late.day <= ends.day), 0)
FROM ends ORDER BY day
"""


def _first_month(on: date, months: int) -> date:
    """The first day of the first of so many months that end with this one."""
    number = on.year * 12 + on.month - months
    return date(number // 12, number % 12 + 1, 1)


def history(on: date, months: int = 12) -> list[Month]:
    """Outstanding principal and overdue instalments at the end of each of the last months with business."""
    latest = JournalEntry.objects.order_by("-pk").values_list("pk", flat=True).first()
    return list(_history(on, months, latest))


@lru_cache(maxsize=8)
def _history(on: date, months: int, latest_entry: int | None) -> tuple[Month, ...]:
    """Read anew only when something was booked: whatever moves a loan moves the books."""
    with connection.cursor() as cursor:
        cursor.execute(
            _HISTORY, {"on": on, "start": _first_month(on, months), "role": ledger.PRINCIPAL.value}
        )
        rows = [Month(*row) for row in cursor.fetchall()]
    return tuple(dropwhile(lambda month: not month.outstanding and not month.overdue, rows))


def outcomes(on: date, months: int = 12) -> list[tuple[date, dict[str, int]]]:
    """Applications by the month in which they were submitted and the state in which they are."""
    start = _first_month(on, months)
    rows = (
        Application.objects.filter(submitted_at__date__gte=start)
        .values_list("submitted_at__year", "submitted_at__month", "state")
        .annotate(count=Count("pk"))
        .order_by("submitted_at__year", "submitted_at__month")
    )
    table: dict[date, dict[str, int]] = {}
    for year, month, state, count in rows:
        table.setdefault(date(year, month, 1), {})[state] = count
    return sorted(table.items())


def with_outstanding(industries: QuerySet[Industry]) -> QuerySet[Industry]:
    """Each industry with its `outstanding` principal and that of the whole `book`."""
    owing = Loan.objects.filter(state__in=Loan.OWING)
    book = owing.aggregate(sum=Coalesce(Sum("principal"), ZERO))["sum"]
    theirs = owing.filter(customer__industry=OuterRef("pk")).order_by().values("customer__industry")
    return industries.annotate(
        outstanding=Coalesce(Subquery(theirs.values(sum=Sum("principal"))), ZERO, output_field=MONEY),
        book=Value(book, output_field=MONEY),
    )


def industries() -> list[tuple[Industry | None, Decimal]]:
    """Outstanding principal by the customers' industry, largest first; who has none stands under None."""
    rows = (
        Loan.objects.filter(state__in=Loan.OWING)
        .values_list("customer__industry")
        .annotate(sum=Sum("principal"))
        .order_by("-sum")
    )
    amounts = [(code, amount) for code, amount in rows if amount]
    known = Industry.objects.in_bulk([code for code, _amount in amounts if code])
    return [(known.get(code), amount) for code, amount in amounts]
