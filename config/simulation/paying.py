"""When people pay: most in time, some forget, some cannot, and a few never meant to."""

from datetime import date, timedelta

from config.simulation.companies import Company
from config.simulation.people import Person
from config.simulation.streams import stream

# Someone in hard times finds the money after all: once in eight times, within the month.
MANAGES = 0.12
# A shock that has passed leaves debts to be paid off within three weeks.
CATCHES_UP = 21


def pays_on(seed: int, who: Person | Company, due_on: date) -> date | None:
    """The day on which what is due on `due_on` will be paid if nothing else happens; None means never.

    Of those with a bill about one in twenty is late on the first day, and most of these pay within the month: they
    forgot. Who is in hard times pays when these are over, so that few who are a month late come back soon.
    """
    rng = stream(seed, "due", who.ref, due_on.toordinal())
    for start, end in who.hard_times:
        if start <= due_on + timedelta(days=5) and due_on < end:
            if who.applies_after is None and rng.random() < MANAGES:
                return due_on + timedelta(days=rng.randint(5, 28))
            return end + timedelta(days=rng.randint(1, CATCHES_UP))
    if rng.random() < 0.008 + 0.11 * (1 - who.quality) ** 1.5:
        return due_on + timedelta(days=1 + min(27, int(rng.expovariate(1 / 6))))
    return due_on - timedelta(days=rng.choice((0, 0, 0, 1, 2, 3)))


def keeps_promise(seed: int, who: Person | Company, due_on: date, promised_on: date) -> bool:
    """Whether a promise given to a collector is kept: never in hard times, and by most others."""
    rng = stream(seed, "promise", who.ref, promised_on.toordinal())
    return not who.in_hard_times(promised_on) and rng.random() < 0.55 + 0.4 * who.quality


def wants_credit(seed: int, who: Person | Company, order_ref: str, on: date) -> bool:
    """Whether an order is bought on the line rather than paid at once; the hard-pressed lean on it."""
    appetite = 0.9 if who.cash_out or who.applies_after is not None else 0.25 + 0.25 * (1 - who.quality)
    if who.in_hard_times(on):
        appetite = min(0.95, appetite * 2)
    return stream(seed, "credit", order_ref).random() < appetite
