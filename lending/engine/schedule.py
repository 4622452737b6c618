"""The schedule of a loan: what falls due when, to the cent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lending.engine.money import WIDE, from_minor, round_ratio, round_to_multiple, to_minor
from lending.engine.periods import Period, periods
from lending.engine.terms import Method, Terms

Parts = list[tuple[int, int]]  # (principal, interest) of each instalment, in minor units


@dataclass(frozen=True, slots=True)
class Row:
    """One instalment as agreed; ``balance`` is the principal still owed after it."""

    due_on: date
    principal: Decimal
    interest: Decimal
    fee: Decimal
    balance: Decimal

    @property
    def total(self) -> Decimal:
        return self.principal + self.interest + self.fee


@dataclass(slots=True)
class PlanRow:
    """The same in minor units, with the period that its interest is for."""

    start_on: date
    due_on: date
    principal: int
    interest: int
    fee: int = 0
    is_down_payment: bool = False


def schedule(terms: Terms) -> tuple[Row, ...]:
    """All instalments of ``terms`` when everything is disbursed at once and nothing happens early or late."""
    rows, places = [], terms.decimals
    balance = to_minor(terms.principal, places)
    for row in plan(terms):
        balance -= row.principal
        rows.append(
            Row(
                row.due_on,
                from_minor(row.principal, places),
                from_minor(row.interest, places),
                from_minor(row.fee, places),
                from_minor(balance, places),
            )
        )
    return tuple(rows)


def plan(terms: Terms) -> list[PlanRow]:
    """The schedule in minor units; the principal parts sum to the principal."""
    principal = to_minor(terms.principal, terms.decimals)
    down = down_payment(terms, principal)
    steps = periods(terms)
    fee = instalment_fee(terms, principal - down)
    rows = [
        PlanRow(step.start_on, step.due_on, part, interest, fee)
        for step, (part, interest) in zip(steps, split_principal(terms, principal - down, steps), strict=True)
    ]
    _defer_interest(rows, terms.grace_interest_instalments)
    if terms.method == Method.BULLET:
        rows = [_at_maturity(rows)]
    if down:
        rows.insert(0, PlanRow(terms.disbursed_on, terms.disbursed_on, down, 0, 0, True))
    return rows


def down_payment(terms: Terms, amount: int) -> int:
    """The part of a disbursement that is due on its own day, rounded, to the multiple if there is one."""
    if not terms.down_payment_rate:
        return 0
    num, den = terms.down_payment_rate.as_integer_ratio()
    return min(_to_multiple(terms, amount * num, den), amount)


def instalment_fee(terms: Terms, principal: int) -> int:
    num, den = terms.fee_rate.as_integer_ratio()
    return round_ratio(principal * num, den, terms.rounding)


def split_principal(terms: Terms, principal: int, steps: Sequence[Period]) -> Parts:
    """Principal and interest of each period by the method of the terms."""
    return _METHODS[terms.method](terms, principal, steps)


def _equal_instalment(terms: Terms, principal: int, steps: Sequence[Period]) -> Parts:
    """等额本息: level instalment over the real factors; grace instalments pay interest alone."""
    grace = terms.grace_principal_instalments
    head, tail = steps[:grace], steps[grace:]
    start = [(0, interest_of(terms, principal, step)) for step in head]
    if not terms.annual_rate:
        return start + _equal_principal(terms, principal, tail, graced=True)
    level = level_instalment(terms, principal, tail)
    parts = amortise(terms, principal, tail, level)
    if terms.residue == "SMOOTH" and terms.instalment_multiple_of is None:
        parts = _smooth(terms, principal, tail, level, parts)
    return start + parts


def level_instalment(terms: Terms, principal: int, steps: Sequence[Period]) -> int:
    """P * prod(1 + f) / (1 + sum of the products), rounded; the annuity formula over uneven periods."""
    product, total = WIDE.create_decimal(1), WIDE.create_decimal(0)
    for step in steps:
        growth = WIDE.divide(step.num + step.den, step.den)
        product = WIDE.multiply(product, growth)
        total = WIDE.fma(total, growth, 1)
    num, den = WIDE.divide(WIDE.multiply(principal, product), total).as_integer_ratio()
    return _to_multiple(terms, num, den)


def amortise(terms: Terms, principal: int, steps: Sequence[Period], level: int) -> Parts:
    """Rows of ``level`` in all, interest rounded per period; the last row clears the balance."""
    parts, balance = [], principal
    for step in steps[:-1]:
        interest = interest_of(terms, balance, step)
        part = min(max(level - interest, 0), balance)
        parts.append((part, interest))
        balance -= part
    parts.append((balance, interest_of(terms, balance, steps[-1])))
    return parts


def _smooth(terms: Terms, principal: int, steps: Sequence[Period], level: int, parts: Parts) -> Parts:
    """Move the level instalment by its share of the last row's difference, as long as that gets smaller."""
    count = len(steps)
    difference = sum(parts[-1]) - level
    while abs(difference) > count // 2 > 0:
        moved = level + round_ratio(difference, count, terms.rounding)
        candidate = amortise(terms, principal, steps, moved)
        rest = sum(candidate[-1]) - moved
        if moved == level or abs(rest) >= abs(difference):
            break
        level, parts, difference = moved, candidate, rest
    return parts


def _equal_principal(terms: Terms, principal: int, steps: Sequence[Period], graced: bool = False) -> Parts:
    """等额本金: the same principal each time, rounded, the last takes the rest; interest on what is left."""
    grace = 0 if graced else terms.grace_principal_instalments
    count = len(steps) - grace
    if terms.method == Method.EQUAL_PRINCIPAL:
        share = round_ratio(principal, count, terms.rounding)
    else:
        share = _to_multiple(terms, principal, count)
    return _declining(terms, principal, steps, [0] * grace + [share] * (count - 1))


def _declining(terms: Terms, principal: int, steps: Sequence[Period], shares: Sequence[int]) -> Parts:
    parts, balance = [], principal
    for step, share in zip(steps[:-1], shares, strict=True):
        part = min(share, balance)
        parts.append((part, interest_of(terms, balance, step)))
        balance -= part
    parts.append((balance, interest_of(terms, balance, steps[-1])))
    return parts


def _interest_only(terms: Terms, principal: int, steps: Sequence[Period]) -> Parts:
    """先息后本: interest each time, all principal with the last."""
    return _declining(terms, principal, steps, [0] * (len(steps) - 1))


def _bullet(terms: Terms, principal: int, steps: Sequence[Period]) -> Parts:
    """到期还本付息: simple interest over the whole term, rounded once, due with the principal."""
    return [(0, 0)] * (len(steps) - 1) + [(principal, total_interest(terms, principal, steps))]


def _flat(terms: Terms, principal: int, steps: Sequence[Period]) -> Parts:
    """Interest on the original principal in every period; a level total; the last row takes both rests."""
    interest = [interest_of(terms, principal, step) for step in steps]
    num, den = sum_of_factors(steps)
    count = len(steps) - terms.grace_principal_instalments
    level = _to_multiple(terms, principal * (num + den), den * count)
    parts, balance = [], principal
    for index, amount in enumerate(interest[:-1]):
        part = 0 if index < terms.grace_principal_instalments else min(max(level - amount, 0), balance)
        parts.append((part, amount))
        balance -= part
    rest = max(total_interest(terms, principal, steps) - sum(interest[:-1]), 0)
    return [*parts, (balance, rest)]


def _flat_fee(terms: Terms, principal: int, steps: Sequence[Period]) -> Parts:
    """Principal in equal parts and no interest: the price is the fee beside it."""
    return _equal_principal(terms, principal, steps)


def _custom(terms: Terms, principal: int, steps: Sequence[Period]) -> Parts:
    shares = [to_minor(amount, terms.decimals) for amount in terms.custom_principal]
    return _declining(terms, principal, steps, shares[:-1])


def interest_of(terms: Terms, balance: int, step: Period) -> int:
    """Interest of one period on ``balance``, rounded once."""
    return round_ratio(balance * step.num, step.den, terms.rounding)


def total_interest(terms: Terms, principal: int, steps: Sequence[Period]) -> int:
    """Interest of all periods on the same principal, rounded once."""
    num, den = sum_of_factors(steps)
    return round_ratio(principal * num, den, terms.rounding)


def sum_of_factors(steps: Sequence[Period]) -> tuple[int, int]:
    """The exact sum of the periods' factors."""
    num, den = 0, 1
    for step in steps:
        if step.den == den:
            num += step.num
        else:
            num, den = num * step.den + step.num * den, den * step.den
    return num, den


def _to_multiple(terms: Terms, num: int, den: int) -> int:
    if terms.instalment_multiple_of is None:
        return round_ratio(num, den, terms.rounding)
    return round_to_multiple(num, den, to_minor(terms.instalment_multiple_of, terms.decimals), terms.rounding)


def _defer_interest(rows: list[PlanRow], count: int) -> None:
    """Interest of the first ``count`` rows is counted but falls due with the row after them."""
    if count:
        rows[count].interest += sum(row.interest for row in rows[:count])
        for row in rows[:count]:
            row.interest = 0


def _at_maturity(rows: list[PlanRow]) -> PlanRow:
    """The one row of a bullet loan; fees per instalment fall due with it."""
    last = rows[-1]
    fee = sum(row.fee for row in rows)
    return PlanRow(rows[0].start_on, last.due_on, last.principal, last.interest, fee)


_METHODS: dict[Method, Callable[[Terms, int, Sequence[Period]], Parts]] = {
    Method.EQUAL_INSTALMENT: _equal_instalment,
    Method.EQUAL_PRINCIPAL: _equal_principal,
    Method.INTEREST_ONLY: _interest_only,
    Method.BULLET: _bullet,
    Method.FLAT: _flat,
    Method.FLAT_FEE: _flat_fee,
    Method.CUSTOM: _custom,
}
