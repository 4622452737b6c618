"""The collection floor: calls made, promises taken, claims taken to court, losses given up."""

from datetime import date, datetime, timedelta
from random import Random

from config.simulation.cast import Cast, moment
from config.simulation.paying import keeps_promise
from config.simulation.streams import stream
from config.simulation.till import Till
from config.simulation.world import Someone
from dunning.models import Case, Contact
from dunning.models.contact import Outcome
from dunning.services import cases, contacts, legal, promises
from lending import bulk
from lending.errors import Refused
from lending.models import Loan
from lending.services import desk
from lending.shares import CUSTOMERS

REACHED = 0.55
COURT = "First Intermediate Court"
# Since when, and how many days, from notice to claim, from claim to judgment, from judgment to enforcement.
PACE = {
    "NOTICE": ("noticed_on", 20, "FILED"),
    "FILED": ("filed_on", 45, "JUDGED"),
    "JUDGED": ("judged_on", 30, "ENFORCED"),
}
WRITE_OFF_AFTER = 180  # days past due
# What is to do on the floor; asked every day, whatever there is.
CALLS = bulk.Tuples(f"""
    SELECT c.id, c.customer_id, c.case_id, k.assigned_to_id
    FROM dunning_contact c JOIN dunning_case k ON k.id = c.case_id
    WHERE c.state = 'PLANNED' AND c.notice_id IS NULL AND c.channel = 'CALL' AND c.planned_for < %s AND c.{CUSTOMERS}
    ORDER BY c.id
""")  # noqa: S608
_RIPE = " OR ".join(f"m.state = '{state}' AND m.{since} <= %s" for state, (since, _wait, _to) in PACE.items())
MATTERS = bulk.Tuples(f"""
    SELECT m.id, m.state, m.claim, u.platform_ref
    FROM dunning_legalmatter m JOIN lending_customer u ON u.id = m.customer_id
    WHERE ({_RIPE}) AND m.{CUSTOMERS} ORDER BY m.id
""")  # noqa: S608
LOST = bulk.Tuples(f"""
    SELECT id FROM lending_loan
    WHERE state = ANY(%s::text[]) AND oldest_due_on = %s AND {CUSTOMERS} ORDER BY id
""")  # noqa: S608


class Floor:
    def __init__(self, cast: Cast, till: Till) -> None:
        self._cast, self._till = cast, till

    def day(self, on: date) -> int:
        calls = CALLS(moment(on, 23), *self._cast.share.params)
        for number, (task_id, customer_id, case_id, assigned_to_id) in enumerate(calls):
            at = moment(on, 9 + number // 40 % 10, number % 40)
            if assigned_to_id is None:
                collector = self._cast.staff["collector"]
                cases.assign(case_id=case_id, user_id=collector.pk, by=collector, at=at)
            self._call(task_id, case_id, self._cast.by_id[customer_id], on, at)
        self._go_to_court(on)
        self._give_up(on)
        return len(calls)

    def _rng(self, what: str, who: Someone, on: date) -> Random:
        return stream(self._cast.world.seed, what, who.ref, on)

    def _call(self, task_id: int, case_id: int, who: Someone, on: date, at: datetime) -> None:
        rng = self._rng("call", who, on)
        outcome = self._outcome(who, on, rng)
        done = contacts.log(contact_id=task_id, outcome=outcome, by=self._cast.staff["collector"], at=at)
        if done.state == Contact.State.DONE and outcome == Outcome.PROMISED:
            self._promise(case_id, who, on, on + timedelta(days=rng.randint(2, 8)))

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
        since = [on - timedelta(days=wait) for _since, wait, _to in PACE.values()]
        for matter_id, state, claim, ref in MATTERS(*since, *self._cast.share.params):
            legal.advance(
                matter_id=matter_id,
                to=PACE[state][-1],
                by=lawyer,
                at=moment(on, 16),
                on=on,
                court=COURT,
                reference=f"({on:%Y}) {ref}",
                awarded=claim,
            )

    def _give_up(self, on: date) -> None:
        """Half a year past due: the accountant asks to write the loan off, another decides tomorrow."""
        since = on - timedelta(days=WRITE_OFF_AFTER)
        for (loan_id,) in LOST([str(state) for state in Loan.OWING], since, *self._cast.share.params):
            desk.ask_write_off(
                loan_id=loan_id,
                key=f"write-off:{loan_id}",
                reason="Half a year past due",
                by=self._cast.staff["accountant"],
                at=moment(on, 17),
                on=on,
            )
