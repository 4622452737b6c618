"""A word to the workers that something waits. It only saves time: the clock finds every row by itself."""

import logging

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import Max
from kombu.exceptions import OperationalError

from lending.models import BusinessDay, DayClose

# More hands than these would only wait for the database.
MOST_HELPERS = 7

log = logging.getLogger(__name__)


def scorers() -> None:
    """An application was submitted; sent once the transaction has committed, and not missed if it cannot be."""
    transaction.on_commit(lambda: _send(settings.SCORING_TASK))


def payments() -> None:
    """A payment file was confirmed."""
    transaction.on_commit(lambda: _send("lending.tasks.post_payments"))


def bank_lines() -> None:
    """A bank statement was taken in."""
    transaction.on_commit(lambda: _send("lending.tasks.match_bank_lines"))


def helpers(day: BusinessDay) -> None:
    """A day is being closed: a worker for each shard after the first may lend a hand."""
    shards = DayClose.objects.filter(date=day.date).aggregate(most=Max("shards"))["most"] or 1
    for _helper in range(min(shards, MOST_HELPERS + 1) - 1):
        transaction.on_commit(lambda: _send("lending.tasks.help_close"))


def closers(day: BusinessDay) -> None:
    """A day is to be closed by the workers, not by who says so."""
    transaction.on_commit(lambda: _send("lending.tasks.close_day"))
    helpers(day)


def _send(task: str) -> None:
    try:
        current_app.send_task(task, retry=False)
    except OperationalError as error:
        log.warning("%s was not nudged: %s", task, error)
