"""The page of the daily close and the list of loans set aside, as the staff see and work them."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.urls import reverse

from lending.models import BusinessDate, BusinessDay, CloseException, DayClose, Loan
from lending.services import close

from .admin_support import button, desk, member, words
from .conftest import MONDAY, moment

PAGE = "admin:lending_businessdate_changelist"


def test_the_page_shows_the_steps_and_the_days_before(make_loan: Callable[..., Loan]) -> None:
    make_loan()
    close.close_day(at=moment(MONDAY, 23), parts=2)
    text = words(desk("accountant").get(reverse(PAGE)))
    assert "Bills are issued" in text
    assert "not planned yet" in text
    assert "2026-03-02" in text
    assert "Sum of all accounts" in text


def test_while_a_day_is_closed_the_page_asks_for_itself_again(make_loan: Callable[..., Loan]) -> None:
    for number in range(4):
        make_loan(ref=f"o-{number}")
    client = desk("accountant")
    assert b"every 2s" not in client.get(reverse(PAGE)).content
    close.begin(at=moment(MONDAY, 23), parts=2)
    response = client.get(reverse(PAGE), headers={"hx-request": "true"})
    assert b"every 2s" in response.content
    text = words(response)
    assert "shard 2 of 2" in text and "Waiting" in text and "0/2" in text
    assert "Sum of all accounts" not in text, "a glance every two seconds must not add up the books"
    assert "2026-03-02 · closing" in text


def test_a_failed_step_says_why_and_the_accountant_goes_on(books: date, settings: Any) -> None:
    settings.CLOSE_STEPS = ["tests.lending.test_close.fails"]
    with pytest.raises(ZeroDivisionError):
        close.close_day(at=moment(MONDAY, 23))
    client = desk("accountant")
    text = words(client.get(reverse(PAGE)))
    assert "no good" in text and "Failed" in text and "Go on with the close" in text
    assert "Close the day" not in text
    settings.CLOSE_STEPS = []
    assert "The close is done" in words(client.post(reverse("admin:lending_businessdate_go_on"), follow=True))
    assert BusinessDate.current() == MONDAY + timedelta(days=1)


def test_what_a_dead_worker_left_is_seen(books: date) -> None:
    close.begin(at=moment(MONDAY, 23))
    row = DayClose.objects.order_by("pk").first()
    assert row is not None
    row.start(at=moment(MONDAY, 23))
    row.save()
    assert "Interrupted" in words(desk("accountant").get(reverse(PAGE)))


def test_a_large_book_is_left_to_the_workers(
    books: date, monkeypatch: pytest.MonkeyPatch, make_loan: Any
) -> None:
    make_loan()
    monkeypatch.setattr("lending.admin.close.AT_ONCE", 0)
    response = desk("accountant").post(reverse("admin:lending_businessdate_close_day"), follow=True)
    assert "The workers are closing the day" in words(response)
    assert BusinessDay.objects.get().state == "CLOSING"


def test_who_may_not_close_sees_no_button(books: date) -> None:
    for name in ("close_day", "go_on"):
        path = reverse(f"admin:lending_businessdate_{name}")
        assert desk("compliance_officer").post(path).status_code == 403
    assert "Close the day" not in words(desk("compliance_officer").get(reverse(PAGE)))


def test_the_page_speaks_chinese(make_loan: Callable[..., Loan]) -> None:
    make_loan()
    close.begin(at=moment(MONDAY, 23), parts=2)
    text = words(desk("accountant").get(reverse(PAGE), headers={"accept-language": "zh-hans"}))
    assert "日终" in text and "出账单" in text or "账单" in text
    for english in ("Shards done", "Rows a second", "Waiting", "Loans set aside"):
        assert english not in text, english


@pytest.fixture
def aside(make_loan: Callable[..., Loan]) -> CloseException:
    return CloseException.objects.create(
        loan=make_loan(),
        step="lending.services.accrual.open_day",
        date=MONDAY,
        reason="DataError: numeric field overflow",
        opened_at=moment(MONDAY),
    )


def test_the_accountant_works_off_what_was_set_aside(aside: CloseException) -> None:
    client = desk("accountant")
    listed = words(client.get(reverse("admin:lending_closeexception_changelist")))
    assert "numeric field overflow" in listed and "What falls due" in listed
    assert "Say what was done" not in words(client.post(button(aside, "resolve"), {"note": ""}))
    aside.refresh_from_db()
    assert aside.state == "OPEN"
    assert "takes it in again" in words(client.post(button(aside, "retry"), follow=True))
    aside.refresh_from_db()
    assert (aside.state, aside.resolved_by) == ("RESOLVED", member("accountant"))
    assert "moved on" in words(client.post(button(aside, "retry"), follow=True))


def test_what_still_fails_is_said_in_words(aside: CloseException) -> None:
    Loan.objects.update(principal=1)
    text = words(desk("accountant").post(button(aside, "retry")))
    assert "It still fails" in text
    text = words(desk("accountant").post(button(aside, "resolve"), {"note": "done"}))
    assert "behind its transactions" in text


def test_only_the_accountant_works_them_off(aside: CloseException) -> None:
    for role in ("credit_officer", "compliance_officer"):
        assert desk(role).post(button(aside, "retry")).status_code == 403


def test_a_day_says_that_it_is_a_holiday(books: date) -> None:
    BusinessDay.objects.create(date=date(2026, 10, 1), working=False, holiday="National Day", state="CLOSED")
    text = words(desk("accountant").get(reverse("admin:lending_businessday_changelist")))
    assert "National Day" in text
