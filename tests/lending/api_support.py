"""A platform with a token, for the tests of the API."""

from typing import Any

from django.contrib.auth.models import Permission
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from lending.models import User


def platform(name: str = "shop") -> APIClient:
    user = User.objects.create_user(name)
    user.user_permissions.add(Permission.objects.get(codename="use_platform_api"))
    return client_of(user)


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.get_or_create(user=user)[0].key}")
    return client


def post(client: APIClient, path: str, body: object, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(path, body, format="json", headers=headers)


def order(client: APIClient, key: str = "k1", **changes: object) -> Any:
    body = {"customer": "alice", "order_ref": "order-1", "amount": "1200.00", "tenor": 3} | changes
    return post(client, "/api/v1/purchases/", body, key)


def problem(answer: Any) -> tuple[int, str, list[str]]:
    """Status, code and fields at fault of an answer that must be a problem."""
    assert answer["Content-Type"] == "application/problem+json", answer.content
    body = answer.json()
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"], [error["field"] for error in body["errors"]]
