"""Who asks, when a proxy stands before us."""

from allauth.account.adapter import get_adapter
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str | None:
    """The address of the person, as the PROXY_COUNT proxies that we trust report it; None without a connection."""
    return get_adapter(request).get_client_ip(request) if "REMOTE_ADDR" in request.META else None
