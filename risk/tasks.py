from celery import shared_task

from lending import clock
from risk.services import rescoring, scoring


@shared_task
def score_applications() -> None:
    """Decide what waits; what one run leaves, the next finds."""
    scoring.score_waiting(at=clock.now(), on=clock.today())


@shared_task
def rescore_lines() -> None:
    """Score the customers with a line for the coming review; a night that is done is left alone."""
    rescoring.rescore(on=clock.today(), at=clock.now())
