"""Interest in suspense: a loan that does not perform earns nothing in the books until somebody pays.

What was billed to it and is unpaid leaves income for accounts that stand against the receivables; what has accrued and
was not billed yet is taken back. From then on it accrues off balance: whatever is billed goes into suspense at the
next close, and what is paid of it comes back into income. The loan itself is not touched; it owes what it owed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk, events
from lending.errors import Refused
from lending.fields import ZERO
from lending.models import InterestSuspension, Loan, Transaction, User
from lending.models.classes import MARKED_SQL
from lending.selectors import accrued
from lending.services import checks, ledger, targets
from lending.services.steps import step
from lending.services.targets import Target

# The parts of a loan's position that are held in suspense while they are unpaid.
PARTS = {
    "interest": Target(
        ledger.SUSPENDED_INTEREST, ledger.INTEREST_INCOME, -1, "suspense-interest", "interest in suspense"
    ),
    "fee": Target(ledger.SUSPENDED_FEES, ledger.FEE_INCOME, -1, "suspense-fee", "fees in suspense"),
    "penalty": Target(
        ledger.SUSPENDED_PENALTIES, ledger.PENALTY_INCOME, -1, "suspense-penalty", "penalties in suspense"
    ),
}

# In the order of `PARTS`; the close asks several times a day.
HELD = bulk.Tuples(
    """
    SELECT product_id, SUM(GREATEST(interest, 0)), SUM(GREATEST(fee, 0)), SUM(GREATEST(penalty, 0))
    FROM lending_loan
    WHERE state = ANY(%s::varchar[])
      AND id IN (SELECT loan_id FROM lending_interestsuspension WHERE until IS NULL)
    GROUP BY product_id
    """
)

# Loans that do not perform and are not in suspense, and those in it, not by a person, that do.
BAD = bulk.Tuples(f"""
    SELECT l.id FROM lending_loan l
    WHERE {MARKED_SQL} AND l.state = ANY(%s::text[]) AND l.non_performing_since IS NOT NULL
      AND NOT EXISTS (SELECT FROM lending_interestsuspension s WHERE s.loan_id = l.id AND s.until IS NULL)
    ORDER BY l.id
""")  # noqa: S608
GOOD = bulk.Tuples("""
    SELECT l.id FROM lending_loan l JOIN lending_interestsuspension s ON s.loan_id = l.id
    WHERE s.until IS NULL AND s.by_id IS NULL AND l.state = ANY(%s::text[]) AND l.non_performing_since IS NULL
    ORDER BY l.id
""")
ENDED = bulk.Select(
    InterestSuspension,
    "until IS NULL AND loan_id IN (SELECT id FROM lending_loan WHERE state <> ALL(%s::text[]))"
    " ORDER BY loan_id FOR NO KEY UPDATE",
)

# Why the close does it, as events keep it.
NOT_PERFORMING, PERFORMING = "NON_PERFORMING", "PERFORMING"


@dataclass(frozen=True, slots=True)
class Suspended:
    """What one loan has in suspense: billed and unpaid, part by part, none below zero."""

    interest: Decimal
    fee: Decimal
    penalty: Decimal

    @classmethod
    def of(cls, loan: Loan) -> "Suspended":
        return cls(*(max(getattr(loan, part), ZERO) for part in PARTS))

    @property
    def total(self) -> Decimal:
        return self.interest + self.fee + self.penalty


def suspend(*, loan_id: int, reason: str, by: User | None, at: datetime, on: date) -> InterestSuspension:
    """Take the unpaid interest of a loan out of income from this day on. Refused when it is suspended already or owes
    nothing."""
    return suspend_many(loan_ids=[loan_id], reason=reason, by=by, at=at, on=on)[0]


def resume(*, loan_id: int, reason: str, by: User | None, at: datetime, on: date) -> InterestSuspension:
    """The loan performs again: what it has in suspense is income after all. Refused when it is not suspended."""
    return resume_many(loan_ids=[loan_id], reason=reason, by=by, at=at, on=on)[0]


@transaction.atomic
def suspend_many(
    *, loan_ids: Sequence[int], reason: str, by: User | None, at: datetime, on: date
) -> list[InterestSuspension]:
    """As `suspend`, for several loans in a few statements; one entry per loan. All or none."""
    loans = _lock(loan_ids, reason)
    known = InterestSuspension.objects.filter(loan_id__in=loan_ids, until=None)
    if known.exists() or any(loan.state not in Loan.OWING for loan in loans):
        raise Refused(
            "suspension", _("Interest of this loan is suspended already, or the loan owes nothing.")
        )
    rows = InterestSuspension.objects.bulk_create(
        [InterestSuspension(loan=loan, since=on, reason=reason, by=by) for loan in loans]
    )
    _book(loans, rows, -1, on)
    _record("loan.interest_suspended", loans, reason, by, at)
    return rows


@transaction.atomic
def resume_many(
    *, loan_ids: Sequence[int], reason: str, by: User | None, at: datetime, on: date
) -> list[InterestSuspension]:
    """As `resume`, for several loans."""
    loans = _lock(loan_ids, reason)
    known = {row.loan_id: row for row in InterestSuspension.objects.filter(loan_id__in=loan_ids, until=None)}
    if len(known) < len(loans):
        raise Refused("suspension", _("Interest of this loan is not suspended."))
    rows = [known[loan.pk] for loan in loans]
    for row in rows:
        row.until = on
    InterestSuspension.objects.bulk_update(rows, ["until"])
    _book(loans, rows, 1, on)
    _record("loan.interest_resumed", loans, reason, by, at)
    return rows


def _lock(loan_ids: Sequence[int], reason: str) -> list[Loan]:
    checks.reason(reason, field="reason")
    loans = list(Loan.objects.filter(pk__in=loan_ids).order_by("pk").select_for_update(no_key=True))
    if len(loans) < len(set(loan_ids)):
        raise Refused("loan", _("There is no such loan."), field="loan")
    return loans


def _book(loans: Sequence[Loan], rows: Sequence[InterestSuspension], sign: int, on: date) -> None:
    """`sign` -1 takes out of income, +1 brings back. What had accrued stands in the books as of the last close."""
    unbilled = accrued.accrued_of([loan.pk for loan in loans], on - timedelta(days=1))
    bookings = []
    for loan, row in zip(loans, rows, strict=True):
        suspended = Suspended.of(loan)
        lines = [(targets.ACCRUAL.role, sign * unbilled.get(loan.pk, ZERO))]
        lines += [(target.role, sign * getattr(suspended, part)) for part, target in PARTS.items()]
        contra = [targets.ACCRUAL.contra, *(target.contra for target in PARTS.values())]
        lines += [(account, -amount) for account, (_role, amount) in zip(contra, lines, strict=True)]
        bookings.append(
            ledger.Booking(
                key=f"{'suspension' if sign < 0 else 'resumption'}:{row.pk}",
                memo="interest suspended" if sign < 0 else "interest resumed",
                booked_on=on,
                value_on=on,
                lines=lines,
                loan_id=loan.pk,
                product_id=loan.product_id,
            )
        )
    ledger.post(bookings)


def _record(kind: str, loans: Sequence[Loan], reason: str, by: User | None, at: datetime) -> None:
    events.record_many(
        [
            events.build(kind, loan, by=by, at=at, amount=Suspended.of(loan).total, reason=reason)
            for loan in loans
        ]
    )


@step(_("Interest of loans that do not perform is suspended"))
def follow(*, on: date, at: datetime) -> int:
    """Close step, between the classes and the accrual: loans that stopped to perform go into suspense, those that
    perform again and were not suspended by a person come out of it."""
    owing = [str(state) for state in Loan.OWING]
    stop, start = ([loan_id for (loan_id,) in rows] for rows in bulk.read((BAD, [owing]), (GOOD, [owing])))
    if stop:
        suspend_many(loan_ids=stop, reason=NOT_PERFORMING, by=None, at=at, on=on)
    if start:
        resume_many(loan_ids=start, reason=PERFORMING, by=None, at=at, on=on)
    return len(stop) + len(start)


def held(on: date) -> Iterator[tuple[Target, dict[int, Decimal]]]:
    """What should stand in suspense, part by part: the target to book to, and the amounts by product."""
    rows = HELD([str(state) for state in Loan.OWING])
    for place, target in enumerate(PARTS.values()):
        yield target, {product_id: amounts[place] for product_id, *amounts in rows if amounts[place]}


def end_closed(*, on: date, at: datetime) -> int:
    """Suspensions of loans that are paid or given up end. What a write-off took with it was never income: it lowers
    the loss, not the income. Called by the daily close before it books to the targets."""
    ended = ENDED([str(state) for state in Loan.OWING])
    if not ended:
        return 0
    for row in ended:
        row.until = on
    bulk.update_many(ended, ["until"])
    ledger.post(_given_up([row.loan_id for row in ended], on))
    return len(ended)


def _given_up(loan_ids: Sequence[int], on: date) -> list[ledger.Booking]:
    write_offs = Transaction.objects.filter(
        loan_id__in=loan_ids,
        loan__state=Loan.State.WRITTEN_OFF,
        type=Transaction.Type.WRITE_OFF,
        reversed_by=None,
    ).select_related("loan")
    bookings = []
    for posted in write_offs.order_by("pk"):
        lines = [(target.role, getattr(posted, part)) for part, target in PARTS.items()]
        lines.append((ledger.CREDIT_LOSSES, -sum((amount for _role, amount in lines), ZERO)))
        bookings.append(
            ledger.Booking(
                key=f"suspense-written-off:{posted.pk}",
                memo="suspense written off",
                booked_on=on,
                value_on=on,
                lines=lines,
                loan_id=posted.loan_id,
                product_id=posted.loan.product_id,
            )
        )
    return targets.unbooked(bookings)
