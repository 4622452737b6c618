"""What is to be done about a case on a day: steps by day relative to the oldest due date."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

REMINDING, CALLING, DEMANDING, LEGAL = "REMINDING", "CALLING", "DEMANDING", "LEGAL"
STAGES = (REMINDING, CALLING, DEMANDING, LEGAL)
M0, M1, M2, M3, M3_PLUS = "M0", "M1", "M2", "M3", "M3+"


@dataclass(frozen=True)
class Step:
    """One contact of a strategy: `day` days after the oldest due date (negative: before it)."""

    code: str
    day: int
    channel: str
    template: str
    stage: str
    min_amount: Decimal = Decimal(0)


def due_steps(
    steps: Sequence[Step], days_past_due: int, done: Collection[str], overdue_amount: Decimal
) -> list[Step]:
    """The steps to take now, in order of day and code.

    When days were missed, only the latest step of each channel is taken: nobody gets three
    reminders at once. A step of the due date or before lapses once that date has passed.
    """
    latest: dict[str, Step] = {}
    for step in sorted(steps, key=lambda s: (s.day, s.code)):
        reached = step.day <= days_past_due and (step.day > 0 or days_past_due <= 0)
        if reached and overdue_amount >= step.min_amount:
            latest[step.channel] = step
    return sorted((s for s in latest.values() if s.code not in done), key=lambda s: (s.day, s.code))


def stage_for(steps: Sequence[Step], days_past_due: int, overdue_amount: Decimal = Decimal(0)) -> str:
    """The furthest stage that the days past due have reached; REMINDING before any step."""
    reached = [s.stage for s in steps if s.day <= days_past_due and overdue_amount >= s.min_amount]
    return max(reached, key=STAGES.index, default=REMINDING)


def faults(steps: Sequence[Step]) -> list[str]:
    """What is wrong with a strategy before it is used: doubled codes, unknown stages, stages that go back."""
    found = [f"{s.code}: unknown stage {s.stage}" for s in steps if s.stage not in STAGES]
    codes = [s.code for s in steps]
    found += sorted({f"{code}: used twice" for code in codes if codes.count(code) > 1})
    known = sorted((s for s in steps if s.stage in STAGES), key=lambda s: s.day)
    for earlier, later in zip(known, known[1:], strict=False):
        if STAGES.index(later.stage) < STAGES.index(earlier.stage) and later.day > earlier.day:
            found.append(f"{later.code}: its stage lies before that of {earlier.code}")
    return found


def bucket(days_past_due: int) -> str:
    """M0 not overdue, M1 1 to 30 days, M2 to 60, M3 to 90, M3+ beyond."""
    if days_past_due <= 0:
        return M0
    return next((name for name, last in ((M1, 30), (M2, 60), (M3, 90)) if days_past_due <= last), M3_PLUS)
