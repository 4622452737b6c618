"""Reports on the history of the book. Everything is summed in SQL, from the sums that each month end left behind; only
lists of loans read the loans themselves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Exists, Model, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from lending.engine import rollrates
from lending.engine.rollrates import Matrix
from lending.fields import ZERO
from lending.models import BookMonth, ConcentrationMonth, Loan, LoanSnapshot, RollMonth, VintageMonth

# Portfolio at risk: more than so many days past due, and the band from which that is so.
PAR = {1: 1, 30: 2, 60: 3, 90: 4}
BAND_NAMES = ("0", "1–30", "31–60", "61–90", "91–180", "181–360", "360+")


@dataclass(frozen=True, slots=True)
class Filters:
    """What a report is about; what is not named is not narrowed. `since` and `until` are month ends."""

    product: int | None = None
    # Several versions of one product.
    products: Sequence[int] | None = None
    kind: str = ""
    grade: str = ""
    since: date | None = None
    until: date | None = None

    def on(self, model: type[Model], *, dated: bool = True) -> QuerySet[Any]:
        """The sums that a report is made of, in no order."""
        rows = self.among(model._default_manager.order_by())
        if self.grade:
            rows = rows.filter(grade=self.grade)
        if dated and self.since:
            rows = rows.filter(date__gte=self.since)
        if dated and self.until:
            rows = rows.filter(date__lte=self.until)
        return rows

    def among(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Rows of these products and this segment; they name their product."""
        if self.product:
            rows = rows.filter(product_id=self.product)
        if self.products is not None:
            rows = rows.filter(product_id__in=self.products)
        return rows.filter(product__audience=self.kind) if self.kind else rows


def months() -> list[date]:
    """The month ends that were written down, newest first."""
    return list(BookMonth.objects.order_by("-date").values_list("date", flat=True).distinct())


def grades() -> list[str]:
    return list(
        BookMonth.objects.exclude(grade="").order_by("grade").values_list("grade", flat=True).distinct()
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """The book at one month end. Amounts in the currency's minor unit; `par` by days past due, as shares."""

    date: date
    loans: int
    principal: Decimal
    non_performing: Decimal
    late: dict[int, Decimal]

    def par(self, days: int) -> Decimal | None:
        return self.late[days] / self.principal if self.principal else None

    @property
    def npl(self) -> Decimal | None:
        return self.non_performing / self.principal if self.principal else None


def standings(by: Filters) -> list[Standing]:
    """Principal, portfolio at risk and non-performing share of each month end, oldest first."""
    rows = by.on(BookMonth).filter(state__in=Loan.OWING).values("date")
    rows = rows.annotate(
        count=Sum("loans"),
        sum=Sum("principal"),
        bad=Coalesce(Sum("principal", filter=Q(asset_class__gte=3)), ZERO),
        **{
            f"par{days}": Coalesce(Sum("principal", filter=Q(band__gte=band)), ZERO)
            for days, band in PAR.items()
        },
    )
    return [
        Standing(row["date"], row["count"], row["sum"], row["bad"], {days: row[f"par{days}"] for days in PAR})
        for row in rows.order_by("date")
    ]


@dataclass(frozen=True, slots=True)
class Age:
    """One band of days past due at a month end."""

    band: int
    loans: int
    principal: Decimal
    charges: Decimal


def ageing(on: date, by: Filters) -> list[Age]:
    """What is owed at a month end, by days past due; every band, also the empty ones."""
    rows = by.on(BookMonth, dated=False).filter(date=on, state__in=Loan.OWING)
    sums = {
        row["band"]: Age(row["band"], row["count"], row["sum"], row["other"])
        for row in rows.values("band").annotate(
            count=Sum("loans"), sum=Sum("principal"), other=Sum("charges")
        )
    }
    return [sums.get(band, Age(band, 0, ZERO, ZERO)) for band in range(len(BAND_NAMES))]


# Where a loan that left went, in a matrix of buckets.
PAID, LOST = "SETTLED", "WRITTEN_OFF"


def rolls(by: Filters, *, classes: bool = False, measure: str = "loans") -> Matrix:
    """The matrix of the months in the range, by bucket (or by class), of loans or of their principal. States are
    numbers as text, and the two ways to leave."""
    name = "class" if classes else "bucket"
    rows = by.on(RollMonth).values_list(f"from_{name}", f"to_{name}", "to_state").annotate(Sum(measure))
    found = [
        (str(before), state if state in (PAID, LOST) else str(after), amount)
        for before, after, state, amount in rows
    ]
    numbers = sorted({int(state) for move in found for state in move[:2] if state.isdigit()})
    return rollrates.matrix(found, [*map(str, numbers), PAID, LOST])


@dataclass(frozen=True, slots=True)
class Cure:
    """Of the loans that stood in a bucket at the month end before, those that a month later were current or paid."""

    date: date
    bucket: int
    loans: int
    cured: int

    @property
    def share(self) -> Decimal:
        return Decimal(self.cured) / self.loans


def cures(by: Filters) -> list[Cure]:
    """By month and bucket, oldest first; only of loans that were late."""
    cured = Q(to_state=PAID) | Q(to_bucket=0, to_state__in=Loan.OWING)
    rows = by.on(RollMonth).filter(from_bucket__gt=0).values("date", "from_bucket")
    rows = rows.annotate(count=Sum("loans"), well=Coalesce(Sum("loans", filter=cured), 0))
    return [
        Cure(row["date"], row["from_bucket"], row["count"], row["well"])
        for row in rows.order_by("date", "from_bucket")
    ]


@dataclass(frozen=True, slots=True)
class Vintage:
    """Loans paid out in one month: what share ever reached the bucket, by months since."""

    cohort: date
    loans: int
    lent: Decimal
    shares: Sequence[Decimal]


def vintages(by: Filters, *, bucket: int, measure: str = "lent") -> list[Vintage]:
    """Cumulative curves, oldest vintage first, up to the last month end in the range. `measure` is lent (amount paid
    out to the loans that got there), principal (what they owed when they did) or loans, over all that was paid out."""
    base = "loans" if measure == "loans" else "lent"
    until = by.until or next(iter(months()), None)
    if until is None:
        return []
    rows = by.on(VintageMonth, dated=False).filter(date__lte=until)
    if by.since:
        rows = rows.filter(cohort__gte=by.since.replace(day=1))
    entered = {
        row["cohort"]: row
        for row in rows.filter(bucket=0).values("cohort").annotate(Sum("loans"), Sum("lent"))
    }
    reached: dict[tuple[date, int], Decimal] = {
        (cohort, _age(cohort, on)): amount
        for cohort, on, amount in rows.filter(bucket=bucket)
        .values_list("cohort", "date")
        .annotate(Sum(measure))
    }
    return [
        Vintage(
            cohort,
            row["loans__sum"],
            row["lent__sum"],
            list(_cumulated(reached, cohort, _age(cohort, until), Decimal(row[f"{base}__sum"]))),
        )
        for cohort, row in sorted(entered.items())
    ]


def _age(cohort: date, on: date) -> int:
    """Months on book at a month end: 0 at the end of the month of disbursement."""
    return (on.year - cohort.year) * 12 + on.month - cohort.month


def _cumulated(
    reached: dict[tuple[date, int], Decimal], cohort: date, last: int, whole: Decimal
) -> Iterable[Decimal]:
    total = Decimal(0)
    for month in range(last + 1):
        total += reached.get((cohort, month), 0)
        yield total / whole if whole else Decimal(0)


@dataclass(frozen=True, slots=True)
class Place:
    """How much of the book stands in one place."""

    key: str
    loans: int
    principal: Decimal
    late: Decimal
    non_performing: Decimal
    share: Decimal


def concentration(on: date, dimension: str, kind: str = "") -> list[Place]:
    """The largest places first, with their share of the whole book (of the segment)."""
    rows = ConcentrationMonth.objects.filter(date=on).order_by()
    if kind:
        rows = rows.filter(kind=kind)
    whole = rows.filter(dimension="PRODUCT").aggregate(sum=Coalesce(Sum("principal"), ZERO))["sum"]
    sums = rows.filter(dimension=dimension).values("key")
    sums = sums.annotate(
        count=Sum("loans"), owed=Sum("principal"), behind=Sum("late"), bad=Sum("non_performing")
    )
    return [
        Place(
            row["key"],
            row["count"],
            row["owed"],
            row["behind"],
            row["bad"],
            row["owed"] / whole if whole else Decimal(0),
        )
        for row in sums.order_by("-owed", "key")
    ]


def loans_on(on: date, by: Filters, **narrowed: Any) -> QuerySet[LoanSnapshot]:
    """The loans behind a figure of a month end; `narrowed` are conditions on their rows."""
    rows = by.among(LoanSnapshot.objects.filter(date=on, month_end=True, **narrowed))
    if by.grade:
        rows = rows.filter(_graded("loan__", by.grade))
    return rows.select_related("product", "customer").order_by("loan_id")


def _graded(loan: str, grade: str) -> Q:
    """Loans of a grade: that of their own application, or else of their line's."""
    own, line = f"{loan}application__grade", f"{loan}line__application__grade"
    return Q(**{own: grade}) | Q(**{line: grade}) & (Q(**{f"{loan}application": None}) | Q(**{own: ""}))


def rolled(on: date, by: Filters, *, before: Mapping[str, Any], after: Q) -> QuerySet[LoanSnapshot]:
    """The loans behind a roll: how they stand at the month end `on` (`after`), of those that stood as `before` says at
    the month end before it."""
    earlier = LoanSnapshot.objects.filter(
        loan_id=OuterRef("loan_id"),
        date=on.replace(day=1) - timedelta(days=1),
        month_end=True,
        state__in=Loan.OWING,
        **before,
    )
    return loans_on(on, by).filter(after, Exists(earlier))


CURED = Q(state=PAID) | Q(bucket=0, state__in=Loan.OWING)


def of_vintage(cohort: date, by: Filters, bucket: int) -> QuerySet[Loan]:
    """The loans paid out in a month that ever reached the bucket, as they are today."""
    after = (cohort + timedelta(days=32)).replace(day=1)
    rows = by.among(Loan.objects.filter(disbursed_on__gte=cohort, disbursed_on__lt=after))
    if by.grade:
        rows = rows.filter(_graded("", by.grade))
    return (
        rows.filter(peak_bucket__gte=bucket)
        .exclude(state=Loan.State.CANCELLED)
        .select_related("product", "customer")
        .order_by("pk")
    )
