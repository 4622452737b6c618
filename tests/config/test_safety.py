"""What every answer says to the browser about safety."""

import pytest
from django.test import Client

from lending.models import User


def policy(client: Client, path: str) -> dict[str, str]:
    header = client.get(path)["Content-Security-Policy"]
    return dict(part.strip().split(" ", 1) for part in header.split(";"))


@pytest.mark.django_db
def test_only_the_admin_may_evaluate_scripts(client: Client) -> None:
    assert policy(client, "/accounts/login/")["script-src"] == "'self'"
    assert set(policy(client, "/admin/login/")["script-src"].split()) >= {"'self'", "'unsafe-eval'"}


@pytest.mark.django_db
def test_no_page_can_be_framed_or_send_its_forms_elsewhere(client: Client) -> None:
    for path in ("/accounts/login/", "/accounts/signup/", "/admin/login/", "/healthz"):
        found = policy(client, path)
        assert found["frame-ancestors"] == "'none'"
        assert found["form-action"] == found["base-uri"] == "'self'"
        assert found["object-src"] == "'none'"


@pytest.mark.django_db
def test_whoever_guesses_is_locked_out_even_with_the_right_password(client: Client) -> None:
    User.objects.create_user("li", "li@example.com", "corn-Flower-77")
    right = {"login": "li@example.com", "password": "corn-Flower-77"}
    answers = [client.post("/accounts/login/", right | {"password": "guess"}) for _try in range(5)]
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert "tried too often" in answers[-1].content.decode()
    assert client.post("/accounts/login/", right).status_code != 302
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert elsewhere.post("/accounts/login/", right).status_code == 302, "the owner is not locked out"


@pytest.mark.django_db
def test_health_says_what_answers(client: Client) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"database": True, "redis": True}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_health_says_when_redis_is_gone(client: Client, settings) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "unix:///nowhere/redis.sock",
        }
    }
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"database": True, "redis": False}
