"""The contact gate: the one place that says whether a debtor may be contacted now, by this way.

Rules follow GB/T 45251-2025 and the collection guideline of the China Banking Association
(2026-01-30); their numbers come in as `GateRules`. The gate fails closed: what is not known
(time zone, consent, a rule's number) refuses, and names the rule that refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

CALL, SMS, EMAIL, VISIT, LETTER, IN_APP = "CALL", "SMS", "EMAIL", "VISIT", "LETTER", "IN_APP"
CHANNELS = (CALL, SMS, EMAIL, VISIT, LETTER, IN_APP)
DEBTOR, CONTACT, THIRD_PARTY = "DEBTOR", "CONTACT", "THIRD_PARTY"
PARTIES = (DEBTOR, CONTACT, THIRD_PARTY)
SERVICE, REMINDER, COLLECTION, LEGAL = "SERVICE", "REMINDER", "COLLECTION", "LEGAL"
PURPOSES = (SERVICE, REMINDER, COLLECTION, LEGAL)
NUMBER_DEAD, NO_ANSWER, DECEASED, INCAPABLE = "NUMBER_DEAD", "NO_ANSWER", "DECEASED", "INCAPABLE"
LOST_PROOFS = (NUMBER_DEAD, NO_ANSWER, DECEASED, INCAPABLE)

UNKNOWN_CONTACT = "UNKNOWN_CONTACT"
MISSING_RULE = "MISSING_RULE"
UNKNOWN_PLACE = "UNKNOWN_PLACE"
STOPPED = "STOPPED"
NO_CONSENT = "NO_CONSENT"
THIRD_PARTY_RULE = "THIRD_PARTY"
DISPUTED = "DISPUTED"
NOTHING_DUE = "NOTHING_DUE"
ABOVE_CAP = "ABOVE_CAP"
QUIET_HOURS = "QUIET_HOURS"
TOO_MANY_CALLS = "TOO_MANY_CALLS"
TOO_MANY_DIALS = "TOO_MANY_DIALS"
TOO_MANY_VISITS = "TOO_MANY_VISITS"
TOO_FEW_VISITORS = "TOO_FEW_VISITORS"


@dataclass(frozen=True)
class Contact:
    """A contact about to be made at an aware moment. `staff` are the people who would visit."""

    channel: str
    party: str
    purpose: str
    at: datetime
    number: str = ""
    staff: int = 1
    shows_debt: bool = False
    claimed_amount: Decimal | None = None


@dataclass(frozen=True)
class Debtor:
    """What is known of the debtor. `consents` maps a channel to yes or no; an absent channel is unknown.

    `stop_channels` are the debtor's own stop requests; `stop_numbers` those of anybody reached.
    Amounts are in the currency's unit: `overdue_amount`, of which `disputed_amount` is in dispute
    (None or zero with an open dispute: all of it), and `capped_amount`, the most the law lets us
    claim (None: unknown). `lost_proof` is one of LOST_PROOFS, see `lost_proof`.
    """

    timezone: str | None
    consents: Mapping[str, bool] = field(default_factory=dict)
    stop_channels: frozenset[str] = frozenset()
    stop_numbers: frozenset[str] = frozenset()
    open_dispute: bool = False
    disputed_amount: Decimal | None = None
    overdue_amount: Decimal = Decimal(0)
    capped_amount: Decimal | None = None
    lost_proof: str | None = None
    night_agreed: bool = False


@dataclass(frozen=True)
class History:
    """Counts of the debtor's local day, over all agents and agencies."""

    effective_calls_today: int = 0
    unanswered_dials_today_to_number: int = 0
    visits_today: int = 0


@dataclass(frozen=True)
class GateRules:
    """The numbers of the rules; None means that the number is not known, and refuses."""

    quiet_from: time | None = time(22)
    quiet_to: time | None = time(8)
    max_effective_calls: int | None = 3
    max_unanswered: int | None = 6
    max_visits: int | None = 1
    visit_staff: int | None = 2
    lost_after_tries: int | None = 3
    consent_channels: frozenset[str] | None = frozenset({SMS, EMAIL})


@dataclass(frozen=True)
class Verdict:
    """`rule` names what refused; `retry_at` is when the same contact may be tried again, if time heals it."""

    allowed: bool
    rule: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    retry_at: datetime | None = None


@dataclass(frozen=True)
class _Case:
    contact: Contact
    debtor: Debtor
    history: History
    rules: GateRules
    local: datetime

    def opening(self, day_offset: int) -> datetime:
        """When quiet hours end, `day_offset` days after the debtor's today, in the debtor's zone."""
        day = self.local.date() + timedelta(days=day_offset)
        opens = self.rules.quiet_to or time(0)
        return datetime.combine(day, opens, tzinfo=self.local.tzinfo)


def decide(contact: Contact, debtor: Debtor, history: History, rules: GateRules) -> Verdict:
    """The first rule that refuses, or leave to go on. Permanent refusals come before those that time heals.

    Raises ValueError when the moment has no time zone.
    """
    if contact.at.tzinfo is None:
        raise ValueError("the moment of a contact needs a time zone")
    fault = _unknown(contact, rules)
    if fault is not None:
        return fault
    zone = _zone(debtor.timezone)
    if zone is None:
        return Verdict(False, UNKNOWN_PLACE, {"timezone": debtor.timezone or ""})
    case = _Case(contact, debtor, history, rules, contact.at.astimezone(zone))
    return next((refusal for rule in RULES if (refusal := rule(case))), Verdict(True))


def local_day(at: datetime, timezone: str) -> date:
    """The debtor's calendar day at a moment: the day that daily counts belong to."""
    return at.astimezone(ZoneInfo(timezone)).date()


def lost_proof(*, number_dead: bool, failed_in_a_row: int, rules: GateRules) -> str | None:
    """Why the debtor counts as lost, from the calls made: a dead number, or enough failed tries in a row."""
    if number_dead:
        return NUMBER_DEAD
    tries = rules.lost_after_tries
    return NO_ANSWER if tries is not None and failed_in_a_row >= tries else None


def _unknown(contact: Contact, rules: GateRules) -> Verdict | None:
    fields = {"channel": CHANNELS, "party": PARTIES, "purpose": PURPOSES}
    for name, allowed in fields.items():
        if getattr(contact, name) not in allowed:
            return Verdict(False, UNKNOWN_CONTACT, {name: getattr(contact, name)})
    missing = [name for name, value in vars(rules).items() if value is None]
    return Verdict(False, MISSING_RULE, {"parameters": ", ".join(missing)}) if missing else None


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def _stopped(case: _Case) -> Verdict | None:
    """A stop holds for every purpose, save the letter that the law itself asks for."""
    contact, debtor = case.contact, case.debtor
    if contact.number and contact.number in debtor.stop_numbers:
        return Verdict(False, STOPPED, {"number": contact.number})
    by_law = contact.purpose == LEGAL and contact.channel == LETTER
    if contact.party == DEBTOR and contact.channel in debtor.stop_channels and not by_law:
        return Verdict(False, STOPPED, {"channel": contact.channel})
    return None


def _consent(case: _Case) -> Verdict | None:
    """Some channels need a recorded yes; a recorded no closes any channel, save the letter of the law."""
    channel, by_law = case.contact.channel, case.contact.purpose == LEGAL and case.contact.channel == LETTER
    if case.contact.party != DEBTOR or by_law:
        return None
    consent = case.debtor.consents.get(channel)
    if consent is False or (consent is None and channel in (case.rules.consent_channels or ())):
        return Verdict(
            False, NO_CONSENT, {"channel": channel, "consent": "unknown" if consent is None else "no"}
        )
    return None


def _third_party(case: _Case) -> Verdict | None:
    """Others may only be called for a way to reach a debtor who is lost, dead or incapable, and told nothing."""
    contact = case.contact
    if contact.party == DEBTOR:
        return None
    if contact.party == THIRD_PARTY:
        return Verdict(False, THIRD_PARTY_RULE, {"why": "unrelated"})
    if case.debtor.lost_proof not in LOST_PROOFS:
        return Verdict(False, THIRD_PARTY_RULE, {"why": "not_lost"})
    if contact.shows_debt or contact.claimed_amount is not None or contact.purpose != SERVICE:
        return Verdict(False, THIRD_PARTY_RULE, {"why": "shows_debt"})
    return None if contact.channel == CALL else Verdict(False, THIRD_PARTY_RULE, {"why": "only_calls"})


def _disputed(case: _Case) -> Verdict | None:
    """What is disputed is not chased; the rest may be, up to its amount."""
    contact, debtor = case.contact, case.debtor
    if contact.purpose == SERVICE or not debtor.open_dispute:
        return None
    clear = debtor.overdue_amount - debtor.disputed_amount if debtor.disputed_amount else Decimal(0)
    if clear <= 0 or (contact.claimed_amount is not None and contact.claimed_amount > clear):
        return Verdict(False, DISPUTED, {"undisputed": str(max(clear, Decimal(0)))})
    return None


def _nothing_due(case: _Case) -> Verdict | None:
    chasing = case.contact.purpose in (COLLECTION, LEGAL)
    return Verdict(False, NOTHING_DUE) if chasing and case.debtor.overdue_amount <= 0 else None


def _above_cap(case: _Case) -> Verdict | None:
    claimed, cap = case.contact.claimed_amount, case.debtor.capped_amount
    if claimed is None or (cap is not None and claimed <= cap):
        return None
    return Verdict(False, ABOVE_CAP, {"claimed": str(claimed), "cap": "unknown" if cap is None else str(cap)})


def _visitors(case: _Case) -> Verdict | None:
    needed = case.rules.visit_staff or 0
    if case.contact.channel == VISIT and case.contact.staff < needed:
        return Verdict(False, TOO_FEW_VISITORS, {"needed": needed})
    return None


def _quiet(case: _Case) -> Verdict | None:
    starts, ends = case.rules.quiet_from, case.rules.quiet_to
    if case.contact.channel == IN_APP or case.debtor.night_agreed or starts is None or ends is None:
        return None
    now = case.local.time()
    quiet = starts <= now < ends if starts <= ends else now >= starts or now < ends
    if not quiet:
        return None
    retry = case.opening(0 if now < ends else 1)
    return Verdict(False, QUIET_HOURS, {"from": f"{starts:%H:%M}", "to": f"{ends:%H:%M}"}, retry)


def _counted(channel: str, count: str, limit: str, code: str) -> Callable[[_Case], Verdict | None]:
    def rule(case: _Case) -> Verdict | None:
        most = getattr(case.rules, limit)
        if case.contact.channel != channel or getattr(case.history, count) < most:
            return None
        return Verdict(False, code, {"most": most}, case.opening(1))

    return rule


RULES: Sequence[Callable[[_Case], Verdict | None]] = (
    _stopped,
    _third_party,
    _consent,
    _disputed,
    _nothing_due,
    _above_cap,
    _visitors,
    _counted(CALL, "effective_calls_today", "max_effective_calls", TOO_MANY_CALLS),
    _counted(CALL, "unanswered_dials_today_to_number", "max_unanswered", TOO_MANY_DIALS),
    _counted(VISIT, "visits_today", "max_visits", TOO_MANY_VISITS),
    _quiet,
)
