"""The world of a seed: who is in it, what each of them does, when they apply. Pure, and the same every time."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from config.simulation import characters, companies, people, shopping
from config.simulation.companies import Company
from config.simulation.people import Person
from config.simulation.shopping import Act
from config.simulation.streams import stream

Someone = Person | Company
# The platform knew its customers for a while before it began to lend.
HISTORY = timedelta(days=120)
# Of all people, those who ever ask for credit; nearly all companies do.
APPLY = {"P": 0.65, "C": 0.9}


@dataclass(frozen=True, slots=True)
class Wish:
    """An application to be: by whom, when, for what and how much."""

    who: Someone
    on: date
    product: str
    amount: Decimal
    tenor: int | None
    answers: dict = field(default_factory=dict)


@dataclass(slots=True)
class World:
    """`start` is the first day of business, `end` the last day to be lived through."""

    seed: int
    start: date
    end: date
    people: list[Person] = field(default_factory=list)
    companies: list[Company] = field(default_factory=list)

    @property
    def everyone(self) -> list[Someone]:
        return [*self.people, *self.companies]

    def of(self, refs: Collection[str]) -> "World":
        """Only these inhabitants: the same people, doing the same things."""
        return World(
            self.seed,
            self.start,
            self.end,
            [person for person in self.people if person.ref in refs],
            [company for company in self.companies if company.ref in refs],
        )

    def acts(self) -> dict[date, list[Act]]:
        """What the platform tells, by the day on which it happened; orders by moment, then by name."""
        by_day: dict[date, list[Act]] = defaultdict(list)
        for act in self._all_acts():
            if act.day <= self.end:
                by_day[act.day].append(act)
        for found in by_day.values():
            found.sort(key=lambda act: (act.moment, act.ref))
        return by_day

    def _all_acts(self) -> Iterator[Act]:
        since = self.start - HISTORY
        for person in self.people:
            yield from shopping.acts(self.seed, person, since, self.end)
        for company in self.companies:
            yield from companies.acts(self.seed, company, since, self.end)

    def wishes(self) -> dict[date, list[Wish]]:
        """Who applies on which day; more in the first half, since a new offer finds its eager customers first."""
        by_day: dict[date, list[Wish]] = defaultdict(list)
        for who in self.everyone:
            rng = stream(self.seed, "wish", who.ref)
            share = rng.betavariate(1.0, 2.0)
            day = self.start + timedelta(days=int(share * (self.end - self.start).days))
            if who.applies_after is not None:
                day = self.start + timedelta(days=who.applies_after)
                by_day[day].append(Wish(who, day, "pay-later", Decimal(8000), None))
            elif rng.random() < APPLY[who.ref[0]]:
                by_day[day].append(self._wish(who, day))
        return by_day

    def _wish(self, who: Someone, day: date) -> Wish:
        rng = stream(self.seed, "ask", who.ref)
        if isinstance(who, Company):
            asks = Decimal(round(float(who.revenue) * rng.uniform(0.03, 0.1), -4))
            tenor = {"working-capital": 12, "supplier-advance": 3}.get(who.product)
            asks = min(max(asks, Decimal(50_000)), Decimal(1_000_000))
            return Wish(who, day, who.product, asks, tenor, self.accounts(who, day))
        if rng.random() < 0.06:
            return Wish(who, day, "cash-loan", Decimal(rng.randint(2, 30) * 1000), rng.choice((3, 6, 12)))
        asks = Decimal(round(float(who.monthly_income) * rng.uniform(0.8, 2.5), -2))
        return Wish(who, day, "pay-later", min(max(asks, Decimal(1000)), Decimal(50_000)), None)

    def accounts(self, who: Company, day: date) -> dict:
        """The two last years that a company hands in with its application; last year's are not ready before May."""
        newest = day.year - 1 if day.month >= 5 else day.year - 2
        years = (newest - 1, newest)
        return {"statements": [{"year": y, "figures": companies.figures(self.seed, who, y)} for y in years]}


def build(
    seed: int, customers: int, companies_: int, start: date, end: date, *, with_characters: bool = False
) -> World:
    """The world of that seed with that many people and companies, and the characters of the demo if wanted."""
    extra = characters.characters(seed, start, end) if with_characters else ()
    return World(
        seed,
        start,
        end,
        [*extra, *(people.person(seed, number, start, end) for number in range(1, customers + 1))],
        [companies.company(seed, number, start, end) for number in range(1, companies_ + 1)],
    )
