"""What collections cannot do without: the default strategy, and the numbers of the house.

Installed after every migrate and safe to run again: what is there stays as staff have made it.
"""

from datetime import date
from decimal import Decimal

from django.db import transaction

from dunning.models import Strategy, StrategyStep
from lending.models import RuleParameter

HOUSE = "House policy"
REPORTING = "征信业管理条例"

# code, value, unit, instrument, article, how sure
RULES = [
    ("PROMISE_LONGEST_DAYS", "30", "days", HOUSE, "", "H"),
    ("DEMAND_DAYS_TO_PAY", "10", "days", HOUSE, "", "H"),
    ("LEGAL_NOTICE_DAYS_TO_PAY", "15", "days", HOUSE, "", "H"),
    ("DISPUTE_ANSWER_DAYS", "20", "days", REPORTING, "25", "V"),
]

# code, day, channel, template, stage
STEPS = [
    ("before-sms", -3, "SMS", "reminder_before_due", "REMINDING"),
    ("before-app", -3, "IN_APP", "reminder_before_due", "REMINDING"),
    ("overdue-sms", 1, "SMS", "overdue_1", "REMINDING"),
    ("overdue-email", 1, "EMAIL", "overdue_1", "REMINDING"),
    ("first-call", 4, "CALL", "", "CALLING"),
    ("second-sms", 8, "SMS", "overdue_2", "CALLING"),
    ("second-call", 16, "CALL", "", "CALLING"),
    ("demand-letter", 31, "LETTER", "demand", "DEMANDING"),
    ("demand-email", 31, "EMAIL", "demand", "DEMANDING"),
    ("third-call", 61, "CALL", "", "DEMANDING"),
    ("legal-matter", 91, "LEGAL", "", "LEGAL"),
]


@transaction.atomic
def install() -> None:
    """Put the strategy and the numbers in place where there are none."""
    RuleParameter.objects.bulk_create(
        [
            RuleParameter(
                code=code,
                value=Decimal(value),
                unit=unit,
                valid_from=date(2020, 1, 1),
                instrument=instrument,
                article=article,
                certainty=certainty,
            )
            for code, value, unit, instrument, article, certainty in RULES
        ],
        ignore_conflicts=True,
    )
    if Strategy.objects.exists():
        return
    strategy = Strategy.objects.create(name="Standard")
    StrategyStep.objects.bulk_create(
        [
            StrategyStep(
                strategy=strategy, code=code, day=day, channel=channel, template=template, stage=stage
            )
            for code, day, channel, template, stage in STEPS
        ]
    )
    strategy.go_live()
    strategy.save(update_fields=["state"])
