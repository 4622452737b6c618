"""Links in messages that open one page, to pay, without signing in.

A link carries the customer and its last day, signed with the site's key. It opens nothing else, shows no more than what
is due and a masked name, and is good for `DAYS` days of business.
"""

from datetime import date, timedelta
from functools import cache

from django.conf import settings
from django.core.signing import BadSignature, Signer

DAYS = 14


class Forged(Exception):
    """Not a link of ours."""


class Expired(Exception):
    """A link of ours whose last day has passed."""


def _signer() -> Signer:
    return _signer_of(settings.SECRET_KEY)


@cache
def _signer_of(key: str) -> Signer:
    return Signer(key=key, salt="lending.pay-link")


def token(customer_id: int, on: date) -> str:
    """What stands in the link of a message written on that day."""
    return _signer().sign(f"{customer_id}.{(on + timedelta(days=DAYS)).strftime('%Y%m%d')}")


def read(text: str, on: date) -> int:
    """The customer whose link it is; raises Forged or Expired."""
    try:
        customer_id, last = _signer().unsign(text).split(".")
        ends = date.fromisoformat(last)
    except (BadSignature, ValueError) as error:
        raise Forged from error
    if on > ends:
        raise Expired
    return int(customer_id)


def masked_name(name: str) -> str:
    """The first character of a name and nothing else: enough to know oneself, too little to tell a stranger."""
    return name[:1] + "*" * max(len(name) - 1, 1)
