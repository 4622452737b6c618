"""The ways out of the house: a setting names the backend of each channel; it takes one message at a time."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message on its way out; a provider that has seen its `key` before drops the second one."""

    key: str
    channel: str
    to: str
    subject: str
    text: str
    language: str


class NotSent(Exception):
    """The message did not go out; `for_good` when a second try cannot help."""

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good


class Backend(Protocol):
    def send(self, message: Message) -> None:
        """Hand the message over; raises NotSent."""


def backend_for(channel: str) -> Backend:
    """The backend of a channel: SMS, EMAIL or LETTER."""
    return _backend(
        {
            "SMS": settings.SMS_BACKEND,
            "EMAIL": settings.NOTICE_EMAIL_BACKEND,
            "LETTER": settings.LETTER_BACKEND,
        }[channel]
    )


@lru_cache
def _backend(path: str) -> Backend:
    return import_string(path)()
