"""Figures for monitoring, and the clock in a house whose books are not open."""

from datetime import date, timedelta

import pytest
from django.test import Client

from lending import clock, tasks
from lending.services import close

BEARER = {"Authorization": "Bearer secret"}


def figures(client: Client) -> dict[str, float]:
    answer = client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.mark.django_db
def test_only_who_knows_the_token_sees_figures(client: Client, settings) -> None:
    assert client.get("/metrics", headers=BEARER).status_code == 404, "no token is set"
    settings.METRICS_TOKEN = "secret"
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer guess"}).status_code == 404
    assert 'opentab_queue_length{queue="money"}' in figures(client)


@pytest.mark.django_db
def test_the_figures_say_how_far_behind_the_clock_is(client: Client, settings) -> None:
    settings.METRICS_TOKEN = "secret"
    assert "opentab_business_date_lag_days" not in figures(client), "the books are not open"
    close.open_books(on=clock.wall_date() - timedelta(days=3))
    found = figures(client)
    assert found["opentab_business_date_lag_days"] == 3
    assert found["opentab_applications_waiting"] == 0


@pytest.mark.django_db
def test_before_the_books_are_open_the_clock_has_nothing_to_do() -> None:
    tasks.close_day.apply(throw=True)
    close.open_books(on=date(2020, 1, 1))
    with pytest.raises(LookupError):
        _failing.apply(throw=True)


@tasks.shared_task
def _failing() -> None:
    raise LookupError("any other trouble is heard")
