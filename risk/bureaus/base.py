"""What a credit bureau or an identity check must do for us; settings.CREDIT_BUREAU and IDENTITY_CHECK name one each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from lending.errors import Refused

BUREAU, IDENTITY = "BUREAU", "IDENTITY"
SETTINGS = {BUREAU: "CREDIT_BUREAU", IDENTITY: "IDENTITY_CHECK"}


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom we ask about, and by what right: `reference` is ours, the same again is the same enquiry; `consent` is the
    number of the customer's consent."""

    reference: str
    kind: str
    name: str
    id_number: str
    phone: str
    consent: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found. `outcome` is FOUND or NOT_FOUND for a bureau, MATCH or NO_MATCH for an identity; `figures` are
    numbers and words by name."""

    outcome: str
    figures: Mapping[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """A place to ask. `licence` is that of the business it is run under: personal credit data comes from licensed
    bureaus alone (PBOC order 2021-4)."""

    name: str
    licence: str

    def ask(self, subject: Subject) -> Answer:
        """Ask; raises OSError when there is no answer."""


def configured(kind: str) -> bool:
    return bool(getattr(settings, SETTINGS[kind]))


def current(kind: str) -> Source:
    """The source of that kind; refuses when the site has none, or one without a licence."""
    if not configured(kind):
        raise Refused("no_source", _("No such source is set up on this site."))
    source: Source = import_string(getattr(settings, SETTINGS[kind]))()
    if not source.licence:
        raise Refused("no_licence", _("This source has no licence."))
    return source
