"""Taking in what the platform tells us: once each, whatever the order, and acted upon at once."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from lending import bulk
from lending.errors import Refused
from lending.models import User
from risk.daysums import AGGREGATES, COLUMNS, SUMS
from risk.models import PlatformEvent
from risk.services import controls

Kind = PlatformEvent.Kind

MAX_BATCH = 10_000
MAX_DATA = 4_000  # characters of JSON
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LARGEST = Decimal("1e10")
KINDS = frozenset(Kind.values)
MONEY = frozenset(kind.value for kind in PlatformEvent.MONEY)
WATCHED = {Kind.ORDER, Kind.RETURN, Kind.ADDRESS_CHANGE}  # what can make a control's figure grow
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # a NUL, or half of a surrogate pair: no text for the database


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event as a platform sends it; nothing in it is trusted yet.

    `customer_ref` is the platform's own name for the customer, `external_id` its number for the event,
    unique per `source`. `at` may be an ISO text with its zone. In `data`, a delivery says `late` or
    `promised_on`, an order may say `risky` (easily turned into cash).
    """

    customer_ref: str
    source: str
    external_id: str
    kind: str
    at: datetime | str
    order_ref: str = ""
    amount: Decimal | str | int | float | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the row at `index` was not taken; `field` is the input at fault."""

    index: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class IngestResult:
    accepted: int
    duplicates: int
    refused: list[Refusal]


@dataclass(frozen=True, slots=True)
class _Event:
    """A row that passed every check."""

    index: int
    customer_id: int
    source: str
    external_id: str
    kind: str
    order_ref: str
    amount: Decimal | None
    at: datetime
    data: str

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.external_id

    @property
    def content(self) -> tuple[Any, ...]:
        return self.customer_id, self.kind, self.order_ref, self.amount, self.at


# Asked for every batch.
NUMBERS = bulk.Tuples("SELECT platform_ref, id FROM lending_customer WHERE platform_ref = ANY(%s::text[])")


@transaction.atomic
def ingest(*, rows: Sequence[EventRow], at: datetime, by: User | None = None) -> IngestResult:
    """Take in a batch: each event once, its day's sums moved, the controls asked, all in one transaction.

    A row at fault is refused and named, the others go in. An event that is known already changes nothing;
    with other content under a known number it is refused. Raises `Refused` when the batch is too large.
    """
    if len(rows) > MAX_BATCH:
        raise Refused("batch_too_large", _("Send at most %d events at a time.") % MAX_BATCH)
    events, refused = _checked(rows, at)
    first: dict[tuple[str, str], _Event] = {}
    for event in events:
        first.setdefault(event.key, event)
    fresh = _insert(list(first.values()), at, by)
    duplicates, clashes = _compare(events, first, fresh)
    watched = {first[key].customer_id for key in fresh if first[key].kind in WATCHED}
    if watched:
        controls.watch(customer_ids=watched, on=timezone.localtime(at).date(), at=at)
    return IngestResult(len(fresh), duplicates, sorted([*refused, *clashes], key=lambda r: r.index))


# --- checks -------------------------------------------------------------------------------------------------


class _Fault(Exception):
    def __init__(self, name: str, message: str) -> None:
        self.name, self.message = name, message


def _checked(rows: Sequence[EventRow], now: datetime) -> tuple[list[_Event], list[Refusal]]:
    refs = {row.customer_ref for row in rows if isinstance(row.customer_ref, str)}
    customers: dict[str, int] = dict(NUMBERS([ref for ref in refs if not UNSTORABLE.search(ref)]))
    events, refused = [], []
    for index, row in enumerate(rows):
        try:
            events.append(_check(index, row, customers, now))
        except _Fault as fault:
            refused.append(Refusal(index, fault.name, fault.message))
    return events, refused


def _check(index: int, row: EventRow, customers: Mapping[str, int], now: datetime) -> _Event:
    if not isinstance(row.customer_ref, str) or row.customer_ref not in customers:
        raise _Fault("customer_ref", _("No customer has this reference."))
    if not isinstance(row.kind, str) or row.kind not in KINDS:
        raise _Fault("kind", _("There is no such kind of event."))
    at = _moment(row.at, now)
    return _Event(
        index=index,
        customer_id=customers[row.customer_ref],
        source=_text("source", row.source, 40),
        external_id=_text("external_id", row.external_id, 100),
        kind=row.kind,
        order_ref=_text("order_ref", row.order_ref, 64, required=False),
        amount=_amount(row.amount, row.kind),
        at=at,
        data=_data(row.data, at),
    )


def _text(name: str, value: Any, longest: int, required: bool = True) -> str:
    if not isinstance(value, str) or UNSTORABLE.search(value):
        raise _Fault(name, _("This must be text."))
    if required and not value.strip():
        raise _Fault(name, _("This must not be empty."))
    if len(value) > longest:
        raise _Fault(name, _("At most %d characters, please.") % longest)
    return value.strip()


def _amount(value: Any, kind: str) -> Decimal | None:
    if value is None or value == "":
        if kind in MONEY:
            raise _Fault("amount", _("An event of this kind needs an amount."))
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if isinstance(value, bool) or not amount.is_finite() or amount > LARGEST:
        raise _Fault("amount", _("This is not an amount."))
    if amount < 0:
        raise _Fault("amount", _("The amount must not be below zero."))
    if amount != round(amount, 2):
        raise _Fault("amount", _("The amount has more than two decimals."))
    return round(amount, 2)


def _moment(value: Any, now: datetime) -> datetime:
    try:
        at = parse_datetime(value) if isinstance(value, str) else value
    except ValueError:
        at = None
    if not isinstance(at, datetime) or timezone.is_naive(at):
        raise _Fault("at", _("Give date and time with their time zone."))
    if at > now:
        raise _Fault("at", _("The event lies in the future."))
    if at < EARLIEST:
        raise _Fault("at", _("The event lies too far in the past."))
    return at.astimezone(UTC)  # a zone may be further from Greenwich than the database believes


def _data(value: Any, at: datetime) -> str:
    if not isinstance(value, Mapping):
        raise _Fault("data", _("The details must be an object."))
    if not value:
        return "{}"
    try:
        text = json.dumps({**value, **_lateness(value, at)}, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise _Fault("data", _("The details cannot be kept.")) from None
    if len(text) > MAX_DATA or "\\u0000" in text or UNSTORABLE.search(text):
        raise _Fault("data", _("The details cannot be kept."))
    return text


def _lateness(value: Mapping[str, Any], at: datetime) -> dict[str, bool]:
    """A delivery after the promised day is late, whether or not the platform says so itself."""
    if not value.get("promised_on"):
        return {}
    try:
        promised = parse_date(str(value["promised_on"]))
    except ValueError:
        promised = None
    if promised is None:
        raise _Fault("data", _("The promised day must be a date."))
    return {"late": timezone.localtime(at).date() > promised}


# --- writing ------------------------------------------------------------------------------------------------

# Rows go in in one order, so that two batches that overlap wait for each other instead of locking each other
# out; only what was truly new reaches the sums.
INSERT = bulk.Tuples(f"""
    WITH r AS (
        SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[],
                             %s::timestamptz[], %s::text[])
        AS r(customer_id, source, external_id, kind, order_ref, amount, at, data)
    ), e AS (
        INSERT INTO risk_platformevent (customer_id, source, external_id, kind, order_ref, amount, at, data,
                                        received_at, received_from_id)
        SELECT customer_id, source, external_id, kind, order_ref, amount, at, data::jsonb, %s, %s::bigint
        FROM r ORDER BY source, external_id
        ON CONFLICT (source, external_id) DO NOTHING
        RETURNING customer_id, source, external_id, kind, amount, at, data
    ), moved AS (
        INSERT INTO risk_customerday AS day (customer_id, day, {COLUMNS})
        SELECT e.customer_id, (e.at AT TIME ZONE %s)::date, {AGGREGATES} FROM e GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (customer_id, day) DO UPDATE
        SET {", ".join(f"{name} = day.{name} + EXCLUDED.{name}" for name in SUMS)}
    )
    SELECT source, external_id FROM e
""")  # noqa: S608 - the parts are our own constants


def _insert(events: Sequence[_Event], at: datetime, by: User | None) -> set[tuple[str, str]]:
    """Write the events and move the sums of those that are new; returns their keys."""
    if not events:
        return set()
    columns = [
        bulk.literal([getattr(event, name) for event in events])
        for name in ("customer_id", "source", "external_id", "kind", "order_ref", "amount", "at", "data")
    ]
    return {*INSERT(*columns, at, by.pk if by else None, settings.TIME_ZONE)}


def _compare(
    events: Sequence[_Event], first: Mapping[tuple[str, str], _Event], fresh: set[tuple[str, str]]
) -> tuple[int, list[Refusal]]:
    """Of the events not written: how many were known, and which are other ones under a known number."""
    rest = [event for event in events if event.key not in fresh or first[event.key] is not event]
    known = {key: first[key].content for key in fresh} | dict(
        _stored({event.key for event in rest if event.key not in fresh})
    )
    clashes = [
        Refusal(event.index, "external_id", _("This number was used for another event."))
        for event in rest
        if event.content != known[event.key]
    ]
    return len(rest) - len(clashes), clashes


def _stored(keys: set[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], tuple[Any, ...]]]:
    if not keys:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT source, external_id, customer_id, kind, order_ref, amount, at FROM risk_platformevent
            JOIN unnest(%s::text[], %s::text[]) AS k(source, external_id) USING (source, external_id)
            """,
            [list(part) for part in zip(*keys, strict=True)],
        )
        for source, external_id, *content in cursor.fetchall():
            yield (source, external_id), tuple(content)
