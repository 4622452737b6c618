"""Interest between two due dates: earned day by day in the books, product by product, long before it is billed.

The interest of an instalment accrues evenly over the days of its period, from the due date before it (or the day of
disbursement, or the end of the interest-free days) to its own, rounded half up to the cent per loan: the rule by which
early settlement charges. Only sums are booked. What a loan in suspense earns stays out of them, and what is billed to
it and not paid is held in suspense until it is: income counts when the money comes.
"""

from datetime import date, datetime, timedelta

from django.utils.translation import gettext_lazy as _

from lending.selectors import accrued
from lending.services import books, ledger, suspension, targets
from lending.services.steps import step


@step(_("Interest of the day is accrued"))
def accrue_interest(*, on: date, at: datetime) -> int:
    """Close step, before billing: bring accrued and suspended interest of every product to what they are at the end
    of the day. One entry per product and kind; a second run for the day books nothing."""
    suspension.end_closed(on=on, at=at)
    earned = accrued.accrued(on)
    moved = targets.book_all([(targets.ACCRUAL, earned), *suspension.held(on)], on=on)
    books.tie_targets([(targets.ACCRUAL, earned)], on)
    return moved


@step(_("Accrued interest that was billed is released"))
def follow_billing(*, on: date, at: datetime) -> int:
    """Close step, after the next day has been billed: what had accrued of its instalments leaves the accrued interest,
    and what was billed to loans in suspense leaves income. Dated the day that opens."""
    day = on + timedelta(days=1)
    bookings = [
        ledger.Booking(
            key=f"accrual-billed:{day}:{product_id}",
            memo="accrued interest billed",
            booked_on=day,
            value_on=day,
            lines=[(ledger.INTEREST_INCOME, amount), (ledger.ACCRUED_INTEREST, -amount)],
            product_id=product_id,
        )
        for product_id, amount in sorted(accrued.released(on, day).items())
    ]
    bookings = targets.unbooked(bookings)
    ledger.post(bookings)
    held = [(target.named("opening"), amounts) for target, amounts in suspension.held(on)]
    return len(bookings) + targets.book_all(held, on=day)
