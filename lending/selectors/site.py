"""What the customers' pages show: reads over several models, always starting from one customer."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db.models import Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils.module_loading import import_string

from lending.engine import Payoff
from lending.fields import ZERO
from lending.models import (
    Application,
    CreditLine,
    Customer,
    Instalment,
    LimitChange,
    LimitOffer,
    Loan,
    Notice,
    Offer,
    Product,
    ReliefRequest,
    Statement,
)
from lending.papers import sheet as sheet_in_words
from lending.services import limit_offers
from lending.services.offers import reading_seconds, sheet

# States in which only we, or a worker, can move an application on.
WAITING = (Application.State.SUBMITTED, Application.State.REFERRED, Application.State.APPROVED)
# The columns of a schedule that are summed at its foot.
SUMMED = ("principal", "interest", "fee", "penalty", "total", "waived", "outstanding")


@dataclass(frozen=True, slots=True)
class Due:
    """What a customer has to pay: what is late, what comes next and when, and everything together."""

    overdue: Decimal
    next_on: date | None
    next_amount: Decimal
    owed: Decimal

    @property
    def now(self) -> Decimal:
        """What is late, or else what comes next."""
        return self.overdue or self.next_amount


def unpaid(customer: Customer) -> QuerySet[Instalment]:
    """The instalments on which something is still to be paid, next first."""
    return Instalment.objects.filter(
        loan__customer=customer, loan__state__in=Loan.OWING, outstanding__gt=0
    ).order_by("due_on", "loan_id")


def due(customer: Customer, on: date) -> Due:
    """What is to be paid as of `on`; the next due date can be `on` itself."""
    rows = unpaid(customer)
    late, ahead = Q(due_on__lt=on), Q(due_on__gte=on)
    sums = rows.aggregate(
        overdue=Sum("outstanding", filter=late), next_on=Min("due_on", filter=ahead), owed=Sum("outstanding")
    )
    following = rows.filter(due_on=sums["next_on"]).aggregate(sum=Sum("outstanding"))["sum"]
    return Due(sums["overdue"] or ZERO, sums["next_on"], following or ZERO, sums["owed"] or ZERO)


def open_line(customer: Customer) -> CreditLine | None:
    """The one line that is not closed."""
    return customer.lines.exclude(state=CreditLine.State.CLOSED).select_related("product").first()


def open_application(customer: Customer) -> Application | None:
    """The one application that is not at its end."""
    return customer.applications.filter(state__in=Application.OPEN).select_related("product").first()


def last_cut(line: CreditLine) -> LimitChange | None:
    """The cut that still holds: the newest change of the limit, if it was one."""
    newest = line.limit_changes.order_by("-id").first()
    return newest if newest and newest.kind == LimitChange.Kind.CUT else None


def inbox(customer: Customer) -> QuerySet[Notice]:
    """The messages of the app, newest first."""
    return customer.notices.filter(channel=Notice.Channel.IN_APP).exclude(
        state__in=[Notice.State.SUPPRESSED, Notice.State.FAILED]
    )


def on_offer(customer: Customer) -> QuerySet[Product]:
    """The products this customer can apply for; a second line next to an open one is none of them."""
    products = Product.objects.filter(state=Product.State.LIVE, audience=customer.kind).order_by(
        "kind", "code"
    )
    return products.exclude(kind=Product.Kind.LINE) if open_line(customer) else products


def priced(products: Iterable[Product], on: date) -> list[Product]:
    """The products with `costs`: the lowest and highest all-in yearly cost over their tenors."""
    products = list(products)
    for product in products:
        product.costs = _yearly_costs(product.code, product.version, on)  # type: ignore[attr-defined]
    return products


@lru_cache(maxsize=128)
def _yearly_costs(code: str, version: int, on: date) -> tuple[Decimal, Decimal]:
    """For the largest amount, where rounding is least. Kept, as the terms of a version never change."""
    product = Product.objects.get(code=code, version=version)
    costs = [Decimal(plan["annual_cost"]) for plan in sheet(product, product.max_amount, None, on)["plans"]]
    return min(costs), max(costs)


def home(customer: Customer, on: date) -> dict[str, Any]:
    """All that the first page of a customer says."""
    line = open_line(customer)
    return {
        "application": open_application(customer),
        "due": due(customer, on),
        "inbox": inbox(customer)[:3],
        "unread": inbox(customer).filter(read_at=None).count(),
    } | (line_facts(line, on) if line else {"line": None})


def line_facts(line: CreditLine, on: date) -> dict[str, Any]:
    """A line with its limit on that day, what is free, its holds, a cut that stands, and why."""
    return {
        "line": line,
        "limit": line.limit(on),
        "free": line.free(on),
        "holds": line.holds.filter(lifted_at=None),
        "cut": last_cut(line),
        "more": open_limit_offer(line, on),
        "why": import_string(settings.LINE_REASONS)(line_id=line.pk) if settings.LINE_REASONS else [],
    }


def open_limit_offer(line: CreditLine, on: date) -> LimitOffer | None:
    """The higher limit that the customer may take today."""
    found = line.limit_offers.filter(
        state=LimitOffer.State.OFFERED, before=line.base_limit, expires_on__gte=on
    )
    return found.first() if line.state == line.State.ACTIVE else None


def limit_offer_page(offer: LimitOffer, on: date) -> dict[str, Any]:
    """An offer of a higher limit with its full cost; once accepted, as it was shown then."""
    still_open = open_limit_offer(offer.line, on) == offer
    return {
        "offer": offer,
        "open": still_open,
        "extra": offer.to - offer.before,
        "costs": limit_offers.costs(offer, on) if still_open else offer.shown,
    }


def bills(customer: Customer) -> QuerySet[Statement]:
    """The customer's bills, newest first, each with what is still open on it."""
    still_open = Coalesce(Sum("instalments__outstanding"), ZERO)
    return customer.statements.annotate(still_open=still_open).order_by("-statement_on", "-pk")


def bill_rows(bill: Statement) -> dict[str, Any]:
    """The instalments on a bill."""
    return _with_totals(
        bill.instalments.select_related("loan__purchase", "loan__product").order_by("due_on", "loan")
    )


def loans(customer: Customer) -> QuerySet[Loan]:
    """The customer's loans, newest first, each with what is still to be paid and when next."""
    unpaid_rows = Q(instalments__outstanding__gt=0)
    return (
        customer.loans.select_related("product", "purchase")
        .annotate(
            still_open=Coalesce(Sum("instalments__outstanding"), ZERO),
            next_on=Min("instalments__due_on", filter=unpaid_rows),
        )
        .order_by("-pk")
    )


def loan_rows(loan: Loan) -> dict[str, Any]:
    """The schedule of a loan with its totals, and what has been booked on it, newest first."""
    booked = loan.transactions.order_by("-pk")
    waiting = loan.relief_requests.filter(state=ReliefRequest.State.OPEN).exists()
    owed = loan.instalments.exclude(total=0).order_by(
        "due_on", "number"
    )  # what moved elsewhere left nothing here
    return _with_totals(owed) | {"transactions": booked, "waiting": waiting}


def _with_totals(found: QuerySet[Instalment]) -> dict[str, Any]:
    rows = list(found)
    totals = {name: sum((getattr(row, name) for row in rows), ZERO) for name in (*SUMMED, "paid")}
    return {"rows": rows, "totals": totals}


def sheet_page(offer: Offer, at: datetime) -> dict[str, Any]:
    """An offer with its sheet in words, and the seconds of reading that are still to come."""
    product = offer.application.product
    needed = reading_seconds(at.date(), product.lender_type)
    read = (at - offer.shown_at).total_seconds() if offer.shown_at else 0
    return {
        "offer": offer,
        "application": offer.application,
        "product": product,
        "sheet": sheet_in_words.read(offer.sheet),
        "signed": getattr(offer, "contract", None),
        "wait": max(0, round(needed - read)),
        "needed": needed,
    }


def saved(loan: Loan, payoff: Payoff) -> Decimal:
    """What paying off early spares against the rest of the schedule."""
    rest = loan.instalments.aggregate(sum=Sum("outstanding"))["sum"] or ZERO
    return rest - payoff.total
