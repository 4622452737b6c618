from datetime import timedelta

from celery import shared_task

from lending import clock
from risk.services import monitoring, scoring


@shared_task
def score_applications() -> None:
    """Decide what waits; what one run leaves, the next finds."""
    scoring.score_waiting(at=clock.now(), on=clock.today())


@shared_task
def watch_models() -> None:
    """Measure the models in use over the month before; what was measured stays as it is."""
    monitoring.measure_month(month=clock.today().replace(day=1) - timedelta(days=1), at=clock.now())
