"""Who asks, when a proxy stands before us."""

from allauth.account.adapter import get_adapter
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str:
    """The address of the person, as the PROXY_COUNT proxies that we trust report it."""
    return get_adapter(request).get_client_ip(request)
