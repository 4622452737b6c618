"""Every rule of the contact gate, on both sides of its boundary."""

from dataclasses import replace
from datetime import UTC, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunning.engine import gate
from dunning.engine.gate import Contact, Debtor, GateRules, History, decide

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=SHANGHAI)
RULES = GateRules()
DEBTOR = Debtor(
    timezone="Asia/Shanghai", consents={gate.SMS: True, gate.EMAIL: True}, overdue_amount=Decimal(1000)
)
CALL = Contact(gate.CALL, gate.DEBTOR, gate.COLLECTION, NOON, number="138")


def ask(
    contact: Contact = CALL, debtor: Debtor = DEBTOR, rules: GateRules = RULES, **counts: int
) -> gate.Verdict:
    return decide(contact, debtor, History(**counts), rules)


def at(hour: int, minute: int = 0, second: int = 0, **changes: object) -> Contact:
    moment = NOON.replace(hour=hour, minute=minute, second=second)
    return replace(CALL, at=moment, **changes)  # type: ignore[arg-type]


def test_a_plain_call_at_noon_is_allowed() -> None:
    assert ask() == gate.Verdict(True)


@pytest.mark.parametrize(
    ("clock", "allowed"),
    [((7, 59, 59), False), ((8, 0, 0), True), ((21, 59, 59), True), ((22, 0, 0), False), ((0, 0, 0), False)],
)
@pytest.mark.parametrize("channel", [gate.CALL, gate.SMS, gate.EMAIL, gate.VISIT, gate.LETTER])
def test_quiet_hours_hold_for_every_channel(clock: tuple[int, int, int], allowed: bool, channel: str) -> None:
    verdict = ask(at(*clock, channel=channel, staff=2))
    assert verdict.allowed is allowed
    assert verdict.rule == (None if allowed else gate.QUIET_HOURS)


def test_quiet_hours_spare_messages_in_the_app_and_those_who_agreed() -> None:
    assert ask(at(23, channel=gate.IN_APP)).allowed
    assert ask(at(23), replace(DEBTOR, night_agreed=True)).allowed


def test_a_reminder_before_the_due_date_keeps_quiet_hours_too() -> None:
    early = replace(DEBTOR, overdue_amount=Decimal(0))
    assert ask(at(22, purpose=gate.SERVICE, channel=gate.SMS), early).rule == gate.QUIET_HOURS
    assert ask(at(21, purpose=gate.SERVICE, channel=gate.SMS), early).allowed


@pytest.mark.parametrize(
    ("clock", "day"), [((22, 0, 0), 24), ((23, 59, 59), 24), ((0, 0, 0), 23), ((7, 59, 59), 23)]
)
def test_quiet_hours_end_at_eight_of_the_right_day(clock: tuple[int, int, int], day: int) -> None:
    assert ask(at(*clock)).retry_at == datetime(2026, 11, day, 8, 0, tzinfo=SHANGHAI)


def test_the_hour_is_that_of_the_debtors_place() -> None:
    nine_in_shanghai = replace(CALL, at=datetime(2026, 11, 23, 1, 0, tzinfo=UTC))
    assert ask(nine_in_shanghai).allowed
    in_london = ask(nine_in_shanghai, replace(DEBTOR, timezone="Europe/London"))
    assert (in_london.rule, in_london.retry_at) == (
        gate.QUIET_HOURS,
        datetime(2026, 11, 23, 8, 0, tzinfo=UTC),
    )


def test_the_day_of_the_counts_is_the_debtors_day() -> None:
    late = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    assert str(gate.local_day(late, "Asia/Shanghai")) == "2026-11-24"
    assert str(gate.local_day(late, "America/New_York")) == "2026-11-23"


@pytest.mark.parametrize(
    ("contact", "counts", "rule"),
    [
        (CALL, {"effective_calls_today": 2}, None),
        (CALL, {"effective_calls_today": 3}, gate.TOO_MANY_CALLS),
        (CALL, {"unanswered_dials_today_to_number": 5}, None),
        (CALL, {"unanswered_dials_today_to_number": 6}, gate.TOO_MANY_DIALS),
        (replace(CALL, channel=gate.VISIT, staff=2), {"visits_today": 0}, None),
        (replace(CALL, channel=gate.VISIT, staff=2), {"visits_today": 1}, gate.TOO_MANY_VISITS),
        (replace(CALL, channel=gate.SMS), {"effective_calls_today": 9, "visits_today": 9}, None),
    ],
)
def test_daily_counts(contact: Contact, counts: dict[str, int], rule: str | None) -> None:
    verdict = ask(contact, **counts)
    assert verdict.rule == rule
    assert verdict.retry_at == (None if rule is None else datetime(2026, 11, 24, 8, 0, tzinfo=SHANGHAI))


def test_a_full_count_at_night_waits_for_the_morning_after() -> None:
    assert ask(at(2), effective_calls_today=3).retry_at == datetime(2026, 11, 24, 8, 0, tzinfo=SHANGHAI)


def test_one_visitor_is_too_few() -> None:
    assert ask(replace(CALL, channel=gate.VISIT, staff=1)).rule == gate.TOO_FEW_VISITORS


@pytest.mark.parametrize("zone", [None, "", "Asia/Nowhere", "../etc/passwd"])
def test_an_unknown_place_refuses(zone: str | None) -> None:
    assert ask(debtor=replace(DEBTOR, timezone=zone)).rule == gate.UNKNOWN_PLACE


@pytest.mark.parametrize("name", list(vars(RULES)))
def test_a_missing_number_of_a_rule_refuses_and_is_named(name: str) -> None:
    verdict = ask(rules=replace(RULES, **{name: None}))  # type: ignore[arg-type]
    assert (verdict.rule, verdict.params) == (gate.MISSING_RULE, {"parameters": name})


@pytest.mark.parametrize("change", [{"channel": "FAX"}, {"party": "NEIGHBOUR"}, {"purpose": "GOSSIP"}])
def test_unknown_words_refuse(change: dict[str, str]) -> None:
    assert ask(replace(CALL, **change)).rule == gate.UNKNOWN_CONTACT  # type: ignore[arg-type]


def test_a_moment_without_a_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match="time zone"):
        ask(replace(CALL, at=datetime(2026, 11, 23, 12, 0)))


@pytest.mark.parametrize(
    ("channel", "consents", "rule"),
    [
        (gate.SMS, {gate.SMS: True}, None),
        (gate.SMS, {gate.SMS: False}, gate.NO_CONSENT),
        (gate.SMS, {}, gate.NO_CONSENT),
        (gate.CALL, {}, None),
        (gate.CALL, {gate.CALL: False}, gate.NO_CONSENT),
    ],
)
def test_consent_must_be_known_where_it_is_needed(
    channel: str, consents: dict[str, bool], rule: str | None
) -> None:
    assert ask(replace(CALL, channel=channel), replace(DEBTOR, consents=consents)).rule == rule


def test_a_stop_holds_for_its_channel_and_its_number() -> None:
    stopped = replace(DEBTOR, stop_channels=frozenset({gate.SMS}), stop_numbers=frozenset({"139"}))
    assert ask(replace(CALL, channel=gate.SMS), stopped).rule == gate.STOPPED
    assert ask(replace(CALL, number="139"), stopped).rule == gate.STOPPED
    assert ask(CALL, stopped).allowed
    assert ask(replace(CALL, channel=gate.SMS), stopped).retry_at is None


def test_only_the_letter_of_the_law_passes_a_stop() -> None:
    everything = replace(DEBTOR, stop_channels=frozenset(gate.CHANNELS))
    by_law = replace(CALL, purpose=gate.LEGAL)
    assert ask(replace(by_law, channel=gate.LETTER), everything).allowed
    assert ask(replace(by_law, channel=gate.EMAIL), everything).rule == gate.STOPPED
    assert ask(replace(CALL, channel=gate.LETTER), everything).rule == gate.STOPPED


@pytest.mark.parametrize(
    ("disputed", "claimed", "rule"),
    [
        (None, None, gate.DISPUTED),
        (Decimal(0), None, gate.DISPUTED),
        (Decimal(1000), None, gate.DISPUTED),
        (Decimal("999.99"), None, None),
        (Decimal(400), Decimal(600), None),
        (Decimal(400), Decimal("600.01"), gate.DISPUTED),
    ],
)
def test_what_is_disputed_is_not_chased(
    disputed: Decimal | None, claimed: Decimal | None, rule: str | None
) -> None:
    debtor = replace(DEBTOR, open_dispute=True, disputed_amount=disputed, capped_amount=Decimal(1000))
    assert ask(replace(CALL, claimed_amount=claimed), debtor).rule == rule
    assert ask(replace(CALL, purpose=gate.SERVICE), debtor).allowed


@pytest.mark.parametrize("purpose", [gate.COLLECTION, gate.LEGAL])
def test_nothing_overdue_is_not_collected(purpose: str) -> None:
    paid = replace(DEBTOR, overdue_amount=Decimal(0))
    assert ask(replace(CALL, purpose=purpose), paid).rule == gate.NOTHING_DUE
    assert ask(replace(CALL, purpose=gate.REMINDER), paid).allowed


@pytest.mark.parametrize(
    ("cap", "rule"), [(Decimal("900"), None), (Decimal("899.99"), gate.ABOVE_CAP), (None, gate.ABOVE_CAP)]
)
def test_no_claim_above_the_legal_cap(cap: Decimal | None, rule: str | None) -> None:
    claim = replace(CALL, claimed_amount=Decimal(900))
    assert ask(claim, replace(DEBTOR, capped_amount=cap)).rule == rule


def test_others_are_called_only_for_a_lost_debtor_and_told_nothing() -> None:
    other = replace(CALL, party=gate.CONTACT, purpose=gate.SERVICE, number="137")
    lost = replace(DEBTOR, lost_proof=gate.NO_ANSWER)
    assert ask(other, lost).allowed
    assert ask(other).params == {"why": "not_lost"}
    assert ask(other, replace(DEBTOR, lost_proof="A_HUNCH")).params == {"why": "not_lost"}
    assert ask(replace(other, shows_debt=True), lost).params == {"why": "shows_debt"}
    assert ask(replace(other, claimed_amount=Decimal(1)), lost).params == {"why": "shows_debt"}
    assert ask(replace(other, purpose=gate.COLLECTION), lost).params == {"why": "shows_debt"}
    assert ask(replace(other, channel=gate.SMS), lost).params == {"why": "only_calls"}
    assert ask(replace(other, party=gate.THIRD_PARTY), lost).params == {"why": "unrelated"}
    assert ask(other, replace(lost, stop_numbers=frozenset({"137"}))).rule == gate.STOPPED


@pytest.mark.parametrize(
    ("dead", "failed", "proof"),
    [(True, 0, gate.NUMBER_DEAD), (False, 2, None), (False, 3, gate.NO_ANSWER)],
)
def test_when_a_debtor_counts_as_lost(dead: bool, failed: int, proof: str | None) -> None:
    assert gate.lost_proof(number_dead=dead, failed_in_a_row=failed, rules=RULES) == proof


def test_the_numbers_come_from_the_rules() -> None:
    strict = replace(RULES, quiet_from=time(21), quiet_to=time(9), max_effective_calls=1)
    assert ask(at(8, 30), rules=strict).rule == gate.QUIET_HOURS
    assert ask(at(21), rules=strict).rule == gate.QUIET_HOURS
    assert ask(rules=strict, effective_calls_today=1).rule == gate.TOO_MANY_CALLS


@given(
    st.builds(
        Contact,
        st.sampled_from(gate.CHANNELS),
        st.sampled_from(gate.PARTIES),
        st.sampled_from(gate.PURPOSES),
        st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
        number=st.sampled_from(["", "138"]),
        staff=st.integers(0, 3),
    ),
    st.sampled_from(["Asia/Shanghai", "Asia/Urumqi", "America/New_York", "Europe/London", "Pacific/Apia"]),
    st.builds(History, st.integers(0, 4), st.integers(0, 7), st.integers(0, 2)),
)
def test_what_may_be_retried_is_allowed_then(contact: Contact, zone: str, history: History) -> None:
    """A refusal that names a moment is over at that moment (a new day has new counts), and not before."""
    debtor = replace(DEBTOR, timezone=zone)
    verdict = decide(contact, debtor, history, RULES)
    if verdict.retry_at is None:
        return
    assert verdict.retry_at > contact.at
    assert decide(replace(contact, at=verdict.retry_at), debtor, History(), RULES).allowed
