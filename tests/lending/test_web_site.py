"""Who may see what, and what customers do about their own line, consents, messages and data."""

import json
from datetime import date
from random import randint

import pytest
from django.test import Client, override_settings
from django.urls import URLPattern

from lending import reference, urls
from lending.models import Event, Notice, User
from lending.services import close, lines, notices
from tests.lending import web_support as web

AUTUMN = date(2026, 11, 23)
PUBLIC = {"landing", "language", "payment_return", "link_paid", "pay_link", "sandbox"}


@pytest.fixture(autouse=True)
def books(db, settings):
    settings.DEMO_SHOP = True
    settings.PAYMENT_GATEWAY = "lending.gateways.sandbox.Sandbox"
    close.open_books(on=AUTUMN)
    reference.starter_products()


@pytest.fixture
def owner():
    return web.with_line()


def path_of(pattern: URLPattern) -> str:
    """An address that the pattern answers to."""
    filled = str(pattern.pattern)
    for part, value in {
        "<int:pk>": "1",
        "<slug:reference>": "x",
        "<slug:slug>": "shoes",
        "<slug:code>": "pay-later",
        "<slug:kind>": "person",
        "<slug:purpose>": "MARKETING",
    }.items():
        filled = filled.replace(part, value)
    return f"/{filled}"


# --- who may --------------------------------------------------------------------------------------------------------


def test_every_page_says_who_may_open_it():
    said = {pattern.name: pattern.callback.access for pattern in urls.urlpatterns}
    assert {name for name, access in said.items() if access == "public"} == PUBLIC
    assert set(said.values()) == {"public", "applicant", "customer"}


def test_nobody_comes_in_without_signing_in():
    for pattern in urls.urlpatterns:
        for method in ("get", "post"):
            if pattern.name not in PUBLIC:
                answer = getattr(Client(), method)(path_of(pattern))
                assert answer.status_code == 302, (pattern.name, method, answer.status_code)
                assert answer.url.startswith("/accounts/login/"), (pattern.name, method, answer.url)


def test_staff_has_pages_of_its_own():
    staff = User.objects.create_user("clerk", is_staff=True)
    client = Client()
    with override_settings(AXES_ENABLED=False):
        client.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    for pattern in urls.urlpatterns:
        if pattern.name not in PUBLIC:
            assert client.get(path_of(pattern)).status_code == 403, pattern.name


def test_without_a_profile_one_is_made_first():
    client, _user = web.sign_up()
    assert client.get("/home/").url == "/profile/"


@pytest.fixture
def everything(owner):
    """The addresses of all that one customer has."""
    client, line = owner
    web.buy(client)
    purchase = line.purchases.get()
    payment = web.submit(client, "/pay/", amount="50").url.split("/")[2]
    reference_ = line.customer.payments.get().reference
    bill = web.bill(line)
    application = web.decide(web.submitted(line.customer, "cash-loan", "3000", 6), "APPROVE")
    return [
        f"/applications/{application.pk}/",
        f"/offers/{application.offers.get().pk}/",
        f"/purchases/{purchase.pk}/",
        f"/purchases/{purchase.pk}/return/",
        f"/loans/{purchase.loan_id}/",
        f"/loans/{purchase.loan_id}/settle/",
        f"/bills/{bill.pk}/",
        f"/payments/{payment}/",
        f"/sandbox/{reference_}/",
    ]


def test_what_is_a_strangers_does_not_exist(owner, everything):
    client, line = owner
    stranger, _line = web.with_line("stranger@example.com")
    for path in everything:
        assert client.get(path).status_code == 200, path
        assert stranger.get(path).status_code == 404, path
    application, payment = everything[0], everything[7]
    buttons = [f"{application}{act}/" for act in ("submit", "withdraw", "review")] + [f"{payment}gateway/"]
    forms = [everything[index] for index in (1, 3, 5, 8)]
    for path in buttons + forms:
        assert (
            stranger.post(path, {"agreed": "on", "amount": "1", "outcome": "succeed"}).status_code == 404
        ), path


def test_a_strangers_line_cannot_be_touched(owner):
    _client, line = owner
    stranger, _customer = web.customer("stranger@example.com")
    for path in ("/line/", "/line/close/", "/line/appeal/"):
        assert stranger.get(path).status_code == 404
    for path in ("/line/lock/", "/line/unlock/", "/line/close/", "/line/appeal/"):
        assert stranger.post(path, {"agreed": "on", "text": "It is not mine at all."}).status_code == 404
    line.refresh_from_db()
    assert line.state == "ACTIVE"


def test_a_form_from_elsewhere_is_turned_away_in_words(owner):
    client, line = owner
    client.handler.enforce_csrf_checks = True
    answer = client.post("/line/lock/")
    assert answer.status_code == 403
    assert "This form was open for too long" in answer.content.decode()
    line.refresh_from_db()
    assert line.state == "ACTIVE"


def test_a_page_that_is_not_there_says_so_and_leads_back(owner):
    client, _line = owner
    for visitor in (client, Client()):
        answer = visitor.get("/loans/999999/", follow=True) if visitor is client else visitor.get("/nowhere/")
        assert answer.status_code == 404
        assert 'href="/"' in answer.content.decode()


def test_whoever_guesses_passwords_is_stopped_in_words():
    web.customer("guessed@example.com")
    guess = {"login": "guessed@example.com", "password": "wrong"}
    # From an address of its own: what is counted outlives the test.
    guesser = Client(REMOTE_ADDR=f"203.0.113.{randint(1, 254)}")
    for _time in range(6):
        answer = guesser.post("/accounts/login/", guess)
    right = guesser.post("/accounts/login/", guess | {"password": "corn-Flower-77"})
    for stopped in (answer, right):
        assert stopped.status_code in (200, 429)
        assert "/accounts/login/" in stopped.content.decode()
        assert "_auth_user_id" not in guesser.session


# --- the line -------------------------------------------------------------------------------------------------------


def test_a_customer_locks_and_unlocks_their_line(owner):
    client, line = owner
    client.post("/line/lock/")
    line.refresh_from_db()
    assert line.state == "SUSPENDED"
    assert "/line/unlock/" in client.get("/home/").content.decode()
    client.post("/line/unlock/")
    line.refresh_from_db()
    assert line.state == "ACTIVE"


def test_unlocking_does_not_lift_a_hold_of_the_house(owner):
    client, line = owner
    lines.place_hold(
        line_id=line.pk, cause="STAFF", note="A check of your papers.", by=None, at=web.now()["at"]
    )
    client.post("/line/unlock/")
    line.refresh_from_db()
    assert line.state == "SUSPENDED"
    assert "A check of your papers." in client.get("/home/").content.decode()


def test_a_line_is_closed_only_with_the_tick(owner):
    client, line = owner
    assert web.errors(client.post("/line/close/", {}), "agreed")
    assert client.post("/line/close/", {"agreed": "on"}).url == "/home/"
    line.refresh_from_db()
    assert line.state == "CLOSED"
    assert client.get("/line/").status_code == 404


# Stands in for the appeals of risk: lending only knows the path.
HEARD: list[dict] = []


def hear(**objection):
    HEARD.append(objection)
    return objection


def answers(*, line_id):
    return [{"state": "Open", "text": one["text"], "answer": "", "at": one["at"]} for one in HEARD]


def test_an_objection_is_heard_by_whom_the_settings_name(owner, settings):
    settings.APPEAL_OPENER = f"{__name__}.hear"
    settings.APPEAL_READER = f"{__name__}.answers"
    client, line = owner
    HEARD.clear()
    assert web.errors(client.post("/line/appeal/", {"text": "no"}), "text")
    client.post("/line/appeal/", {"text": "The parcels came back broken."})
    assert HEARD[0]["line_id"] == line.pk
    assert HEARD[0]["by"] == line.customer.user
    assert "The parcels came back broken." in client.get("/line/appeal/").content.decode()


def test_where_nothing_was_cut_there_is_nothing_to_object_to(owner):
    client, _line = owner
    assert web.errors(client.post("/line/appeal/", {"text": "I simply want more."}))


# --- messages, consents, data, language -----------------------------------------------------------------------------


def test_messages_are_marked_as_read_by_their_owner_alone(owner):
    client, line = owner
    stranger, _line = web.with_line("stranger@example.com")
    mine = Notice.objects.filter(customer=line.customer, channel="IN_APP")
    assert mine.filter(read_at=None).exists()
    stranger.post(f"/messages/{mine.first().pk}/read/")
    stranger.post("/messages/read/")
    assert not mine.exclude(read_at=None).exists()
    client.post(f"/messages/{mine.first().pk}/read/")
    assert mine.exclude(read_at=None).count() == 1
    client.post("/messages/read/")
    assert not mine.filter(read_at=None).exists()


def test_a_message_cannot_carry_markup(owner):
    client, line = owner
    at = web.now()["at"]
    notices.queue(
        customer=line.customer,
        template="line_suspended",
        context={"reason": "<script>alert(1)</script>"},
        key="x",
        at=at,
    )
    assert "<script>alert" not in client.get("/messages/").content.decode()


def test_a_consent_is_given_and_taken_back(owner):
    client, line = owner
    for _again in range(2):
        client.post("/me/consents/MARKETING/give/")
    consent = line.customer.consents.get(purpose="MARKETING")
    assert consent.withdrawn_at is None
    client.post("/me/consents/MARKETING/withdraw/")
    consent.refresh_from_db()
    assert consent.withdrawn_at
    assert client.post("/me/consents/EVERYTHING/give/").status_code == 404
    assert client.get("/me/consents/").status_code == 200


def test_the_export_holds_all_that_is_ones_own_and_nothing_else(owner, everything):
    client, line = owner
    web.with_line("stranger@example.com")
    answer = client.get("/me/export/")
    assert "attachment" in answer["Content-Disposition"]
    content = json.loads(answer.content)
    assert content["customer"]["email"] == "lin@example.com"
    for part in (
        "lines",
        "purchases",
        "loans",
        "instalments",
        "transactions",
        "bills",
        "payments",
        "messages",
    ):
        assert content[part], part
    assert b"stranger" not in answer.content
    assert "id_number_digest" not in content["customer"]


def test_a_language_is_kept_for_pages_and_messages(owner):
    client, line = owner
    client.post("/language/", {"language": "zh-hans", "next": "/home/"})
    line.customer.refresh_from_db()
    line.customer.user.refresh_from_db()
    assert (line.customer.language, line.customer.user.language) == ("zh-hans", "zh-hans")
    del client.cookies["django_language"]
    assert '<html lang="zh-hans">' in client.get("/home/").content.decode()
    client.post("/language/", {"language": "en", "next": "/home/"})
    assert '<html lang="en">' in client.get("/home/").content.decode()
    assert Event.objects.filter(kind="customer.language_chosen").exists()


@pytest.mark.parametrize("language", ["", "xx", "../../etc", "zh-hans" * 9])
def test_a_language_that_we_do_not_speak_changes_nothing(owner, language):
    client, line = owner
    assert client.post("/language/", {"language": language, "next": "/home/"}).status_code == 302
    line.customer.user.refresh_from_db()
    assert line.customer.user.language == ""


def test_the_language_switch_leads_nowhere_else(owner):
    client, _line = owner
    answer = client.post("/language/", {"language": "en", "next": "https://elsewhere.example/"})
    assert "elsewhere" not in answer.url


@pytest.mark.parametrize(
    "page", ["/", "/home/", "/shop/", "/shop/shoes/", "/bills/", "/loans/", "/purchases/"]
)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_pages_are_there_in_both_languages_also_when_empty(owner, page, language):
    client, _line = owner
    answer = client.get(page, headers={"Accept-Language": language}, follow=True)
    assert answer.status_code == 200


@pytest.mark.parametrize("page", ["?page=0", "?page=-1", "?page=x", "?page=999999999999999999999"])
def test_a_page_number_that_is_not_there_is_no_fault(owner, page):
    client, _line = owner
    for path in ("/bills/", "/loans/", "/purchases/", "/payments/", "/messages/"):
        assert client.get(path + page).status_code == 200
