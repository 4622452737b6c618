"""A policy written in Chromium: names completed by keyboard, errors at their rule, tried on history."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect, sync_playwright

from lending import reference
from lending.models import User
from lending.services import close
from risk.models import PolicyVersion
from tests.browser.test_main_job import FLAGS, PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk(chromium: str, live_server: Any) -> Iterator[Page]:
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    close.open_books(on=timezone.localdate())
    reference.starter_products()
    User.objects.create_superuser("boss", password=PASSWORD)
    direct = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    with sync_playwright() as play:
        chrome = play.chromium.launch(executable_path=chromium, args=FLAGS, env=direct)
        context = chrome.new_context(
            base_url=live_server.url, viewport={"width": 1280, "height": 900}, locale="en-GB"
        )
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.goto("/admin/login/")
        page.fill("#id_username", "boss")
        page.fill("#id_password", PASSWORD)
        page.click("button[type=submit]")
        yield page
        page.screenshot(path=settings.LOCAL_DIR / "last-policy.png", full_page=True)
        chrome.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def test_a_policy_is_written_with_the_keyboard(desk: Page) -> None:
    faults: list[str] = []
    desk.on("pageerror", lambda error: faults.append(str(error)))
    desk.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
    live = PolicyVersion.objects.get(segment="PERSON")
    desk.goto(f"/admin/risk/policyversion/{live.pk}/change/")
    desk.get_by_role("link", name="Copy to a new draft").first.click()
    desk.locator(".staff-action button[type=submit]").click()
    before = len(live.rules)
    expect(desk.locator("[data-policy-editor]").first.locator("[data-line]")).to_have_count(before + 3)
    desk.locator("[data-policy-editor]").first.get_by_role("button", name="Add a rule").click()
    place = before + 3
    desk.fill(f"[name=rules-{place}-code]", "MANY_RETURNS")
    rule = desk.locator(f"[name=rules-{place}-expression]")
    rule.press_sequentially("return_sh")
    options = desk.locator(f"#{rule.get_attribute('aria-controls')} [role=option]")
    expect(options.first).to_contain_text("return_share")
    desk.screenshot(path=settings.LOCAL_DIR / "policy-completion.png")
    rule.press("ArrowDown")
    rule.press("ArrowUp")
    rule.press("Enter")
    rule.press_sequentially(" > horos")
    desk.fill(f"[name=rules-{place}-reason]", "return_share_180d")
    desk.locator("[name=_save]").click()
    wrong = desk.locator("[data-faulty]")
    expect(wrong).to_contain_text("unknown name: horos")
    expect(wrong.locator("textarea")).to_have_attribute("aria-invalid", "true")
    desk.screenshot(path=settings.LOCAL_DIR / "policy-error.png", full_page=True)
    wrong.locator("textarea").fill("return_share_180d > 0.9")
    desk.locator("[name=_save]").click()
    expect(desk.locator("body")).not_to_contain_text("unknown name")
    draft = PolicyVersion.objects.get(state="DRAFT")
    assert draft.rules[-1]["expression"] == "return_share_180d > 0.9"
    desk.goto(f"/admin/risk/policyversion/{draft.pk}/change/")
    expect(desk.locator("body")).to_contain_text("MANY_RETURNS")
    desk.screenshot(path=settings.LOCAL_DIR / "policy-page.png", full_page=True)
    desk.get_by_role("link", name="Try on history").first.click()
    desk.locator(".staff-action button[type=submit]").click()
    expect(desk.locator("body")).to_contain_text("What it would have cost or saved")
    assert faults == []
