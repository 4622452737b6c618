"""What people do on the platform, day by day: orders, deliveries, returns, disputes, moves."""

import math
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random

from config.simulation.people import Person
from config.simulation.streams import poisson, stream

ORDER, DELIVERY, RETURN, CANCEL = "ORDER", "DELIVERY", "RETURN", "CANCEL"
DISPUTE, ADDRESS = "DISPUTE", "ADDRESS_CHANGE"
CATEGORIES = {"HOME": 0.3, "FASHION": 0.27, "FOOD": 0.2, "DIGITAL": 0.17, "GIFT_CARD": 0.04, "GOLD": 0.02}
# What sells again for cash the same day.
LIQUID = ("DIGITAL", "GIFT_CARD", "GOLD")
PRICE = {"HOME": 5.0, "FASHION": 5.2, "FOOD": 4.3, "DIGITAL": 6.9, "GIFT_CARD": 5.9, "GOLD": 7.3}


@dataclass(frozen=True, slots=True)
class Act:
    """Something the platform tells. `ref` names it, `order_ref` the order it belongs to."""

    ref: str
    kind: str
    customer: str
    moment: datetime
    order_ref: str = ""
    amount: Decimal | None = None
    data: dict = field(default_factory=dict)

    @property
    def day(self) -> date:
        return self.moment.date()


def acts(seed: int, person: Person, start: date, end: date) -> list[Act]:
    """Everything one person does from `start` up to and including `end`, in no particular order."""
    found: list[Act] = []
    habit = _Habit(seed, person)
    rng = stream(seed, "shop", person.number)
    for ahead in range((end - start).days + 1):
        day = start + timedelta(days=ahead)
        for _ in range(poisson(rng, habit.rate(day))):
            found += _order(rng, person, f"{person.ref}-{len(found):05d}", day, habit.basket(day))
    return found + _moves(seed, person, start, end)


@lru_cache(maxsize=4096)
def season(day: date) -> float:
    """The year of a Chinese shop: 618, 11.11, 12.12, and the quiet of the Spring Festival."""
    if (day.month, day.day) in ((6, 18), (11, 11)):
        return 5.0
    if day.month == 6 and day.day <= 18 or day.month == 11 and day.day <= 11:
        return 1.8
    if (day.month, day.day) == (12, 12):
        return 2.0
    return 0.55 if day.month == 2 and day.day <= 20 else 1.0


class _Habit:
    """How often and how evenly a person buys: the worse the quality, the wilder one month differs from the next."""

    def __init__(self, seed: int, person: Person) -> None:
        rng = stream(seed, "habit", person.number)
        self._seed, self._person = seed, person
        self._spread = 0.1 + 1.5 * (1 - person.quality) ** 1.5
        self._daily = (
            rng.lognormvariate(-3.1, 0.4) * (0.7 + person.quality) * (1.6 if person.cash_out else 1.0)
        )
        if person.applies_after is not None:
            self._daily = max(self._daily, 0.15)
        self._months: dict[tuple[int, int], float] = {}
        self._basket = 0.35 * rng.gauss(0, 1) + 0.25 * (float(person.monthly_income) / 9000 - 1)

    def rate(self, day: date) -> float:
        """Orders to expect that day."""
        person = self._person
        if day < person.registered_on:
            return 0.0
        usual = self._daily * self._month(day.year, day.month) * season(day)
        return usual * (0.6 if person.in_hard_times(day) else 1.0)

    def basket(self, day: date) -> float:
        """How much larger than usual an order is, as a logarithm: who buys more often in a month also buys dearer."""
        return self._basket + 0.6 * math.log(self._month(day.year, day.month))

    def _month(self, year: int, month: int) -> float:
        if (year, month) not in self._months:
            rng = stream(self._seed, "month", self._person.number, year, month)
            self._months[year, month] = min(4.0, rng.lognormvariate(0, self._spread))
        return self._months[year, month]


def _order(rng: Random, person: Person, ref: str, day: date, basket: float) -> list[Act]:
    category = _category(rng, person)
    amount = Decimal(
        str(round(min(20000.0, max(9.9, rng.lognormvariate(PRICE[category] + basket, 0.55))), 2))
    )
    told = {"category": category, "risky": category in LIQUID}
    order = Act(f"{ref}-o", ORDER, person.ref, moment(rng, day), ref, amount, told)
    if rng.random() < 0.01 + 0.15 * (1 - person.quality) ** 2:
        thinks_again = datetime.combine(day, time(23, rng.randint(0, 29)))
        return [order, Act(f"{ref}-x", CANCEL, person.ref, thinks_again, ref, amount)]
    late = rng.random() < 0.07
    arrives = day + timedelta(days=rng.randint(6, 11) if late else rng.randint(1, 4))
    delivery = Act(f"{ref}-d", DELIVERY, person.ref, moment(rng, arrives), ref, None, {"late": late})
    found = [order, delivery]
    if rng.random() < _return_chance(person, category):
        back = arrives + timedelta(days=rng.randint(1, 9))
        share = Decimal(1) if rng.random() < 0.75 else Decimal(rng.randint(2, 8)) / 10
        worth = (amount * share).quantize(Decimal("0.01"))
        found.append(Act(f"{ref}-r", RETURN, person.ref, moment(rng, back), ref, worth))
    elif rng.random() < (0.7 if late else 0.05) * (1.1 - person.quality):
        complains = arrives + timedelta(days=rng.randint(0, 5))
        found.append(Act(f"{ref}-c", DISPUTE, person.ref, moment(rng, complains), ref, None, {"late": late}))
    return found


def _category(rng: Random, person: Person) -> str:
    if person.cash_out and rng.random() < 0.65:
        return rng.choice(LIQUID)
    return rng.choices(tuple(CATEGORIES), tuple(CATEGORIES.values()))[0]


def _return_chance(person: Person, category: str) -> float:
    usual = 0.10 if category == "FASHION" else 0.03
    return min(0.7, usual + 0.4 * (1 - person.quality) ** 2 + (0.28 if person.cash_out else 0.0))


def _moves(seed: int, person: Person, start: date, end: date) -> list[Act]:
    """New delivery addresses: once in two years for the settled, far more often for the restless."""
    rng = stream(seed, "moves", person.number)
    yearly = 0.3 + 4.0 * (1 - person.quality) ** 2 + (4.0 if person.cash_out else 0.0)
    found, day = [], start + timedelta(days=int(rng.expovariate(yearly / 365)))
    while day <= end:
        found.append(Act(f"{person.ref}-a{len(found) + 1:03d}", ADDRESS, person.ref, moment(rng, day)))
        day += timedelta(days=1 + int(rng.expovariate(yearly / 365)))
    return found


def moment(rng: Random, day: date) -> datetime:
    """Some second between 07:00 and 22:59 of that day, without a time zone: the driver knows the place."""
    return datetime.combine(day, time(rng.randint(7, 22), rng.randint(0, 59), rng.randint(0, 59)))
