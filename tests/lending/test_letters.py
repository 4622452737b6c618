"""The letter of a decline: for the customer concerned and for staff, in both languages, always the same bytes."""

import pytest
from django.urls import reverse
from django.utils.translation import override

from lending.errors import Refused
from lending.models import Event
from lending.papers import letter
from lending.services import letters
from tests.lending import web_support as web
from tests.lending.admin_support import desk


@pytest.fixture
def declined(books, product):
    client, customer = web.customer()
    product("pay-later")
    application = web.submitted(customer)
    with pytest.raises(Refused, match="declined"):
        letters.of_decline(application, language="en")
    assert client.get(f"/applications/{application.pk}/letter.pdf").status_code == 404
    return client, web.decide(application, "DECLINE", reasons=["return_share_180d", "OVERDUE"])


def test_the_letter_names_the_reasons_in_both_languages_and_is_always_the_same(declined):
    _client, application = declined
    found = letters.of_decline(application, language="en")
    assert found == letters.of_decline(application, language="en")
    assert found.startswith(b"%PDF") and found != letters.of_decline(application, language="zh-hans")
    content = letters.content_of(application)
    told = letter.read(content, application.decided_at)
    assert told.reasons == [
        "1. You have returned a large share of what you ordered.",
        "2. A payment to us is overdue.",
    ]
    assert "ask a person to decide again" in told.rights[0] and "automatically" in told.how
    with override("zh-hans"):
        chinese = letter.read(content, application.decided_at)
    assert chinese.reasons != told.reasons and chinese.title != told.title


def test_the_customer_finds_the_letter_and_nobody_else_does(declined):
    client, application = declined
    url = f"/applications/{application.pk}/letter.pdf"
    assert url in client.get(f"/applications/{application.pk}/").content.decode()
    answer = client.get(url)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    other, _customer = web.customer("mo@example.com")
    assert other.get(url).status_code == 404


def test_staff_take_the_letter_and_are_seen_to(declined):
    _client, application = declined
    url = reverse("admin:lending_application_letter", args=[application.pk])
    officer = desk("credit_officer")
    assert officer.get(url, {"language": "zh-hans"})["Content-Type"] == "application/pdf"
    assert Event.objects.get(kind="document.revealed").data["language"] == "zh-hans"
    assert desk("collector").get(url).status_code == 403
