"""The main job, in Chromium, on a phone: apply, be scored by the worker, accept, buy, be late, be reminded, pay.

Beside the customer stands the staff, who see each step in the admin.
"""

import os
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect, sync_playwright
from stdnum.cn import ric

from dunning.models import Case
from lending import clock, reference
from lending.models import Application, BusinessDate, CreditLine, Customer, Loan, Notice, User
from lending.selectors.ledger import tie_out
from lending.services import close, notices
from risk.models import Assessment
from tests.support import eventually, worker

pytestmark = [
    pytest.mark.browser,
    pytest.mark.worker,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "corn-Flower-77"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = (
        "1"  # Playwright's loop runs in this thread; our queries are plain
    )
    direct = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    with sync_playwright() as play:
        chrome = play.chromium.launch(executable_path=chromium, args=FLAGS, env=direct)
        yield chrome
        chrome.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(browser: Browser, live_server: Any, house: None) -> Iterator[Page]:
    context = browser.new_context(
        base_url=live_server.url, viewport={"width": 390, "height": 844}, locale="en-GB"
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    yield page
    page.screenshot(path=settings.LOCAL_DIR / "last-page.png", full_page=True)  # what a failure looked like
    context.close()


@pytest.fixture
def desk(browser: Browser, live_server: Any, house: None) -> Iterator[Page]:
    """A member of staff, signed in to the admin."""
    User.objects.create_superuser("boss", password=PASSWORD)
    context = browser.new_context(
        base_url=live_server.url, viewport={"width": 1280, "height": 900}, locale="en-GB"
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto("/admin/login/")
    page.fill("#id_username", "boss")
    page.fill("#id_password", PASSWORD)
    page.click("button[type=submit]")
    yield page
    page.screenshot(path=settings.LOCAL_DIR / "last-desk.png", full_page=True)
    context.close()


@pytest.fixture
def house(transactional_db: None) -> None:
    close.open_books(on=timezone.localdate())
    reference.starter_products()


def identity_number() -> str:
    body = "11010519900307123"
    return body + ric.calc_check_digit(body + "0")


def sign_up(page: Page) -> None:
    page.goto("/accounts/signup/")
    page.fill("#id_email", "lin@example.com")
    page.fill("#id_password1", PASSWORD)
    page.fill("#id_password2", PASSWORD)
    page.click("main button[type=submit]")
    page.goto("/profile/person/")
    page.fill("#id_name", "林晓")
    page.fill("#id_id_number", identity_number())
    page.fill("#id_phone", "138 0013 8000")
    page.fill("#id_monthly_income", "12000")
    page.check("input[name=is_student][value=no]")
    for purpose in ("CREDIT_ASSESSMENT", "ELECTRONIC"):
        page.check(f"#id_consent_{purpose}")
    page.click("text=Save and go on")
    expect(page).to_have_url(re.compile(r"/apply/"))


def apply(page: Page) -> Application:
    page.goto("/apply/pay-later/")
    page.fill("#id_amount", "20000")
    page.click("text=Go on")
    page.click("text=Go on to the review")
    page.click("text=Send the application")
    expect(page).to_have_url(re.compile(r"/applications/\d+/"))
    return Application.objects.get(state=Application.State.SUBMITTED)


def decide(desk: Page, application: Application) -> None:
    """A first customer has no history, so the policy refers: an officer approves."""
    application.refresh_from_db()
    if application.state != Application.State.REFERRED:
        return
    desk.goto(f"/admin/lending/application/{application.pk}/change/")
    desk.get_by_role("link", name="Approve").first.click()
    desk.fill("[name=amount]", "15000")
    desk.fill("[name=note]", "Income proven, first line small.")
    desk.locator(".staff-action button[type=submit]").click()
    expect(desk).to_have_url(re.compile(rf"/application/{application.pk}/change/$"))
    application.refresh_from_db()


def accept(page: Page, application: Application) -> CreditLine:
    offer = application.offers.get()
    page.goto(f"/offers/{offer.pk}/")
    expect(page.locator("body")).to_contain_text("%")
    page.wait_for_timeout(5_500)  # the forced reading time of the cost sheet
    page.check("#id_agreed")
    page.click("text=Accept and open")
    expect(page).to_have_url(re.compile(rf"/applications/{application.pk}/"))
    return CreditLine.objects.get(application=application)


def buy(page: Page) -> Loan:
    page.goto("/shop/desk/")
    page.check("input[value='3']")
    page.click("text=Buy with OpenTab")
    expect(page).to_have_url(re.compile(r"/purchases/\d+/"))
    return Loan.objects.get()


def live_until(day: date) -> None:
    """The days go by: each is closed, and at noon of the next the messages that are due go out."""
    while BusinessDate.current() < day:
        close.close_day(at=clock.now().replace(hour=12))
        notices.send_due(at=clock.now().replace(hour=12))


def pay(page: Page) -> None:
    page.goto("/pay/")
    page.click("text=Go on to pay")
    page.click("text=Pay now")
    page.click("text=Let it succeed")
    expect(page).to_have_url(re.compile(r"/payments/"))


def see(desk: Page, path: str, *words: str) -> None:
    response = desk.goto(path)
    assert response and response.ok, path
    for word in words:
        expect(desk.locator("body")).to_contain_text(word)


def test_from_sign_up_to_paid(page: Page, desk: Page) -> None:
    sign_up(page)
    application = apply(page)
    see(desk, "/admin/lending/application/", "林晓")
    with worker():
        eventually(
            lambda: Assessment.objects.filter(application=application).exists(), "scored by the worker"
        )
    see(desk, f"/admin/risk/assessment/{Assessment.objects.get().pk}/change/", "林晓")
    decide(desk, application)
    assert application.state == "OFFERED"
    line = accept(page, application)
    see(desk, f"/admin/lending/creditline/{line.pk}/change/", str(line))
    loan = buy(page)
    see(desk, f"/admin/lending/loan/{loan.pk}/change/", str(loan))

    due = loan.instalments.get(number=1).due_on
    live_until(due + timedelta(days=5))
    customer = Customer.objects.get()
    sent = Notice.objects.filter(customer=customer, purpose__in=["REMINDER", "COLLECTION"], state="SENT")
    assert {"SMS", "EMAIL"} <= set(sent.values_list("channel", flat=True))
    case = Case.objects.get(customer=customer)
    see(desk, "/admin/dunning/case/", "林晓")
    see(desk, f"/admin/dunning/case/{case.pk}/change/", "林晓")

    owed = loan.instalments.get(number=1).outstanding
    assert owed > Decimal(0)
    page.goto("/home/")
    expect(page.locator("body")).to_contain_text("overdue")
    pay(page)
    loan.refresh_from_db()
    assert loan.days_past_due(clock.today()) == 0
    live_until(clock.today() + timedelta(days=1))
    case.refresh_from_db()
    assert case.state == "CLOSED"
    see(desk, f"/admin/lending/customer/{customer.pk}/change/", "林晓")
    assert [row.difference for row in tie_out()] == [0] * 5
