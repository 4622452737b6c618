"""What was agreed in a restructuring: the details of its event, read once and checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any

from lending.engine.errors import EventError
from lending.engine.state import Event
from lending.engine.terms import MAX_INSTALMENTS, MAX_RATE, Method, Unit, read_date, read_decimal

KEEP, CARRY, CAPITALISE, WAIVE, MOVE = "KEEP", "CARRY", "CAPITALISE", "WAIVE", "MOVE"
PAY = "PAY"
TREATMENTS = (KEEP, CARRY, CAPITALISE, WAIVE)
OVERDUE = {
    "principal": (KEEP, MOVE),
    "interest": TREATMENTS,
    "fee": TREATMENTS,
    "penalty": (KEEP, CARRY, WAIVE),  # a penalty never bears interest or a penalty itself
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relief:
    """The details of a restructuring; None stands for "as it is".

    ``overdue`` says what becomes of each part that has fallen due and is unpaid: KEEP it where it is, MOVE the
    principal into the new course, CARRY interest, fees or penalties to the later instalments in even parts,
    CAPITALISE interest or fees, WAIVE. ``accrued`` says the same of the interest of the running period. ``skip``
    instalments of a new schedule are a holiday whose interest is treated as ``skipped_interest`` says.
    """

    annual_rate: Decimal | None = None
    instalments: int | None = None
    first_due_on: date | None = None
    due_dates: tuple[date, ...] = ()
    every: int | None = None
    unit: str | None = None
    method: str | None = None
    skip: int = 0
    skipped_interest: str = CARRY
    accrued: str = CARRY
    overdue: Mapping[str, str]


# What each type of event may say, and what becomes of the overdue when it does not say.
FIELDS = {
    "RESCHEDULE": {field.name for field in fields(Relief)},
    "HARDSHIP": {field.name for field in fields(Relief)},
    "HOLIDAY": {"instalments", "skipped_interest", "overdue"},
    "REAMORTISE": {"overdue"},
    "REAGE": {"instalments", "first_due_on", "every", "unit"},
    "ACCELERATION": set(),
}
_MOVED = {"principal": MOVE, "interest": CARRY, "fee": CARRY, "penalty": CARRY}
_KEPT = dict.fromkeys(OVERDUE, KEEP)
DEFAULT_OVERDUE = {"RESCHEDULE": _MOVED, "HARDSHIP": _MOVED, "REAMORTISE": _MOVED}


def read(event: Event) -> Relief:
    """Raises EventError, which names the detail, for one that is unknown or cannot be read."""
    details = event.details or {}
    if not isinstance(details, Mapping):
        raise EventError(event.ref, "details must be an object")
    values: dict[str, Any] = {}
    for name, value in details.items():
        if name not in FIELDS[event.type]:
            raise EventError(event.ref, f"details: {name} is not for {event.type}")
        if value is not None and name != "overdue":
            values[name] = _read(event, name, value)
    return Relief(**values, overdue=_overdue(event, details.get("overdue")))


def _read(event: Event, name: str, value: Any) -> Any:
    try:
        return _READERS[name](value)
    except (ValueError, TypeError, ArithmeticError):
        raise EventError(event.ref, f"details: {name} cannot be {value!r}") from None


def _overdue(event: Event, value: Any) -> Mapping[str, str]:
    found = dict(DEFAULT_OVERDUE.get(event.type, _KEPT))
    if value is None:
        return found
    if not isinstance(value, Mapping):
        raise EventError(event.ref, "details: overdue must be an object")
    for name, treatment in value.items():
        if treatment not in OVERDUE.get(name, ()):
            raise EventError(event.ref, f"details: overdue {name} cannot be {treatment!r}")
        found[name] = treatment
    return found


def _count(low: int) -> Callable[[Any], int]:
    def read_count(value: Any) -> int:
        if type(value) is not int or not low <= value <= MAX_INSTALMENTS:
            raise ValueError(value)
        return value

    return read_count


def _one_of(*choices: str) -> Callable[[Any], str]:
    def read_choice(value: Any) -> str:
        if value not in choices:
            raise ValueError(value)
        return str(value)

    return read_choice


def _rate(value: Any) -> Decimal:
    rate = read_decimal(value)
    if not 0 <= rate <= MAX_RATE:
        raise ValueError(value)
    return rate


def _dates(value: Any) -> tuple[date, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(value)
    return tuple(map(read_date, value))


_READERS: dict[str, Callable[[Any], Any]] = {
    "annual_rate": _rate,
    "instalments": _count(1),
    "first_due_on": read_date,
    "due_dates": _dates,
    "every": _count(1),
    "unit": _one_of(*Unit),
    "method": _one_of(*(method for method in Method if method != Method.CUSTOM)),
    "skip": _count(0),
    "skipped_interest": _one_of(CARRY, CAPITALISE, PAY),
    "accrued": _one_of(CARRY, CAPITALISE, WAIVE),
}
