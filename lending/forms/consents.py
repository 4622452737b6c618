"""What a customer agrees to, word for word. Changed words are a new version; a consent keeps the one it saw."""

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from lending.models import Consent

TEXT_VERSION = "2026-11"


class ConsentText(NamedTuple):
    """One consent: its title, its text, and whether credit is possible without it."""

    title: Any
    text: Any
    needed: bool


TEXTS: dict[str, ConsentText] = {
    Consent.Purpose.CREDIT_ASSESSMENT: ConsentText(
        _("Assess my credit from my orders and payments"),
        _(
            "OpenTab may use my orders, deliveries, returns and payments on this platform to decide about my"
            " credit, also by computer. I can ask for the reasons and for a person to decide again."
        ),
        True,
    ),
    Consent.Purpose.ELECTRONIC_NOTICES: ConsentText(
        _("Send me bills and notices by SMS and e-mail"),
        _(
            "Bills, reminders and changes to my credit line come to the phone number and e-mail address I gave."
        ),
        True,
    ),
    Consent.Purpose.BUREAU_QUERY: ConsentText(
        _("Ask the credit bureau about me"),
        _(
            "OpenTab may ask a licensed credit bureau for my credit report, for this application and while my"
            " credit runs. Without it I may be offered less."
        ),
        False,
    ),
    Consent.Purpose.MARKETING: ConsentText(
        _("Send me offers made for me"),
        _(
            "OpenTab may choose offers from my behaviour and send them to me. This changes no decision about my credit."
        ),
        False,
    ),
}
