"""What was agreed: the terms of one loan, checked once, immutable, exact in JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Self

from lending.engine.allocation import PRESETS, Allocation
from lending.engine.daycount import DAY_COUNTS
from lending.engine.errors import TermsError
from lending.engine.money import ROUNDINGS, to_minor

MAX_INSTALMENTS = 1200
MAX_EVERY = 3660
MAX_RATE = Decimal(100)
MAX_AMOUNT = Decimal(10) ** 15
ZERO = Decimal(0)


class Method(StrEnum):
    """How the principal comes back and how interest is counted."""

    EQUAL_INSTALMENT = "EQUAL_INSTALMENT"  # 等额本息
    EQUAL_PRINCIPAL = "EQUAL_PRINCIPAL"  # 等额本金
    INTEREST_ONLY = "INTEREST_ONLY"  # 先息后本
    BULLET = "BULLET"  # 到期还本付息
    FLAT = "FLAT"  # interest on the original principal throughout
    FLAT_FEE = "FLAT_FEE"  # no interest, a fee on the original principal with each instalment
    CUSTOM = "CUSTOM"  # the principal of every instalment is agreed one by one


class Unit(StrEnum):
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The agreed terms. Amounts are in the currency, rates are yearly fractions (0.12 is 12 % a year).

    ``fee_rate`` is a fraction of the original principal, due with every instalment; ``upfront_fee`` is kept
    back when the money goes out. ``penalty_rate`` is a yearly simple rate on overdue unpaid principal,
    counted per day over ``day_count_penalty`` days a year. Raises TermsError, which names the field.
    """

    principal: Decimal
    annual_rate: Decimal
    method: Method
    instalments: int
    every: int = 1
    unit: Unit = Unit.MONTH
    disbursed_on: date
    first_due_on: date | None = None
    day_count: str = "30/360"
    interest_period: str = "PERIOD"
    rounding: str = "HALF_EVEN"
    decimals: int = 2
    residue: str = "LAST"
    instalment_multiple_of: Decimal | None = None
    down_payment_rate: Decimal = ZERO
    fee_rate: Decimal = ZERO
    upfront_fee: Decimal = ZERO
    grace_principal_instalments: int = 0
    grace_interest_instalments: int = 0
    interest_free_days: int = 0
    allocation: str | Allocation = "OLDEST_FIRST"
    penalty_rate: Decimal = ZERO
    penalty_grace_days: int = 0
    penalty_cap: Decimal | None = None
    day_count_penalty: int = 365
    settlement_fee: str = "WAIVE"
    due_dates: tuple[date, ...] = ()
    custom_principal: tuple[Decimal, ...] = ()

    def __post_init__(self) -> None:
        _check_choices(self)
        _check_counts(self)
        _check_amounts(self)
        _check_dates(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Terms from plain JSON values; unknown names, floats and half-right values are refused by name."""
        if not isinstance(data, Mapping):
            raise TermsError("terms", "must be an object")
        unknown = sorted(set(data) - set(_READERS))
        if unknown:
            raise TermsError(unknown[0], "is not a term")
        values = {name: _read(name, value) for name, value in data.items() if value is not None}
        for name in ("principal", "annual_rate", "method", "instalments", "disbursed_on"):
            if name not in values:
                raise TermsError(name, "is missing")
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; exact numbers are strings, terms at their default are left out."""
        return {
            field.name: _plain(value)
            for field in fields(self)
            if (value := getattr(self, field.name)) != field.default
        }


def _check_choices(terms: Terms) -> None:
    object.__setattr__(terms, "method", _member(Method, "method", terms.method))
    object.__setattr__(terms, "unit", _member(Unit, "unit", terms.unit))
    for name, choices in _CHOICES.items():
        if getattr(terms, name) not in choices:
            raise TermsError(name, f"must be one of {', '.join(choices)}")
    if not isinstance(terms.allocation, Allocation) and terms.allocation not in PRESETS:
        raise TermsError("allocation", f"must be one of {', '.join(PRESETS)} or an object of rules")


def _check_counts(terms: Terms) -> None:
    for name, (low, high) in _COUNTS.items():
        value = getattr(terms, name)
        if type(value) is not int or not low <= value <= high:
            raise TermsError(name, f"must be a whole number from {low} to {high}")
    for name in ("grace_principal_instalments", "grace_interest_instalments"):
        if getattr(terms, name) >= terms.instalments:
            raise TermsError(name, "must leave at least one instalment")


def _check_amounts(terms: Terms) -> None:
    for name in ("principal", "upfront_fee", "penalty_cap", "instalment_multiple_of"):
        value = getattr(terms, name)
        if value is not None:
            _check_amount(name, value, terms.decimals)
    for name in ("annual_rate", "down_payment_rate", "fee_rate", "penalty_rate"):
        value = getattr(terms, name)
        if type(value) is not Decimal or not value.is_finite() or not 0 <= value <= MAX_RATE:
            raise TermsError(name, f"must be a fraction from 0 to {MAX_RATE}")
    if terms.principal <= 0:
        raise TermsError("principal", "must be above zero")
    if terms.upfront_fee >= terms.principal:
        raise TermsError("upfront_fee", "must be less than the principal")
    if terms.down_payment_rate >= 1:
        raise TermsError("down_payment_rate", "must be less than 1")
    if terms.instalment_multiple_of is not None and terms.instalment_multiple_of <= 0:
        raise TermsError("instalment_multiple_of", "must be above zero")
    if terms.method == Method.FLAT_FEE and terms.annual_rate:
        raise TermsError("annual_rate", "must be 0 for FLAT_FEE, whose price is fee_rate")
    _check_custom(terms)


def _check_custom(terms: Terms) -> None:
    if (terms.method == Method.CUSTOM) != bool(terms.custom_principal):
        raise TermsError("custom_principal", "must be given for CUSTOM and for no other method")
    if terms.custom_principal:
        for value in terms.custom_principal:
            _check_amount("custom_principal", value, terms.decimals)
        if len(terms.custom_principal) != terms.instalments:
            raise TermsError("custom_principal", "must name one amount per instalment")
        if sum(terms.custom_principal) != terms.principal:
            raise TermsError("custom_principal", "must sum to the principal")
        if terms.down_payment_rate:
            raise TermsError("down_payment_rate", "must be 0 for CUSTOM")


def _check_amount(name: str, value: Decimal, decimals: int) -> None:
    if type(value) is not Decimal or not value.is_finite() or not 0 <= value <= MAX_AMOUNT:
        raise TermsError(name, f"must be an amount from 0 to {MAX_AMOUNT}")
    try:
        to_minor(value, decimals)
    except ValueError:
        raise TermsError(name, f"must not have more than {decimals} decimals") from None


def _check_dates(terms: Terms) -> None:
    if not isinstance(terms.disbursed_on, date):
        raise TermsError("disbursed_on", "must be a date")
    if terms.first_due_on is not None and terms.first_due_on <= terms.disbursed_on:
        raise TermsError("first_due_on", "must lie after disbursed_on")
    if terms.due_dates:
        if len(terms.due_dates) != terms.instalments:
            raise TermsError("due_dates", "must name one date per instalment")
        days = (terms.disbursed_on, *terms.due_dates)
        if any(later <= earlier for earlier, later in zip(days, days[1:], strict=False)):
            raise TermsError("due_dates", "must rise and lie after disbursed_on")


_CHOICES = {
    "day_count": DAY_COUNTS,
    "interest_period": ("PERIOD", "DAILY"),
    "rounding": tuple(ROUNDINGS),
    "residue": ("LAST", "SMOOTH"),
    "settlement_fee": ("WAIVE", "CHARGE"),
}
_COUNTS = {
    "instalments": (1, MAX_INSTALMENTS),
    "every": (1, MAX_EVERY),
    "decimals": (0, 6),
    "grace_principal_instalments": (0, MAX_INSTALMENTS),
    "grace_interest_instalments": (0, MAX_INSTALMENTS),
    "interest_free_days": (0, 36600),
    "penalty_grace_days": (0, 3660),
    "day_count_penalty": (360, 366),
}


def _member(kind: type[StrEnum], name: str, value: Any) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        raise TermsError(name, f"must be one of {', '.join(kind)}") from None


def _read(name: str, value: Any) -> Any:
    try:
        return _READERS[name](value)
    except TermsError:
        raise
    except (ValueError, TypeError, InvalidOperation):
        raise TermsError(name, f"cannot be read: {value!r}") from None


def read_decimal(value: Any) -> Decimal:
    """A Decimal from a string or a whole number; a float has already lost its cents and is refused."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"not a decimal string: {value!r}")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"not a finite number: {value!r}")
    return number


def read_date(value: Any) -> date:
    return value if type(value) is date else date.fromisoformat(value)


def _read_count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"not a whole number: {value!r}")
    return int(value)


def _read_allocation(value: Any) -> str | Allocation:
    return Allocation.from_json(value) if isinstance(value, Mapping) else value


_DECIMALS = (
    "principal",
    "annual_rate",
    "instalment_multiple_of",
    "down_payment_rate",
    "fee_rate",
    "upfront_fee",
    "penalty_rate",
    "penalty_cap",
)
_READERS: dict[str, Any] = {
    **{field.name: str for field in fields(Terms)},
    **dict.fromkeys(_COUNTS, _read_count),
    **dict.fromkeys(("disbursed_on", "first_due_on"), read_date),
    **dict.fromkeys(_DECIMALS, read_decimal),
    "allocation": _read_allocation,
    "due_dates": lambda value: tuple(map(read_date, value)),
    "custom_principal": lambda value: tuple(map(read_decimal, value)),
}


def _plain(value: Any) -> Any:
    if isinstance(value, Allocation):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int) or value is None:
        return value
    return str(value)
