"""People who are always in the demo, so that every stage of collections has somebody in it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from config.simulation import people
from config.simulation.people import Person

FIRST = 900_001
# How many days before the last one they stop paying, each for good: in court, demanded, called, reminded.
STOPPED = (150, 125, 75, 48, 30, 26, 22, 18)


def characters(seed: int, start: date, end: date) -> Iterator[Person]:
    """Good customers on all evidence, until they cannot pay any more."""
    for number, days in enumerate(STOPPED, FIRST):
        person = people.person(seed, number, start, end)
        hard_times = ((end - timedelta(days=days), end + timedelta(days=1)),)
        yield replace(
            person,
            quality=0.93,
            cash_out=False,
            is_student=False,
            hard_times=hard_times,
            applies_after=5 + number % 7,
        )
