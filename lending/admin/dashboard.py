"""The first page of the staff: the day's work, the portfolio at a glance, and four charts."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from lending import clock
from lending.admin.charts import chart, series
from lending.admin.parts import Card, allowed, money, percent
from lending.models import (
    Application,
    ApprovalRequest,
    BusinessDate,
    Collateral,
    CreditLine,
    Industry,
    Notice,
)
from lending.roles import ROLES
from lending.selectors import portfolio, reapproval

State = Application.State
EXPIRING = timedelta(days=30)
INDUSTRIES_SHOWN = 8
# Applications by what became of them; whoever is not named is still on the way.
OUTCOMES = {
    "approved": (State.APPROVED, State.OFFERED, State.ACCEPTED, State.BOOKED, State.EXPIRED),
    "declined": (State.DECLINED,),
    "waiting": (State.SUBMITTED, State.REFERRED),
}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the first page shows to this user; nothing but a greeting before the books are opened."""
    on = BusinessDate.objects.values_list("date", flat=True).first()
    if on is None:
        return context | {"title": _("Dashboard"), "on": None}
    context |= {
        "title": _("Dashboard"),
        "on": on,
        "roles": [ROLES.get(name, name) for name in request.user.groups.values_list("name", flat=True)],
        "cards": _cards(request.user, on),
    }
    if request.user.has_perm("lending.view_loan"):
        context |= _overview(portfolio.overview(on))
    return context


def _overview(book: portfolio.Overview) -> dict[str, Any]:
    return {
        "figures": _figures(book.glance),
        "charts": _charts(book),
        "as_of_opening": book.as_of_opening,
    }


def _cards(user: Any, on: date) -> list[Card]:
    found: list[Card] = []
    for path in settings.DASHBOARD_CARDS:
        found += import_string(path)(user, on)
    return allowed(user, found)


def cards(user: Any, on: date) -> Iterable[Card]:
    """Lending's part of the day's work; each count is asked only for those who may see it."""
    for permission, make in (
        ("lending.decide_application", _applications),
        ("lending.check_approval", _approvals),
        ("lending.add_approvalrequest", _own_requests),
        ("lending.steer_line", _suspended),
        ("lending.steer_line", _to_approve_again),
        ("lending.change_collateral", _expiring),
        ("lending.view_notice", _failed_notices),
        ("lending.view_dayclose", _days_to_close),
    ):
        if user.has_perm(permission):
            yield make(user, on)


def _list(name: str, query: str) -> str:
    return f"{reverse(f'admin:lending_{name}_changelist')}?{query}"


def _applications(user: Any, on: date) -> Card:
    waiting = Application.objects.filter(state=State.REFERRED)
    reviews = waiting.exclude(review_requested_at=None)
    late = reviews.filter(review_due_on__lt=on).count()
    return Card(
        _("Applications waiting"),
        count := waiting.count(),
        _list("application", f"state__exact={State.REFERRED}&o=8"),
        _("%(count)s ask for a review by a person, %(late)s are overdue")
        % {"count": reviews.count(), "late": late},
        "inbox",
        "danger" if late else "warning" if count else "",
    )


def _approvals(user: Any, on: date) -> Card:
    count = ApprovalRequest.objects.filter(state="PENDING").exclude(maker=user).count()
    return Card(
        _("Waiting for you as the second person"),
        count,
        _list("approvalrequest", "state__exact=PENDING"),
        _("asked by others"),
        "done_all",
        "warning" if count else "",
    )


def _own_requests(user: Any, on: date) -> Card:
    count = ApprovalRequest.objects.filter(state="PENDING", maker=user).count()
    return Card(
        _("Your requests"),
        count,
        _list("approvalrequest", f"state__exact=PENDING&q={user.username}"),
        _("wait for a second person"),
        "hourglass_top",
    )


def _suspended(user: Any, on: date) -> Card:
    count = CreditLine.objects.filter(state=CreditLine.State.SUSPENDED).count()
    return Card(
        _("Suspended lines"),
        count,
        _list("creditline", "state__exact=SUSPENDED"),
        _("on hold for any cause"),
        "block",
    )


def _to_approve_again(user: Any, on: date) -> Card:
    late, soon = reapproval.overdue(on).count(), reapproval.due_soon(on).count()
    return Card(
        _("Lines to be approved again"),
        late + soon,
        _list("creditline", f"approval={'late' if late else 'soon'}&o=9"),
        _("%(count)s overdue, the others within 30 days") % {"count": late},
        "event_repeat",
        "warning" if late else "",
    )


def _expiring(user: Any, on: date) -> Card:
    soon = Collateral.objects.filter(state="PLEDGED", expires_on__lte=on + EXPIRING).count()
    return Card(
        _("Collateral running out"),
        soon,
        _list("collateral", f"state__exact=PLEDGED&expires_on_to={on + EXPIRING:%Y-%m-%d}"),
        _("within 30 days"),
        "event_busy",
        "warning" if soon else "",
    )


def _failed_notices(user: Any, on: date) -> Card:
    count = Notice.objects.filter(state=Notice.State.FAILED).count()
    return Card(
        _("Messages not delivered"),
        count,
        _list("notice", "state__exact=FAILED"),
        _("could not be sent"),
        "sms_failed",
        "danger" if count else "",
    )


def _days_to_close(user: Any, on: date) -> Card:
    """How far the books are behind the calendar; a demo's books run in their own time."""
    behind = max(0, (clock.wall().date() - on).days)
    return Card(
        _("Books are on"),
        on.isoformat(),
        reverse("admin:lending_businessdate_changelist"),
        _("%(days)s days behind the calendar") % {"days": behind} if behind else _("up to date"),
        "event_available",
    )


def _figures(glance: portfolio.Glance) -> list[tuple[str, Any, str]]:
    """Name, figure, and what stands below it."""
    return [
        (_("Active lines"), glance.lines, _("limits %(sum)s") % {"sum": money(glance.limits)}),
        (_("Used on lines"), money(glance.used), percent(_share(glance.used, glance.limits))),
        (_("Outstanding principal"), money(glance.outstanding), ""),
        (_("Overdue"), money(glance.overdue), percent(_share(glance.overdue, glance.outstanding))),
        ("PAR 1", percent(glance.par(1)), _("at least 1 day past due")),
        ("PAR 30", percent(glance.par(31)), _("more than 30 days past due")),
        ("PAR 90", percent(glance.par(91)), _("more than 90 days past due")),
        (
            _("Approval rate"),
            percent(glance.approval_rate),
            _("of %(count)s decided in 30 days") % {"count": glance.decided},
        ),
        (_("Collected"), money(glance.collected), _("in 30 days")),
    ]


def _share(part: Decimal, whole: Decimal) -> Decimal | None:
    return part / whole if whole else None


def _charts(book: portfolio.Overview) -> list[dict[str, Any]]:
    history = book.history
    return [
        chart(
            "line",
            _("Outstanding and overdue"),
            [f"{month.on:%Y-%m}" for month in history],
            [
                series(_("Outstanding principal"), [month.outstanding for month in history], "primary-600"),
                series(_("Overdue"), [month.overdue for month in history], "#ef4444"),
            ],
        ),
        _outcomes_chart(book),
        chart(
            "bar",
            _("Principal by days past due"),
            [name for _low, name in portfolio.BUCKETS][1:],
            [series(_("Outstanding principal"), book.glance.buckets[1:], "#f97316")],
        ),
        _industry_chart(book),
    ]


def _outcomes_chart(book: portfolio.Overview) -> dict[str, Any]:
    months = book.outcomes
    words = {"approved": _("approved"), "declined": _("declined"), "waiting": _("waiting")}
    colours = {"approved": "primary-600", "declined": "#ef4444", "waiting": "#f59e0b"}
    lines = [
        series(
            words[outcome],
            [sum(counts.get(state, 0) for state in states) for _month, counts in months],
            colours[outcome],
        )
        for outcome, states in OUTCOMES.items()
    ]
    labels = [f"{month:%Y-%m}" for month, _counts in months]
    return chart("bar", _("Applications by outcome"), labels, lines, stacked=True)


def _industry_chart(book: portfolio.Overview) -> dict[str, Any]:
    shown, rest = book.industries[:INDUSTRIES_SHOWN], book.industries[INDUSTRIES_SHOWN:]
    known = Industry.objects.in_bulk([code for code, _amount in shown if code])
    named = [
        (known[code].local_name if code in known else _("Persons and unknown"), amount)
        for code, amount in shown
    ]
    if rest:
        named.append((_("Others"), sum(amount for _row, amount in rest)))
    lines = [series(_("Outstanding principal"), [amount for _name, amount in named], "primary-600")]
    return chart("bar", _("Principal by industry"), [name for name, _amount in named], lines, lying=True)
