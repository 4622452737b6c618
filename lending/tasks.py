"""The clock's hands: one service call each, safe to run twice."""

from celery import shared_task

from lending import clock
from lending.services import notices


@shared_task
def send_notices() -> None:
    """Send every message that is due."""
    while notices.send_due(at=clock.now()):
        pass
