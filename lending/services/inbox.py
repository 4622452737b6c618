"""The messages inside the app."""

from datetime import datetime

from django.db import transaction

from lending.models import Notice, User


@transaction.atomic
def read(*, customer_id: int, by: User | None, at: datetime, notice_id: int | None = None) -> int:
    """Mark one message of the customer as read, or all; returns how many were not read before."""
    unread = Notice.objects.filter(
        customer_id=customer_id, channel=Notice.Channel.IN_APP, read_at=None, created_at__lte=at
    )
    if notice_id is not None:
        unread = unread.filter(pk=notice_id)
    return unread.update(read_at=at)
