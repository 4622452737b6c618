"""The description of the API: complete, readable offline, and held against the real answers by schemathesis."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from config.wsgi import application
from lending import reference
from lending.services import close
from tests.lending import api_support as support
from tests.lending.conftest import MONDAY

pytestmark = pytest.mark.django_db

# Rules that no schema can say: an amount of zero, or a customer whom nobody knows, fits its type and is refused.
BEYOND_A_SCHEMA = [schemathesis.checks.positive_data_acceptance]


def test_the_description_names_every_address_and_every_problem(client):
    described = client.get("/api/schema/", headers={"Accept": "application/json"}).json()
    assert {
        "/api/v1/events/",
        "/api/v1/purchases/",
        "/api/v1/purchases/{order_ref}/capture/",
        "/api/v1/purchases/{order_ref}/void/",
        "/api/v1/purchases/{order_ref}/refund/",
        "/api/v1/lines/{customer}/",
        "/api/v1/lines/{customer}/quote/",
        "/api/v1/customers/{platform_ref}/",
        "/api/v1/applications/{id}/",
    } <= set(described["paths"])
    for path in described["paths"].values():
        for operation in path.values():
            assert "application/problem+json" in operation["responses"]["401"]["content"]
    moving = described["paths"]["/api/v1/purchases/"]["post"]["parameters"]
    assert [(one["name"], one["required"]) for one in moving if one["in"] == "header"] == [
        ("Idempotency-Key", True)
    ]


def test_the_page_for_people_needs_nothing_from_elsewhere(client):
    page = client.get("/api/docs/")
    assert page.status_code == 200
    assert b"//cdn" not in page.content
    assert b"https://" not in page.content


@pytest.fixture
def books(transactional_db):
    """Requests as they are in production: none of them inside a transaction of the test."""
    reference.install()
    close.open_books(on=MONDAY)
    reference.starter_products()
    return MONDAY


@pytest.fixture
def described(make_line, make_customer):
    make_line("5000", customer=make_customer(platform_ref="alice"))
    return schemathesis.openapi.from_wsgi("/api/schema/?format=json", application)


@pytest.fixture
def token(books):
    return support.platform()._credentials["HTTP_AUTHORIZATION"]


@pytest.mark.django_db(transaction=True)
def test_no_input_breaks_an_address_or_its_description(described, token):
    """Every operation gets made-up requests, good and bad; each answer must be one that was described."""
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) >= 14
    for operation in operations:
        try_out(operation, token)


def try_out(operation, token):
    @given(case=operation.as_strategy())
    @settings(
        max_examples=10,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case):
        case.call_and_validate(headers={"Authorization": token}, excluded_checks=BEYOND_A_SCHEMA)

    ask()
