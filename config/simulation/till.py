"""The customers' payments of a day."""

from collections import defaultdict
from datetime import date, timedelta

from config.simulation.cast import Cast, moment
from config.simulation.paying import pays_on
from config.simulation.streams import stream
from lending import bulk
from lending.models import Loan
from lending.services import loans
from lending.shares import CUSTOMERS

EARLY = timedelta(days=3)
# One customer in a hundred who pays in time pays the whole loan off.
SETTLES = 0.01
# Customer, due date and open amount of all that falls due until a day.
DUE = bulk.Tuples(f"""
    SELECT l.customer_id, i.due_on, SUM(i.outstanding)
    FROM lending_instalment i JOIN lending_loan l ON l.id = i.loan_id
    WHERE i.due_on <= %s AND i.paid_on IS NULL AND i.outstanding > 0 AND l.state = ANY(%s::text[]) AND l.{CUSTOMERS}
    GROUP BY 1, 2 ORDER BY 2
""")  # noqa: S608


class Till:
    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        # Promises that will be kept: customer -> day.
        self.promised: dict[int, date] = {}

    def day(self, on: date) -> int:
        """Everyone who means to pay today pays all that is due; returns how many did."""
        receipts = [
            loans.Receipt(customer_id, amount, f"till:{self._cast.by_id[customer_id].ref}:{on}", "simulated")
            for customer_id, amount in sorted(self._coming(on).items())
        ]
        if receipts:
            loans.pay_many(receipts=receipts, by=None, at=moment(on, 20), on=on)
        for customer_id in sorted(self._coming_to_settle(receipts, on)):
            self._settle(customer_id, on)
        return len(receipts)

    def _coming(self, on: date) -> dict:
        paying: dict = defaultdict(int)
        for customer_id, due_on, amount in DUE(
            on + EARLY, [str(state) for state in Loan.OWING], *self._cast.share.params
        ):
            if self._pays(customer_id, due_on, on):
                paying[customer_id] += amount
        return paying

    def _pays(self, customer_id: int, due_on: date, on: date) -> bool:
        if self.promised.get(customer_id) == on and due_on < on:
            return True
        planned = pays_on(self._cast.world.seed, self._cast.by_id[customer_id], due_on)
        return planned is not None and planned <= on

    def _coming_to_settle(self, receipts: list[loans.Receipt], on: date) -> set[int]:
        seed = self._cast.world.seed
        return {
            receipt.customer_id
            for receipt in receipts
            if stream(seed, "settle", self._cast.by_id[receipt.customer_id].ref, on).random() < SETTLES
        }

    def _settle(self, customer_id: int, on: date) -> None:
        for loan in Loan.objects.filter(customer_id=customer_id, state__in=Loan.OWING).order_by("pk"):
            key = f"settle:{self._cast.by_id[customer_id].ref}:{on}:{loan.pk}"
            loans.settle(loan_id=loan.pk, key=key, by=None, at=moment(on, 20, 30), on=on, channel="simulated")
