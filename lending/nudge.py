"""A word to the workers that something waits. It only saves time: the clock finds every row by itself."""

import logging

from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

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


def _send(task: str) -> None:
    try:
        current_app.send_task(task, retry=False)
    except OperationalError as error:
        log.warning("%s was not nudged: %s", task, error)
