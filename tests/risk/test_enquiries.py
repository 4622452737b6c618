"""No question about a customer without their consent to it, and every question on record."""

import uuid

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from lending.errors import Refused
from lending.models import Consent
from lending.services import customers
from risk.models import Enquiry, EnquiryResult
from risk.services import enquiries

SETTINGS = {"CREDIT_BUREAU": "risk.bureaus.sandbox.Bureau", "IDENTITY_CHECK": "risk.bureaus.sandbox.Identity"}


@pytest.fixture
def person(make_customer, at, settings):
    for name, value in SETTINGS.items():
        setattr(settings, name, value)

    def make(last: str = "4", *purposes: str):
        customer = make_customer()
        customer.set_id_number(f"11010119900307425{last}")
        customer.save()
        for purpose in purposes:
            customers.give_consent(customer_id=customer.pk, purpose=purpose, text_version="1", by=None, at=at)
        return customer

    return make


@pytest.mark.parametrize("kind, other", [("BUREAU", "CREDIT_ASSESSMENT"), ("IDENTITY", "BUREAU_QUERY")])
def test_nobody_is_asked_without_the_right_consent(person, at, kind, other):
    customer = person("4", other)
    with pytest.raises(Refused) as refused:
        enquiries.ask(customer_id=customer.pk, kind=kind, by=None, at=at)
    assert refused.value.code == "no_consent"
    assert not Enquiry.objects.exists()


def test_the_database_itself_refuses(person, make_customer, at):
    customer = person("4", "BUREAU_QUERY", "CREDIT_ASSESSMENT")
    right = Consent.objects.get(purpose="BUREAU_QUERY")
    wrong = Consent.objects.get(purpose="CREDIT_ASSESSMENT")
    other = make_customer("韩梅梅")

    def write(**values):
        row = {"customer": customer, "kind": "BUREAU", "consent": right, "licence": "L"} | values
        with transaction.atomic():
            return Enquiry.objects.create(**row, reference=uuid.uuid4(), source="x", asked_at=at)

    write()
    for bad in ({"consent": None}, {"consent": wrong}, {"customer": other}, {"licence": ""}):
        with pytest.raises(IntegrityError):
            write(**bad)
    Consent.objects.filter(pk=right.pk).update(withdrawn_at=at)
    with pytest.raises(IntegrityError):
        write()


@pytest.mark.parametrize(
    "last, kind, outcome",
    [
        ("4", "BUREAU", "FOUND"),
        ("9", "BUREAU", "NOT_FOUND"),
        ("6", "BUREAU", "NO_ANSWER"),
        ("4", "IDENTITY", "MATCH"),
        ("7", "IDENTITY", "NO_MATCH"),
    ],
)
def test_the_answer_is_kept_for_ever(person, at, last, kind, outcome):
    customer = person(last, "BUREAU_QUERY", "CREDIT_ASSESSMENT")
    result = enquiries.ask(customer_id=customer.pk, kind=kind, by=None, at=at)
    assert (result.outcome, result.enquiry.consent.customer_id) == (outcome, customer.pk)
    assert bool(result.figures.get("score")) == (outcome == "FOUND")
    with pytest.raises(Exception, match="append_only"), transaction.atomic():
        EnquiryResult.objects.update(outcome="MATCH")


def test_a_site_without_a_source_refuses(person, at, settings):
    customer = person("4", "BUREAU_QUERY")
    settings.CREDIT_BUREAU = ""
    with pytest.raises(Refused) as refused:
        enquiries.ask(customer_id=customer.pk, kind="BUREAU", by=None, at=at)
    assert refused.value.code == "no_source"


def test_staff_ask_from_the_list_and_see_it_on_the_customers_page(person, at, client, staff):
    customer = person("8", "BUREAU_QUERY")
    client.force_login(staff("analyst"))

    page = reverse("admin:risk_enquiry_changelist")
    ask = reverse("admin:risk_enquiry_ask")
    assert "customer" in client.post(ask, {"customer": "nobody", "kind": "BUREAU"}).content.decode()
    client.post(ask, {"customer": str(customer.pk), "kind": "BUREAU"})
    assert EnquiryResult.objects.get().figures["overdue_accounts"] == 1
    assert "sandbox bureau" in client.get(page).content.decode()
    shown = client.get(reverse("admin:lending_customer_change", args=[customer.pk])).content.decode()
    assert "sandbox bureau" in shown
