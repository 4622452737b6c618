"""What staff know of a loan makes its class worse; only what made it worse by hand can be taken back by hand."""

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import events
from lending.engine import classes as engine
from lending.engine.classes import Tier
from lending.errors import Refused
from lending.models import ApprovalRequest, AssetClass, Downgrade, Loan, User
from lending.selectors.classing import yardstick
from lending.services import approvals, checks

UPGRADE = "loan.upgrade"


def floor(loan: Loan, on: date) -> Tier:
    """The best class that the loan may have on that day: by its days past due, and by its past while it is watched."""
    days = yardstick(on).scales[loan.product_id].floor(loan.days_past_due(on))
    watched = loan.watch_until is not None and loan.watch_until > on
    return engine.own_class(days, before=Tier(loan.own_class), watched=watched)


@transaction.atomic
def downgrade(*, loan_id: int, to: int, reason: str, by: User, at: datetime, on: date) -> Downgrade:
    """Put the loan in a worse class from now on. What that means for interest and for the customer's other loans, the
    close of the day brings.

    Refused without a reason, for a loan that owes nothing, and for a class that is no worse than the present one.
    """
    loan = _lock(loan_id, reason)
    if to not in AssetClass.values or to <= loan.asset_class:
        raise Refused("not_worse", _("Choose a class below the present one."), field="to")
    for standing in loan.downgrades.select_for_update(no_key=True).filter(ended_on=None):
        _end(standing, by=by, on=on, reason=reason)
    row = Downgrade.objects.create(loan=loan, to=to, reason=reason, since=on, by=by)
    loan.own_class = max(loan.own_class, to)
    _move(loan, to, reason=reason, by=by, at=at, on=on)
    return row


@transaction.atomic
def ask_upgrade(*, loan_id: int, to: int, reason: str, by: User, at: datetime, on: date) -> ApprovalRequest:
    """Ask a second person to take a downgrade by hand back, in part or whole. Refused as `upgrade` is."""
    loan = _lock(loan_id, reason)
    _check_upgrade(loan, to, on)
    waiting = ApprovalRequest.objects.filter(
        command=UPGRADE, state=ApprovalRequest.State.PENDING, payload__contains={"loan_id": loan_id}
    )
    if waiting.exists():
        raise Refused("asked_already", _("This waits for a second person already."))
    return approvals.ask(
        command=UPGRADE,
        payload={"loan_id": loan_id, "tier": AssetClass(to).name, "note": reason},
        reason=reason,
        customer_id=loan.customer_id,
        amount=loan.principal,
        by=by,
        at=at,
        on=on,
    )


@transaction.atomic
def upgrade(*, loan_id: int, to: int, reason: str, by: User, at: datetime, on: date) -> Loan:
    """Put the loan in a better class, down to the one that its days past due allow.

    Refused above that floor, for a restructured loan that is watched, and where no person made the class worse.
    """
    loan = _lock(loan_id, reason)
    standing = _check_upgrade(loan, to, on)
    _end(standing, by=by, on=on, reason=reason)
    if to > floor(loan, on):
        Downgrade.objects.create(loan=loan, to=to, reason=reason, since=on, by=by)
    loan.own_class = to
    # While the customer's other loans hold it, the class of record stays; the close lets go when they do.
    _move(loan, max(to, _held_by_others(loan, on)), reason=reason, by=by, at=at, on=on)
    return loan


def _held_by_others(loan: Loan, on: date) -> Tier:
    """The best class that the rest of the customer's debt leaves this loan."""
    others = Loan.objects.filter(customer_id=loan.customer_id, state__in=Loan.OWING).exclude(pk=loan.pk)
    claims = [(loan.principal, Tier(loan.own_class))]
    claims += [(amount, Tier(own)) for amount, own in others.values_list("principal", "own_class")]
    share = yardstick(on).contagion[loan.customer.kind]
    return engine.NON_PERFORMING if engine.is_contagious(claims, share) else Tier.NORMAL


def _check_upgrade(loan: Loan, to: int, on: date) -> Downgrade:
    standing = loan.downgrades.select_for_update(no_key=True).filter(ended_on=None).first()
    if standing is None:
        raise Refused("not_by_hand", _("Nobody made the class of this loan worse by hand."))
    if to not in AssetClass.values or to >= loan.asset_class:
        raise Refused("not_better", _("Choose a class above the present one."), field="to")
    least = floor(loan, on)
    if to < least:
        raise Refused(
            "below_floor",
            _("Its days past due or its watch period allow no better class than: %(class)s.")
            % {"class": AssetClass(least).label},
            field="to",
        )
    return standing


def _lock(loan_id: int, reason: str) -> Loan:
    checks.reason(reason, field="reason")
    loan = Loan.objects.select_for_update(no_key=True).get(pk=loan_id)
    if loan.state not in Loan.OWING:
        raise Refused("loan_closed", _("The loan owes nothing: it has no class to change."))
    return loan


def _end(row: Downgrade, *, by: User, on: date, reason: str) -> None:
    row.end(by=by, on=on, reason=reason)
    row.save(update_fields=["ended_by", "ended_on", "end_reason"])


def _move(loan: Loan, to: int, *, reason: str, by: User, at: datetime, on: date) -> None:
    before, loan.asset_class, loan.class_since = AssetClass(loan.asset_class), to, on
    loan.moved_on = on
    loan.non_performing_since = (loan.non_performing_since or on) if loan.is_non_performing else None
    loan.save(update_fields=["own_class", "asset_class", "class_since", "moved_on", "non_performing_since"])
    events.record(
        "loan.reclassified",
        loan,
        by=by,
        at=at,
        before=before.name,
        after=AssetClass(to).name,
        reason=reason,
    )
