"""The collection floor: calls made, promises taken, claims taken to court, losses given up."""

from datetime import date, timedelta
from functools import reduce
from operator import or_
from random import Random

from django.db.models import Q

from config.simulation.cast import Cast, moment
from config.simulation.paying import keeps_promise
from config.simulation.streams import stream
from config.simulation.till import Till
from config.simulation.world import Someone
from dunning.models import Case, Contact, LegalMatter
from dunning.models.contact import Outcome
from dunning.services import cases, contacts, legal, promises
from lending.errors import Refused
from lending.models import Loan
from lending.services import desk

REACHED = 0.55
COURT = "First Intermediate Court"
# Since when, and how many days, from notice to claim, from claim to judgment, from judgment to enforcement.
PACE = {
    "NOTICE": ("noticed_on", 20, "FILED"),
    "FILED": ("filed_on", 45, "JUDGED"),
    "JUDGED": ("judged_on", 30, "ENFORCED"),
}
WRITE_OFF_AFTER = 180  # days past due


class Floor:
    def __init__(self, cast: Cast, till: Till) -> None:
        self._cast, self._till = cast, till

    def day(self, on: date) -> int:
        tasks = Contact.objects.filter(
            state=Contact.State.PLANNED, notice=None, channel="CALL", planned_for__lt=moment(on, 23)
        )
        rows = tasks.select_related("case").only("customer_id", "case_id", "case__assigned_to_id")
        found = rows.order_by("pk")
        calls = [task for task in found if task.customer_id in self._cast.by_id]
        for number, task in enumerate(calls):
            self._call(task, on, number)
        self._go_to_court(on)
        self._give_up(on)
        return len(calls)

    def _rng(self, what: str, who: Someone, on: date) -> Random:
        return stream(self._cast.world.seed, what, who.ref, on)

    def _call(self, task: Contact, on: date, number: int) -> None:
        who = self._cast.by_id[task.customer_id]
        rng = self._rng("call", who, on)
        outcome = self._outcome(who, on, rng)
        at = moment(on, 9 + number // 40 % 10, number % 40)
        collector = self._cast.staff["collector"]
        if task.case.assigned_to_id is None:
            cases.assign(case_id=task.case_id, user_id=collector.pk, by=collector, at=at)
        done = contacts.log(contact_id=task.pk, outcome=outcome, by=collector, at=at)
        if done.state == Contact.State.DONE and outcome == Outcome.PROMISED:
            self._promise(task.case_id, who, on, on + timedelta(days=rng.randint(2, 8)))

    def _outcome(self, who: Someone, on: date, rng: Random) -> str:
        if rng.random() > REACHED:
            return rng.choice((Outcome.NO_ANSWER, Outcome.NO_ANSWER, Outcome.BUSY))
        if who.cash_out:
            return rng.choice((Outcome.UNWILLING, Outcome.PROMISED))
        if who.in_hard_times(on):
            return rng.choice((Outcome.HARDSHIP, Outcome.HARDSHIP, Outcome.PROMISED))
        return rng.choice((Outcome.PROMISED, Outcome.PROMISED, Outcome.PROMISED, Outcome.CALL_BACK))

    def _promise(self, case_id: int, who: Someone, on: date, until: date) -> None:
        case = Case.objects.get(pk=case_id)
        collector = self._cast.staff["collector"]
        try:
            promises.take(
                case_id=case_id, amount=case.overdue, due_on=until, by=collector, at=moment(on, 19), on=on
            )
        except Refused:  # paid on the same day
            return
        if keeps_promise(self._cast.world.seed, who, case.oldest_due_on, until):
            self._till.promised[case.customer_id] = until

    def _go_to_court(self, on: date) -> None:
        lawyer = self._cast.staff["legal_officer"]
        ripe = [
            Q(state=state, **{f"{since}__lte": on - timedelta(days=wait)})
            for state, (since, wait, _to) in PACE.items()
        ]
        due = LegalMatter.objects.filter(reduce(or_, ripe)).select_related("customer").order_by("pk")
        for matter in self._cast.share.of_customers(due):
            legal.advance(
                matter_id=matter.pk,
                to=PACE[matter.state][-1],
                by=lawyer,
                at=moment(on, 16),
                on=on,
                court=COURT,
                reference=f"({on:%Y}) {matter.customer.platform_ref}",
                awarded=matter.claim,
            )

    def _give_up(self, on: date) -> None:
        """Half a year past due: the accountant asks to write the loan off, another decides tomorrow."""
        lost = Loan.objects.filter(state__in=Loan.OWING, oldest_due_on=on - timedelta(days=WRITE_OFF_AFTER))
        for loan in lost.order_by("pk"):
            if loan.customer_id not in self._cast.by_id:
                continue
            desk.ask_write_off(
                loan_id=loan.pk,
                key=f"write-off:{loan.pk}",
                reason="Half a year past due",
                by=self._cast.staff["accountant"],
                at=moment(on, 17),
                on=on,
            )
