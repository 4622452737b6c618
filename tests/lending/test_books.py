"""A house whose books are not open says so, and opens with one word."""

from datetime import date

import pytest
from django.core.management import call_command
from django.test import Client

from lending import clock

pytestmark = pytest.mark.django_db


def test_before_the_books_are_open_pages_say_so(client: Client) -> None:
    response = client.get("/")
    assert response.status_code == 503
    assert b"open_books" in response.content


def test_open_books_once() -> None:
    call_command("open_books", on=date(2026, 1, 5))
    call_command("open_books", on=date(2026, 2, 5))
    assert clock.today() == date(2026, 1, 5)
