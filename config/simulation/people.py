"""Who lives in the world: people with a hidden quality, and the hard times that come to them."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from config.simulation import papers
from config.simulation.streams import stream

# One in fifty buys to turn goods into cash; most of these stop paying one day, for good.
CASH_OUT_SHARE = 0.02
BUST_OUT = 0.6
STUDENT_SHARE = 0.03
# Chance of a job loss or illness in a month: one in two thousand for the best, a hundred times that for the worst.
SHOCK_BASE, SHOCK_SLOPE, SHOCK_POWER = 0.0005, 0.09, 3
NEVER_RECOVERS = 0.45
MONTH = 30


@dataclass(frozen=True, slots=True)
class Person:
    """`quality` in [0, 1] is what no one in the product ever sees; everything else shows in what they do."""

    number: int
    ref: str
    name: str
    quality: float
    cash_out: bool
    is_student: bool
    born: date
    region: str
    monthly_income: Decimal
    registered_on: date
    language: str
    hard_times: tuple[tuple[date, date], ...]
    # Somebody the story needs: applies so many days after the beginning, and buys on credit from then on.
    applies_after: int | None = None

    @property
    def id_number(self) -> str:
        return papers.identity_number(self.number, self.region, self.born)

    @property
    def phone(self) -> str:
        return papers.phone(self.number)

    @property
    def email(self) -> str:
        return f"{self.ref.lower()}@example.com"

    def in_hard_times(self, on: date) -> bool:
        return any(start <= on < end for start, end in self.hard_times)


def person(seed: int, number: int, start: date, end: date) -> Person:
    """The person of that number in the world of that seed; `start` and `end` bound the days to be lived."""
    rng = stream(seed, "person", number)
    quality = rng.betavariate(3.0, 1.7)
    tenure = int(rng.expovariate(1 / (250 + 900 * quality)))
    student = rng.random() < STUDENT_SHARE
    cash_out = rng.random() < CASH_OUT_SHARE
    income = 2200 if student else rng.lognormvariate(8.75 + 0.45 * quality, 0.4)
    return Person(
        number=number,
        ref=f"P{number:06d}",
        name=papers.person_name(rng),
        quality=quality,
        cash_out=cash_out,
        is_student=student,
        born=date(1961, 1, 1) + timedelta(days=rng.randrange(365 * 44)) if not student else date(2005, 9, 1),
        region=rng.choice(tuple(papers.PLACES)),
        monthly_income=Decimal(round(income, -2)),
        registered_on=start - timedelta(days=min(tenure, 3000)),
        language="en" if rng.random() < 0.08 else "zh-hans",
        hard_times=tuple(
            _bust_out(rng, start, end) if cash_out else hard_times(seed, number, quality, start, end)
        ),
    )


def hard_times(seed: int, who: object, quality: float, start: date, end: date) -> list[tuple[date, date]]:
    """Months are drawn one by one; a shock lasts some months, or to the end of the story."""
    rng = stream(seed, "shock", who)
    hazard = SHOCK_BASE + SHOCK_SLOPE * (1 - quality) ** SHOCK_POWER
    found, day = [], start
    while day < end:
        if rng.random() < hazard:
            lasts = (
                (end - day).days + 1 if rng.random() < NEVER_RECOVERS else 20 + int(rng.expovariate(1 / 120))
            )
            found.append((day, day + timedelta(days=lasts)))
            day += timedelta(days=lasts)
        day += timedelta(days=MONTH)
    return found


def _bust_out(rng: Random, start: date, end: date) -> list[tuple[date, date]]:
    stops = start + timedelta(days=rng.randrange(max(1, (end - start).days)))
    return [(stops, end + timedelta(days=1))] if rng.random() < BUST_OUT else []
