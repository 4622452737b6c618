"""Lending's own sections of the customer's page."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from lending.admin.parts import Section, label, link, money, percent, record_link, state_label
from lending.models import CreditLine, Customer
from lending.selectors import customer_page


def sections(customer: Customer, lines: list[CreditLine], on: date) -> Iterable[Section]:
    """Everything lending has to say about a customer, section by section."""
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
