"""Leave to take money from accounts: signed and taken back by the customer, watched by staff, ended by the clock."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from lending import bulk, events, gateways
from lending.errors import Refused
from lending.fields import digest
from lending.models import Customer, Mandate, MandateAccount, User
from lending.models.mandate import STANDING
from lending.services import checks, notices
from lending.services.steps import step

TEXT_VERSION = "1"


@transaction.atomic
def sign(
    *,
    customer_id: int,
    accounts: Sequence[tuple[str, str]],
    limit: Decimal,
    by: User | None,
    at: datetime,
    on: date,
    valid_to: date | None = None,
) -> Mandate:
    """The customer allows debits from (bank, number): the first account, and up to two when it fails.

    Refused while another mandate stands, and where the site's gateway takes no debits.
    """
    gateways.current()
    numbers = _checked(accounts)
    checks.amount(limit, field="limit")
    if valid_to is not None and valid_to <= on:
        raise Refused("dates", _("The last day must lie in the future."), field="valid_to")
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer_id)
    if customer.mandates.filter(state__in=STANDING).exists():
        raise Refused("mandate_stands", _("There is a direct debit already: end it first."))
    mandate = Mandate(
        customer=customer,
        limit_per_debit=limit,
        valid_from=on,
        valid_to=valid_to,
        text_version=TEXT_VERSION,
        signed_at=at,
    )
    # The gateways that are known take a mandate as it is; one that confirms later would leave it PENDING.
    mandate.activate()
    mandate.save()
    MandateAccount.objects.bulk_create(
        [
            MandateAccount(
                mandate=mandate, position=place, bank=bank, number=number, number_digest=digest(number)
            )
            for place, (bank, number) in enumerate(numbers, 1)
        ]
    )
    events.record("mandate.signed", mandate, by=by, at=at, amount=limit)
    _tell(mandate, "mandate_signed", {"account": str(mandate.accounts.first()), "limit": limit}, at)
    return mandate


def _checked(accounts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    if not 1 <= len(accounts) <= 1 + MandateAccount.FALLBACKS:
        raise Refused("accounts", _("Name one account, and at most two more."), field="number_1")
    clean: list[tuple[str, str]] = []
    for place, (bank, text) in enumerate(accounts, 1):
        number = re.sub(r"[\s-]", "", text)
        if not re.fullmatch(r"[0-9]{8,30}", number):
            raise Refused("account", _("An account number has 8 to 30 digits."), field=f"number_{place}")
        if number in [known for _bank, known in clean]:
            raise Refused("twice", _("This account is named twice."), field=f"number_{place}")
        if not bank.strip():
            raise Refused("bank", _("Name the bank."), field=f"bank_{place}")
        clean.append((bank.strip()[:60], number))
    return clean


def _lock(mandate_id: int) -> Mandate:
    return (
        Mandate.objects.select_for_update(no_key=True, of=("self",))
        .select_related("customer")
        .get(pk=mandate_id)
    )


@transaction.atomic
def suspend(*, mandate_id: int, reason: str, by: User | None, at: datetime) -> Mandate:
    """Take nothing for now."""
    checks.reason(reason, field="reason")
    mandate = _lock(mandate_id)
    mandate.suspend(reason=reason)
    mandate.save()
    events.record("mandate.suspended", mandate, by=by, at=at, reason=reason)
    return mandate


@transaction.atomic
def resume(*, mandate_id: int, by: User | None, at: datetime) -> Mandate:
    """Let debits go on."""
    mandate = _lock(mandate_id)
    mandate.resume()
    mandate.save()
    events.record("mandate.resumed", mandate, by=by, at=at)
    return mandate


@transaction.atomic
def revoke(*, mandate_id: int, reason: str, by: User | None, at: datetime) -> Mandate:
    """Take it back for good; nothing that was not sent yet is taken."""
    mandate = _lock(mandate_id)
    mandate.revoke(reason=reason)
    mandate.ended_at = at
    mandate.save()
    events.record("mandate.revoked", mandate, by=by, at=at, reason=reason)
    _tell(mandate, "mandate_ended", {}, at)
    return mandate


ENDED = bulk.Select(Mandate, "state = ANY(%s::text[]) AND valid_to <= %s ORDER BY id FOR NO KEY UPDATE")


@step(_("Direct debits whose last day has passed run out"))
def expire(*, on: date, at: datetime) -> int:
    """Close step: mandates that hold until that day."""
    rows = ENDED([str(state) for state in STANDING], on)
    for mandate in rows:
        mandate.expire()
        mandate.ended_at = at
        mandate.save()
        events.record("mandate.expired", mandate, by=None, at=at)
        _tell(mandate, "mandate_ended", {}, at)
    return len(rows)


def _tell(mandate: Mandate, template: str, context: dict, at: datetime) -> None:
    key = f"{template.replace('_', '-')}:{mandate.pk}"
    notices.queue(customer=mandate.customer, template=template, context=context, key=key, at=at)
