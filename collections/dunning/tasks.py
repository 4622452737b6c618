"""The clock's hands: one service call each, safe to run twice."""

from celery import shared_task

from dunning.services import cases, promises, strategy
from lending import clock


@shared_task
def work_strategy() -> None:
    """Follow the arrears and plan what the strategy wants by now."""
    on, at = clock.today(), clock.now()
    cases.refresh(on=on, at=at)
    promises.judge(on=on, at=at)
    strategy.work_cases(on=on, at=at)
    strategy.remind(on=on, at=at)
