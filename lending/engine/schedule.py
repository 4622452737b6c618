"""The schedule of a loan: what falls due when, to the cent."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from lending.engine.money import WIDE, from_minors, round_ratio, to_minor
from lending.engine.periods import Period, is_uniform, periods
from lending.engine.terms import Method, Terms

MAX_SMOOTHINGS = 3

Parts = list[tuple[int, int]]  # (principal, interest) of each instalment, in minor units


class Row(NamedTuple):
    """One instalment as agreed; ``balance`` is the principal still owed after it."""

    due_on: date
    principal: Decimal
    interest: Decimal
    fee: Decimal
    balance: Decimal

    @property
    def total(self) -> Decimal:
        return self.principal + self.interest + self.fee


class PlanRow(NamedTuple):
    """The same in minor units; ``accrued`` is the interest that its own period brings, due or deferred."""

    start_on: date
    due_on: date
    principal: int
    interest: int
    fee: int
    accrued: int
    is_down_payment: bool = False


class Course(NamedTuple):
    """What has to be paid back over which periods.

    ``principal`` is what is still to be repaid, ``base`` the principal that flat interest and flat fees are
    counted on, ``grace`` how many of the periods repay nothing yet. The periods of ``uneven`` ones differ whatever
    the terms say.
    """

    terms: Terms
    principal: int
    base: int
    steps: Sequence[Period]
    grace: int
    uneven: bool = False


def schedule(terms: Terms) -> tuple[Row, ...]:
    """All instalments of ``terms`` when everything is disbursed at once and nothing happens early or late."""
    places = terms.decimals
    left = to_minor(terms.principal, places)
    _, due_ons, principals, interests, fees, _, _ = zip(*plan(terms), strict=True)
    balances = [left := left - principal for principal in principals]
    columns = (from_minors(column, places) for column in (principals, interests, fees, balances))
    return tuple(map(Row, due_ons, *columns))


def plan(terms: Terms) -> list[PlanRow]:
    """The schedule in minor units; the principal parts sum to the principal."""
    principal = to_minor(terms.principal, terms.decimals)
    down = down_payment(terms, principal)
    financed = principal - down
    steps = periods(terms)
    course = Course(terms, financed, financed, steps, terms.grace_principal_instalments)
    rows = rows_of(course, terms.grace_interest_instalments)
    if down:
        rows.insert(0, PlanRow(terms.disbursed_on, terms.disbursed_on, down, 0, 0, 0, True))
    return rows


def rows_of(course: Course, grace_interest: int = 0) -> list[PlanRow]:
    """The instalments of a course; interest of the first ``grace_interest`` falls due with the next one."""
    rows = plan_rows(course, split(course))
    if course.terms.method == Method.BULLET:
        return [_at_maturity(rows)]
    return _defer_interest(rows, grace_interest) if grace_interest else rows


def plan_rows(course: Course, parts: Parts) -> list[PlanRow]:
    fee = instalment_fee(course.terms, course.base)
    return [
        PlanRow(step.start_on, step.due_on, principal, interest, fee, interest)
        for step, (principal, interest) in zip(course.steps, parts, strict=True)
    ]


def shortened(course: Course, pattern: Parts, grace_interest: int = 0) -> list[PlanRow]:
    """The course in instalments as they were (``pattern``), until nothing is left: the last ones fall away.

    A method that repays no principal before the end has none to leave out and keeps its term.
    """
    if course.terms.method in (Method.BULLET, Method.INTEREST_ONLY):
        return rows_of(course, grace_interest)
    totals = sorted(sum(parts) for parts in pattern[course.grace :])
    level = totals[len(totals) // 2]
    if course.terms.method == Method.EQUAL_INSTALMENT:
        parts = _level(course, level)
    elif course.terms.method == Method.FLAT:
        parts = _flat_level(course, level)
    else:
        parts = _declining(course, [principal for principal, _ in pattern[:-1]])
    used = max((number for number, (principal, _) in enumerate(parts, 1) if principal), default=1)
    rows = plan_rows(course._replace(steps=course.steps[:used]), parts[:used])
    return _defer_interest(rows, min(grace_interest, used - 1))


def split(course: Course) -> Parts:
    """Principal and interest of each period by the method of the terms."""
    return _METHODS[course.terms.method](course)


def down_payment(terms: Terms, amount: int) -> int:
    """The part of a disbursement that is due on its own day, rounded, to the multiple if there is one."""
    if not terms.down_payment_rate:
        return 0
    num, den = terms.down_payment_rate.as_integer_ratio()
    return min(_to_multiple(terms, amount * num, den), amount)


def instalment_fee(terms: Terms, principal: int) -> int:
    if not terms.fee_rate:
        return 0
    num, den = terms.fee_rate.as_integer_ratio()
    return round_ratio(principal * num, den, terms.rounding)


def interest_of(rounding: str, balance: int, step: Period) -> int:
    """Interest of one period on ``balance``, rounded once."""
    return round_ratio(balance * step.num - step.less, step.den, rounding)


def _equal_instalment(course: Course) -> Parts:
    """等额本息: level instalments over the real factors; those in grace pay interest alone."""
    terms, principal, grace = course.terms, course.principal, course.grace
    tail = course.steps[grace:]
    level = level_instalment(terms, principal, tail, course.uneven)
    parts = _level(course, level)
    if terms.residue == "SMOOTH" and terms.instalment_multiple_of is None:
        parts[grace:] = _smooth(terms.rounding, principal, tail, level, parts[grace:])
    return parts


def _level(course: Course, level: int) -> Parts:
    """Interest alone while in grace, then rows of ``level`` in all."""
    terms, principal, _, steps, grace, _ = course
    head = [(0, interest_of(terms.rounding, principal, step)) for step in steps[:grace]]
    return head + _amortise(terms.rounding, principal, steps[grace:], level)


def level_instalment(terms: Terms, principal: int, steps: Sequence[Period], uneven: bool = False) -> int:
    """P * prod(1 + f) / (1 + sum of the products), rounded: the annuity formula over uneven periods."""
    if not terms.annual_rate:
        return _to_multiple(terms, principal, len(steps))
    product, total = _growth(steps, is_uniform(terms) and not uneven)
    num, den = WIDE.divide(WIDE.multiply(principal, product), total).as_integer_ratio()
    return _to_multiple(terms, num, den)


def _growth(steps: Sequence[Period], are_equal: bool) -> tuple[Decimal, Decimal]:
    """The product of all (1 + f), and 1 + the sum of the products of the later ones."""
    if are_equal:
        num, den = steps[-1].num, steps[-1].den
        product = WIDE.power(WIDE.divide(num + den, den), len(steps))
        gained = WIDE.subtract(product, _ONE)
        if gained > _TINY:
            return product, WIDE.divide(gained, WIDE.divide(num, den))
    product, total = _ONE, _ZERO
    for _, _, num, den, _ in steps:
        growth = WIDE.divide(num + den, den)
        product = WIDE.multiply(product, growth)
        total = WIDE.fma(total, growth, _ONE)
    return product, total


def _amortise(rounding: str, principal: int, steps: Sequence[Period], level: int) -> Parts:
    """Rows of ``level`` in all, interest rounded per period; the last row clears the balance.

    Interest that a level row has no room for falls due with the next one and bears none itself.
    """
    parts, balance, carried = [], principal, 0
    for _, _, num, den, less in steps[:-1]:
        interest = round_ratio(balance * num - less, den, rounding) + carried
        carried = max(interest - level, 0)
        interest -= carried
        part = min(level - interest, balance)
        parts.append((part, interest))
        balance -= part
    parts.append((balance, interest_of(rounding, balance, steps[-1]) + carried))
    return parts


def _smooth(rounding: str, principal: int, steps: Sequence[Period], level: int, parts: Parts) -> Parts:
    """Move the level instalment by its share of the last row's difference, as long as that gets smaller."""
    count = len(steps)
    difference = sum(parts[-1]) - level
    for _ in range(MAX_SMOOTHINGS):
        if not abs(difference) > count // 2 > 0:
            break
        moved = level + round_ratio(difference, count, rounding)
        candidate = _amortise(rounding, principal, steps, moved)
        rest = sum(candidate[-1]) - moved
        if abs(rest) >= abs(difference):
            break
        level, parts, difference = moved, candidate, rest
    return parts


def _equal_principal(course: Course) -> Parts:
    """等额本金: the same principal each time, rounded, the last takes the rest; interest on what is left."""
    count = len(course.steps) - course.grace
    share = round_ratio(course.principal, count, course.terms.rounding)
    return _declining(course, [0] * course.grace + [share] * (count - 1))


def _interest_only(course: Course) -> Parts:
    """先息后本: interest each time, all principal with the last."""
    return _declining(course, [0] * (len(course.steps) - 1))


def _custom(course: Course) -> Parts:
    """The principal of each instalment as agreed; the last one clears the balance."""
    terms = course.terms
    shares = [to_minor(amount, terms.decimals) for amount in terms.custom_principal]
    return _declining(course, shares[-len(course.steps) : -1])


def _declining(course: Course, shares: Sequence[int]) -> Parts:
    """Agreed principal shares but for the last, which clears the balance; interest on the balance."""
    rounding = course.terms.rounding
    parts, balance = [], course.principal
    for step, share in zip(course.steps[:-1], shares, strict=True):
        part = min(share, balance)
        parts.append((part, interest_of(rounding, balance, step)))
        balance -= part
    parts.append((balance, interest_of(rounding, balance, course.steps[-1])))
    return parts


def _bullet(course: Course) -> Parts:
    """到期还本付息: simple interest over the whole term, rounded once, due with the principal."""
    num, den = _all_interest(course.steps, course.principal)
    interest = round_ratio(num, den, course.terms.rounding)
    return [(0, 0)] * (len(course.steps) - 1) + [(course.principal, interest)]


def _flat(course: Course) -> Parts:
    """Interest on the base in every period and a level total; the last row takes the rest of both."""
    terms, principal, base, steps, grace, _ = course
    interest = [interest_of(terms.rounding, base, step) for step in steps]
    num, den = _all_interest(steps[grace:], base)
    level = _to_multiple(terms, principal * den + num, den * (len(steps) - grace))
    parts, balance = [(0, amount) for amount in interest[:grace]], principal
    for amount in interest[grace:-1]:
        part = min(max(level - amount, 0), balance)
        parts.append((part, amount))
        balance -= part
    num, den = _all_interest(steps, base)
    rest = round_ratio(num, den, terms.rounding) - sum(interest[:-1])
    return [*parts, (balance, max(rest, 0))]


def _flat_level(course: Course, level: int) -> Parts:
    """Rows of ``level`` in all with flat interest, until the balance is paid."""
    parts: Parts = []
    balance = course.principal
    for step in course.steps:
        interest = interest_of(course.terms.rounding, course.base, step) if balance else 0
        room = 0 if len(parts) < course.grace else max(level - interest, 0)
        part = balance if len(parts) == len(course.steps) - 1 else min(room, balance)
        parts.append((part, interest))
        balance -= part
    return parts


def _flat_fee(course: Course) -> Parts:
    """Principal in equal parts (to the multiple) and no interest: the price is the fee beside it."""
    count = len(course.steps) - course.grace
    share = _to_multiple(course.terms, course.principal, count)
    return _declining(course, [0] * course.grace + [share] * (count - 1))


def _all_interest(steps: Sequence[Period], principal: int) -> tuple[int, int]:
    """The exact interest of these periods on the same principal."""
    num, den = 0, 1
    for step in steps:
        here = principal * step.num - step.less
        if step.den == den:
            num += here
        else:
            num, den = num * step.den + here * den, den * step.den
    return num, den


def _to_multiple(terms: Terms, num: int, den: int) -> int:
    """Rounded to the currency, or to the agreed multiple unless that would make nothing of something."""
    amount = round_ratio(num, den, terms.rounding)
    if terms.instalment_multiple_of is None:
        return amount
    multiple = to_minor(terms.instalment_multiple_of, terms.decimals)
    return round_ratio(amount, multiple, terms.rounding) * multiple or amount


def _defer_interest(rows: list[PlanRow], count: int) -> list[PlanRow]:
    """Interest of the first ``count`` rows is counted but falls due with the row after them."""
    carried = sum(row.interest for row in rows[:count])
    head = [row._replace(interest=0) for row in rows[:count]]
    return [*head, rows[count]._replace(interest=rows[count].interest + carried), *rows[count + 1 :]]


def _at_maturity(rows: list[PlanRow]) -> PlanRow:
    """The one row of a bullet loan; fees per instalment fall due with it."""
    last = rows[-1]
    return last._replace(start_on=rows[0].start_on, fee=sum(row.fee for row in rows))


_ONE, _ZERO = Decimal(1), Decimal(0)
_TINY = Decimal("1e-10")  # below this the closed form would lose digits
_METHODS: dict[Method, Callable[[Course], Parts]] = {
    Method.EQUAL_INSTALMENT: _equal_instalment,
    Method.EQUAL_PRINCIPAL: _equal_principal,
    Method.INTEREST_ONLY: _interest_only,
    Method.BULLET: _bullet,
    Method.FLAT: _flat,
    Method.FLAT_FEE: _flat_fee,
    Method.CUSTOM: _custom,
}
