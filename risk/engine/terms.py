"""Limit and price from a matrix: of all rows that apply, the lowest limit, the highest price, the strictest outcome.

A matrix gives each grade one row or a list of rows. A row may hold only for some products, a range of what the
customer owes already (`exposure`) or of what a month leaves over (`affordability`): from `..._from`, below
`..._below`, either may be missing. It says `{"outcome": "DECLINE" | "REFER"}`, or bounds of the limit and prices.
Where several rows speak of the same term the stricter holds, and the trace says over which.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any

REFER = "REFER"
DECLINE = "DECLINE"
STEP = Decimal(100)
NO_LIMIT_FOR_GRADE = "NO_LIMIT_FOR_GRADE"
LIMIT_UNKNOWN = "LIMIT_UNKNOWN"
LIMIT_TOO_SMALL = "LIMIT_TOO_SMALL"
BASES = {
    "share_of_income": "monthly_income",
    "multiple_of_spend": "monthly_spend",
    "multiple_of_affordability": "affordability",
}
PRICES = ("annual_rate", "fee_rate")  # yearly fraction; fraction of the principal with each instalment
PLACES = 8
RANGES = ("exposure", "affordability")
CONDITIONS = ("product", *(f"{name}_{end}" for name in RANGES for end in ("from", "below")))
TERMS = ("outcome", "max", *BASES, *PRICES)

Row = Mapping[str, Any]
Matrix = Mapping[str, Row | Sequence[Row]]
# An outcome that speaks against approval, the reason for it, and the rule or row that says so.
Against = tuple[str, str, str]


@dataclass(frozen=True)
class Terms:
    """What the matrix allows: the limit in the currency's unit, the price as fractions, None for the product's own."""

    limit: Decimal | None = None
    annual_rate: Decimal | None = None
    fee_rate: Decimal | None = None
    against: tuple[Against, ...] = ()


def rows_of(matrix: Matrix, grade: str) -> list[tuple[str, Row]]:
    """The rows of a grade with their names: the grade itself, or with a number where there are several."""
    found = matrix.get(grade)
    if found is None:
        return []
    if isinstance(found, Mapping):
        return [(grade, found)]
    return [(f"{grade}.{number}", row) for number, row in enumerate(found, start=1)]


def find(
    matrix: Matrix,
    grade: str,
    lost: Sequence[str],
    facts: Mapping[str, Any],
    trace: list[dict[str, Any]],
) -> Terms:
    """The terms of that grade for these facts. `lost` are the features that cost points, the reasons of a row that
    turns the grade down."""
    rows = rows_of(matrix, grade)
    if not rows:
        trace.append({"rule": "grade", "error": f"no row for {grade}"})
        return _refer(NO_LIMIT_FOR_GRADE, "grade")
    applying = []
    against: list[Against] = []
    for name, row in rows:
        holds, unknown = _holds(row, facts)
        if unknown:
            trace.append({"rule": name, "error": f"unknown: {unknown}"})
            against.append((REFER, LIMIT_UNKNOWN, name))
        elif holds:
            applying.append((name, row))
    step: dict[str, Any] = {"rule": "grade", "result": grade}
    trace.append(step if len(rows) == 1 else step | {"rows": [name for name, _row in applying]})
    if not applying:
        return Terms(against=(*against, (REFER, NO_LIMIT_FOR_GRADE, "grade")))
    against += [
        (row["outcome"], code, name)
        for name, row in applying
        if row.get("outcome") in (DECLINE, REFER)
        for code in lost or (f"GRADE_{grade}",)
    ]
    return Terms(against=tuple(against)) if against else _terms(applying, facts, trace)


def _refer(reason: str, rule: str) -> Terms:
    return Terms(against=((REFER, reason, rule),))


def _holds(row: Row, facts: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a row applies, or the name of the fact that would have to be known for that."""
    products = row.get("product")
    if products:
        if facts.get("product") is None:
            return False, "product"
        if facts["product"] not in ([products] if isinstance(products, str) else products):
            return False, ""
    for name in RANGES:
        low, high = row.get(f"{name}_from"), row.get(f"{name}_below")
        if low is None and high is None:
            continue
        value = amount(facts.get(name))
        if value is None:
            return False, name
        if (low is not None and value < Decimal(str(low))) or (
            high is not None and value >= Decimal(str(high))
        ):
            return False, ""
    return True, ""


def _terms(rows: Sequence[tuple[str, Row]], facts: Mapping[str, Any], trace: list[dict[str, Any]]) -> Terms:
    bounds = dict(_bounds(rows, facts))
    known = {name: bound for name, bound in bounds.items() if bound is not None}
    if not known or len(known) < len(bounds):
        lacking = ", ".join(sorted(bounds.keys() - known)) or "no row sets a limit"
        trace.append({"rule": "limit", "error": f"unknown: {lacking}" if bounds else lacking})
        return _refer(LIMIT_UNKNOWN, "limit")
    held = min(known, key=lambda name: (known[name], name))
    limit = (known[held] / STEP).to_integral_value(ROUND_DOWN) * STEP
    trace.append(_step("limit", str(limit), held, known))
    if limit < STEP:
        return _refer(LIMIT_TOO_SMALL, "limit")
    annual_rate, fee_rate = (_price(name, rows, trace) for name in PRICES)
    return Terms(limit, annual_rate, fee_rate)


def _bounds(
    rows: Sequence[tuple[str, Row]], facts: Mapping[str, Any]
) -> Iterator[tuple[str, Decimal | None]]:
    """Every bound of the limit by its name; None where what it is made from is not known."""
    for name, row in rows:
        prefix = f"{name} " if len(rows) > 1 else ""
        if "max" in row:
            yield f"{prefix}max", amount(row["max"])
        for share, fact in BASES.items():
            if share in row:
                rate, base = amount(row[share]), amount(facts.get(fact))
                yield f"{prefix}{share}", None if rate is None or base is None else rate * base


def _price(name: str, rows: Sequence[tuple[str, Row]], trace: list[dict[str, Any]]) -> Decimal | None:
    """The highest that a row asks for; None when none does."""
    asked = {row_name: Decimal(str(row[name])) for row_name, row in rows if row.get(name) is not None}
    if not asked:
        return None
    held = max(asked, key=lambda row_name: (asked[row_name], row_name))
    trace.append(_step(name, str(asked[held]), held, asked))
    return asked[held]


def _step(rule: str, result: str, held: str, all_of: Mapping[str, Decimal]) -> dict[str, Any]:
    """A step of the trace: what holds, who said so, and over whom."""
    looser = {name: str(value) for name, value in sorted(all_of.items()) if name != held}
    return {"rule": rule, "result": result, "by": held} | ({"stricter_than": looser} if looser else {})


def amount(value: Any) -> Decimal | None:
    """A finite number as a Decimal, None for anything else."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


# --- what is wrong with a matrix ----------------------------------------------------------------------------


def faults(matrix: Matrix, grades: Sequence[str]) -> dict[str, list[str]]:
    """What is wrong, by row ("B", or "B.2"): grades without a row, unknown words, amounts that are none."""
    found: dict[str, list[str]] = {}
    for grade in grades:
        rows = rows_of(matrix, grade)
        found.update((name, _row_faults(row)) for name, row in rows)
        if not rows:
            found[grade] = ["no row"]
    found.update({grade: ["no such grade"] for grade in matrix if grade not in grades})
    return {name: wrong for name, wrong in found.items() if wrong}


def _row_faults(row: Row) -> list[str]:
    wrong = [f"unknown word: {word}" for word in sorted(row.keys() - set(TERMS) - set(CONDITIONS))]
    wrong += list(_condition_faults(row))
    if "outcome" in row:
        if row["outcome"] not in (DECLINE, REFER):
            wrong.append(f"unknown outcome: {row['outcome']}")
        if row.keys() & (set(TERMS) - {"outcome"}):
            wrong.append("a row with an outcome sets neither limit nor price")
        return wrong
    for name in ("max", *BASES):
        value = amount(row.get(name))
        if (name in row or name == "max" and not row.keys() & set(TERMS)) and (value is None or value <= 0):
            wrong.append(f"{name} must be an amount above zero")
    for name in PRICES:
        value = amount(row.get(name))
        if name in row and (value is None or not 0 <= value < 1 or value != round(value, PLACES)):
            wrong.append(f"{name} must be a fraction from 0 to 1, of at most {PLACES} places")
    return wrong


def _condition_faults(row: Row) -> Iterator[str]:
    products = row.get("product", "x")
    named = [products] if isinstance(products, str) else products
    if not isinstance(named, list) or not named or not all(isinstance(one, str) and one for one in named):
        yield "product must be a code or a list of codes"
    for name in RANGES:
        ends = {end: amount(row[f"{name}_{end}"]) for end in ("from", "below") if f"{name}_{end}" in row}
        if None in ends.values():
            yield f"{name} must be a number"
        elif len(ends) == 2 and ends["from"] >= ends["below"]:  # type: ignore[operator]
            yield f"{name} ends before it begins"
