"""What a payment gateway must do for us; settings.PAYMENT_GATEWAY is the dotted path of one."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from lending.errors import Refused
from lending.models import Payment

log = logging.getLogger(__name__)


class Forged(Exception):
    """The answer does not carry the gateway's signature."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway says came of a payment."""

    reference: str
    ok: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """Money to be taken from an account under a mandate. The same reference again takes nothing twice."""

    reference: str
    account: str
    bank: str
    amount: Decimal
    mandate: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of an order: OK, INSUFFICIENT, CLOSED_ACCOUNT, REFUSED, or UNKNOWN when nobody can say yet."""

    code: str

    @property
    def ok(self) -> bool:
        return self.code == "OK"


class Gateway(Protocol):
    """A way for customers to pay. `page` and `read` are pure: money moves only in `lending.services`."""

    name: str

    def page(self, payment: Payment, return_url: str) -> str:
        """The address where the customer pays; the gateway sends them to `return_url` with its answer."""

    def read(self, data: Mapping[str, str]) -> Answer:
        """The gateway's answer, from the customer's browser or from its own server; raises Forged."""

    def debit(self, order: Order) -> Taken:
        """Take money from an account; must be idempotent for the order's reference."""


def current() -> Gateway:
    """The gateway of this site; refuses when none is set."""
    if not settings.PAYMENT_GATEWAY:
        raise Refused("no_gateway", _("Paying online is not possible at the moment."))
    return import_string(settings.PAYMENT_GATEWAY)()


def debit(order: Order) -> Taken:
    """Take money from an account; what the line swallowed is UNKNOWN, and is asked again under its reference."""
    try:
        return current().debit(order)
    except OSError as error:
        log.warning("no answer to debit %s: %s", order.reference, error)
        return Taken("UNKNOWN")


def page(*, payment: Payment, return_url: str) -> str:
    """Where the customer pays; refuses when the site has no gateway."""
    return current().page(payment, return_url)
