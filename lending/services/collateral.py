"""What secures a debt, from the proposal to its release, enforcement or lapse."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk, events
from lending.errors import Refused
from lending.models import Collateral, User
from lending.services import checks
from lending.services.steps import step

Kind = Collateral.Kind


@transaction.atomic
def propose(
    *,
    customer_id: int,
    kind: str,
    description: str,
    value: Decimal,
    haircut: Decimal,
    valued_on: date,
    by: User | None,
    at: datetime,
    on: date,
    **details: Any,
) -> Collateral:
    """Take down what a customer offers; `details` are register_no, third_party and expires_on."""
    checks.amount(value, field="value")
    if not 0 <= haircut <= 1:
        raise Refused("haircut", _("The haircut is a share from 0 to 1."), field="haircut")
    _check_valued(valued_on, on)
    item = Collateral.objects.create(
        customer_id=customer_id,
        kind=kind,
        description=description,
        value=value,
        haircut=haircut,
        valued_on=valued_on,
        **details,
    )
    events.record("collateral.proposed", item, by=by, at=at, kind=kind, value=value)
    return item


@transaction.atomic
def move(*, collateral_id: int, step: str, note: str, by: User | None, at: datetime) -> Collateral:
    """Take the next step: verify, pledge, release, enforce or lapse. Raises TransitionNotAllowed out of turn.

    A receivable can be pledged only with its register number (Civil Code art. 445).
    """
    item = Collateral.objects.select_for_update(no_key=True).get(pk=collateral_id)
    steps = {
        "verify": item.verify,
        "pledge": item.pledge,
        "release": item.release,
        "enforce": item.enforce,
        "lapse": item.lapse,
    }
    if step == "pledge" and item.kind == Kind.RECEIVABLE and not item.register_no:
        raise Refused("not_registered", _("Register the receivable first: its register number is missing."))
    before = item.state
    steps[step]()
    item.save()
    events.record(
        f"collateral.{item.state.lower()}", item, by=by, at=at, before=before, after=item.state, note=note
    )
    return item


@transaction.atomic
def revalue(
    *, collateral_id: int, value: Decimal, valued_on: date, note: str, by: User | None, at: datetime, on: date
) -> Collateral:
    """Write down a new value."""
    checks.amount(value, field="value")
    _check_valued(valued_on, on)
    item = Collateral.objects.select_for_update(no_key=True).get(pk=collateral_id)
    before, item.value, item.valued_on = item.value, value, valued_on
    item.save(update_fields=["value", "valued_on"])
    events.record("collateral.revalued", item, by=by, at=at, before=before, after=value, note=note)
    return item


@transaction.atomic
def note_register(*, collateral_id: int, register_no: str, by: User | None, at: datetime) -> Collateral:
    """Write down the number under which the pledge stands in the public register."""
    item = Collateral.objects.select_for_update(no_key=True).get(pk=collateral_id)
    before, item.register_no = item.register_no, register_no
    item.save(update_fields=["register_no"])
    events.record("collateral.registered", item, by=by, at=at, before=before, after=register_no)
    return item


EXPIRED = bulk.Select(
    Collateral, "state IN ('VERIFIED', 'PLEDGED') AND expires_on < %s ORDER BY id FOR NO KEY UPDATE"
)


@step(_("Collateral and guarantees that have run out lapse"))
def lapse(*, on: date, at: datetime) -> int:
    """Close step: what secures a debt up to a day secures it no more after it. Returns how many lapsed."""
    rows = EXPIRED(on)
    for item in rows:
        before = item.state
        item.lapse()
        item.save(update_fields=["state"])
        events.record("collateral.lapsed", item, by=None, at=at, before=before, after=item.state)
    return len(rows)


def _check_valued(valued_on: date, on: date) -> None:
    if valued_on > on:
        raise Refused("valued_on", _("A value cannot be from the future."), field="valued_on")
