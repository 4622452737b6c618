"""What risk brings to the pages of the house: cards, the customer's tab, and events in words."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from django.db.models import Sum
from django.db.models.functions import TruncMonth
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from lending import clock
from lending.admin.parts import Card, Section, money, record_link, state_label
from lending.models import Application, Customer
from risk import features
from risk.admin.assessments import figure, outcome_label
from risk.admin.enquiries import figures_in_words
from risk.admin.statements import spread_sections
from risk.models import Alert, Appeal, Assessment, CustomerDay, Reading, ScoringFailure
from risk.reasons import control_text
from risk.review_words import review_text
from risk.selectors.features import vectors
from risk.selectors.models import reviews_due

WORDS = {
    "application.assessed": _("Application scored"),
    "alert.raised": _("Control tripped"),
    "alert.released": _("Control cleared by itself"),
    "alert.lifted": _("Alert lifted"),
    "alert.judged": _("Alert judged"),
    "appeal.opened": _("Appeal received"),
    "appeal.upheld": _("Appeal upheld"),
    "appeal.rejected": _("Appeal rejected"),
    "waiver.asked": _("Leave for a forbidden feature asked for"),
    "waiver.given": _("Leave for a forbidden feature given"),
    "waiver.refused": _("Leave for a forbidden feature refused"),
    "waiver.revoked": _("Leave for a forbidden feature revoked"),
    "enquiry.asked": _("Bureau or identity check asked"),
    "enquiry.answered": _("Bureau or identity check answered"),
    "application.scoring_given_up": _("Scoring given up"),
    "application.scoring_retried": _("Scoring to be tried again"),
    "line.reviewed": _("Limit cut by the review"),
    "control.changed": _("Levels of a control changed"),
    "statement.filed": _("Financial statement filed"),
    "statement.refused": _("Financial statement refused"),
    "model.trained": _("Model trained"),
    "model.challenged": _("Model put in the shadow"),
    "model.promoted": _("Model made the champion"),
    "model.retired": _("Model retired"),
    "model.rolled_back": _("Former champion in charge again"),
    "model.reviewed": _("Model reviewed"),
    "model.reproduced": _("Model trained again from its frozen data"),
    "model.measured": _("Model measured"),
    "model.alarmed": _("Model measured, with an alarm"),
    "model.alarm_answered": _("Alarm of a model answered"),
    "policy.drafted": _("Policy drafted"),
    "policy.revised": _("Draft of a policy changed"),
    "policy.shadowed": _("Policy put in the shadow"),
    "policy.tried": _("Policy tried on the past"),
    "policy.live": _("Policy set live"),
    "policy.retired": _("Policy retired"),
}
MONTHS = 12


def cards(user: Any, on: date) -> Iterable[Card]:
    """Risk's part of the day's work; each count is asked only for those who may see it."""
    if user.has_perm("risk.decide_appeal"):
        yield _appeals()
    if user.has_perm("risk.judge_alert"):
        yield _alerts()
    if user.has_perm("risk.view_assessment"):
        yield _waiting()
    if user.has_perm("risk.retry_scoring"):
        yield _given_up()
    if user.has_perm("risk.answer_reading"):
        yield _drifting()
    if user.has_perm("risk.add_modelreview"):
        yield _reviews(on)


def _list(name: str, query: str) -> str:
    return f"{reverse(f'admin:{name}_changelist')}?{query}"


def _appeals() -> Card:
    count = Appeal.objects.filter(state=Appeal.State.OPEN).count()
    url = _list("risk_appeal", "state__exact=OPEN")
    return Card(_("Appeals to answer"), count, url, icon="feedback", tone="warning" if count else "")


def _alerts() -> Card:
    found = Alert.objects.filter(state=Alert.State.OPEN)
    return Card(
        _("Open alerts"),
        found.count(),
        _list("risk_alert", "state__exact=OPEN"),
        _("%(count)s are not judged yet") % {"count": found.filter(outcome="").count()},
        "notifications",
    )


def _waiting() -> Card:
    count = Application.objects.filter(state=Application.State.SUBMITTED).count()
    url = _list("lending_application", "state__exact=SUBMITTED")
    return Card(_("Waiting for a score"), count, url, icon="hourglass", permission="lending.view_application")


def _given_up() -> Card:
    count = ScoringFailure.objects.filter(state=ScoringFailure.State.DEAD).count()
    url = _list("risk_scoringfailure", "state__exact=DEAD")
    return Card(_("Scorings given up"), count, url, icon="error", tone="danger" if count else "")


def _drifting() -> Card:
    count = Reading.objects.exclude(level=Reading.Level.STABLE).filter(answered_at=None).count()
    url = _list("risk_reading", "alarm=open")
    return Card(_("Alarms of models"), count, url, icon="monitoring", tone="danger" if count else "")


def _reviews(on: date) -> Card:
    overdue = [pk for pk, due in reviews_due() if due < on]
    url = _list("risk_modelversion", f"id__in={','.join(map(str, overdue))}" if overdue else "")
    return Card(
        _("Models overdue for review"),
        len(overdue),
        url,
        icon="rate_review",
        tone="warning" if overdue else "",
    )


def customer_sections(customer: Customer, on: date) -> list[Section]:
    """The customer's tab of risk."""
    return [
        _alerts_of(customer),
        _appeals_of(customer),
        _enquiries_of(customer),
        _reviews_of(customer),
        _scores_of(customer),
        _assessments_of(customer),
        _features_of(customer),
        _months_of(customer, on),
        *_statements_of(customer),
    ]


def _section(title: Any, columns: list[Any], rows: Iterable[Any], permission: str, **more: Any) -> Section:
    return Section(title, columns, list(rows), permission=f"risk.{permission}", tab="risk", **more)


def _alerts_of(customer: Customer) -> Section:
    rows = (
        (
            record_link(alert, alert.at),
            alert.control,
            state_label(alert),
            alert.get_action_display(),
            _saw(alert),
        )
        for alert in customer.alerts.select_related("control")
    )
    return _section(
        _("Alerts"),
        [_("When"), _("Control"), _("State"), _("Action taken"), _("What it saw")],
        rows,
        "view_alert",
    )


def _saw(alert: Alert) -> str:
    return control_text(alert.explanation, alert.figure)


def _appeals_of(customer: Customer) -> Section:
    rows = (
        (record_link(appeal, appeal.opened_at), state_label(appeal), appeal.text, appeal.answer or "–")
        for appeal in customer.appeals.all()
    )
    columns = [_("When"), _("State"), _("What the customer says"), _("Answer")]
    return _section(_("Appeals"), columns, rows, "view_appeal")


def _enquiries_of(customer: Customer) -> Section:
    rows = (
        (
            record_link(one, one.asked_at),
            one.get_kind_display(),
            one.source,
            one.result if hasattr(one, "result") else "–",
            figures_in_words(one.result.figures) if hasattr(one, "result") else "–",
        )
        for one in customer.enquiries.select_related("result")[:MONTHS]
    )
    columns = [_("When"), _("Kind"), _("Source"), _("Outcome"), _("Figures")]
    return _section(_("Bureau and identity"), columns, rows, "view_enquiry")


def _reviews_of(customer: Customer) -> Section:
    rows = (
        (
            record_link(one, one.on),
            one.get_outcome_display(),
            f"{money(one.limit_before)} → {money(one.limit_after)}",
            review_text(one),
        )
        for one in customer.line_reviews.order_by("-pk")[:MONTHS]
    )
    columns = [_("When"), _("Outcome"), _("Limit"), _("Reason")]
    return _section(_("Limits reviewed"), columns, rows, "view_linereview")


def _scores_of(customer: Customer) -> Section:
    found = customer.behaviour_scores.select_related("model").order_by("-on")[:MONTHS]
    rows = ((one.on, f"{one.score:.0f}", f"{one.pd:.2%}", one.grade, one.model) for one in found)
    columns = [_("When"), _("Score"), _("Probability of default"), _("Grade"), _("Model")]
    return _section(_("Behaviour scores"), columns, rows, "view_behaviourscore")


def _assessments_of(customer: Customer) -> Section:
    found = Assessment.objects.filter(application__customer=customer).select_related("application")
    rows = (
        (
            record_link(one, one.application),
            outcome_label(one.outcome),
            one.grade or "–",
            "–" if one.score is None else f"{one.score:.0f}",
            money(one.limit),
            one.at,
        )
        for one in found.order_by("-pk")
    )
    columns = [_("Application"), _("Outcome"), _("Grade"), _("Score"), _("Limit"), _("When")]
    return _section(_("Assessments"), columns, rows, "view_assessment")


def _features_of(customer: Customer) -> Section:
    found = vectors([customer.pk], clock.now()).get(customer.pk, {})
    rows = ((features.ALL[name].label, figure(value)) for name, value in found.items())
    return _section(_("Features at this moment"), [_("Feature"), _("Value")], rows, "view_customerday")


def _months_of(customer: Customer, on: date) -> Section:
    """What the platform told us, by month."""
    names = [
        "orders",
        "order_amount",
        "returns",
        "return_amount",
        "deliveries",
        "late_deliveries",
        "disputes",
    ]
    names += ["invoices", "invoice_amount"]
    since = (on - timedelta(days=31 * (MONTHS - 1))).replace(day=1)
    months = (
        customer.days.filter(day__gte=since)
        .annotate(month=TruncMonth("day"))
        .values("month")
        .annotate(**{f"sum_{name}": Sum(name) for name in names})
        .order_by("-month")
    )
    columns: dict[str, Any] = {
        field.attname: field.verbose_name for field in CustomerDay._meta.concrete_fields
    }
    rows = ((f"{month['month']:%Y-%m}", *(_sum(month, name) for name in names)) for month in months)
    labels = [columns[name] for name in names]
    return _section(_("On the platform"), [_("Month"), *labels], rows, "view_customerday")


def _sum(month: Mapping[str, Any], name: str) -> Any:
    value = month[f"sum_{name}"]
    return money(value) if name.endswith("amount") else value


def _statements_of(customer: Customer) -> Iterable[Section]:
    if customer.kind != Customer.Kind.COMPANY:
        return
    rows = (
        (record_link(one, one.year), one.filed_at, *(money(one.figures.get(n)) for n in _SHOWN))
        for one in customer.financial_statements.order_by("-year", "-filed_at")
    )
    columns = [_("Year"), _("Filed at"), _("Revenue"), _("Net profit"), _("Total assets"), _("Liabilities")]
    yield _section(pgettext_lazy("of a company", "Accounts"), columns, rows, "view_financialstatement")
    yield from spread_sections(customer.pk, permission="risk.view_financialstatement", tab="risk")


_SHOWN = ("revenue", "net_profit", "total_assets", "total_liabilities")
