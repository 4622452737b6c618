"""A house whose books are not open says so, and opens with one word."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_before_the_books_are_open_pages_say_so(client: Client) -> None:
    response = client.get("/")
    assert response.status_code == 503
    assert b"open_books" in response.content
