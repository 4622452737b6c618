"""The fold: terms and events in, the loan as it stands out.

Events are folded by effective date, and on one day in the order in which they are listed. A charge takes part
from the moment it was listed, or from its own date when that is earlier.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from lending.engine import penalty, restructure, settlement, tranches
from lending.engine.allocation import FEE, INTEREST, PENALTY, PRINCIPAL
from lending.engine.chargeback import charge_back
from lending.engine.errors import EventError
from lending.engine.loan import OVERPAID, RECOVERED, Loan
from lending.engine.money import to_minor
from lending.engine.payment import pay, use_credit
from lending.engine.prepayment import prepay
from lending.engine.state import Event, LoanState, Payoff
from lending.engine.terms import Terms

PAYMENTS = ("REPAYMENT", "GOODWILL", "MERCHANT_REFUND", "PAYOUT_REFUND")
RESTRUCTURINGS = ("ACCELERATION", "RESCHEDULE", "HARDSHIP", "HOLIDAY", "REAMORTISE", "REAGE")
ENDED_BY_WRITE_OFF = (
    *("DISBURSEMENT", "CHARGE", "WAIVER", "SETTLEMENT", "WRITE_OFF", "PREPAYMENT", "CHARGEBACK"),
    *(*PAYMENTS, *RESTRUCTURINGS),
)
MAY_BE_ZERO = ("WRITE_OFF", "SETTLEMENT", *RESTRUCTURINGS)
WAIVABLE = {"INTEREST": INTEREST, "FEE": FEE, "PENALTY": PENALTY}


def replay(terms: Terms, events: Sequence[Event], as_of: date) -> LoanState:
    """Fold ``events`` over ``terms`` up to ``as_of``; raises EventError for one that cannot have happened.

    Transactions dated after ``as_of`` have not happened yet; a charge listed is known, whenever it falls due.
    """
    return fold(terms, events, as_of).state(as_of)


def payoff(terms: Terms, events: Sequence[Event], on: date) -> Payoff:
    """What settles the loan on ``on``: everything billed and unpaid, the principal that is left, and the
    interest of the running period for the days used (Civil Code art. 677). Fees per instalment of the future
    are waived unless the terms say settlement_fee CHARGE; a credit balance is taken off."""
    return settlement.payoff_of(fold(terms, events, on), on)


def fold(terms: Terms, events: Sequence[Event], as_of: date) -> Loan:
    loan = Loan(terms)
    for day, event in in_effect(events, as_of):
        penalty.accrue(loan, day)
        _apply(loan, event)
    penalty.accrue(loan, as_of)
    return loan


def in_effect(events: Sequence[Event], as_of: date) -> list[tuple[date, Event]]:
    """The events that count on ``as_of``, each with the day from which it does, reversed ones left out, in
    the order in which they are folded."""
    gone = _reversed(events, as_of)
    dated: list[tuple[date, Event]] = []
    early: list[Event] = []  # charges listed before any disbursement take part right after it
    known: date | None = None
    for event in events:
        if event.type == "REVERSAL":
            continue
        if event.type != "CHARGE":
            if event.on <= as_of:
                known = max(known or event.on, event.on)
                if event.ref not in gone:
                    dated.append((event.on, event))
                    dated.extend((event.on, charge) for charge in early)
                    early = []
        elif event.ref not in gone:
            if known is None:
                early.append(event)
            else:
                dated.append((min(event.on, known), event))
    dated.sort(key=_effective_on)
    return dated


def _effective_on(item: tuple[date, Event]) -> date:
    return item[0]


def _reversed(events: Sequence[Event], as_of: date) -> set[str]:
    refs = {event.ref: event for event in events}
    if len(refs) != len(events):
        twice, _ = Counter(event.ref for event in events).most_common(1)[0]
        raise EventError(twice, "ref is used twice")
    gone = set()
    for event in events:
        if event.type == "REVERSAL" and event.on <= as_of:
            target = refs.get(event.of or "")
            if target is None or target.type == "REVERSAL":
                raise EventError(event.ref, f"reverses {event.of!r}, which is no event that can be reversed")
            gone.add(target.ref)
    return gone


def _apply(loan: Loan, event: Event) -> None:
    amount = _amount(loan, event)
    if event.type in PAYMENTS:
        pay(loan, event, amount)
    elif event.type == "CHARGE":
        _charge(loan, event, amount)
    elif event.type == "DISBURSEMENT":
        tranches.disburse(loan, event, amount)
    else:
        handler = _OTHERS.get(event.type)
        if handler is None:
            raise EventError(event.ref, f"unknown type {event.type}")
        handler(loan, event, amount)


def _amount(loan: Loan, event: Event) -> int:
    try:
        amount = to_minor(Decimal(event.amount), loan.terms.decimals)
    except ArithmeticError:
        raise EventError(event.ref, f"amount {event.amount} is not a number") from None
    except ValueError as error:
        raise EventError(event.ref, f"amount {error}") from None
    if amount < 0 or (amount == 0 and event.type not in MAY_BE_ZERO):
        raise EventError(event.ref, "amount must be above zero")
    if event.type != "DISBURSEMENT" and not loan.disbursed:
        raise EventError(event.ref, "comes before the disbursement")
    if loan.status == "WRITTEN_OFF" and event.type in ENDED_BY_WRITE_OFF:
        raise EventError(event.ref, "the loan is written off")
    return amount


def _charge(loan: Loan, event: Event, amount: int) -> None:
    """A fee or penalty falls due with the instalment whose period holds its date, or on a row of its own."""
    if event.kind not in ("FEE", "PENALTY"):
        raise EventError(event.ref, "kind of a charge must be FEE or PENALTY")
    component = FEE if event.kind == "FEE" else PENALTY
    loan.row_of_charge(event.on).charge(event.on, component, amount)
    use_credit(loan)


def _waive(loan: Loan, event: Event, amount: int) -> None:
    """Oldest first, never more than is owed of that component."""
    component = WAIVABLE.get(event.kind or "")
    if component is None:
        raise EventError(event.ref, "kind of a waiver must be INTEREST, FEE or PENALTY")
    left = amount
    for row in loan.rows:
        left -= row.waive(component, left, event.on)
    loan.note(event.ref, component, amount - left)


def _write_off(loan: Loan, event: Event, amount: int) -> None:
    """Everything owed on the day is given up on, interest only as far as it has accrued; the amount of the
    event is what the books say and may be zero."""
    settlement.cut(loan, event)
    loan.status = "WRITTEN_OFF"
    for row in loan.rows:
        for component in range(4):
            owed = row.owed(component)
            row.written[component] += owed
            loan.note(event.ref, component, owed)
        row.recount()


def _recover(loan: Loan, event: Event, amount: int) -> None:
    if loan.status != "WRITTEN_OFF":
        raise EventError(event.ref, "recovers a loan that is not written off")
    loan.recovered += amount
    loan.note(event.ref, RECOVERED, amount)


def _refund_credit(loan: Loan, event: Event, amount: int) -> None:
    """Pays out an overpaid balance; what goes beyond it (after a reversal, say) is owed again."""
    loan.refunded += amount
    left = amount
    for source, credit in loan.take_credits():
        taken = min(credit, left)
        left -= taken
        loan.note(event.ref, OVERPAID, -taken)
        loan.note(source.ref, OVERPAID, taken)
        loan.add_credit(source, credit - taken)
    if left:
        loan.note(event.ref, PRINCIPAL, -left)
        loan.row_of_charge(event.on).add_due(PRINCIPAL, left)


_OTHERS = {
    "WAIVER": _waive,
    "WRITE_OFF": _write_off,
    "RECOVERY": _recover,
    "CREDIT_REFUND": _refund_credit,
    "SETTLEMENT": settlement.settle,
    "PREPAYMENT": prepay,
    "CHARGEBACK": charge_back,
    "ACCELERATION": restructure.accelerate,
    "RESCHEDULE": restructure.reschedule,
    "HARDSHIP": restructure.reschedule,
    "HOLIDAY": restructure.holiday,
    "REAMORTISE": restructure.reamortise,
    "REAGE": restructure.reage,
}
