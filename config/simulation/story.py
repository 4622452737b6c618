"""The product lives through the months: one business day after another, with its own services."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta

from config.simulation import pilot as scorecards
from config.simulation import silence
from config.simulation.cast import Cast, moment, register
from config.simulation.crew import Crew
from config.simulation.desk import Desk
from config.simulation.floor import Floor
from config.simulation.learning import Learning
from config.simulation.objections import Objections
from config.simulation.shop import Shop
from config.simulation.till import Till
from config.simulation.world import World
from lending.models import BusinessDay, User
from lending.reference import starter_products
from lending.services import close, notices
from lending.shares import Share
from risk.services import rescoring, scoring

# Told of each step of the work: what, how much of it is done, how much there is.
Progress = Callable[[str, int, int], None]
# The staff go home before the last days, so that every list has something on it.
LEFT_TO_DO = timedelta(days=2)
# Days after which the book is several times what it was, and plans made for a small one are no good any more.
GROWN = (8, 32, 128)
# Every night would be true, once a month shows the same and costs a thirtieth.
NIGHT_OF_SCORES = 28


def live(
    world: World, staff: Mapping[str, User], progress: Progress, workers: int = 1, *, pilot: bool = False
) -> None:
    """Open the books on the first day of the world and close every day up to the last one, which stays open.

    The customers are shared out among `workers` processes; what happens does not depend on how many there are.
    With `pilot` the house begins with scorecards, else it must learn them first.
    """
    close.open_books(on=world.start)
    starter_products()
    if pilot:
        scorecards.install(staff, world.start)
    ids = register(world, world.start)
    quarters = [Quarter(Cast.of(world, staff, ids, Share(number, workers))) for number in range(workers)]
    with Crew(quarters) as crew:
        crew.all("arrive", world.start)
        days = (world.end - world.start).days + 1
        for number in range(days):
            on = world.start + timedelta(days=number)
            if on.day == 1:
                crew.all("learn", on)
            crew.all("day", on)
            if on.day == NIGHT_OF_SCORES:
                crew.all("rescore", on)
            if number in GROWN:
                silence.look_again()
            if on < world.end:
                crew.all("night", close.begin(at=moment(on, 23, 59)))
            progress("days", number + 1, days)


class Quarter:
    """A part of the customers, and everyone who deals with them, in the order of a day."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast

    def arrive(self, on: date) -> None:
        """What the customers of this quarter will do, and what the platform knows of them from before."""
        cast = self._cast
        self.shop, self.till = Shop(cast, cast.world.acts()), Till(cast)
        self.desk, self.floor = Desk(cast, cast.world.wishes()), Floor(cast, self.till)
        self.objections = Objections(cast)
        self.learning = Learning(cast.world.start, cast.staff, cast.share)
        self.shop.tell_history(on)

    def learn(self, on: date) -> None:
        """The analyst trains what is this quarter's turn."""
        self.learning.morning(on)

    def rescore(self, on: date) -> None:
        """All lines are scored again, by all quarters together."""
        rescoring.rescore(on=on, at=moment(on, 22))

    def day(self, on: date) -> None:
        """Messages go out, staff work off yesterday's lists, customers buy, pay and apply, applications are scored."""
        share, on_duty = self._cast.share, on + LEFT_TO_DO <= self._cast.world.end
        send(on, 9, share)
        if on_duty:
            self.objections.answer(on)
            self.desk.review(on)
            self.floor.day(on)
        self.shop.day(on)
        self.till.day(on)
        self.desk.day(on)
        scoring.score_waiting(at=moment(on, 15), limit=1000, share=share)
        self.objections.raise_them(on)
        send(on, 21, share)

    def night(self, day: BusinessDay) -> None:
        """The day is closed, by all quarters together."""
        close.work(day=day, hurried=True)


def send(on: date, hour: int, share: Share) -> None:
    """Everything that may go out to these customers by that hour."""
    while notices.send_due(at=moment(on, hour), limit=1000, batch=1000, share=share) == 1000:
        pass
