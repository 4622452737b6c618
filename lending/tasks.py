"""The clock's hands: one service call each, safe to run twice."""

from celery import shared_task

from lending import clock, nudge
from lending.services import bank, bulk_payments, close, debits, notices


@shared_task
def close_day() -> None:
    """Close what the wall clock has left behind: yesterday, and the days before it that were missed."""
    close.lend_a_hand(watch=clock.wall, retry=True)
    while (on := clock.today()) < clock.wall_date():
        at = clock.closing()
        nudge.helpers(close.begin(at=at, on=on))
        close.close_day(at=at, on=on, watch=clock.wall)


@shared_task
def help_close() -> None:
    """Take shards of the day that is being closed, beside whoever else does."""
    close.lend_a_hand(watch=clock.wall)


@shared_task
def send_notices() -> None:
    """Send every message that is due."""
    while notices.send_due(at=clock.now()):
        pass


@shared_task
def post_payments() -> None:
    """Post what waits in confirmed payment files; several workers share a file, a dead one's rows wait for the next."""
    for file_id in bulk_payments.waiting():
        while bulk_payments.post_batch(file_id=file_id, at=clock.now(), on=clock.today()):
            pass
        bulk_payments.finish(file_id=file_id, at=clock.now())


@shared_task
def match_bank_lines() -> None:
    """Match the lines of bank statements that nobody looked at."""
    while bank.match_lines(at=clock.now(), on=clock.today()):
        pass


@shared_task
def collect_debits() -> None:
    """Announce the direct debits that come up, and try those whose day has come."""
    debits.plan(on=clock.today(), at=clock.now())
    debits.collect(on=clock.today(), at=clock.now())
