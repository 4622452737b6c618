"""The language in which we speak and write to someone."""

from datetime import datetime

from django.db import transaction

from lending import events
from lending.models import Customer, User


@transaction.atomic
def choose(*, user_id: int, language: str, by: User | None, at: datetime) -> None:
    """Keep the language for the pages of a user and, when they are a customer, for the messages to them."""
    User.objects.filter(pk=user_id).update(language=language)
    customer = (
        Customer.objects.select_for_update(no_key=True)
        .filter(user_id=user_id)
        .exclude(language=language)
        .first()
    )
    if customer is not None:
        customer.language = language
        customer.save(update_fields=["language"])
        events.record("customer.language_chosen", customer, by=by, at=at, language=language)
