"""Members of staff in front of the admin, for the tests of its pages."""

import re
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client, override_settings
from django.urls import reverse

from lending.models import User


def member(role: str, name: str = "") -> User:
    """Someone in that role."""
    user, _made = User.objects.get_or_create(username=name or f"the-{role}", defaults={"is_staff": True})
    user.groups.set(Group.objects.filter(name=role))
    return user


def desk(role: str, name: str = "") -> Client:
    """The same, signed in."""
    client = Client()
    # The guard against guessing wants an address, which a log-in without a request has not.
    with override_settings(AXES_ENABLED=False):
        client.force_login(member(role, name), backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(record: Any) -> str:
    return reverse(f"admin:{record._meta.app_label}_{record._meta.model_name}_change", args=[record.pk])


def button(record: Any, name: str) -> str:
    return reverse(f"admin:{record._meta.app_label}_{record._meta.model_name}_{name}", args=[record.pk])


def words(response: Any) -> str:
    """The text of a page without its markup, on one line."""
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", text)
