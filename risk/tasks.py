from datetime import timedelta

from celery import shared_task

from lending import clock
from risk.services import monitoring, rescoring, scoring


@shared_task
def score_applications() -> None:
    """Decide what waits; what one run leaves, the next finds."""
    scoring.score_waiting(at=clock.now(), on=clock.today())


@shared_task
def rescore_lines() -> None:
    """Score the customers with a line for the coming review; a night that is done is left alone."""
    rescoring.rescore(on=clock.today(), at=clock.now())


@shared_task
def watch_models() -> None:
    """Measure the models in use over the month before; what was measured stays as it is."""
    monitoring.measure_month(month=clock.today().replace(day=1) - timedelta(days=1), at=clock.now())
