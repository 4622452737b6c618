"""Who may use the API, and how often."""

from math import ceil
from typing import Any

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from lending import clock

PERMISSION = "lending.use_platform_api"
WINDOW = 60  # seconds


class IsPlatform(BasePermission):
    """The platform's machine users, and whoever else was given the permission; never a customer by being one."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.has_perm(PERMISSION))


class PerMinute(BaseThrottle):
    """At most `settings.API_REQUESTS_PER_MINUTE` requests of one user in a minute of the wall clock.

    One counter per user and minute: its price does not grow with the limit. Without Redis everyone passes, since
    the limit protects from a flood and nothing else.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        user = request.user.pk if request.user.is_authenticated else self.get_ident(request)
        name = f"api:{user}:{self._now() // WINDOW:.0f}"
        try:
            cache.add(name, 0, 2 * WINDOW)
            return cache.incr(name) <= settings.API_REQUESTS_PER_MINUTE
        except (RedisError, ValueError):
            return True

    def wait(self) -> float:
        return ceil(WINDOW - self._now() % WINDOW)

    def _now(self) -> float:
        return clock.wall().timestamp()
