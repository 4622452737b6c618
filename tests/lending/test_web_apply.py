"""From signing up to an accepted offer, on the pages; and every way to get it wrong."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from lending import clock, reference
from lending.models import Application, CreditLine, Customer, Document, Event, Industry, Loan, User
from lending.services import close
from tests.lending import web_support as web

AUTUMN = date(2026, 11, 23)
PDF = b"%PDF-1.4 a paper"


@pytest.fixture(autouse=True)
def books(db, settings, tmp_path):
    """Books that are open after the rule on reading time came into force."""
    settings.MEDIA_ROOT = tmp_path
    close.open_books(on=AUTUMN)
    reference.starter_products()


def paper(content: bytes = PDF, name: str = "paper.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


# --- who ------------------------------------------------------------------------------------------------------------


def test_whoever_signs_up_is_led_to_their_profile():
    client = Client()
    words = {"email": "new@example.com", "password1": "corn-Flower-77", "password2": "corn-Flower-77"}
    answer = client.post("/accounts/signup/", words, follow=True)
    assert answer.request["PATH_INFO"] == "/profile/"


def test_a_person_becomes_a_customer_with_their_consents():
    client, user = web.sign_up()
    answer = client.post("/profile/person/", web.PERSON)
    assert answer.url == "/apply/"
    customer = Customer.objects.get(user=user)
    assert customer.id_number == "11010519491231002X"
    assert customer.monthly_income == 12000
    assert not customer.is_student
    assert set(customer.consents.values_list("purpose", flat=True)) == {"CREDIT_ASSESSMENT", "ELECTRONIC"}


def test_sending_the_profile_twice_makes_one_customer():
    client, _user = web.sign_up()
    client.post("/profile/person/", web.PERSON)
    assert client.post("/profile/person/", web.PERSON).status_code == 302
    assert Customer.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id_number", "110105194912310021"),  # wrong check digit
        ("id_number", "123"),
        ("phone", "12ab"),
        ("monthly_income", "-1"),
        ("monthly_income", "0"),
        ("monthly_income", "100.001"),
        ("monthly_income", "NaN"),
        ("name", "   "),
        ("is_student", ""),
        ("consent_CREDIT_ASSESSMENT", ""),
    ],
)
def test_a_wrong_answer_is_named_at_its_field(field, value):
    client, _user = web.sign_up()
    answer = client.post("/profile/person/", web.PERSON | {field: value})
    assert web.errors(answer, field)
    assert not Customer.objects.exists()


def test_a_company_needs_a_valid_code_and_an_industry():
    client, _user = web.sign_up()
    company = web.PERSON | {"name": "晨光包装", "id_number": "91110000600037341L", "industry": "C"}
    wrong = client.post("/profile/company/", company | {"id_number": "91110000600037341M", "industry": ""})
    assert web.errors(wrong, "industry")
    assert client.post("/profile/company/", company | {"id_number": "91110000600037341M"}).status_code == 200
    assert client.post("/profile/company/", company).status_code == 302
    assert Customer.objects.get().industry == Industry.objects.get(code="C")


def test_an_identity_number_that_is_taken_is_refused_at_its_field():
    first, _user = web.sign_up()
    first.post("/profile/person/", web.PERSON)
    second, _user = web.sign_up("other@example.com")
    assert web.errors(second.post("/profile/person/", web.PERSON), "id_number")


# --- what -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "amount", ["0", "-1", "0.00", "1000.001", "499.99", "200000.01", "", "many", "NaN", "1e400", "Infinity"]
)
def test_an_amount_that_does_not_fit_is_refused_at_its_field(amount):
    client, _customer = web.customer()
    assert web.errors(client.post("/apply/pay-later/", {"amount": amount}), "amount")
    assert not Application.objects.exists()


def test_an_amount_may_be_grouped_and_carry_its_sign():
    client, _customer = web.customer()
    client.post("/apply/pay-later/", {"amount": "¥12,500.50"})
    assert str(Application.objects.get().amount) == "12500.50"


def test_a_day_in_the_past_is_refused():
    client, _customer = web.customer()
    loan = {"amount": "2000", "tenor": "6", "purpose": "a course", "needed_on": "2026-11-22"}
    assert web.errors(client.post("/apply/cash-loan/", loan), "needed_on")
    assert client.post("/apply/cash-loan/", loan | {"needed_on": "2026-11-23"}).status_code == 302
    assert Application.objects.get().answers == {"needed_on": "2026-11-23"}


def test_a_tenor_that_is_not_on_offer_is_refused():
    client, _customer = web.customer()
    asked = {"amount": "2000", "tenor": "7", "purpose": "a course"}
    assert web.errors(client.post("/apply/cash-loan/", asked), "tenor")


def test_a_second_application_while_one_is_open_is_refused_in_words():
    client, _customer = web.customer()
    client.post("/apply/pay-later/", {"amount": "8000"})
    assert web.errors(client.post("/apply/cash-loan/", {"amount": "2000", "tenor": "6", "purpose": "x"}))
    assert Application.objects.count() == 1
    assert client.get("/apply/").url == f"/applications/{Application.objects.get().pk}/"


def test_a_product_for_companies_does_not_exist_for_people():
    client, _customer = web.customer()
    assert client.get("/apply/working-capital/").status_code == 404


def test_figures_of_a_company_go_with_its_application():
    client, _customer = web.customer(kind="COMPANY")
    asked = {"amount": "300000", "tenor": "6", "purpose": "board and ink"}
    years = {f"y{year}-{name}": figure for year in (2025, 2024) for name, figure in web.FIGURES.items()}
    assert client.post("/apply/working-capital/", asked | years).status_code == 302
    newest, older = Application.objects.get().answers["statements"]
    assert (newest["year"], older["year"]) == (2025, 2024)
    assert newest["figures"]["net_profit"] == "-310000"
    assert newest["figures"]["ebit"] == "500000"


@pytest.mark.parametrize(
    ("name", "figure"), [("revenue", "-1"), ("cash", "9999999"), ("total_assets", ""), ("costs", "1.234")]
)
def test_figures_that_cannot_be_are_named_in_their_year(name, figure):
    client, _customer = web.customer(kind="COMPANY")
    asked = {"amount": "300000", "tenor": "6", "purpose": "board and ink"}
    years = {f"y{year}-{one}": value for year in (2025, 2024) for one, value in web.FIGURES.items()}
    answer = client.post("/apply/working-capital/", asked | years | {f"y2024-{name}": figure})
    newest, older = answer.context["form"].statements
    assert name in older.errors
    assert not newest.errors
    assert f'href="#id_y2024-{name}"' in answer.content.decode()
    assert not Application.objects.exists()


def test_a_balance_sheet_that_does_not_balance_is_refused_in_its_year():
    client, _customer = web.customer(kind="COMPANY")
    asked = {"amount": "300000", "tenor": "6", "purpose": "board and ink"}
    years = {f"y{year}-{one}": value for year in (2025, 2024) for one, value in web.FIGURES.items()}
    answer = client.post("/apply/working-capital/", asked | years | {"y2025-equity": "1900001.01"})
    newest, older = answer.context["form"].statements
    assert (list(newest.errors), list(older.errors)) == (["total_assets"], [])
    assert "-1.01" in newest.errors["total_assets"][0]
    assert (
        client.post("/apply/working-capital/", asked | years | {"y2025-equity": "1900000"}).status_code == 302
    )
    assert Application.objects.get().answers["statements"][0]["figures"]["equity"] == "1900000"


# --- papers ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def draft():
    client, customer = web.customer()
    client.post("/apply/pay-later/", {"amount": "8000"})
    return client, Application.objects.get(customer=customer)


def test_a_paper_is_kept_and_given_back_to_its_owner_alone(draft):
    client, application = draft
    client.post(f"/applications/{application.pk}/documents/", {"kind": "INCOME", "file": paper()})
    document = Document.objects.get()
    answer = client.get(f"/documents/{document.pk}/")
    assert b"".join(answer.streaming_content) == PDF
    assert answer["Content-Disposition"].startswith("attachment")
    stranger, _customer = web.customer("stranger@example.com")
    assert stranger.get(f"/documents/{document.pk}/").status_code == 404


@pytest.mark.parametrize(
    "file",
    [
        paper(b"MZ not a paper", "paper.exe"),
        paper(b"MZ not a paper", "paper.pdf"),
        paper(b"", "paper.pdf"),
        paper(PDF + b" " * 10 * 1024 * 1024, "paper.pdf"),
    ],
    ids=["extension", "content", "empty", "too large"],
)
def test_a_file_that_is_no_paper_is_refused(draft, file):
    client, application = draft
    answer = client.post(f"/applications/{application.pk}/documents/", {"kind": "INCOME", "file": file})
    assert web.errors(answer, "file")
    assert not Document.objects.exists()


# --- the decision ---------------------------------------------------------------------------------------------------


def test_the_page_waits_for_the_scorer_and_then_shows_the_answer(draft):
    client, application = draft
    client.post(f"/applications/{application.pk}/submit/")
    page = f"/applications/{application.pk}/"
    waiting = client.get(page).content.decode()
    assert "hx-get" in waiting
    assert 'http-equiv="refresh"' in waiting
    web.decide(application, "DECLINE", reasons=["NO_SUCH_CODE"])
    decided = client.get(page).content.decode()
    assert "hx-get" not in decided
    assert "NO_SUCH_CODE" not in decided


def test_sending_twice_changes_nothing_and_says_so(draft):
    client, application = draft
    client.post(f"/applications/{application.pk}/submit/")
    answer = client.post(f"/applications/{application.pk}/submit/", follow=True)
    assert answer.status_code == 200
    assert Event.objects.filter(kind="application.submitted").count() == 1
    assert [message.level_tag for message in answer.context["messages"]] == ["error"]


def test_a_declined_customer_asks_for_a_person_once(draft):
    client, application = draft
    client.post(f"/applications/{application.pk}/submit/")
    web.decide(application, "DECLINE", reasons=["X"])
    client.post(f"/applications/{application.pk}/review/")
    application.refresh_from_db()
    assert application.state == "REFERRED"
    assert "A person answers you by" in client.get(f"/applications/{application.pk}/").content.decode()
    officer = User.objects.create_user("officer", is_staff=True)
    web.decide(application, "DECLINE", reasons=["X"], by=officer)
    client.post(f"/applications/{application.pk}/review/")
    application.refresh_from_db()
    assert application.state == "DECLINED"


def test_a_withdrawn_application_makes_room_for_another(draft):
    client, application = draft
    client.post(f"/applications/{application.pk}/withdraw/")
    assert client.post("/apply/pay-later/", {"amount": "8000"}).status_code == 302


# --- the offer ------------------------------------------------------------------------------------------------------


@pytest.fixture
def offered():
    client, customer = web.customer()
    application = web.decide(web.submitted(customer), "APPROVE")
    return client, application.offers.get()


def test_the_sheet_shows_each_plan_with_its_yearly_cost(offered):
    client, offer = offered
    page = client.get(f"/offers/{offer.pk}/").content.decode()
    for plan in offer.sheet["plans"]:
        assert f"{float(plan['annual_cost']):.2%}" in page
    assert f"{float(offer.sheet['penalty_rate']):.2%}" in page
    offer.refresh_from_db()
    assert offer.shown_at


def test_a_confirmation_before_the_reading_time_is_refused(offered):
    client, offer = offered
    client.get(f"/offers/{offer.pk}/")
    assert web.errors(client.post(f"/offers/{offer.pk}/", {"agreed": "on"}))
    assert not CreditLine.objects.exists()


def test_a_confirmation_without_a_look_at_the_sheet_is_refused(offered):
    client, offer = offered
    assert web.errors(client.post(f"/offers/{offer.pk}/", {"agreed": "on"}))


def test_a_confirmation_without_the_tick_is_refused(offered):
    client, offer = offered
    client.get(f"/offers/{offer.pk}/")
    web.read_long_enough(offer)
    assert web.errors(client.post(f"/offers/{offer.pk}/", {}), "agreed")


def test_an_accepted_offer_opens_one_line_however_often_it_is_sent(offered):
    client, offer = offered
    client.get(f"/offers/{offer.pk}/")
    web.read_long_enough(offer)
    for _again in range(2):
        answer = client.post(f"/offers/{offer.pk}/", {"agreed": "on"})
        assert answer.url == f"/applications/{offer.application_id}/"
    assert CreditLine.objects.get().base_limit == 8000


def test_an_accepted_loan_is_paid_out():
    client, customer = web.customer()
    application = web.decide(web.submitted(customer, "cash-loan", "3000", 6), "APPROVE")
    offer = application.offers.get()
    client.get(f"/offers/{offer.pk}/")
    web.read_long_enough(offer)
    client.post(f"/offers/{offer.pk}/", {"agreed": "on"})
    loan = Loan.objects.get(customer=customer)
    assert loan.instalments.count() == 6
    assert f"/loans/{loan.pk}/" in client.get(f"/applications/{application.pk}/").content.decode()


def test_an_offer_of_yesterday_cannot_be_accepted(offered):
    client, offer = offered
    client.get(f"/offers/{offer.pk}/")
    web.read_long_enough(offer)
    type(offer).objects.filter(pk=offer.pk).update(expires_on=clock.today().replace(day=22))
    assert web.errors(client.post(f"/offers/{offer.pk}/", {"agreed": "on"}))
