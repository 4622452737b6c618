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
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from lending.admin import customer_sections, timeline
from lending.admin.parts import (
    Section,
    Timeline,
    allowed,
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
    sections = allowed(
        user, [*customer_sections.sections(customer, lines, on), *_sections_above(customer, on)]
    )
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
