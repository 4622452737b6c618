"""Loans that go out in parts: the first when the customer accepts, the others when staff pay them out."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import events
from lending.errors import Refused
from lending.models import Application, Product, User
from lending.services import checks

State = Application.State
MAY_BE_PLANNED = (State.SUBMITTED, State.REFERRED, State.OFFERED)


@transaction.atomic
def plan(*, application_id: int, first: Decimal, by: User | None, at: datetime) -> Application:
    """Pay out only `first` when the customer accepts."""
    checks.amount(first, field="first")
    rows = Application.objects.select_for_update(no_key=True, of=("self",)).select_related("product")
    application = rows.get(pk=application_id)
    if application.product.kind != Product.Kind.LOAN or application.state not in MAY_BE_PLANNED:
        raise Refused("no_tranches", _("This application pays out no tranches."))
    if first >= (application.approved_amount or application.amount):
        raise Refused("not_a_part", _("The first tranche must be less than the whole."), field="first")
    application.first_tranche = first
    application.save(update_fields=["first_tranche"])
    events.record("application.tranches_planned", application, by=by, at=at, amount=first)
    return application
