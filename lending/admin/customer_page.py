"""The customer on one page: facts, figures, a timeline, and sections under tabs.

Lending brings its own sections; settings.CUSTOMER_SECTIONS names the functions (customer, on) -> list[Section]
of those above it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from lending.admin import timeline
from lending.admin.parts import (
    Section,
    Timeline,
    allowed,
    label,
    link,
    money,
    percent,
    record_link,
    state_label,
)
from lending.models import CreditLine, Customer
from lending.selectors import customer_page

TABS = {
    "credit": _("Lines and purchases"),
    "money": _("Loans and payments"),
    "security": _("Collateral"),
    "risk": _("Risk"),
    "collections": _("Collections"),
    "contact": _("Applications and messages"),
}


@dataclass(frozen=True)
class Tab:
    name: str
    title: Any
    sections: list[Section]


@dataclass(frozen=True)
class Page:
    """All that the template shows."""

    facts: list[tuple[Any, Any]]
    figures: list[tuple[Any, Any, str]]
    bars: list[dict[str, Any]]
    overview: list[Section]
    tabs: list[Tab]
    timeline: list[Timeline]


def build(customer: Customer, on: date, user: Any) -> Page:
    """The page as this user may see it."""
    lines = list(customer_page.lines(customer))
    sections = allowed(user, [*_own_sections(customer, lines, on), *_sections_above(customer, on)])
    return Page(
        facts=facts(customer),
        figures=figures(customer_page.exposure(customer, on)),
        bars=[_bar(line, on) for line in lines if line.state != CreditLine.State.CLOSED],
        overview=[section for section in sections if not section.tab],
        tabs=_tabs(sections),
        timeline=timeline.entries(customer_page.timeline(customer))
        if user.has_perm("lending.view_event")
        else [],
    )


def _tabs(sections: Iterable[Section]) -> list[Tab]:
    by_tab: dict[str, list[Section]] = {}
    for section in sections:
        if section.tab:
            by_tab.setdefault(section.tab, []).append(section)
    return [
        Tab(name, TABS.get(name, name), by_tab[name])
        for name in dict.fromkeys([*TABS, *by_tab])
        if name in by_tab
    ]


def _sections_above(customer: Customer, on: date) -> Iterable[Section]:
    for path in settings.CUSTOMER_SECTIONS:
        yield from import_string(path)(customer, on)


def facts(customer: Customer) -> list[tuple[Any, Any]]:
    """Who the customer is; identity number and phone are masked."""
    return [
        (_("State"), state_label(customer)),
        (_("Kind"), customer.get_kind_display()),
        (_("Identity number"), customer.masked_id_number or "–"),
        (_("Phone"), customer.masked_phone or "–"),
        (_("E-mail"), customer.email or "–"),
        (_("Platform reference"), customer.platform_ref),
        (_("On the platform since"), customer.registered_on),
        (_("Industry"), customer.industry.local_name if customer.industry else "–"),
        (_("Region"), customer.region or "–"),
        (_("Language"), customer.language),
        (_("Monthly income"), money(customer.monthly_income)),
        (_("Student"), _("yes") if customer.is_student else _("no")),
    ]


def figures(exposure: customer_page.Exposure) -> list[tuple[Any, Any, str]]:
    """What the customer may owe, owes and pledged: name, figure, tone."""
    late = "danger" if exposure.overdue else ""
    return [
        (_("Limit"), money(exposure.limit), ""),
        (_("Free"), money(exposure.free), ""),
        (_("Owed"), money(exposure.owed), ""),
        (_("Overdue"), money(exposure.overdue), late),
        (_("Days past due"), exposure.days_past_due, late),
        (_("Coverage"), percent(exposure.coverage), ""),
    ]


def _bar(line: CreditLine, on: date) -> dict[str, Any]:
    """How full a line is, in per cent of its limit: used, held by authorised orders, free."""
    limit = line.limit(on)
    whole = max(limit, line.used + line.held, Decimal(1))
    return {
        "line": record_link(line),
        "state": state_label(line),
        "limit": money(limit),
        "used": money(line.used),
        "held": money(line.held),
        "free": money(line.free(on)),
        "used_share": f"{line.used / whole * 100:.1f}",
        "held_share": f"{line.held / whole * 100:.1f}",
    }


def _own_sections(customer: Customer, lines: list[CreditLine], on: date) -> Iterable[Section]:
    yield _upcoming(customer, on)
    yield from _credit(customer, lines, on)
    yield from _money(customer, on)
    yield _collateral(customer, on)
    yield from _contact(customer)


def _more(name: str, customer: Customer) -> list[Any]:
    """A link to the whole list, filtered to this customer."""
    return [
        link(_("All"), f"{reverse(f'admin:lending_{name}_changelist')}?customer__id__exact={customer.pk}")
    ]


def _upcoming(customer: Customer, on: date) -> Section:
    rows = [
        (
            label(_("overdue"), "danger") if row.due_on < on else label(_("to come"), "info"),
            row.due_on,
            record_link(row.loan),
            row.number,
            money(row.total),
            money(row.outstanding),
        )
        for row in customer_page.upcoming(customer)
    ]
    columns = [_("Standing"), _("Due on"), _("Loan"), _("Number"), _("Total"), _("Outstanding")]
    return Section(_("To be paid"), columns, rows, permission="lending.view_instalment")


def _credit(customer: Customer, lines: list[CreditLine], on: date) -> Iterable[Section]:
    yield Section(
        _("Credit lines"),
        [
            _("Line"),
            _("State"),
            _("Product"),
            _("Base limit"),
            _("Limit today"),
            _("Used"),
            _("Held"),
            _("Free"),
        ],
        [
            (
                record_link(line),
                state_label(line),
                line.product,
                money(line.base_limit),
                money(line.limit(on)),
                money(line.used),
                money(line.held),
                money(line.free(on)),
            )
            for line in lines
        ],
        permission="lending.view_creditline",
        tab="credit",
    )
    yield Section(
        _("Holds"),
        [_("Line"), _("Cause"), _("Note"), _("Placed at"), _("By"), _("Lifted at"), _("By")],
        [
            (line, hold, hold.note, hold.placed_at, hold.placed_by, hold.lifted_at, hold.lifted_by)
            for line in lines
            for hold in line.holds.all()
        ],
        permission="lending.view_linehold",
        tab="credit",
    )
    yield Section(
        _("Limit changes"),
        [_("Line"), _("When"), _("Kind"), _("Before"), _("After"), _("Cause"), _("By")],
        [
            (
                line,
                change.at,
                change.get_kind_display(),
                money(change.before),
                money(change.after),
                change.cause,
                change.by,
            )
            for line in lines
            for change in line.limit_changes.all()
        ],
        permission="lending.view_limitchange",
        tab="credit",
    )
    yield Section(
        _("Purchases"),
        [
            _("Order"),
            _("State"),
            _("What"),
            _("Amount"),
            _("Captured"),
            _("Refunded"),
            _("Instalments"),
            _("At"),
        ],
        [
            (
                record_link(row),
                state_label(row),
                row.description,
                money(row.amount),
                money(row.captured),
                money(row.refunded),
                row.tenor,
                row.authorised_at,
            )
            for row in customer.purchases.all()[:50]
        ],
        links=_more("purchase", customer),
        permission="lending.view_purchase",
        tab="credit",
    )


def _money(customer: Customer, on: date) -> Iterable[Section]:
    yield Section(
        _("Loans"),
        [
            *(
                _("Loan"),
                _("State"),
                _("Product"),
                _("Amount lent"),
                _("Principal"),
                _("Interest"),
                _("Fees"),
            ),
            *(_("Penalty"), _("Days past due"), _("Matures on")),
        ],
        [
            (
                record_link(loan),
                state_label(loan),
                loan.product,
                money(loan.principal_amount),
                money(loan.principal),
                money(loan.interest),
                money(loan.fee),
                money(loan.penalty),
                loan.days_past_due(on),
                loan.matures_on,
            )
            for loan in customer_page.loans(customer)[:50]
        ],
        links=_more("loan", customer),
        permission="lending.view_loan",
        tab="money",
    )
    yield Section(
        _("Bills"),
        [_("Statement day"), _("Due day"), _("Billed"), _("Still open")],
        [
            (record_link(bill, bill.statement_on), bill.due_on, money(bill.amount), money(bill.open))
            for bill in customer_page.bills(customer)[:24]
        ],
        permission="lending.view_statement",
        tab="money",
    )
    yield Section(
        _("Transactions"),
        [
            _("Transaction"),
            _("Loan"),
            _("Value date"),
            _("Booked on"),
            _("Amount"),
            _("Channel"),
            _("By"),
            _("Note"),
        ],
        [
            (
                record_link(row),
                record_link(row.loan),
                row.value_on,
                row.booked_on,
                money(row.amount),
                row.channel or "–",
                row.by,
                row.note,
            )
            for row in customer_page.transactions(customer)
        ],
        permission="lending.view_transaction",
        tab="money",
    )
    yield Section(
        _("Payments"),
        [
            _("Reference"),
            _("State"),
            _("Amount"),
            _("Gateway"),
            _("Started at"),
            _("Finished at"),
            _("Error"),
        ],
        [
            (
                record_link(row),
                state_label(row),
                money(row.amount),
                row.gateway,
                row.started_at,
                row.finished_at,
                row.error,
            )
            for row in customer.payments.all()[:30]
        ],
        permission="lending.view_payment",
        tab="money",
    )


def _collateral(customer: Customer, on: date) -> Section:
    return Section(
        _("Collateral"),
        [
            _("Collateral"),
            _("State"),
            _("Value"),
            _("Haircut"),
            _("Counts for"),
            _("Valued on"),
            _("Expires on"),
        ],
        [
            (
                record_link(item),
                state_label(item),
                money(item.value),
                percent(item.haircut),
                money(item.lending_value(on)),
                item.valued_on,
                item.expires_on,
            )
            for item in customer_page.collateral(customer)
        ],
        permission="lending.view_collateral",
        tab="security",
    )


def _contact(customer: Customer) -> Iterable[Section]:
    yield Section(
        _("Applications"),
        [
            _("Application"),
            _("State"),
            _("Product"),
            _("Amount"),
            _("Grade"),
            _("Submitted at"),
            _("Decided by"),
        ],
        [
            (
                record_link(row),
                state_label(row),
                row.product,
                money(row.amount),
                row.grade or "–",
                row.submitted_at,
                row.decided_by,
            )
            for row in customer.applications.select_related("product", "decided_by")[:20]
        ],
        permission="lending.view_application",
        tab="contact",
    )
    yield Section(
        _("Consents"),
        [_("Purpose"), _("Given at"), _("Version of the text"), _("Withdrawn at")],
        [
            (row.get_purpose_display(), row.given_at, row.text_version, row.withdrawn_at)
            for row in customer.consents.all()
        ],
        permission="lending.view_consent",
        tab="contact",
    )
    yield Section(
        _("Messages"),
        [_("Message"), _("Channel"), _("State"), _("Written at"), _("Sent at"), _("Error")],
        [
            (
                record_link(row),
                row.get_channel_display(),
                state_label(row),
                row.created_at,
                row.sent_at,
                row.error,
            )
            for row in customer.notices.all()[:40]
        ],
        links=_more("notice", customer),
        permission="lending.view_notice",
        tab="contact",
    )
