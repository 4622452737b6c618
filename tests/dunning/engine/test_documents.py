"""What docs/algorithms says with figures is what the engines do."""

import re
from datetime import datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from dunning.engine import gate
from dunning.engine.promises import Promise, judge
from dunning.engine.strategy import REMINDING, Step, due_steps
from dunning.engine.worklist import Item, appraise
from tests.figures import cases

SHANGHAI = ZoneInfo("Asia/Shanghai")
COUNTS = {"effective calls": "effective_calls_today", "unanswered dials": "unanswered_dials_today_to_number"}


@pytest.mark.parametrize(("at", "channel", "counts", "told", "again"), cases("contact-gate.md", "contacts"))
def test_contacts(at: str, channel: str, counts: str, told: str, again: str) -> None:
    moment = datetime.combine(datetime(2026, 11, 23), time.fromisoformat(at), SHANGHAI)
    number, _, kind = counts.partition(" ")
    history = gate.History(**{COUNTS[kind]: int(number)}) if counts else gate.History()
    debtor = gate.Debtor("Asia/Shanghai", consents={gate.SMS: True}, overdue_amount=Decimal(1000))
    contact = gate.Contact(channel, gate.DEBTOR, gate.COLLECTION, moment)
    verdict = gate.decide(contact, debtor, history, gate.GateRules())
    assert (verdict.rule or "allowed") == told
    assert (f"{verdict.retry_at:%Y-%m-%d %H:%M}" if verdict.retry_at else "") == again


@pytest.mark.parametrize("row", cases("worklist.md", "worklist"))
def test_worklist(row: list[str]) -> None:
    overdue, days, kept, broken, pd, reachable, probability, expected = row
    item = Item(
        "a", Decimal(overdue), int(days), int(kept), int(broken), Decimal(pd) if pd else None,
        {"yes": True, "no": False, "": None}[reachable],
    )  # fmt: skip
    ranked = appraise(item)
    assert (str(ranked.probability), str(ranked.expected)) == (probability, expected)


@pytest.mark.parametrize(("day", "done", "now"), cases("worklist.md", "steps"))
def test_steps(day: str, done: str, now: str) -> None:
    plan = [("SMS", -3), ("SMS", 0), ("SMS", 1), ("SMS", 7), ("EMAIL", 1), ("CALL", 4), ("LETTER", 30)]
    steps = [Step(f"{channel}{at}", at, channel, "", REMINDING) for channel, at in plan]
    assert [s.code for s in due_steps(steps, int(day), set(done.split()), Decimal(500))] == now.split()


@pytest.mark.parametrize(("payments", "today", "verdict"), cases("worklist.md", "promises"))
def test_promises(payments: str, today: str, verdict: str) -> None:
    def day(text: str) -> datetime:
        return datetime.strptime(f"{text} 2026", "%d %B %Y")

    promise = Promise(Decimal(500), day("1 March").date(), day("10 March").date(), grace_days=2)
    paid = re.findall(r"(\d+ March) (-?[\d.]+)", payments)
    received = [(day(on).date(), Decimal(amount)) for on, amount in paid]
    assert judge(promise, received, day(today).date()) == verdict
