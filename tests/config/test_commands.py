"""The first command in a new house."""

from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command

from lending import clock
from lending.models import Product


@pytest.mark.django_db
def test_the_books_open_once_with_products_to_sell(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("open_books", "--on", "2026-03-02", "--products")
    assert clock.today() == date(2026, 3, 2)
    assert Product.objects.filter(state="LIVE").exists()
    capsys.readouterr()
    call_command("open_books")  # as each deployment does
    assert "open already: the business date is 2026-03-02" in capsys.readouterr().out
    with pytest.raises(CommandError, match="open already: the business date is 2026-03-02"):
        call_command("open_books", "--on", "2026-03-03")
    assert clock.today() == date(2026, 3, 2)


@pytest.mark.django_db
def test_the_books_do_not_open_in_the_future() -> None:
    tomorrow = clock.wall_date() + timedelta(days=1)
    with pytest.raises(CommandError, match="has not come yet"):
        call_command("open_books", "--on", str(tomorrow))
