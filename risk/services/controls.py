"""The controls at work: they trip with the event that trips them, and let go by themselves."""

import json
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from lending import bulk, events
from lending.errors import Refused
from lending.models import CreditLine, LineHold, User
from lending.services import lines, locking, notices
from lending.services.steps import step
from risk.engine import controls as engine
from risk.models import Alert, Control
from risk.reasons import control_text
from risk.selectors import days as day_sums

Latest = dict[tuple[int, int], Alert]  # by customer and control

WHOLE = Decimal(1)
# Asked with every batch of events.
ACTIVE = bulk.Select(Control, "active ORDER BY id")
LINES = bulk.Tuples(
    "SELECT id FROM lending_creditline WHERE customer_id = ANY(%s::bigint[]) AND state = ANY(%s::text[])"
)
LATEST = bulk.Select(
    Alert,
    "id IN (SELECT max(id) FROM risk_alert WHERE customer_id = ANY(%s::bigint[]) GROUP BY customer_id, control_id)",
)
OPEN_LINES = [CreditLine.State.ACTIVE, CreditLine.State.SUSPENDED]


def watch(*, customer_ids: Collection[int], on: date, at: datetime) -> list[Alert]:
    """Judge these customers by every active control and act on their lines where one trips.

    Call it in the transaction that moved their daily sums. Lines are locked first, so that of two batches
    about one customer the second sees what the first brought.
    """
    controls, found = bulk.read((ACTIVE, []), (LINES, [list(customer_ids), [str(s) for s in OPEN_LINES]]))
    locked = locking.lines(line_id for (line_id,) in found)
    held = [line for line in locked.values() if line.state in OPEN_LINES]
    if not controls or not held:
        return []
    past = _by_control(LATEST([row.customer_id for row in held]))
    sums = _sums(controls, held, past, on)
    return [
        _trip(control, line, verdict, on, at)
        for line in held
        for control in controls
        if (verdict := _judge(control, line, sums, past, on)).state == engine.TRIPPED
    ]


@step(_("Controls that have cooled down let go"))
def release(*, on: date, at: datetime) -> int:
    """Close step: end the alerts that have cleared, or whose control was switched off, and give back."""
    open_alerts = Alert.objects.filter(state=Alert.State.OPEN)
    by_line = locking.lines(open_alerts.values_list("line_id", flat=True))
    found = list(open_alerts.filter(line_id__in=by_line).select_related("control").order_by("pk"))
    past = _by_control(found)
    sums = _sums([alert.control for alert in found], list(by_line.values()), past, on) if found else {}
    cleared = [
        alert
        for alert in found
        if not alert.control.active
        or _judge(alert.control, by_line[alert.line_id], sums, past, on).state == engine.RELEASED
    ]
    for alert in cleared:
        alert.release(at=at)
        alert.save()
        events.record("alert.released", alert, by=None, at=at, control=alert.control.code)
        give_back(alert=alert, by=None, at=at)
    return len(cleared)


def _by_control(alerts: Sequence[Alert]) -> Latest:
    return {(alert.customer_id, alert.control_id): alert for alert in alerts}


def _sums(
    controls: Sequence[Control], held: Sequence[CreditLine], past: Latest, on: date
) -> dict[int, list[engine.DaySums]]:
    """The days that the controls look at. Who tripped one before is looked at day by day, as a cool-down asks
    what came after a certain day; for all others the days between two borders are one."""
    borders = day_sums.borders([control.spec for control in controls], on)
    known = {customer_id for customer_id, _control_id in past}
    ids = {line.customer_id for line in held}
    sums = day_sums.stretches(ids - known, borders, on)
    if known & ids:
        sums.update(day_sums.stretches(known & ids, day_sums.each_day(min(borders), on), on))
    return sums


def _judge(
    control: Control, line: CreditLine, sums: dict[int, list[engine.DaySums]], past: Latest, on: date
) -> engine.Verdict:
    last = past.get((line.customer_id, control.pk))
    state = engine.State(last.state == Alert.State.OPEN, last.tripped_on) if last else engine.State()
    known_since = line.customer.registered_on
    return engine.evaluate(control.spec, sums.get(line.customer_id, []), on, state, known_since)


@transaction.atomic
def set_levels(*, control_id: int, by: User, at: datetime, **levels: Any) -> Control:
    """Change when a control trips and what it does; raises `Refused` when the levels contradict each other."""
    control = Control.objects.select_for_update(no_key=True).get(pk=control_id)
    before = {name: getattr(control, name) for name in levels}
    for name, value in levels.items():
        setattr(control, name, value)
    try:
        control.full_clean()
    except ValidationError as fault:
        raise Refused("levels", "; ".join(fault.messages)) from fault
    control.save()
    changed = {name for name in levels if before[name] != levels[name]}
    told = {name: [before[name], levels[name]] for name in sorted(changed)}
    events.record("control.changed", control, by=by, at=at, control=control.code, levels=told)
    return control


# --- acting -------------------------------------------------------------------------------------------------


def _trip(control: Control, line: CreditLine, verdict: engine.Verdict, on: date, at: datetime) -> Alert:
    """Write the alert down, act on the line, and tell the customer why."""
    assert verdict.figure is not None, "nothing trips without a figure"
    line.refresh_from_db(fields=["base_limit"])  # an earlier control may have cut it a moment ago
    cut = control.action == Control.Action.CUT
    alert = Alert.objects.create(
        customer_id=line.customer_id,
        control=control,
        line=line,
        figure=verdict.figure,
        explanation=json.loads(json.dumps(dict(verdict.explanation), cls=DjangoJSONEncoder)),
        action=control.action,
        limit_before=line.base_limit if cut else None,
        limit_after=_after_cut(control, line) if cut else None,
        tripped_on=on,
        at=at,
    )
    events.record(
        "alert.raised", alert, by=None, at=at, control=control.code, figure=alert.figure, action=alert.action
    )
    if cut:
        lines.cut(line_id=line.pk, to=alert.limit_after, cause=control.code, by=None, at=at, tell=False)
    elif control.action == Control.Action.SUSPEND:
        cause = LineHold.Cause.CONTROL
        lines.place_hold(line_id=line.pk, cause=cause, note=control.code, by=None, at=at, tell=False)
    _tell(alert, line, at)
    return alert


def _after_cut(control: Control, line: CreditLine) -> Decimal:
    left: Decimal = line.base_limit * (1 - control.cut_share)
    return left.quantize(WHOLE, ROUND_DOWN)


def _tell(alert: Alert, line: CreditLine, at: datetime) -> None:
    template = {engine.CUT: "line_cut", engine.SUSPEND: "line_suspended"}.get(alert.action)
    if template is None:  # an alert alone is for the staff to look at
        return
    with translation.override(line.customer.language):
        reason = control_text(alert.explanation, alert.figure)
    context = {"reason": reason, "limit": alert.limit_after or line.base_limit, "before": line.base_limit}
    notices.queue(customer=line.customer, template=template, context=context, key=f"alert:{alert.pk}", at=at)


def give_back(*, alert: Alert, by: User | None, at: datetime) -> None:
    """Undo what a closed alert did to the line, unless another open alert still wants the same."""
    rivals = Alert.objects.filter(line_id=alert.line_id, state=Alert.State.OPEN, action=alert.action)
    line = CreditLine.objects.get(pk=alert.line_id)
    if line.state == CreditLine.State.CLOSED or rivals.exclude(pk=alert.pk).exists():
        return
    if alert.action == Control.Action.SUSPEND:
        cause = LineHold.Cause.CONTROL
        lines.lift_hold(line_id=line.pk, cause=cause, by=by, at=at, note=alert.control.code)
    elif alert.action == Control.Action.CUT and (to := _before_cuts(line)) > line.base_limit:
        lines.restore(line_id=line.pk, to=to, cause=alert.control.code, by=by, at=at)


def _before_cuts(line: CreditLine) -> Decimal:
    """The limit before the cuts that led to the present one; a limit that staff have set since stays."""
    limit: Decimal = line.base_limit
    for alert in Alert.objects.filter(line_id=line.pk, action=Control.Action.CUT).order_by("-pk"):
        if alert.limit_after != limit:
            break
        limit = alert.limit_before
    return limit
