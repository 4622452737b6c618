"""Policies in the admin: written in tables, compared with the live version, tried on history."""

import csv
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from stdnum.cn import ric

from lending.models import Application, Event, Loan
from risk.engine import effect, policy_diff
from risk.engine.effect import Outcome
from risk.models import DryRun, PolicyVersion
from risk.selectors import dry_run
from risk.services import dry_runs, policies, scoring
from tests.lending.conftest import MONDAY, moment
from tests.risk.cards import champion
from tests.risk.test_admin import analyst, noon, page, press, sign_in  # noqa: F401 - fixtures
from tests.risk.test_scoring import apply  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
ADD = "admin:risk_policyversion_add"


def table(rules, rows, **more):
    """A policy as the form sends it, without JavaScript."""
    sent = {"segment": "PERSON", "note": "by hand", "rules": "", "matrix": "", **more}
    for name, lines in (("rules", rules), ("matrix", rows)):
        sent[f"{name}-count"] = str(len(lines) + 1)
        sent.update(
            {f"{name}-{n}-{part}": value for n, line in enumerate(lines) for part, value in line.items()}
        )
    return sent | {f"matrix-{len(rows)}-grade": "A", f"rules-{len(rules)}-kind": "REFER"}  # a spare line


RULE = {"code": "FEW", "kind": "REFER", "expression": "orders_90d < 2", "reason": "LARGE_AMOUNT"}
ROWS = [
    {"grade": "A", "product": "pay-later, cash-loan", "exposure_below": "5000", "max": "50000"},
    {"grade": "A", "exposure_from": "5000", "max": "20000", "share_of_income": "2"},
    *({"grade": grade, "max": "1000"} for grade in "BCD"),
    *({"grade": grade, "outcome": "DECLINE"} for grade in "EF"),
]


def test_a_policy_is_written_in_tables_without_javascript(analyst):  # noqa: F811
    shown = page(analyst, "risk_policyversion_add")
    assert "orders_90d" in shown and "affordability" in shown and "staff/policy.js" in shown
    left_out = {**RULE, "code": "OUT", "delete": "on"}
    answer = analyst.post(reverse(ADD), table([RULE, left_out], ROWS))
    assert answer.status_code == 302, answer.context["errors"]
    draft = PolicyVersion.objects.get(state="DRAFT")
    assert draft.rules == [RULE]
    assert draft.matrix["A"] == [
        {"product": ["pay-later", "cash-loan"], "exposure_below": "5000", "max": "50000"},
        {"exposure_from": "5000", "max": "20000", "share_of_income": "2"},
    ]
    assert draft.matrix["F"] == {"outcome": "DECLINE"}
    shown = page(analyst, "risk_policyversion_change", draft.pk)
    assert 'name="matrix-1-exposure_from" value="5000"' in shown
    assert "Against the live version" in shown and "STUDENT_REVIEW" in shown


def test_an_error_stands_at_its_rule_and_nothing_typed_is_lost(analyst):  # noqa: F811
    wrong = {**RULE, "code": "WRONG", "expression": "horoscope > 1"}
    rows = [*ROWS[:1], {**ROWS[1], "product": "gold"}, *ROWS[2:]]
    answer = analyst.post(reverse(ADD), table([RULE, wrong], rows))
    shown = answer.content.decode()
    assert answer.status_code == 200
    assert 'aria-describedby="rules-1-faults"' in shown and 'aria-describedby="rules-0-faults"' not in shown
    assert "unknown name: horoscope" in shown and "no such product is on sale: gold" in shown
    assert "orders_90d &lt; 2</textarea>" in shown
    assert not PolicyVersion.objects.filter(state="DRAFT").exists()


def test_a_price_outside_the_product_is_said_before_it_is_used(books):
    matrix = {grade: {"max": "1000"} for grade in "BCDEF"}
    matrix["A"] = {"product": "pay-later", "max": "1000", "annual_rate": "0.9"}
    found = policies.check(segment="PERSON", rules=[], matrix=matrix)
    assert list(found) == ["A"] and "pay-later allows" in found["A"][0]


def test_a_diff_names_what_was_added_removed_and_changed():
    old, new = [{"code": "A", "expression": "x"}, {"code": "B", "expression": "y"}], [
        {"code": "C", "expression": "z"}, {"code": "B", "expression": "y > 1"},
    ]  # fmt: skip
    found = [(c.kind, c.where, c.part) for c in policy_diff.rules(old, new)]
    assert found == [("REMOVED", "A", ""), ("ADDED", "C", ""), ("CHANGED", "B", "expression")]
    rows = policy_diff.matrix({"A": {"max": 5}}, {"A": [{"max": 5}, {"max": "4"}]})
    assert [(c.kind, c.where) for c in rows] == [("REMOVED", "A"), ("ADDED", "A.1"), ("ADDED", "A.2")]
    assert policy_diff.matrix({"A": {"max": 5}}, {"A": {"max": "5"}}) == []


D = Decimal
BAD, GOOD = Outcome("BAD", D(900), D(600), D(40)), Outcome("GOOD", D(900), D(0), D(50))


@pytest.mark.parametrize(
    ("then", "now", "outcome", "found"),
    [
        (D(1000), None, BAD, D("560.00")),
        (D(1000), None, GOOD, D("-50.00")),
        (D(1000), D(250), BAD, D("420.00")),
        (D(1000), D(1000), BAD, D(0)),
        (D(1000), None, Outcome("RUNNING", D(900)), None),
        (D(1000), None, Outcome(), D(0)),
        (None, D(500), Outcome(), None),
        (None, None, Outcome(), D(0)),
    ],
)
def test_what_another_decision_would_have_cost_or_saved(then, now, outcome, found):
    assert effect.effect(then, now, outcome) == found


def identity(number):
    body = f"1101051949123100{number}"
    return body + ric.calc_check_digit(body + "0")


@pytest.fixture
def history(apply, at, staff, make_loan):  # noqa: F811
    """Three who were approved: one never took it, one paid back, one went bad."""
    champion(staff("second"), at)
    rows = [apply(platform_ref=f"c{n}", id_number=identity(n)) for n in range(3)]
    for application in rows:
        scoring.score_application(application_id=application.pk, at=at, on=MONDAY)
    for application, lent in zip(rows[1:], ("3000", "5000"), strict=True):
        loan = make_loan(lent, ref=str(application))
        Loan.objects.filter(pk=loan.pk).update(application=application)
    good, bad = Loan.objects.order_by("pk")
    Loan.objects.filter(pk=good.pk).update(
        state="SETTLED", settled_on=MONDAY, principal=0, interest=0, fee=0, penalty=0, oldest_due_on=None
    )
    good.instalments.update(principal_paid=100, interest_paid=7, paid_on=MONDAY)
    return rows, bad


def strict(by, at):
    live = PolicyVersion.objects.get(segment="PERSON", state="LIVE")
    rule = {"code": "ALL", "kind": "KNOCK_OUT", "expression": "asked > 100", "reason": "LARGE_AMOUNT"}
    return policies.draft(segment="PERSON", rules=[rule], matrix=live.matrix, note="", by=by, at=at)


def test_a_dry_run_tells_who_would_change_and_what_it_would_have_saved(history, analyst, staff, at):  # noqa: F811
    rows, bad = history
    draft = strict(staff("author"), at)
    on = bad.oldest_due_on + timedelta(days=100)
    run = dry_runs.run(policy_id=draft.pk, by=None, at=moment(on), on=on)
    assert (run.total, run.changed) == (3, 3)
    by_fate = {case.fate: case for case in run.cases.all()}
    assert set(by_fate) == {"NOT_TAKEN", "GOOD", "BAD"}
    assert by_fate["BAD"].effect == by_fate["BAD"].lost == bad.principal
    assert by_fate["GOOD"].effect == -by_fate["GOOD"].earned < 0
    found = dry_run.sums(run)
    assert found.net == by_fate["BAD"].effect + by_fate["GOOD"].effect
    assert [(then, now, count) for then, now, count, *_ in found.moves] == [("APPROVE", "DECLINE", 3)]
    assert Application.objects.filter(pk__in=[row.pk for row in rows], state="OFFERED").count() == 3
    again = dry_runs.run(policy_id=draft.pk, by=None, at=moment(on), on=on, most=2)
    assert (again.total, DryRun.objects.count()) == (2, 1)


def test_the_list_of_a_dry_run_is_filtered_clicked_and_exported(history, analyst, staff, at):  # noqa: F811
    draft = strict(staff("author"), at)
    press(analyst, draft, "try_on_history")
    run = DryRun.objects.get()
    shown = page(analyst, "risk_dryrun_change", run.pk)
    assert "Would have saved" in shown and f"run__id__exact={run.pk}" in shown
    asked = {"run__id__exact": str(run.pk), "outcome_then__exact": "APPROVE", "outcome_now__exact": "DECLINE"}
    listed = page(analyst, "risk_dryruncase_changelist", **asked)
    application = history[0][0]
    assert str(application) in listed and "For an amount of this size" in listed
    none = page(analyst, "risk_dryruncase_changelist", **asked | {"outcome_now__exact": "REFER"})
    assert str(application) not in none
    url = reverse("admin:risk_dryruncase_export") + f"?run__id__exact={run.pk}"
    resource = {
        "format": "0",
        **{f"dryruncaseresource_{n}": "on" for n in ("outcome_then", "outcome_now", "effect")},
    }
    answer = analyst.post(url, {"resource": "", **resource})
    rows = list(csv.reader(answer.content.decode("utf-8-sig").splitlines()))
    assert answer["Content-Type"].startswith("text/csv") and len(rows) == 4, rows
    assert Event.objects.filter(kind="policy.tried").count() == 1


def test_a_changed_draft_says_that_its_trial_is_old(history, analyst, staff, at):  # noqa: F811
    draft = strict(staff("author"), at)
    run = dry_runs.run(policy_id=draft.pk, by=None, at=at, on=MONDAY)
    policies.revise(policy_id=draft.pk, rules=[], matrix=draft.matrix, note="", by=staff("author2"), at=at)
    assert "has changed since" in page(analyst, "risk_dryrun_change", run.pk)
    assert "There is no rule" in page(analyst, "risk_policyversion_change", draft.pk)
