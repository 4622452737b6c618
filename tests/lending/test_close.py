"""The daily close: days as data, steps and shards done once, bad loans set aside, and nothing stuck."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DataError, connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from lending import engine, tasks
from lending.errors import Refused
from lending.models import (
    BusinessDate,
    BusinessDay,
    CloseException,
    DayClose,
    Event,
    Instalment,
    JournalEntry,
    Loan,
    Transaction,
)
from lending.selectors.ledger import tie_out, trial_balance
from lending.services import calendar, close, exceptions, posting, refold, shards, steps

from .conftest import MONDAY, SHANGHAI, moment

D = Decimal
OPEN_DAY = "lending.services.accrual.open_day"


def close_days(count: int, **options: Any) -> None:
    for _day in range(count):
        close.close_day(at=moment(BusinessDate.current(), 23), **options)


def the_books_agree() -> None:
    assert [row.difference for row in tie_out()] == [0] * 5
    assert sum(account.balance for account in trial_balance()) == 0


def folded(loan: Loan, on: date) -> engine.Position:
    events = posting.as_events(list(Transaction.objects.filter(loan=loan).order_by("pk")))
    return engine.replay(engine.Terms.from_json(loan.terms), events, on).position


def as_folded(loan: Loan) -> None:
    loan.refresh_from_db()
    position = folded(loan, BusinessDate.current())
    assert {part: getattr(loan, part) for part in posting.ACCOUNTS} == {
        part: getattr(position, part) for part in posting.ACCOUNTS
    }


@pytest.fixture
def only_money(settings: Any) -> None:
    """The steps that move loans: many days in little time."""
    settings.CLOSE_STEPS = ["lending.services.arrears.hold", OPEN_DAY]


# --- days -------------------------------------------------------------------------------------------------------


def test_a_day_is_open_then_closed_and_the_next_one_opens(books: date) -> None:
    assert BusinessDay.objects.get().state == "OPEN"
    close_days(1)
    states = list(BusinessDay.objects.order_by("date").values_list("date", "state"))
    assert states == [(MONDAY, "CLOSED"), (MONDAY + timedelta(days=1), "OPEN")]
    assert BusinessDay.objects.get(pk=MONDAY).closed_at == moment(MONDAY, 23)


def test_a_house_that_ran_before_days_were_kept_goes_on(books: date) -> None:
    BusinessDay.objects.all().delete()
    close_days(1)
    assert BusinessDay.objects.count() == 2


@pytest.mark.parametrize(
    ("day", "working", "holiday"),
    [
        (date(2026, 3, 2), True, ""),
        (date(2026, 2, 28), True, ""),  # a Saturday that makes up for the spring festival
        (date(2026, 3, 7), False, ""),
        (date(2026, 10, 1), False, "National Day"),
    ],
)
def test_the_state_council_says_which_days_people_work(day: date, working: bool, holiday: str) -> None:
    assert calendar.describe(day) == (working, holiday)


def test_years_without_a_notice_and_other_countries_have_weekends_and_holidays(settings: Any) -> None:
    assert calendar.describe(date(2040, 10, 1))[0] is False
    assert calendar.describe(date(2040, 10, 12)) == (True, "")
    settings.COUNTRY = "DE"
    assert calendar.describe(date(2026, 12, 25))[0] is False


# --- the run log ------------------------------------------------------------------------------------------------


def test_each_step_leaves_a_row(books: date, settings: Any) -> None:
    close_days(1)
    rows = DayClose.objects.filter(date=MONDAY).order_by("pk")
    assert [row.step for row in rows] == settings.CLOSE_STEPS
    assert {(row.state, row.attempt, row.shard, row.shards) for row in rows} == {("DONE", 1, 1, 1)}


def test_an_empty_day_costs_few_statements(books: date, settings: Any) -> None:
    """A simulation closes thousands of days: what the runner itself asks the database must stay small."""
    settings.CLOSE_STEPS = ["tests.lending.test_close.nothing"]
    with CaptureQueriesContext(connection) as one:
        close_days(1)
    settings.CLOSE_STEPS = ["tests.lending.test_close.nothing", "tests.lending.test_close.nothing_either"]
    with CaptureQueriesContext(connection) as two:
        close_days(1)
    assert len(one) <= 24
    assert len(two) - len(one) <= 4


def nothing(*, on: date, at: datetime) -> int:
    return 0


def nothing_either(*, on: date, at: datetime) -> int:
    return 0


def test_what_was_done_is_not_done_again(make_loan: Callable[..., Loan], settings: Any) -> None:
    make_loan()
    close_days(8)
    day = BusinessDate.current()
    settings.CLOSE_STEPS = [*settings.CLOSE_STEPS, "tests.lending.test_close.fails"]
    for attempt in (1, 2):
        with pytest.raises(ZeroDivisionError):
            close.close_day(at=moment(day, 23))
        failed = DayClose.objects.get(date=day, state="FAILED")
        assert (failed.attempt, failed.step) == (attempt, "tests.lending.test_close.fails")
        assert failed.error.startswith("ZeroDivisionError")
    assert BusinessDay.objects.get(pk=day).state == "CLOSING"
    assert JournalEntry.objects.filter(booked_on=day + timedelta(days=1)).count() == 1
    settings.CLOSE_STEPS = settings.CLOSE_STEPS[:-1]
    close.close_day(at=moment(day, 23))
    assert BusinessDate.current() == day + timedelta(days=1)
    the_books_agree()


def fails(*, on: date, at: datetime) -> int:
    raise ZeroDivisionError("no good")


def test_a_hurried_close_leaves_the_same_rows_in_few_statements(books: date, settings: Any) -> None:
    with CaptureQueriesContext(connection) as slow:
        close_days(1)
    with CaptureQueriesContext(connection) as hurried:
        close.work(day=close.begin(at=moment(BusinessDate.current(), 23)), hurried=True)
    rows = DayClose.objects.filter(date=MONDAY + timedelta(days=1)).order_by("pk")
    assert [row.step for row in rows] == settings.CLOSE_STEPS
    assert {(row.state, row.attempt) for row in rows} == {("DONE", 1)}
    assert len(hurried) < len(slow)


def test_a_step_that_fails_in_a_hurry_leaves_what_was_done_before_it(books: date, settings: Any) -> None:
    settings.CLOSE_STEPS = ["tests.lending.test_close.nothing", "tests.lending.test_close.fails"]
    with pytest.raises(ZeroDivisionError):
        close.work(day=close.begin(at=moment(MONDAY, 22)), hurried=True)
    assert dict(DayClose.objects.values_list("step", "state")) == {
        "tests.lending.test_close.nothing": "DONE",
        "tests.lending.test_close.fails": "FAILED",
    }


def test_a_resumed_close_takes_the_moment_of_the_first_try(books: date, settings: Any) -> None:
    settings.CLOSE_STEPS = ["tests.lending.test_close.remember", "tests.lending.test_close.fails"]
    with pytest.raises(ZeroDivisionError):
        close.close_day(at=moment(MONDAY, 22))
    settings.CLOSE_STEPS = ["tests.lending.test_close.remember", "tests.lending.test_close.remember_again"]
    close.close_day(at=moment(MONDAY, 23))
    assert seen == [moment(MONDAY, 22), moment(MONDAY, 22)]


seen: list[datetime] = []


def remember(*, on: date, at: datetime) -> int:
    seen.append(at)
    return 1


def remember_again(*, on: date, at: datetime) -> int:
    return remember(on=on, at=at)


def test_every_step_of_the_house_has_a_name_and_says_what_it_does() -> None:
    for step in steps.listed():
        assert step.action.__doc__, step.path
        assert str(step.name) != step.path, step.path


def test_the_next_day_is_open_before_the_steps_that_are_for_it(books: date, settings: Any) -> None:
    settings.CLOSE_STEPS = ["tests.lending.test_close.opens", "tests.lending.test_close.nothing"]
    close_days(1)
    assert opened == [(MONDAY, MONDAY + timedelta(days=1))]


opened: list[tuple[date, date]] = []


@steps.step("opens", opening=True)
def opens(*, on: date, at: datetime) -> int:
    opened.append((on, BusinessDate.current()))
    return 1


def test_what_failed_on_the_day_that_opened_comes_before_the_next_close(books: date, settings: Any) -> None:
    settings.CLOSE_STEPS = [
        "tests.lending.test_close.nothing",
        "tests.lending.test_close.works_the_second_time",
    ]
    with pytest.raises(ZeroDivisionError):
        close_days(1)
    assert BusinessDate.current() == MONDAY + timedelta(days=1)
    assert [day.date for day in close.unfinished()] == [MONDAY]
    close_days(1)
    assert tried == [MONDAY, MONDAY, MONDAY + timedelta(days=1)]
    assert close.unfinished() == []


tried: list[date] = []


@steps.step("works the second time", opening=True)
def works_the_second_time(*, on: date, at: datetime) -> int:
    tried.append(on)
    if len(tried) == 1:
        raise ZeroDivisionError("not yet")
    return 1


# --- shards -----------------------------------------------------------------------------------------------------


def test_shards_cover_every_loan_once_and_share_the_owing_ones(make_loan: Callable[..., Loan]) -> None:
    loans = [make_loan(ref=f"o-{number}").pk for number in range(12)]
    assert shards.ranges(None) == shards.ranges(1) == [(0, steps.LAST)]
    found = shards.ranges(3)
    assert (found[0][0], found[-1][1]) == (0, steps.LAST)
    assert all(before[1] + 1 == after[0] for before, after in zip(found, found[1:], strict=False))
    assert [sum(first <= pk <= last for pk in loans) for first, last in found] == [4, 4, 4]
    Loan.objects.filter(pk__in=loans[:6]).update(oldest_due_on=None)
    assert len(shards.ranges(50)) <= 50


def test_without_loans_there_is_one_shard(books: date) -> None:
    assert shards.ranges(4) == [(0, steps.LAST)]


def test_a_second_worker_takes_the_shard_that_waits(books: date) -> None:
    """The first shows that its shard runs before it locks it: who comes in between must not wait for it."""
    begun, left = (DayClose.objects.create(date=books, step="s", shard=number, shards=2) for number in (1, 2))
    begun.start(at=moment(books))
    begun.save()
    shown = close._show(close._Todo(books, "s"), lambda: moment(books))
    assert shown == left
    # When nothing waits, what is said to run and is locked by nobody belonged to a worker that died.
    assert close._show(close._Todo(books, "s"), lambda: moment(books)) == begun


def test_shards_come_to_the_same_books_as_one(only_money: None, make_loan: Callable[..., Loan]) -> None:
    loans = [make_loan(amount=str(1000 + number), ref=f"o-{number}") for number in range(7)]
    close_days(60, parts=3)
    for loan in loans:
        as_folded(loan)
    assert Loan.objects.filter(penalty__gt=0).count() == 7
    assert DayClose.objects.filter(step=OPEN_DAY, date=MONDAY).count() == 3
    the_books_agree()


def test_the_plan_of_a_day_stays_when_another_number_of_shards_is_asked_for(
    make_loan: Callable[..., Loan], settings: Any
) -> None:
    for number in range(4):
        make_loan(ref=f"o-{number}")
    settings.CLOSE_STEPS = [*settings.CLOSE_STEPS, "tests.lending.test_close.fails"]
    with pytest.raises(ZeroDivisionError):
        close_days(1, parts=2)
    settings.CLOSE_STEPS = settings.CLOSE_STEPS[:-1]
    close_days(1, parts=4)
    assert DayClose.objects.filter(step=OPEN_DAY, date=MONDAY).count() == 2


# --- loans that a step cannot deal with ---------------------------------------------------------------------------


@pytest.fixture
def late_loans(
    only_money: None, make_loan: Callable[..., Loan], run_to: Callable[[date], datetime]
) -> list[Loan]:
    """Five loans, a week late."""
    loans = [make_loan(ref=f"o-{number}") for number in range(5)]
    due = min(Instalment.objects.values_list("due_on", flat=True))
    run_to(due + timedelta(days=7))
    return loans


def spoil(loan: Loan) -> None:
    """Principal-days so large that another day does not fit in the column."""
    loan.instalments.filter(number=1).update(penalty_base=D("9999999999999999.99"))


@pytest.mark.parametrize("parts", [1, 3])
def test_a_bad_loan_is_set_aside_and_the_others_go_on(late_loans: list[Loan], parts: int) -> None:
    day = BusinessDate.current()
    spoil(late_loans[2])
    close_days(2, parts=parts)
    aside = CloseException.objects.get()
    assert (aside.loan, aside.date, aside.step, aside.state) == (late_loans[2], day, OPEN_DAY, "OPEN")
    assert "numeric field overflow" in aside.reason
    assert Event.objects.filter(kind="loan.set_aside", subject_id=aside.loan_id).count() == 1
    for loan in late_loans:
        if loan != late_loans[2]:
            as_folded(loan)
    the_books_agree()


def test_a_fault_of_the_step_sets_nobody_aside(late_loans: list[Loan], settings: Any) -> None:
    settings.CLOSE_STEPS = ["tests.lending.test_close.never_works"]
    with pytest.raises(ValueError, match="never"):
        close_days(1)
    assert not CloseException.objects.exists()
    assert DayClose.objects.get(state="FAILED").error == "ValueError: never"


def test_so_many_bad_loans_are_no_bad_loans(late_loans: list[Loan], monkeypatch: pytest.MonkeyPatch) -> None:
    for loan in late_loans:
        spoil(loan)
    monkeypatch.setattr("lending.services.aside.MOST", 4)
    with pytest.raises(DataError):
        close_days(1)
    assert not CloseException.objects.exists()


@steps.step("never", sharded=True)
def never_works(*, on: date, at: datetime, shard: steps.Shard) -> int:
    raise ValueError("never")


# --- by hand ------------------------------------------------------------------------------------------------------


def test_the_command_closes_days_and_says_so(books: date) -> None:
    out, err = StringIO(), StringIO()
    call_command("close_day", days=2, stdout=out, stderr=err)
    assert "2026-03-03 closed" in out.getvalue()
    assert f"{OPEN_DAY}: 0 rows" in err.getvalue()
    with pytest.raises(CommandError, match="closed already"):
        call_command("close_day", until=MONDAY)


@pytest.mark.parametrize(
    "options", [["--shards", "0"], ["--shards", "x"], ["--days", "-1"], ["--date", "tomorrow"]]
)
def test_the_command_takes_no_nonsense(books: date, options: list[str]) -> None:
    with pytest.raises((CommandError, SystemExit)):
        call_command("close_day", *options)


def test_the_command_says_which_step_failed(books: date, settings: Any) -> None:
    settings.CLOSE_STEPS = ["tests.lending.test_close.fails"]
    with pytest.raises(CommandError, match="no good"):
        call_command("close_day", stderr=StringIO())
    assert DayClose.objects.get().started_at is not None


# --- working off the exceptions -------------------------------------------------------------------------------------


@pytest.fixture
def aside(late_loans: list[Loan]) -> CloseException:
    """A loan that was left behind three days ago, because of a figure that is right again by now."""
    loan = late_loans[2]
    counted = loan.instalments.get(number=1).penalty_base
    spoil(loan)
    close_days(3)
    loan.instalments.filter(number=1).update(penalty_base=counted)
    return CloseException.objects.get()


def now() -> dict[str, Any]:
    return {"by": None, "at": moment(BusinessDate.current()), "on": BusinessDate.current()}


def test_a_loan_tried_again_catches_up_with_all_it_missed(aside: CloseException) -> None:
    day = BusinessDate.current()
    exceptions.retry(exception_id=aside.pk, **now())
    as_folded(aside.loan)
    assert JournalEntry.objects.get(key=f"caught-up:{aside.pk}").booked_on == day
    aside.refresh_from_db()
    assert aside.state == "RESOLVED"
    close_days(2)
    as_folded(aside.loan)
    the_books_agree()
    with pytest.raises(Refused, match="already"):
        exceptions.retry(exception_id=aside.pk, **now())


def test_a_loan_tried_again_in_the_middle_of_a_close_is_at_the_next_day(
    aside: CloseException, settings: Any
) -> None:
    before = list(settings.CLOSE_STEPS)
    settings.CLOSE_STEPS = [*before, "tests.lending.test_close.fails"]
    with pytest.raises(ZeroDivisionError):
        close_days(1)
    exceptions.retry(exception_id=aside.pk, **now())
    settings.CLOSE_STEPS = before
    close_days(1)
    as_folded(aside.loan)
    the_books_agree()


def test_a_loan_that_still_fails_stays_aside_with_its_reason(aside: CloseException) -> None:
    Loan.objects.filter(pk=aside.loan_id).update(principal=F("principal") + 1)
    with pytest.raises(Refused) as refused:
        exceptions.retry(exception_id=aside.pk, **now())
    assert refused.value.code == "still_failing"
    aside.refresh_from_db()
    assert (aside.state, aside.attempts) == ("OPEN", 1)
    assert "differ" in aside.reason


def test_what_is_behind_cannot_be_called_resolved(aside: CloseException) -> None:
    with pytest.raises(Refused) as refused:
        exceptions.resolve(exception_id=aside.pk, note="looked at it", **now())
    assert refused.value.code == "behind"
    refold.refold(loan_id=aside.loan_id, key="by hand", on=BusinessDate.current())
    with pytest.raises(Refused):
        exceptions.resolve(exception_id=aside.pk, note="  ", **now())
    row = exceptions.resolve(exception_id=aside.pk, note="put right by hand", **now())
    assert (row.state, row.note) == ("RESOLVED", "put right by hand")
    assert Event.objects.filter(kind="loan.taken_in").count() == 1


def test_a_step_without_a_way_to_catch_up_is_run_again_for_the_loan(make_loan: Callable[..., Loan]) -> None:
    loan = make_loan()
    row = CloseException.objects.create(
        loan=loan, step="tests.lending.test_close.counts", date=MONDAY, reason="x", opened_at=moment(MONDAY)
    )
    exceptions.retry(exception_id=row.pk, **now())
    assert counted == [(MONDAY, [loan.pk])]


counted: list[tuple[date, list[int]]] = []


@steps.step("counts", sharded=True)
def counts(*, on: date, at: datetime, shard: steps.Shard) -> int:
    counted.append((on, list(shard.among(Loan.objects.all()).values_list("pk", flat=True))))
    return 1


# --- hands --------------------------------------------------------------------------------------------------------


def test_the_clock_catches_up_with_the_wall_day_by_day_and_not_beyond(books: date) -> None:
    with time_machine.travel(datetime.combine(MONDAY + timedelta(days=3), time(0, 5), SHANGHAI)):
        tasks.close_day()
        tasks.close_day()
    assert BusinessDate.current() == MONDAY + timedelta(days=3)
    days = BusinessDay.objects.filter(state="CLOSED").order_by("date")
    assert [day.date for day in days] == [MONDAY + timedelta(days=number) for number in range(3)]
    assert [day.closing_at.astimezone(SHANGHAI).date() for day in days if day.closing_at] == [
        d.date for d in days
    ]


def test_a_helper_begins_no_day(books: date) -> None:
    tasks.help_close()
    assert BusinessDay.objects.get().state == "OPEN"
    close.begin(at=moment(MONDAY, 23))
    tasks.help_close()
    tasks.help_close()
    assert BusinessDate.current() == MONDAY + timedelta(days=1)


def test_whoever_comes_too_late_does_not_close_the_next_day(books: date) -> None:
    close.close_day(at=moment(MONDAY, 23), on=MONDAY)
    close.close_day(at=moment(MONDAY, 23), on=MONDAY)
    assert BusinessDate.current() == MONDAY + timedelta(days=1)
