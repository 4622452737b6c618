"""The strategy at work: reminders before the due day, and the steps of each case, through the gate, once each."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dunning.engine import gate as gate_engine
from dunning.engine import strategy as engine
from dunning.models import Case, Contact, Promise, Strategy, StrategyStep
from dunning.selectors import arrears
from dunning.services import contacts, gate, legal, turn
from dunning.services.cases import parts
from lending import bulk, events
from lending.errors import Refused
from lending.models import Event, Loan, NoticeTemplate, User
from lending.selectors import rules
from lending.services import notices

# What has been taken for a due date: a refused step is tried again, one that could not be delivered is not.
TAKEN = Q(state__in=[Contact.State.PLANNED, Contact.State.DONE]) | Q(rule=gate.UNDELIVERED)

# What falls due between two days to customers who are late with nothing, by customer and day, where the step was not
# tried for it; the close asks for each step of every day. Arrears are read from the loans: the cases are opened and
# closed at the same time.
COMING = bulk.Tuples(
    """
    SELECT l.customer_id, i.due_on, SUM(i.outstanding)
    FROM lending_instalment i JOIN lending_loan l ON l.id = i.loan_id
    WHERE l.state = %s AND i.due_on BETWEEN %s AND %s AND i.paid_on IS NULL AND i.outstanding > 0
      AND NOT EXISTS (
          SELECT 1 FROM dunning_contact c
          WHERE c.customer_id = l.customer_id AND c.due_on = i.due_on AND c.step = %s AND c.channel = %s
      )
      AND NOT EXISTS (
          SELECT 1 FROM lending_loan late
          WHERE late.customer_id = l.customer_id AND late.state = ANY(%s::text[]) AND late.oldest_due_on < %s
      )
    GROUP BY l.customer_id, i.due_on
    """
)


# --- cases ----------------------------------------------------------------------------------------------


@transaction.atomic
def work_cases(*, on: date, at: datetime) -> int:
    """Plan every contact that the strategies of open cases want by now, move cases on.

    Each step is taken once for a customer and due date, however often this runs. Returns how many were
    planned.
    """
    turn.take()
    contacts.follow_messages()
    due = Case.objects.filter(next_action_on__lte=on).exclude(state=Case.State.CLOSED).order_by("pk")
    ids = list(due.values_list("pk", flat=True))
    return sum(_work_part(part, on, at) for part in parts(ids))


def _work_part(ids: Sequence[int], on: date, at: datetime) -> int:
    rows = Case.objects.filter(pk__in=arrears.unnested(ids)).order_by("pk").select_related("customer")
    cases = list(rows.select_for_update(no_key=True, of=("self",)).defer("customer__id_number"))
    plans = _plans({case.strategy_id for case in cases})
    taken = _taken(cases)
    promised = _promised(cases)
    disputed = arrears.disputed([case.customer_id for case in cases])
    pay_by = on + timedelta(days=int(rules.parameter("DEMAND_DAYS_TO_PAY", on)))
    wishes: list[contacts.Wish] = []
    ripe: list[tuple[Case, str]] = []
    happened: list[Event] = []
    for case in cases:
        if case.pk in promised:
            case.next_action_on = promised[case.pk] + timedelta(days=1)
            continue
        steps = plans[case.strategy_id]
        happened += [*_resume(case, on, at), *_move(case, steps, on, at)]
        for step in _due(case, steps, taken.get((case.customer_id, case.oldest_due_on), set()), on):
            if step.channel == StrategyStep.LEGAL_MATTER:
                ripe.append((case, step.code))
            else:
                wishes.append(_wish(case, step, disputed.get(case.customer_id), pay_by))
        _look_again(case, steps, on)
    events.record_many(happened)
    made = contacts.plan(wishes, on=on, at=at)
    made += legal.give_notices(ripe, by=None, at=at, on=on)
    _try_again_tomorrow(cases, made, on)
    bulk.update_many(cases, ["state", "next_action_on", "paused_until", "pause_reason"])
    return sum(contact.state != Contact.State.REFUSED for contact in made)


def _plans(strategy_ids: Iterable[int]) -> dict[int, list[engine.Step]]:
    plans: dict[int, list[engine.Step]] = {strategy_id: [] for strategy_id in strategy_ids}
    for step in StrategyStep.objects.filter(strategy_id__in=plans, day__gt=0):
        plans[step.strategy_id].append(step.as_plain())
    return plans


def _taken(cases: Sequence[Case]) -> dict[tuple[int, date | None], set[str]]:
    """The codes of the steps that were taken, by customer and due date."""
    rows = Contact.objects.filter(TAKEN, customer_id__in=arrears.unnested(c.customer_id for c in cases))
    taken: dict[tuple[int, date | None], set[str]] = {}
    for customer_id, due_on, step in rows.exclude(step="").values_list("customer_id", "due_on", "step"):
        taken.setdefault((customer_id, due_on), set()).add(step)
    return taken


def _promised(cases: Sequence[Case]) -> dict[int, date]:
    """Until a promise is judged, nobody is chased: the day it is for, by case."""
    open_promises = Promise.objects.filter(
        case_id__in=arrears.unnested(case.pk for case in cases), state=Promise.State.OPEN
    )
    return dict(open_promises.values_list("case_id", "due_on"))


def _resume(case: Case, on: date, at: datetime) -> Iterator[Event]:
    if case.state == Case.State.PAUSED and case.paused_until and case.paused_until <= on:
        case.resume()
        yield events.build("case.resumed", case, by=None, at=at)


def _move(case: Case, steps: Sequence[engine.Step], on: date, at: datetime) -> Iterator[Event]:
    """To the stage of its days, up or down. Into court it goes only with a legal matter, and by one out of it."""
    before = case.state
    if before in (Case.State.PAUSED, Case.State.LEGAL):
        return
    out_of_court = [step for step in steps if step.stage != engine.LEGAL]
    stage = engine.stage_for(out_of_court, case.days_past_due(on), case.overdue)
    moves = {engine.REMINDING: case.remind, engine.CALLING: case.call, engine.DEMANDING: case.demand}
    if stage != before:
        moves[stage]()
        yield events.build("case.moved", case, by=None, at=at, before=before, after=stage)


def _due(case: Case, steps: Sequence[engine.Step], taken: set[str], on: date) -> list[engine.Step]:
    if case.state in (Case.State.PAUSED, Case.State.LEGAL):
        return []
    return engine.due_steps(steps, case.days_past_due(on), taken, case.overdue)


def _wish(case: Case, step: engine.Step, disputed: Decimal | None, pay_by: date) -> contacts.Wish:
    """What is in dispute is left out of what is asked for; when all of it is, the gate refuses."""
    amount = case.overdue - disputed if disputed and disputed < case.overdue else case.overdue
    return contacts.Wish(
        customer=case.customer,
        case=case,
        channel=step.channel,
        purpose=gate_engine.COLLECTION,
        step=step.code,
        due_on=case.oldest_due_on,
        amount=amount,
        template=step.template,
        context={"amount": amount, "due_on": case.oldest_due_on, "pay_by": pay_by},
    )


def _look_again(case: Case, steps: Sequence[engine.Step], on: date) -> None:
    """On the day of the next step; a paused case when its pause ends."""
    if case.state == Case.State.PAUSED:
        case.next_action_on = case.paused_until
        return
    days = case.days_past_due(on)
    ahead = [step.day for step in steps if step.day > days]
    case.next_action_on = case.oldest_due_on + timedelta(days=min(ahead)) if ahead else None


def _try_again_tomorrow(cases: Sequence[Case], made: Sequence[Contact], on: date) -> None:
    refused = {contact.case_id for contact in made if contact.state == Contact.State.REFUSED}
    for case in cases:
        if case.pk in refused:
            case.next_action_on = on + timedelta(days=1)


# --- before the due day ---------------------------------------------------------------------------------


@transaction.atomic
def remind(*, on: date, at: datetime) -> int:
    """Plan reminders of bills that fall due soon, by the live strategy, once each; who is in arrears is spoken to in
    the case. Returns how many were planned."""
    turn.take(turn.REMINDERS)
    live = Strategy.objects.filter(state=Strategy.State.LIVE).first()
    if live is None:
        return 0
    early = sorted(live.steps.filter(day__lte=0), key=lambda step: step.day)
    bills = [(step, bill) for step in early for bill in _bills(step, early, on)]
    planned = 0
    for part in parts(bills):
        made = contacts.plan(_reminders(part), on=on, at=at)
        planned += sum(contact.state != Contact.State.REFUSED for contact in made)
    return planned


Bill = tuple[int, date, Decimal]


def _bills(step: StrategyStep, early: Sequence[StrategyStep], on: date) -> list[Bill]:
    """Customer, day and amount of each bill that the step is for and has not been tried for.

    Days that were missed are made up for, unless a later step of the same channel has taken over.
    """
    later = [s.day for s in early if s.channel == step.channel and s.day > step.day]
    first = on + timedelta(days=1 - max(later) if later else 0)
    last = on - timedelta(days=step.day)
    owing = [state.value for state in Loan.OWING]
    found = COMING(Loan.State.ACTIVE.value, first, last, step.code, step.channel, owing, on)
    return sorted(bill for bill in found if bill[2] >= step.min_amount)


def _reminders(bills: Sequence[tuple[StrategyStep, Bill]]) -> list[contacts.Wish]:
    people = notices.people(customer_id for _step, (customer_id, _day, _amount) in bills)
    return [
        contacts.Wish(
            customer=people[customer_id],
            channel=step.channel,
            purpose=gate_engine.REMINDER,
            step=step.code,
            due_on=due_on,
            amount=amount,
            template=step.template,
        )
        for step, (customer_id, due_on, amount) in bills
    ]


# --- versions -------------------------------------------------------------------------------------------


@transaction.atomic
def new_version(*, strategy_id: int, by: User | None, at: datetime) -> Strategy:
    """A draft with the same steps, to be changed and then put in force."""
    source = Strategy.objects.select_for_update(no_key=True).get(pk=strategy_id)
    last = Strategy.objects.filter(name=source.name).order_by("-version").values_list("version", flat=True)
    draft = Strategy.objects.create(name=source.name, version=(last.first() or 0) + 1)
    steps = list(source.steps.all())
    for step in steps:
        step.pk, step.strategy = None, draft
    StrategyStep.objects.bulk_create(steps)
    events.record("strategy.drafted", draft, by=by, at=at, source=source.pk)
    return draft


@transaction.atomic
def set_step(
    *,
    strategy_id: int,
    code: str,
    day: int,
    channel: str,
    template: str,
    stage: str,
    min_amount: Decimal,
    by: User | None,
    at: datetime,
) -> StrategyStep:
    """Add a step to a draft, or change the one with that code.

    Raises Refused (field channel or template) for anything but a message before something is overdue, and for
    a message whose words do not exist for its channel.
    """
    draft = _draft(strategy_id)
    if day < 1 and channel not in contacts.MESSAGES:
        raise Refused("channel", _("Before anything is overdue there are only messages."), field="channel")
    words = NoticeTemplate.objects.filter(code=template, channel=channel)
    if channel in contacts.MESSAGES and not words.exists():
        raise Refused("template", _("There is no such message for this channel."), field="template")
    facts = {"day": day, "channel": channel, "template": template, "stage": stage, "min_amount": min_amount}
    step, _made = StrategyStep.objects.update_or_create(strategy=draft, code=code, defaults=facts)
    events.record("strategy.changed", draft, by=by, at=at, step=code, **facts)
    return step


@transaction.atomic
def remove_step(*, strategy_id: int, code: str, by: User | None, at: datetime) -> None:
    """Take a step out of a draft."""
    draft = _draft(strategy_id)
    if not draft.steps.filter(code=code).delete()[0]:
        raise Refused("code", _("There is no such step."), field="code")
    events.record("strategy.changed", draft, by=by, at=at, removed=code)


def _draft(strategy_id: int) -> Strategy:
    strategy = Strategy.objects.select_for_update(no_key=True).get(pk=strategy_id)
    if strategy.state != Strategy.State.DRAFT:
        raise Refused("frozen", _("Only a draft can be changed: make a new version."))
    return strategy


@transaction.atomic
def publish(*, strategy_id: int, by: User | None, at: datetime) -> Strategy:
    """Put a draft in force for new cases; the one before is retired, its cases stay with it.

    Raises Refused when the steps contradict each other, TransitionNotAllowed when it is no draft.
    """
    turn.take()
    rows = Strategy.objects.select_for_update(no_key=True).order_by("pk")
    draft, live = rows.get(pk=strategy_id), rows.filter(state=Strategy.State.LIVE).first()
    steps = [step.as_plain() for step in draft.steps.all()]
    faults = engine.faults(steps) if steps else [str(_("it has no steps"))]
    if faults:
        raise Refused(
            "faults", _("The steps contradict each other: %(faults)s") % {"faults": "; ".join(faults)}
        )
    draft.go_live()
    if live is not None:
        live.retire()
        live.save(update_fields=["state"])
    draft.save(update_fields=["state"])
    events.record("strategy.published", draft, by=by, at=at, version=draft.version)
    return draft
