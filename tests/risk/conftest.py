"""What tests of risk need besides lending's own: a platform that tells of orders and returns."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from risk.models import CustomerDay, PlatformEvent
from risk.services.events import EventRow, IngestResult, ingest
from tests.lending.conftest import (  # noqa: F401 - fixtures
    MONDAY,
    at,
    books,
    lend,
    make_customer,
    make_line,
    make_loan,
    moment,
    product,
    run_to,
    staff,
)

_numbers = count(1)


def row(
    ref: str,
    kind: str = "ORDER",
    at: datetime | None = None,  # noqa: F811
    amount: Any = "100",
    **rest: Any,
) -> EventRow:
    """One event with a number of its own; money only where the kind has it."""
    values = {
        "source": "shop",
        "external_id": f"e{next(_numbers)}",
        "amount": amount if kind in PlatformEvent.MONEY else None,
    }
    return EventRow(customer_ref=ref, kind=kind, at=at or moment(MONDAY, 9), **values | rest)


@pytest.fixture
def tell(at: datetime) -> Callable[..., IngestResult]:  # noqa: F811
    """Send rows as of noon on Monday, or of another moment."""

    def send(*rows: EventRow, now: datetime = at) -> IngestResult:
        return ingest(rows=rows, at=now)

    return send


def sums(customer_id: int) -> dict[str, Any]:
    """The one day of a customer."""
    day = CustomerDay.objects.get(customer_id=customer_id)
    return {f.name: getattr(day, f.name) for f in day._meta.fields if f.name not in ("id", "customer", "day")}


def days_ago(days: int, hour: int = 12) -> datetime:
    return moment(MONDAY, hour) - timedelta(days=days)


def yuan(text: str) -> Decimal:
    return Decimal(text)
