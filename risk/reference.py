"""What risk starts with: two live controls and a policy for each segment.

Installed after every migrate and safe to run again: what staff have changed stays as it is.
"""

from decimal import Decimal
from typing import Any

from lending import clock
from risk.models import Control, PolicyVersion, Segment

CONTROLS: list[dict[str, Any]] = [
    {
        "code": "return-share",
        "kind": Control.Kind.RETURN_SHARE,
        "window_days": 60,
        "minimum_count": 5,
        "trip": Decimal("0.6"),
        "release": Decimal("0.3"),
        "action": Control.Action.CUT,
        "cut_share": Decimal("0.5"),
        "cooldown_days": 60,
    },
    {
        "code": "spending-surge",
        "kind": Control.Kind.SPENDING_SURGE,
        "window_days": 14,
        "minimum_count": 6,
        "trip": Decimal("6"),
        "release": Decimal("2"),
        "action": Control.Action.SUSPEND,
        "cooldown_days": 14,
        "usual_floor": Decimal("500"),
    },
]


def _rule(code: str, kind: str, expression: str) -> dict[str, str]:
    return {"code": code, "kind": kind, "expression": expression, "reason": code}


COMMON = [
    _rule("BLOCKED", "KNOCK_OUT", "blocked"),
    _rule("OVERDUE", "KNOCK_OUT", "overdue_days > 0"),
    _rule("NO_CONSENT", "REFER", "!consented"),
    _rule("RECENT_ARREARS", "REFER", "worst_dpd_180d != null && worst_dpd_180d > 30"),
]
PERSON_RULES = [
    # Five-agency notice of 2021-03-17: micro-loan companies give students no internet consumer loans.
    _rule("STUDENT", "KNOCK_OUT", 'is_student && lender_type == "MICRO_LOAN"'),
    _rule("MINOR", "KNOCK_OUT", "age < minimum_age"),
    *COMMON,
    _rule("STUDENT_REVIEW", "REFER", "is_student"),
]
COMPANY_RULES = [
    _rule("INDUSTRY_STOP", "KNOCK_OUT", 'industry_standing == "RED"'),
    *COMMON,
    _rule("NO_ACCOUNTS", "REFER", "leverage == null"),
    _rule("LOSSES", "REFER", "margin < 0 && leverage > 1"),
    _rule("LARGE_AMOUNT", "REFER", "asked > 1000000"),
]
SUPPLIER_RULES = [
    _rule("INDUSTRY_STOP", "KNOCK_OUT", 'industry_standing == "RED"'),
    *COMMON,
    _rule("LARGE_AMOUNT", "REFER", "asked > 1000000"),
]
# A share of the monthly income of a person, or of the average monthly revenue of a company; of a supplier, who
# need not file accounts, a sum alone.
PERSON_LIMITS = {
    "A": {"share_of_income": "3", "max": "50000"},
    "B": {"share_of_income": "2.5", "max": "30000"},
    "C": {"share_of_income": "2", "max": "20000"},
    "D": {"share_of_income": "1", "max": "8000"},
    "E": {"outcome": "REFER"},
    "F": {"outcome": "DECLINE"},
}
COMPANY_LIMITS = {
    "A": {"share_of_income": "1", "max": "5000000"},
    "B": {"share_of_income": "0.8", "max": "3000000"},
    "C": {"share_of_income": "0.5", "max": "1500000"},
    "D": {"share_of_income": "0.3", "max": "500000"},
    "E": {"outcome": "REFER"},
    "F": {"outcome": "DECLINE"},
}
SUPPLIER_LIMITS = {
    "A": {"max": "2000000"},
    "B": {"max": "1000000"},
    "C": {"max": "500000"},
    "D": {"max": "200000"},
    "E": {"outcome": "REFER"},
    "F": {"outcome": "DECLINE"},
}


def install() -> None:
    """Put the first controls and policies in place."""
    for control in CONTROLS:
        Control.objects.get_or_create(code=control["code"], defaults=control)
    _first_policy(Segment.PERSON, PERSON_RULES, PERSON_LIMITS)
    _first_policy(Segment.COMPANY, COMPANY_RULES, COMPANY_LIMITS)
    _first_policy(Segment.SUPPLIER, SUPPLIER_RULES, SUPPLIER_LIMITS)


def _first_policy(segment: str, rules: list[dict[str, str]], matrix: dict[str, Any]) -> None:
    if PolicyVersion.objects.filter(segment=segment).exists():
        return
    now = clock.wall()  # installing is an edge: it happens when it happens
    policy = PolicyVersion(
        segment=segment, version=1, rules=rules, matrix=matrix, note="Ships with OpenTab", created_at=now
    )
    policy.shadow()
    policy.go_live(approver=None, at=now)
    policy.save(force_insert=True)
