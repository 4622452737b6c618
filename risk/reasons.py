"""Reasons in plain words for the customer concerned: of decisions by code, of controls with their figures."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lending import words
from risk import features
from risk.engine import controls, policy
from risk.engine.scorecard import BANDS

# What policies and the decision itself give as reasons; the features speak for themselves.
RULES: dict[str, Any] = {
    "STUDENT": gettext_lazy("Credit of this kind may not be given to students in higher education."),
    "STUDENT_REVIEW": gettext_lazy(
        "You are a student in higher education: a person looks at your application."
    ),
    "BLOCKED": gettext_lazy("We are not doing new business with you at present."),
    "MINOR": gettext_lazy("You have not come of age yet."),
    "OVERDUE": gettext_lazy("A payment to us is overdue."),
    "RECENT_ARREARS": gettext_lazy("A payment to us was more than 30 days overdue in the last half year."),
    "NO_CONSENT": gettext_lazy("You have not agreed to an assessment from your platform data."),
    "INDUSTRY_STOP": gettext_lazy("We are not taking on new business in your industry at present."),
    "NO_ACCOUNTS": gettext_lazy("The company's accounts are missing."),
    "LOSSES": gettext_lazy("The company's latest accounts show a loss and more debts than assets."),
    "LARGE_AMOUNT": gettext_lazy("For an amount of this size a person decides."),
    "INCOME_UNPROVEN": gettext_lazy("The income you told us was not proven."),
    "PAPERS_INCOMPLETE": gettext_lazy("Papers that we asked for are missing or cannot be read."),
    "DEBTS_HIGH": gettext_lazy("Your debts elsewhere are high for your income."),
    "PURPOSE": gettext_lazy("We do not lend for this purpose."),
    "OFFICER_JUDGEMENT": gettext_lazy("What you told us did not fit together with your papers."),
    "SCORING_FAILED": gettext_lazy("A person decides on this application."),
    "NO_POLICY": gettext_lazy("A person decides on this application."),
    "NOT_OFFERABLE": gettext_lazy("A person has to set the terms of the offer."),
    # Of a grade that is turned down though no feature lost points.
    **{f"GRADE_{grade}": gettext_lazy("Your score is below what we lend at.") for grade in BANDS},
    policy.NO_SCORE: gettext_lazy("There is too little data for a score: a person decides."),
    policy.NO_LIMIT_FOR_GRADE: gettext_lazy("A person has to set the limit."),
    policy.LIMIT_UNKNOWN: gettext_lazy("Your income or spending is not known well enough to set a limit."),
    policy.LIMIT_TOO_SMALL: gettext_lazy(
        "The limit that we could give is below the smallest of this product."
    ),
}

DECLINES = (
    "INCOME_UNPROVEN",
    "PAPERS_INCOMPLETE",
    "DEBTS_HIGH",
    "PURPOSE",
    "OFFICER_JUDGEMENT",
    "OVERDUE",
    "RECENT_ARREARS",
    "STUDENT",
    "MINOR",
    "BLOCKED",
    "INDUSTRY_STOP",
    "LOSSES",
)


def codes() -> set[str]:
    """Every code that has words."""
    return {*RULES, *features.ALL}


def choices() -> list[tuple[str, Any]]:
    """What an officer may give as reasons of a decline: what is about the customer, not about our own ways."""
    return [(code, RULES[code]) for code in DECLINES] + [(f.name, f.reason) for f in features.ALL.values()]


def reason_text(code: str) -> str:
    """The sentence for a reason code in the active language; the code itself when it is unknown."""
    if code in features.ALL:
        return str(features.ALL[code].reason)
    return str(RULES.get(code, code))


def control_text(explanation: Mapping[str, Any], figure: Decimal | None) -> str:
    """What a control saw, with the figures, in the active language. `explanation` is that of an alert."""
    found = {**explanation, "figure": figure}
    template = _control_template(explanation["kind"])
    return template % {name: _shown(name, value, explanation["kind"]) for name, value in found.items()}


def _control_template(kind: str) -> str:
    return {
        controls.RETURN_SHARE: _(
            "From %(from)s to %(to)s you returned goods for %(return_amount)s out of %(ordered)s ordered "
            "(%(figure)s; the limit is %(trip)s)."
        ),
        controls.SPENDING_SURGE: _(
            "From %(from)s to %(to)s you spent %(spend)s, which is %(figure)s times your usual %(usual)s "
            "(the limit is %(trip)s times)."
        ),
        controls.VELOCITY: _("From %(from)s to %(to)s you placed %(orders)s orders (the limit is %(trip)s)."),
        controls.ADDRESS_CHURN: _(
            "From %(from)s to %(to)s you used %(new_addresses)s new delivery addresses (the limit is %(trip)s)."
        ),
        controls.CASH_OUT: _(
            "From %(from)s to %(to)s, goods for %(risky_amount)s out of %(ordered)s ordered were of a kind that is "
            "easily turned into cash (%(figure)s; the limit is %(trip)s)."
        ),
    }[kind]


MONEY = {"ordered", "return_amount", "risky_amount", "spend", "usual"}
LEVELS = {"figure", "trip", "release"}
SHARES = {controls.RETURN_SHARE, controls.CASH_OUT}


def _shown(name: str, value: Any, kind: str) -> Any:
    if name in MONEY:
        return words.money(value)
    if name in LEVELS and value is not None:
        level = Decimal(value)
        return f"{level * 100:.0f}%" if kind in SHARES else f"{level.normalize():f}"
    if name in ("from", "to"):
        return date_format(date.fromisoformat(value) if isinstance(value, str) else value)
    return value
