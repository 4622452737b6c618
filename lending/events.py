"""One append-only table is the audit trail, the timeline of every page and the outbox of webhooks."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from lending import bulk
from lending.models import Customer, Event, User


def record(kind: str, subject: models.Model, /, *, by: User | None, at: datetime, **data: Any) -> Event:
    """Write down that something happened, in the transaction of the thing itself.

    `kind` is `noun.verb` in the past tense ("line.suspended"); `by` is None when the system acted; `data` holds
    plain values (amounts and dates are kept as text).
    """
    event = build(kind, subject, by=by, at=at, **data)
    bulk.create_many([event])
    return event


def record_many(rows: Sequence[Event]) -> None:
    """Write many built events in one statement."""
    bulk.insert_many(rows)


def build(kind: str, subject: models.Model, /, *, by: User | None, at: datetime, **data: Any) -> Event:
    """The unsaved event, for callers that write many at once."""
    return bulk.new(
        Event,
        kind=kind,
        subject_type=subject._meta.label_lower,
        subject_id=subject.pk,
        customer_id=_customer_id(subject),
        actor_id=by.pk if by else None,
        at=at,
        data={name: _plain(value) for name, value in data.items()},
    )


def _plain(value: Any) -> Any:
    """As it comes back from the database."""
    if value is None or type(value) in (str, int, bool):
        return value
    if type(value) in (Decimal, date):
        return str(value)
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))


def _customer_id(subject: models.Model) -> int | None:
    if isinstance(subject, Customer):
        return subject.pk
    return getattr(subject, "customer_id", None)
