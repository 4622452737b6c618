"""Codes of the contact gate in plain words."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dunning.engine import gate
from dunning.services.gate import NO_ADDRESS, UNDELIVERED

RULES: dict[str, Any] = {
    gate.UNKNOWN_CONTACT: gettext_lazy("This kind of contact is not known."),
    gate.MISSING_RULE: gettext_lazy("A number that the rules need is not set."),
    gate.UNKNOWN_PLACE: gettext_lazy("The customer's time zone is not known."),
    gate.STOPPED: gettext_lazy(
        "The customer, or whoever has the number, asked not to be contacted this way."
    ),
    gate.NO_CONSENT: gettext_lazy("There is no consent to messages by this channel."),
    gate.THIRD_PARTY_RULE: gettext_lazy(
        "Others may be asked only how to reach a customer who cannot be reached."
    ),
    gate.DISPUTED: gettext_lazy("What is overdue is disputed."),
    gate.NOTHING_DUE: gettext_lazy("Nothing is overdue."),
    gate.ABOVE_CAP: gettext_lazy("The amount is above what may be claimed today."),
    gate.QUIET_HOURS: gettext_lazy("It is night at the customer's place."),
    gate.TOO_MANY_CALLS: gettext_lazy("The customer has been called as often as a day allows."),
    gate.TOO_MANY_DIALS: gettext_lazy("The number has been dialled in vain as often as a day allows."),
    gate.TOO_MANY_VISITS: gettext_lazy("The customer has been visited as often as a day allows."),
    gate.TOO_FEW_VISITORS: gettext_lazy("A visit takes more people."),
    NO_ADDRESS: gettext_lazy("There is no address for this channel."),
    UNDELIVERED: gettext_lazy("The message could not be delivered."),
}


def rule_in_words(code: str) -> str:
    """What a rule of the gate says, for people."""
    return str(RULES.get(code) or _("A rule of the house forbids it."))
