"""The history of the book: partitions, rows on change and at month ends, and the reports on a book made by hand."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from lending import partitions
from lending.models import (
    Application,
    BookMonth,
    BusinessDate,
    ConcentrationMonth,
    Customer,
    JournalEntry,
    Loan,
    LoanSnapshot,
    Product,
    RollMonth,
    Transaction,
    VintageMonth,
)
from lending.selectors import history as reports
from lending.selectors.history import Filters
from lending.services import classes, customers, history, loans
from lending.services.steps import Shard

from .conftest import MONDAY, moment

D = Decimal
MARCH, APRIL, MAY = date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)


def close_of(on: date, *shards: Shard) -> int:
    """What the close of that day does for the history; returns the rows of loans."""
    for shard in shards or [Shard()]:
        classes.measure(on=on, at=moment(on), shard=shard)
    for shard in shards or [Shard()]:
        classes.classify(on=on, at=moment(on), shard=shard)
    history.prepare(on=on, at=moment(on))
    written = sum(history.snapshot(on=on, at=moment(on), shard=shard) for shard in shards or [Shard()])
    history.summarise(on=on, at=moment(on))
    return written


def move(loan: Loan, on: date, days: int | None = None, **values: Any) -> None:
    """As if the loan stood so many days past due on that day; None, paid up."""
    oldest = on + timedelta(days=20) if days is None else on - timedelta(days=days)
    Loan.objects.filter(pk=loan.pk).update(oldest_due_on=oldest, **values)


# --- partitions ---------------------------------------------------------------------------------------------------


def parts() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'lending_loansnapshot'::regclass"
        )
        return sorted(row[0] for row in cursor.fetchall())


def test_a_month_has_a_table_of_its_own_made_before_it_begins(books: date) -> None:
    assert history.prepare(on=date(2026, 12, 5), at=moment(MONDAY)) == 2
    assert parts() == ["lending_loansnapshot_2026_12", "lending_loansnapshot_2027_01"]
    assert history.prepare(on=date(2026, 12, 31), at=moment(MONDAY)) == 0
    assert history.prepare(on=date(2027, 1, 1), at=moment(MONDAY)) == 1


def test_rows_go_where_their_month_is(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    lend(make_customer())
    close_of(MARCH)
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tableoid::regclass::text FROM lending_loansnapshot")
        assert cursor.fetchall() == [("lending_loansnapshot_2026_03",)]
        cursor.execute("SELECT COUNT(*) FROM pg_indexes WHERE tablename = 'lending_loansnapshot_2026_03'")
        assert cursor.fetchone() == (2,)


def test_a_day_without_a_partition_is_refused(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    lend(make_customer())
    with pytest.raises(IntegrityError, match="no partition"), transaction.atomic():
        history.snapshot(on=MARCH, at=moment(MARCH))


def test_a_table_with_rows_in_it_is_not_thrown_away(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE lending_loansnapshot RENAME TO elsewhere")
        cursor.execute("CREATE TABLE lending_loansnapshot AS SELECT 1 AS one")
        with pytest.raises(DatabaseError, match="not empty"), transaction.atomic():
            partitions.install()
        cursor.execute("TRUNCATE lending_loansnapshot")
        cursor.execute("ALTER TABLE elsewhere RENAME CONSTRAINT lending_loansnapshot_pkey TO x")
        cursor.execute("DROP INDEX snapshot_marked")
    partitions.install()
    assert partitions.ensure(LoanSnapshot, MARCH, months=1) == 1
    partitions.install()
    assert parts() == ["lending_loansnapshot_2026_03"]


# --- what is written ----------------------------------------------------------------------------------------------


def test_a_quiet_day_writes_nothing_and_a_month_end_every_loan(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    customer = make_customer()
    first, _second = lend(customer, "1000"), lend(customer, "2000.50")
    assert close_of(MARCH - timedelta(days=1)) == 0
    assert close_of(MARCH) == 2
    assert close_of(MARCH) == 0
    row = LoanSnapshot.objects.get(loan=first)
    assert (row.pk, row.month_end, row.principal, row.days, row.asset_class) == (
        (first.pk, MARCH),
        True,
        1000,
        0,
        1,
    )
    assert BookMonth.objects.count() == 1
    assert BookMonth.objects.get().principal == D("3000.50")


def test_a_change_of_bucket_or_class_is_written_on_its_day(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    loan, on = lend(make_customer()), date(2026, 4, 10)
    move(loan, on, 31, interest=D("-3"), fee=D("4"), penalty=D("1.5"))
    assert close_of(on) == 1
    row = LoanSnapshot.objects.get()
    assert (row.date, row.month_end, row.days, row.bucket, row.asset_class, row.charges) == (
        on,
        False,
        31,
        2,
        2,
        D("5.5"),
    )
    assert close_of(on + timedelta(days=1)) == 0
    move(loan, on + timedelta(days=2))
    assert close_of(on + timedelta(days=2)) == 1
    last = LoanSnapshot.objects.order_by("date").last()
    assert last and (last.bucket, last.peak_bucket, last.asset_class) == (0, 2, 1)


def test_loans_that_come_and_go_are_written_on_their_day(
    make_loan: Callable[..., Loan], run_to: Callable[[date], datetime]
) -> None:
    loan = make_loan()
    run_to(MONDAY + timedelta(days=1))
    row = LoanSnapshot.objects.get()
    assert (row.date, row.state, row.principal) == (MONDAY, "ACTIVE", loan.principal)
    at = run_to(date(2026, 3, 10))
    loans.settle(loan_id=loan.pk, key="s", by=None, at=at, on=BusinessDate.current())
    run_to(date(2026, 4, 2))
    rows = LoanSnapshot.objects.order_by("date").values_list("date", "month_end", "state", "principal")
    assert list(rows) == [
        (MONDAY, False, "ACTIVE", loan.principal),
        (date(2026, 3, 10), False, "SETTLED", 0),
        (MARCH, True, "SETTLED", 0),
    ]
    run_to(date(2026, 5, 1))
    assert LoanSnapshot.objects.count() == 3  # what left a month before is not written again


def test_shards_come_to_the_same_rows(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    ids = [lend(make_customer()).pk for _number in range(4)]
    assert close_of(MARCH, Shard(0, ids[1]), Shard(ids[1] + 1, aside=(ids[3],))) == 3
    assert set(LoanSnapshot.objects.values_list("loan_id", flat=True)) == set(ids[:3])


# --- reports on a book made by hand -------------------------------------------------------------------------------


@pytest.fixture
def book(make_customer: Callable[..., Customer], lend: Callable[..., Loan]) -> dict[str, Loan]:
    """Three month ends. a never late; b late in April and cured in May; c ever worse; d paid in April; e (a company)
    written off in May; f paid out in April and late in May."""
    person, company = (
        make_customer(region="上海"),
        make_customer(kind="COMPANY", name="华夏五金", industry_id="C"),
    )
    rows = {
        "a": lend(person, "1000"),
        "b": lend(person, "2000"),
        "c": lend(person, "3000"),
        "d": lend(person, "4000"),
        "e": lend(company, "5000"),
    }
    for name, days in (("a", None), ("b", None), ("c", 5), ("d", None), ("e", 45)):
        move(rows[name], MARCH, days)
    close_of(MARCH)
    rows["f"] = lend(person, "6000", disbursed_on=date(2026, 4, 5))
    for name, days in (("a", None), ("b", 10), ("c", 35), ("e", 75), ("f", None)):
        move(rows[name], APRIL, days)
    move(rows["d"], APRIL, None)
    leave(rows["d"], APRIL, "SETTLED")
    close_of(APRIL)
    Loan.objects.filter(pk=rows["b"].pk).update(principal=D("1500"))
    for name, days in (("a", None), ("b", None), ("c", 95), ("f", 20)):
        move(rows[name], MAY, days)
    leave(rows["e"], MAY, "WRITTEN_OFF")
    close_of(MAY)
    return rows


def leave(loan: Loan, on: date, state: str) -> None:
    """As if money had taken it off the book that day: an entry leads the close to it."""
    Loan.objects.filter(pk=loan.pk).update(
        state=state, principal=0, oldest_due_on=None, settled_on=on if state == "SETTLED" else None
    )
    posted = Transaction.objects.create(
        loan=loan, type="REPAYMENT", amount=1, value_on=on, booked_on=on, at=moment(on), key=f"left-{loan.pk}"
    )
    JournalEntry.objects.create(booked_on=on, value_on=on, key=posted.key, memo="left", transaction=posted)


def test_portfolio_at_risk(book: dict[str, Loan]) -> None:
    march, april, may = reports.standings(Filters())
    assert (march.date, march.loans, march.principal) == (MARCH, 5, 15000)
    assert march.late == {1: 8000, 30: 5000, 60: 0, 90: 0}
    assert april.principal == 17000
    assert april.late == {1: 10000, 30: 8000, 60: 5000, 90: 0}
    assert april.par(30) == D(8000) / 17000
    assert (may.loans, may.principal) == (4, 11500)
    assert may.late == {1: 9000, 30: 3000, 60: 3000, 90: 3000}
    assert (may.non_performing, may.npl) == (3000, D(3000) / 11500)


def test_filters_narrow_a_report(book: dict[str, Loan]) -> None:
    company = Product.objects.get(code="working-capital")
    assert [row.principal for row in reports.standings(Filters(product=company.pk))] == [5000, 5000]
    assert [row.principal for row in reports.standings(Filters(kind="PERSON"))] == [10000, 12000, 11500]
    assert [row.date for row in reports.standings(Filters(since=APRIL, until=APRIL))] == [APRIL]
    assert reports.standings(Filters(grade="A")) == []
    assert reports.months() == [MAY, APRIL, MARCH]


def test_grades_come_from_the_application(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan]
) -> None:
    customer = make_customer()
    loan = lend(customer)
    application = Application.objects.create(
        customer=customer, product=loan.product, amount=1, grade="B", created_at=moment(MONDAY)
    )
    Loan.objects.filter(pk=loan.pk).update(application=application)
    lend(customer)
    close_of(MARCH)
    assert reports.grades() == ["B"]
    assert [row.loans for row in reports.standings(Filters(grade="B"))] == [1]
    assert [row.loan_id for row in reports.loans_on(MARCH, Filters(grade="B"))] == [loan.pk]


def test_ageing(book: dict[str, Loan]) -> None:
    bands = reports.ageing(APRIL, Filters())
    assert [(row.loans, row.principal) for row in bands] == [
        (2, 7000),
        (1, 2000),
        (1, 3000),
        (1, 5000),
        *[(0, 0)] * 3,
    ]
    assert sum(row.principal for row in bands) == 17000
    assert len(reports.BAND_NAMES) == len(history.BANDS) + 1


def test_the_roll_rates_of_a_month(book: dict[str, Loan]) -> None:
    april = reports.rolls(Filters(until=APRIL))
    assert april.states == ("0", "1", "2", "3", "SETTLED", "WRITTEN_OFF")
    assert april.totals == (3, 1, 1, 0, 0, 0)
    assert april.share("0", "1") == april.share("0", "SETTLED") == D(1) / 3  # b; d
    assert (april.share("1", "2"), april.share("2", "3")) == (1, 1)  # c; e
    may = reports.rolls(Filters(since=MAY), measure="principal")
    assert may.share("0", "1") == D(6000) / 7000  # f, and not a
    assert (may.share("1", "0"), may.share("2", "4"), may.share("3", "WRITTEN_OFF")) == (1, 1, 1)
    both = reports.rolls(Filters(), classes=True)
    assert both.share("2", "1") == D(1) / 5  # of b, c, c, e, e: b cured
    assert sum(both.totals) == sum(april.totals) + 5


def test_cure_rates(book: dict[str, Loan]) -> None:
    found = {(row.date, row.bucket): (row.loans, row.cured, row.share) for row in reports.cures(Filters())}
    assert found == {
        (APRIL, 1): (1, 0, 0),
        (APRIL, 2): (1, 0, 0),
        (MAY, 1): (1, 1, 1),
        (MAY, 2): (1, 0, 0),
        (MAY, 3): (1, 0, 0),
    }


def test_vintage_curves(book: dict[str, Loan]) -> None:
    first, second = reports.vintages(Filters(), bucket=1)
    assert (first.cohort, first.loans, first.lent) == (date(2026, 3, 1), 5, 15000)
    # c and e are late in the first month, b in the second; whoever was late once stays in the curve.
    assert list(first.shares) == [D(8000) / 15000, D(10000) / 15000, D(10000) / 15000]
    assert (second.cohort, list(second.shares)) == (date(2026, 4, 1), [0, 1])
    worse = reports.vintages(Filters(), bucket=2)[0]
    assert list(worse.shares) == [D(5000) / 15000, D(8000) / 15000, D(8000) / 15000]
    counted = reports.vintages(Filters(until=APRIL), bucket=1, measure="loans")
    assert list(counted[0].shares) == [D(2) / 5, D(3) / 5]
    owed = reports.vintages(Filters(kind="PERSON"), bucket=1, measure="principal")[0]
    assert list(owed.shares)[:2] == [D("0.3"), D("0.5")]
    assert [row.cohort for row in reports.vintages(Filters(since=APRIL), bucket=1)] == [date(2026, 4, 1)]


def test_before_the_first_month_end_every_report_is_empty(books: date) -> None:
    assert (
        reports.standings(Filters())
        == reports.vintages(Filters(), bucket=1)
        == reports.cures(Filters())
        == []
    )
    assert reports.months() == reports.concentration(MARCH, "PRODUCT") == []
    assert sum(row.loans for row in reports.ageing(MARCH, Filters())) == 0
    assert not any(reports.rolls(Filters()).totals)


def test_concentration(book: dict[str, Loan]) -> None:
    one, other = (reports.concentration(APRIL, "NAME", kind)[0] for kind in ("PERSON", "COMPANY"))
    assert (one.key, one.loans, one.principal, one.share) == (f"#{book['a'].customer_id}", 4, 12000, 1)
    assert (other.principal, other.late, other.non_performing) == (5000, 5000, 0)
    industries = {row.key: row.share for row in reports.concentration(APRIL, "INDUSTRY")}
    assert industries == {"": D(12000) / 17000, "C": D(5000) / 17000}
    assert [row.key for row in reports.concentration(APRIL, "REGION")] == ["上海", ""]
    assert len(reports.concentration(APRIL, "PRODUCT")) == 2
    assert reports.concentration(MAY, "REGION")[0].non_performing == 3000


def test_a_group_counts_as_one(
    make_customer: Callable[..., Customer], lend: Callable[..., Loan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "NAMES", 2)
    firms = [make_customer(kind="COMPANY", name=f"厂{number}") for number in range(4)]
    for number, firm in enumerate(firms):
        lend(firm, str(1000 * (number + 1)))
    for firm in firms[:3]:
        customers.put_in_group(
            customer_id=firm.pk, group=" 华夏  集团 ", reason="Same owner", by=None, at=moment(MONDAY)
        )
    close_of(MARCH)
    groups = [(row.key, row.principal) for row in reports.concentration(MARCH, "GROUP")]
    assert groups == [("华夏 集团", 6000), (f"#{firms[3].pk}", 4000)]
    assert [row.principal for row in reports.concentration(MARCH, "NAME")] == [4000, 3000]
    assert ConcentrationMonth.objects.filter(dimension="NAME").count() == 2


def test_the_loans_behind_a_figure(book: dict[str, Loan]) -> None:
    late = reports.loans_on(APRIL, Filters(), days__gt=30)
    assert [row.loan_id for row in late] == [book["c"].pk, book["e"].pk]
    assert reports.loans_on(APRIL, Filters(kind="COMPANY"), bucket=3).get().customer.name == "华夏五金"
    assert reports.loans_on(APRIL, Filters(), state="SETTLED").get().loan_id == book["d"].pk


def test_summing_up_again_comes_to_the_same(book: dict[str, Loan]) -> None:
    def everything() -> list[Any]:
        return [
            list(
                model.objects.order_by("id").values_list(
                    *[f.name for f in model._meta.fields if f.name != "id"]
                )
            )
            for model in (BookMonth, RollMonth, VintageMonth, ConcentrationMonth)
        ]

    before = everything()
    assert history.summarise(on=MAY, at=moment(MAY)) > 0
    assert everything() == before
    assert history.summarise(on=MAY - timedelta(days=1), at=moment(MAY)) == 0
