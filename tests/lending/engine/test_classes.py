"""Buckets, the floors of the five classes, and what makes a class worse than its floor."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from lending.engine.classes import Buckets, Scale, Tier, days_past_due, is_contagious, own_class

D = Decimal
GENERAL = Scale(1, 91, 271, 361)
CARD = Scale(1, 91, 121, 181)
BUCKETS = Buckets((1, 31, 61, 91))
N, S, SUB, DBT, LOSS = Tier

# Days past due, bucket, class of a loan in general, class of a revolving line.
TABLE = [
    (0, 0, N, N),
    (1, 1, S, S),
    (7, 1, S, S),
    (30, 1, S, S),
    (31, 2, S, S),
    (60, 2, S, S),
    (61, 3, S, S),
    (90, 3, S, S),
    (91, 4, SUB, SUB),
    (120, 4, SUB, SUB),
    (121, 4, SUB, DBT),
    (180, 4, SUB, DBT),
    (181, 4, SUB, LOSS),
    (270, 4, SUB, LOSS),
    (271, 4, DBT, LOSS),
    (360, 4, DBT, LOSS),
    (361, 4, LOSS, LOSS),
]


@pytest.mark.parametrize(("days", "bucket", "general", "card"), TABLE)
def test_days_set_the_bucket_and_the_floor(days: int, bucket: int, general: Tier, card: Tier) -> None:
    assert (BUCKETS.of(days), GENERAL.floor(days), CARD.floor(days)) == (bucket, general, card)


@pytest.mark.parametrize(("days", "bucket"), [(3, 0), (4, 1), (31, 2)])
def test_days_of_grace_do_not_count_until_they_are_over(days: int, bucket: int) -> None:
    assert BUCKETS.of(days, grace=3) == bucket


def test_buckets_have_the_names_of_the_field() -> None:
    assert BUCKETS.names == ["M0", "M1", "M2", "M3", "M3+"]
    assert Buckets((1, 31, 61, 91, 121)).names == ["M0", "M1", "M2", "M3", "M4", "M4+"]
    assert Buckets((1,)).names == ["M0", "M1"]


def test_an_instalment_is_not_late_on_its_due_date() -> None:
    due = date(2026, 4, 2)
    assert [days_past_due(due, due + timedelta(days=n)) for n in (-1, 0, 1, 91)] == [0, 0, 1, 91]
    assert days_past_due(None, due) == 0


@pytest.mark.parametrize(
    ("floor", "by_hand", "before", "watched", "found"),
    [
        (N, N, LOSS, False, N),  # cured
        (S, DBT, N, False, DBT),  # people know more
        (LOSS, SUB, N, False, LOSS),  # people never make it better
        (N, N, SUB, True, SUB),  # watched: no better than it was
        (N, N, N, True, S),  # watched: never normal
        (DBT, N, SUB, True, DBT),  # watched: may become worse
    ],
)
def test_the_class_by_itself(floor: Tier, by_hand: Tier, before: Tier, watched: bool, found: Tier) -> None:
    assert own_class(floor, by_hand=by_hand, before=before, watched=watched) == found


@pytest.mark.parametrize(
    ("bad", "all_of_it", "spoilt"),
    [("99", "1000", False), ("100", "1000", False), ("100.01", "1000", True), ("101", "1000", True)],
)
def test_more_than_a_tenth_spoils_the_rest(bad: str, all_of_it: str, spoilt: bool) -> None:
    claims = [(D(bad), SUB), (D(all_of_it) - D(bad), N)]
    assert is_contagious(claims, D("0.1")) is spoilt


def test_who_owes_nothing_spoils_nothing() -> None:
    assert not is_contagious([], D("0.1"))
    assert not is_contagious([(D(0), LOSS)], D("0.1"))
    assert not is_contagious([(D(5), LOSS)], D(1))
