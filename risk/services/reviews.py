"""The nightly review of limits: more is offered, less is done at once and explained, most lines stay as they are."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from lending import bulk, events
from lending.models import CreditLine, LineHold, Loan
from lending.selectors import reapproval as due
from lending.selectors import rules
from lending.services import limit_offers, lines, locking, notices, reapproval
from lending.services.steps import step
from risk.engine import reviews as engine
from risk.models import BehaviourScore, LineReview, ReviewDay
from risk.review_words import review_text
from risk.selectors import reviews as selectors
from risk.selectors.reviews import Candidate, Rules

CAUSE = "LIMIT_REVIEW"
NOTE = "policy"


@step(_("Limits are reviewed"))
def review(*, on: date, at: datetime) -> int:
    """Close step: raise, keep or cut every open line by its score, use and arrears, and approve again what is due.

    Once for each day: whoever writes its row does it, and another worker waits for that and does nothing. Returns the
    number of lines on which something happened.
    """
    day = _claim(on)
    if day is None:
        return 0
    table = rules.Table(selectors.PREFIXES, on)
    for lender, audience in selectors.groups():
        found = selectors.parameters(table, lender, audience)
        since = {
            "raise_since": at - timedelta(days=found.raise_cooldown),
            "cut_since": at - timedelta(days=found.cut_cooldown),
        }
        cases = selectors.candidates(found, lender, audience, on, **since)
        offered, cut = _act(cases, found, on, at)
        day.offered += offered
        day.cut += cut
        if table.value(f"LINE_REAPPROVAL_ALONE_{audience}", lender):
            day.reapproved += _reapprove(found, lender, audience, on, at)
    day.lines = CreditLine.objects.filter(state__in=due.LIVE).count()
    day.save()
    return day.offered + day.cut + day.reapproved


def _claim(on: date) -> ReviewDay | None:
    try:
        with transaction.atomic():
            return ReviewDay.objects.create(on=on)
    except IntegrityError:
        return None


def _act(cases: Sequence[Candidate], found: Rules, on: date, at: datetime) -> tuple[int, int]:
    """Act on what is decided, under the lines' locks; a line that has moved meanwhile is left for the next night."""
    if not cases:
        return 0, 0
    locked = locking.lines(case.line_id for case in cases)
    judged = [
        (case, locked[case.line_id], engine.judge(case.facts, found.policy))
        for case in cases
        if locked[case.line_id].base_limit == case.facts.limit
    ]
    raises = [one for one in judged if one[2].outcome == engine.RAISE]
    cuts = [one for one in judged if one[2].outcome == engine.CUT]
    _cut(cuts, on, at)
    return _offer(raises, on + timedelta(days=found.offer_days), on, at), len(cuts)


Judged = tuple[Candidate, CreditLine, engine.Verdict]


def _offer(judged: Sequence[Judged], until: date, on: date, at: datetime) -> int:
    wanted = [
        limit_offers.Raise(line=line, to=verdict.to, expires_on=until) for _case, line, verdict in judged
    ]
    made = {offer.line_id: offer for offer in limit_offers.offer_many(wanted, at=at, on=on)}
    kept = [one for one in judged if one[1].pk in made]
    rows = [_row(*one, on, at, offer=made[one[1].pk]) for one in kept]
    bulk.insert_many(rows)
    return len(rows)


def _cut(judged: Sequence[Judged], on: date, at: datetime) -> None:
    rows = bulk.create_many([_row(*one, on, at) for one in judged])
    lines.cut_many([(line, verdict.to) for _case, line, verdict in judged], cause=CAUSE, by=None, at=at)
    notices.queue_many([_message(row, one[1]) for row, one in zip(rows, judged, strict=True)], at=at)
    events.record_many(
        [
            events.build("line.reviewed", line, by=None, at=at, reasons=verdict.reasons, after=verdict.to)
            for _case, line, verdict in judged
        ]
    )


def _row(
    case: Candidate, line: CreditLine, verdict: engine.Verdict, on: date, at: datetime, **more: Any
) -> LineReview:
    weak = case.weak if engine.SCORE in verdict.reasons or engine.FULL in verdict.reasons else ()
    return LineReview(
        line=line,
        customer=line.customer,
        on=on,
        outcome=verdict.outcome,
        limit_before=line.base_limit,
        limit_after=verdict.to,
        reasons=[*verdict.reasons, *weak],
        seen=dict(case.seen),
        at=at,
        **more,
    )


def _message(row: LineReview, line: CreditLine) -> notices.Message:
    with translation.override(line.customer.language):
        reason = review_text(row)
    return notices.Message(
        customer=line.customer,
        template="line_cut",
        context={"limit": row.limit_after, "before": row.limit_before, "reason": reason},
        key=f"line-review:{row.pk}",
    )


def _reapprove(found: Rules, lender: str, audience: str, on: date, at: datetime) -> int:
    """Approve again what is due and has nothing against it: a fresh score that would not be cut, nothing overdue, and
    no hold but for want of this approval."""
    scored = selectors.scored_on(on, found.score_days)
    if scored is None:
        return 0
    limit = min(found.policy.cut_pd, found.policy.cut_full_pd)
    good = BehaviourScore.objects.filter(on=scored, pd__lt=limit)
    late = Loan.objects.filter(state__in=Loan.OWING, oldest_due_on__lt=on)
    held = LineHold.objects.filter(lifted_at=None)
    fine = {
        "product__lender_type": lender,
        "product__audience": audience,
        "customer_id__in": good.values("customer_id"),
    }
    lines_due = (due.due_soon(on) | due.overdue(on)).filter(**fine)
    clean = lines_due.exclude(customer_id__in=late.values("customer_id")).exclude(
        customer__state__in=["BLOCKED", "CLOSED"]
    )
    free = clean.exclude(pk__in=held.values("line_id")).values_list("pk", flat=True)
    done = reapproval.reapprove_many(list(free), note=NOTE, at=at, on=on)
    others = held.exclude(cause=LineHold.Cause.REVIEW)
    waiting = clean.filter(pk__in=held.values("line_id")).exclude(pk__in=others.values("line_id"))
    for line_id in waiting.order_by("pk").values_list("pk", flat=True):
        reapproval.reapprove(line_id=line_id, note=NOTE, by=None, at=at, on=on)
        done += 1
    return done
