"""What a payment gateway must do for us; settings.PAYMENT_GATEWAY is the dotted path of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from lending.errors import Refused
from lending.models import Payment


class Forged(Exception):
    """The answer does not carry the gateway's signature."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway says came of a payment."""

    reference: str
    ok: bool
    error: str = ""


class Gateway(Protocol):
    """A way for customers to pay. Both methods are pure: money moves only in `lending.services.payments`."""

    name: str

    def page(self, payment: Payment, return_url: str) -> str:
        """The address where the customer pays; the gateway sends them to `return_url` with its answer."""

    def read(self, data: Mapping[str, str]) -> Answer:
        """The gateway's answer, from the customer's browser or from its own server; raises Forged."""


def current() -> Gateway:
    """The gateway of this site; refuses when none is set."""
    if not settings.PAYMENT_GATEWAY:
        raise Refused("no_gateway", _("Paying online is not possible at the moment."))
    return import_string(settings.PAYMENT_GATEWAY)()


def page(*, payment: Payment, return_url: str) -> str:
    """Where the customer pays; refuses when the site has no gateway."""
    return current().page(payment, return_url)
