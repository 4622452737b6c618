"""The clock's hands: one service call each, safe to run twice."""

from celery import shared_task

from lending import clock
from lending.services import close, notices


@shared_task
def close_day() -> None:
    """Close what the wall clock has left behind: yesterday, and the days before it that were missed."""
    while clock.today() < clock.wall_date():
        close.close_day(at=clock.closing(), watch=clock.wall)


@shared_task
def send_notices() -> None:
    """Send every message that is due."""
    while notices.send_due(at=clock.now()):
        pass
