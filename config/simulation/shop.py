"""The platform's side of a day: what it tells us, and the orders that are bought on the line."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings

from config.simulation.cast import Cast, moment
from config.simulation.paying import wants_credit
from config.simulation.shopping import CANCEL, ORDER, RETURN, Act
from config.simulation.streams import stream
from lending import bulk
from lending.models import Purchase
from lending.services import purchases
from risk.services import events

SOURCE = "simulation"
BATCH = 5000
# Nobody takes a line for a sandwich.
SMALLEST = Decimal(60)
LINES = bulk.Tuples("""
    SELECT l.customer_id, l.id, l.base_limit - l.used - l.held, p.tenors
    FROM lending_creditline l JOIN lending_product p ON p.id = l.product_id
    WHERE l.customer_id = ANY(%s::bigint[]) AND l.state = 'ACTIVE' ORDER BY l.id
""")
CAPTURED = bulk.Select(Purchase, "id = ANY(%s::bigint[]) AND state = 'CAPTURED' ORDER BY order_ref")


@dataclass(slots=True)
class Line:
    """A line that is open, and what is free on it."""

    pk: int
    free: Decimal
    tenors: list[int]


class Shop:
    def __init__(self, cast: Cast, acts: dict[date, list[Act]]) -> None:
        self._cast, self._acts = cast, acts
        self._bought: dict[str, int] = {}
        self._leaving: dict[date, list[str]] = defaultdict(list)

    def tell_history(self, before: date) -> int:
        """What happened before the first day of business, in large batches."""
        past = [act for day in sorted(self._acts) if day < before for act in self._acts[day]]
        for first in range(0, len(past), BATCH):
            self._ingest(past[first : first + BATCH], before - timedelta(days=1))
        return len(past)

    def day(self, on: date) -> int:
        acts = self._acts.get(on, [])
        self._ship(on)
        self._sell([act for act in acts if act.kind == ORDER], on)
        self._call_off([act for act in acts if act.kind == CANCEL], on)
        self._take_back([act for act in acts if act.kind == RETURN], on)
        if acts:
            self._ingest(acts, on)
        return len(acts)

    def _ingest(self, acts: Sequence[Act], on: date) -> None:
        result = events.ingest(rows=as_rows(acts), at=moment(on, 23, 30), by=None)
        if result.refused:
            raise ValueError(f"the simulated platform told nonsense: {result.refused[0]}")

    def _sell(self, orders: Sequence[Act], on: date) -> None:
        """Orders on credit, held on the line; they leave the house the next day."""
        wanting = [act for act in orders if self._on_credit(act, on)]
        found = LINES([self._cast.ids[act.customer] for act in wanting]) if wanting else []
        lines = {customer_id: Line(*line) for customer_id, *line in found}
        fitting = []
        for act in wanting:
            line = lines.get(self._cast.ids[act.customer])
            if line is not None and act.amount <= line.free:
                line.free -= act.amount
                fitting.append(self._order(act, line))
        if fitting:
            self._buy(fitting, on)

    def _on_credit(self, act: Act, on: date) -> bool:
        who = self._cast.by_id[self._cast.ids[act.customer]]
        return act.amount >= SMALLEST and wants_credit(self._cast.world.seed, who, act.order_ref, on)

    def _order(self, act: Act, line: Line) -> purchases.Order:
        rng = stream(self._cast.world.seed, "tenor", act.order_ref)
        tenors = sorted(line.tenors)
        return purchases.Order(
            line_id=line.pk,
            order_ref=act.order_ref,
            amount=act.amount,
            tenor=tenors[0] if act.amount < 300 else rng.choice(tenors),
            description=act.data.get("category", "").title(),
        )

    def _buy(self, orders: Sequence[purchases.Order], on: date) -> None:
        bought = purchases.authorise_many(orders, by=None, at=moment(on, 12), on=on)
        for purchase in bought:
            if isinstance(purchase, Purchase):
                self._bought[purchase.order_ref] = purchase.pk
                self._leaving[on + timedelta(days=1)].append(purchase.order_ref)

    def _call_off(self, cancels: Sequence[Act], on: date) -> None:
        """Orders that were bought on credit and called off before they left."""
        tomorrow = self._leaving[on + timedelta(days=1)]
        for act in cancels:
            if act.order_ref in tomorrow:
                tomorrow.remove(act.order_ref)
                purchases.void(purchase_id=self._bought[act.order_ref], by=None, at=moment(on, 23))

    def _ship(self, on: date) -> None:
        """What was bought yesterday leaves the house: it is captured."""
        leaving = [(self._bought[order_ref], None) for order_ref in self._leaving.pop(on, [])]
        if leaving:
            purchases.capture_many(captures=leaving, by=None, at=moment(on, 10), on=on)

    def _take_back(self, returns: Sequence[Act], on: date) -> None:
        """Goods that were bought on credit and came back: the debt shrinks."""
        bought = {self._bought[act.order_ref]: act for act in returns if act.order_ref in self._bought}
        for purchase in CAPTURED(list(bought)) if bought else []:
            act = bought[purchase.pk]
            left = purchase.captured - purchase.refunded
            purchases.refund(
                purchase_id=purchase.pk,
                amount=min(left, act.amount),
                key=f"refund:{act.ref}",
                by=None,
                at=moment(on, 14),
                on=on,
            )


def as_rows(acts: Sequence[Act]) -> list[events.EventRow]:
    """The acts as the platform would send them."""
    zone = ZoneInfo(settings.TIME_ZONE)
    return [
        events.EventRow(
            customer_ref=act.customer,
            source=SOURCE,
            external_id=act.ref,
            kind=act.kind,
            at=act.moment.replace(tzinfo=zone),
            order_ref=act.order_ref,
            amount=act.amount,
            data=act.data,
        )
        for act in acts
    ]
