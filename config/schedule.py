"""What happens when: the one place that says it. Times are those of settings.TIME_ZONE."""

from collections.abc import Iterator
from datetime import timedelta

from celery.schedules import crontab

# The daily close, step by step, in order. Each is a dotted path of a service that takes the business date. A stage is a
# tuple of lanes, done side by side by several workers: what one writes, the other neither reads nor locks.
CLOSE_PLAN: list[tuple[list[str], ...]] = [
    (
        [
            "lending.services.applications.expire",
            "lending.services.approvals.expire",
            "lending.services.mandates.expire",
            "lending.services.purchases.expire",
            "lending.services.collateral.lapse",
            "lending.services.lines.end_temporary_limits",
        ],
        [
            "lending.services.statements.issue",
            "lending.services.unapplied.apply_unapplied",
        ],
    ),
    (
        # What becomes of the lines: whose arrears hold them, what ran out.
        ["lending.services.arrears.hold", "risk.services.controls.release"],
        # How bad each loan is at the end of the day.
        [
            "lending.services.classes.measure",
            "lending.services.classes.classify",
            "lending.services.suspension.follow",
            "lending.services.reclassification.follow",
        ],
    ),
    (
        # What the book looked like, before tomorrow changes it; at a month end, what of it is expected to be lost.
        [
            "lending.services.history.prepare",
            "lending.services.history.snapshot",
            "lending.services.history.summarise",
            "lending.services.provisioning.observe",
            "lending.services.provisioning.measure",
            "lending.services.provisioning.book",
        ],
        # What was earned.
        ["lending.services.interest.accrue_interest"],
    ),
    (
        # Who may have more or less, whose yearly approval is missing.
        [
            "lending.services.limit_offers.expire",
            "risk.services.reviews.review",
            "lending.services.reapproval.hold",
        ],
        # The books of the day are complete.
        ["lending.services.books.keep", "lending.services.sample.compare"],
    ),
    # What falls due tomorrow is billed, and collections look at the day that opens.
    (["lending.services.accrual.open_day", "lending.services.interest.follow_billing"],),
    (
        [
            "dunning.services.close.follow_arrears",
            "dunning.services.close.judge_promises",
            "dunning.services.close.plan_contacts",
        ],
        ["dunning.services.close.plan_reminders"],
        ["lending.services.glance.keep"],
    ),
]


def _places() -> Iterator[tuple[str, tuple[int, int]]]:
    for stage, lanes in enumerate(CLOSE_PLAN):
        for lane, paths in enumerate(lanes):
            yield from ((path, (stage, lane)) for path in paths)


# Where each step stands: the number of its stage, and of its lane in that.
CLOSE_PLACES = dict(_places())
CLOSE_STEPS = list(CLOSE_PLACES)

# Nobody may be contacted outside these hours; the gate decides per person, this only saves pointless work.
CONTACT_HOURS = "8-20"

BEAT_SCHEDULE = {
    # Five past midnight, and again, should it have been stopped: it does only what is left to do.
    "close the day": {"task": "lending.tasks.close_day", "schedule": crontab(minute="5-59/10")},
    "send notices": {"task": "lending.tasks.send_notices", "schedule": timedelta(minutes=1)},
    "match bank lines": {"task": "lending.tasks.match_bank_lines", "schedule": timedelta(minutes=1)},
    "collect debits": {"task": "lending.tasks.collect_debits", "schedule": crontab(minute=30, hour="7-21/2")},
    "post payment files": {"task": "lending.tasks.post_payments", "schedule": timedelta(minutes=1)},
    "score applications": {"task": "risk.tasks.score_applications", "schedule": timedelta(minutes=1)},
    # In the evening, before the day closes with the review; again, should it have been stopped.
    "score lines": {"task": "risk.tasks.rescore_lines", "schedule": crontab(minute="*/10", hour="21-23")},
    # When every day of the month before is closed, and once more, should the clock have been stopped.
    "watch the models": {
        "task": "risk.tasks.watch_models",
        "schedule": crontab(minute=40, hour=4, day_of_month="2-4"),
    },
    "work the strategy": {
        "task": "dunning.tasks.work_strategy",
        "schedule": crontab(minute="*/10", hour=CONTACT_HOURS),
    },
}

# Which queue does what, by the task's name. With a queue of its own, money never waits for scores.
ROUTES = {
    "risk.tasks.*": {"queue": "scoring"},
    "lending.tasks.send_*": {"queue": "contacts"},
    "lending.tasks.*": {"queue": "money"},
    "dunning.tasks.*": {"queue": "contacts"},
}
