from decimal import Decimal

import pytest

from dunning.engine.strategy import (
    CALLING,
    DEMANDING,
    LEGAL,
    REMINDING,
    Step,
    bucket,
    due_steps,
    faults,
    stage_for,
)

STEPS = [
    Step("sms-before", -3, "SMS", "due_soon", REMINDING),
    Step("sms-due", 0, "SMS", "due_today", REMINDING),
    Step("sms-1", 1, "SMS", "overdue", REMINDING),
    Step("mail-1", 1, "EMAIL", "overdue", REMINDING),
    Step("call-4", 4, "CALL", "", CALLING),
    Step("sms-7", 7, "SMS", "overdue_again", CALLING),
    Step("letter-30", 30, "LETTER", "demand", DEMANDING),
    Step("court-90", 90, "LEGAL", "", LEGAL, min_amount=Decimal(1000)),
]


def codes(days: int, done: set[str] | None = None, amount: int = 5000) -> list[str]:
    return [step.code for step in due_steps(STEPS, days, done or set(), Decimal(amount))]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (-4, []),
        (-3, ["sms-before"]),
        (-1, ["sms-before"]),
        (0, ["sms-due"]),
        (1, ["mail-1", "sms-1"]),
        (4, ["mail-1", "sms-1", "call-4"]),
        (7, ["mail-1", "call-4", "sms-7"]),
        (95, ["mail-1", "call-4", "sms-7", "letter-30", "court-90"]),
    ],
)
def test_only_the_latest_step_of_each_channel_is_made_up_for(days: int, expected: list[str]) -> None:
    assert codes(days) == expected


def test_a_day_that_runs_twice_does_nothing_the_second_time() -> None:
    assert codes(4, done={"mail-1", "sms-1", "call-4"}) == []
    assert codes(7, done={"mail-1", "sms-1", "call-4"}) == ["sms-7"]


def test_an_older_step_is_not_taken_after_a_newer_one() -> None:
    assert codes(7, done={"sms-7", "mail-1", "call-4"}) == []


def test_what_is_said_before_the_due_date_lapses_after_it() -> None:
    only_before = [step for step in STEPS if step.day <= 0]
    assert due_steps(only_before, 1, set(), Decimal(5000)) == []


@pytest.mark.parametrize(("amount", "goes"), [(999, False), (1000, True)])
def test_small_amounts_do_not_go_to_court(amount: int, goes: bool) -> None:
    assert ("court-90" in codes(90, amount=amount)) is goes
    assert (stage_for(STEPS, 90, Decimal(amount)) == LEGAL) is goes


@pytest.mark.parametrize(
    ("days", "stage"),
    [(-9, REMINDING), (3, REMINDING), (4, CALLING), (29, CALLING), (30, DEMANDING), (90, LEGAL)],
)
def test_stage(days: int, stage: str) -> None:
    assert stage_for(STEPS, days, Decimal(5000)) == stage


@pytest.mark.parametrize(
    ("days", "name"),
    [
        (-3, "M0"),
        (0, "M0"),
        (1, "M1"),
        (30, "M1"),
        (31, "M2"),
        (60, "M2"),
        (61, "M3"),
        (90, "M3"),
        (91, "M3+"),
    ],
)
def test_bucket(days: int, name: str) -> None:
    assert bucket(days) == name


def test_faults_of_a_strategy() -> None:
    assert faults(STEPS) == []
    doubled = Step("sms-1", 9, "SMS", "x", CALLING)
    back = Step("late", 60, "SMS", "x", REMINDING)
    odd = Step("odd", 5, "SMS", "x", "SINGING")
    assert faults([*STEPS, doubled, back, odd]) == [
        "odd: unknown stage SINGING",
        "sms-1: used twice",
        "late: its stage lies before that of letter-30",
    ]
