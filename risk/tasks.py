from celery import shared_task

from lending import clock
from risk.services import scoring


@shared_task
def score_applications() -> None:
    """Decide what waits; what one run leaves, the next finds."""
    scoring.score_waiting(at=clock.now(), on=clock.today())
