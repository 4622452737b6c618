"""Buying on a line: what it would cost, the hold, the loan it becomes, and what comes back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from lending import bulk, engine, events
from lending.errors import Refused
from lending.models import CreditLine, Loan, Purchase, Transaction, User
from lending.selectors import cost, pricing
from lending.services import booking, checks, locking, notices, posting
from lending.services.steps import step

EXTRA = bulk.Tuples("""
    SELECT line_id, amount FROM lending_temporarylimit
    WHERE line_id = ANY(%s::bigint[]) AND %s BETWEEN starts_on AND ends_on
""")
LINE_IDS = bulk.Tuples("SELECT DISTINCT line_id FROM lending_purchase WHERE id = ANY(%s::bigint[])")
PURCHASES = bulk.Select(Purchase, "id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE")


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to pay a purchase back, with its full cost."""

    tenor: int
    terms: engine.Terms
    rows: tuple[engine.Row, ...]
    total: Decimal
    cost: Decimal
    annual_cost: Decimal

    @property
    def instalment(self) -> Decimal:
        return self.rows[0].total


def plan(line: CreditLine, amount: Decimal, tenor: int, on: date, caps: cost.Caps | None = None) -> Plan:
    """What `amount` bought `on` that day costs in `tenor` instalments.

    A fee weighs more in a year when the first due day is near. Where that would take the cost above the legal cap,
    the first instalment goes to the bill after. Raises Refused for an unknown tenor, or when it is above even then.
    """
    if tenor not in line.product.tenors:
        raise Refused("tenor", _("This number of instalments is not on offer."), field="tenor")
    limit = (caps or cost.Caps(on)).of(line.product.lender_type)
    first = pricing.first_due_on(line.product, on, line.statement_day)
    for first_due_on in (first, pricing.first_due_on(line.product, first, line.statement_day)):
        found = _quote(line, amount, tenor, on, first_due_on)
        annual_cost = limit.measure(found.annual_cost)
        if not limit.excess(annual_cost):
            return Plan(tenor, found.terms, found.rows, found.total, found.cost, annual_cost)
    raise Refused("above_cost_cap", _("The all-in annual cost is above the legal cap."), field="tenor")


def _quote(line: CreditLine, amount: Decimal, tenor: int, on: date, first_due_on: date) -> pricing.Quote:
    price = {"annual_rate": line.annual_rate, "fee_rate": line.fee_rate}
    return pricing.quote(line.product, amount, tenor, on, first_due_on, **price)


def plans(line: CreditLine, amount: Decimal, on: date) -> list[Plan]:
    """Every plan on offer for that amount, shortest first, without those that would cost too much in a year."""
    checks.amount(amount)
    found, caps = [], cost.Caps(on)
    for tenor in sorted(line.product.tenors):
        try:
            found.append(plan(line, amount, tenor, on, caps))
        except Refused as refusal:
            if refusal.code != "above_cost_cap":
                raise
    return found


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be bought on a line: what `authorise` takes, for many at once."""

    line_id: int
    order_ref: str
    amount: Decimal
    tenor: int
    description: str = ""


def authorise(*, by: User | None, at: datetime, on: date, **order: Any) -> Purchase:
    """Hold the amount of an order (see `Order`) on its line.

    The same order again returns its purchase; with another amount or plan it is refused.
    """
    (purchase,) = authorise_many([Order(**order)], by=by, at=at, on=on)
    if isinstance(purchase, Refused):
        raise purchase
    return purchase


@transaction.atomic
def authorise_many(
    orders: Sequence[Order], *, by: User | None, at: datetime, on: date
) -> list[Purchase | Refused]:
    """Hold the amounts of several orders, in the order given and in a few statements however many they are.

    One that is refused holds up no other.
    """
    lines = locking.lines(order.line_id for order in orders)
    known = {
        row.order_ref: row for row in Purchase.objects.filter(order_ref__in=[o.order_ref for o in orders])
    }
    limits, refusals = _limits(lines.values(), on), _screened(list(lines.values()), on, at)
    caps = cost.Caps(on)
    results: list[Purchase | Refused] = []
    for order in orders:
        line = lines[order.line_id]
        try:
            checks.amount(order.amount)
            purchase = known.get(order.order_ref)
            if purchase is not None:
                results.append(_same(purchase, order))
                continue
            _check_line(line, order.amount, limits[line.pk], refusals.get(line.pk))
            purchase = known[order.order_ref] = _held(line, order, at, on, caps)
        except Refused as fault:
            results.append(fault)
        else:
            results.append(purchase)
    new = bulk.create_many([row for row in known.values() if row.pk is None])
    bulk.update_many(list({row.line_id: row.line for row in new}.values()), ["held"])
    events.record_many(
        [
            events.build("purchase.authorised", row, by=by, at=at, amount=row.amount, tenor=row.tenor)
            for row in new
        ]
    )
    return results


def _limits(lines: Iterable[CreditLine], on: date) -> dict[int, Decimal]:
    """Each line's limit with what is added to it on that day."""
    limits = {line.pk: line.base_limit for line in lines}
    for line_id, amount in EXTRA(list(limits), on):
        limits[line_id] += amount
    return limits


def _screened(lines: Sequence[CreditLine], on: date, at: datetime) -> dict[int, Refused]:
    """What settings.PURCHASE_SCREENS refuse, by line; each takes the lines, the first word counts."""
    refusals: dict[int, Refused] = {}
    for path in settings.PURCHASE_SCREENS:
        for line_id, refusal in import_string(path)(lines, on=on, at=at).items():
            refusals.setdefault(line_id, refusal)
    return refusals


def _same(known: Purchase, order: Order) -> Purchase:
    if (known.line_id, known.amount, known.tenor) != (order.line_id, order.amount, order.tenor):
        raise Refused("order_known", _("This order was authorised with other terms."), field="order_ref")
    return known


def _check_line(line: CreditLine, amount: Decimal, limit: Decimal, refusal: Refused | None) -> None:
    if line.state == CreditLine.State.SUSPENDED:
        raise Refused("line_suspended", _("The line is suspended."))
    if line.state != CreditLine.State.ACTIVE:
        raise Refused("line_not_active", _("The line is not active."))
    if line.customer.state == line.customer.State.BLOCKED:
        raise Refused("customer_blocked", _("The customer is blocked."))
    if amount > limit - line.used - line.held:
        raise Refused("above_free", _("The amount is above what is free on the line."), field="amount")
    if refusal is not None:
        raise refusal


def _held(line: CreditLine, order: Order, at: datetime, on: date, caps: cost.Caps) -> Purchase:
    """The purchase, not yet saved, whose amount the line holds."""
    purchase = Purchase(
        line=line,
        customer_id=line.customer_id,
        order_ref=order.order_ref,
        description=order.description,
        amount=order.amount,
        tenor=order.tenor,
        annual_cost=plan(line, order.amount, order.tenor, on, caps).annual_cost,
        authorised_at=at,
        expires_on=on + timedelta(days=line.product.authorisation_days),
    )
    line.held += order.amount
    return purchase


def capture(
    *, purchase_id: int, by: User | None, at: datetime, on: date, amount: Decimal | None = None
) -> Purchase:
    """The goods have left: the hold becomes a loan of `amount` (the whole hold unless said otherwise)."""
    return capture_many(captures=[(purchase_id, amount)], by=by, at=at, on=on)[0]


@transaction.atomic
def capture_many(
    *, captures: Sequence[tuple[int, Decimal | None]], by: User | None, at: datetime, on: date
) -> list[Purchase]:
    """Capture several purchases; one that is captured already, with the same amount, is returned as it is."""
    purchases = _lock([purchase_id for purchase_id, _amount in captures])
    due = []
    for purchase_id, amount in captures:
        purchase = purchases[purchase_id]
        amount = purchase.amount if amount is None else amount
        checks.amount(amount)
        if amount > purchase.amount:
            raise Refused("above_authorised", _("The amount is above what was authorised."), field="amount")
        if purchase.state == Purchase.State.CAPTURED and purchase.captured == amount:
            continue
        due.append((purchase, amount))
    caps = cost.Caps(on)
    loans = booking.book(
        [_draft_loan(purchase, amount, on, caps) for purchase, amount in due],
        keys=[f"capture:{purchase.order_ref}" for purchase, _amount in due],
        by=by,
        at=at,
        on=on,
    )
    for (purchase, amount), loan in zip(due, loans, strict=True):
        purchase.capture(amount=amount, loan=loan)
    bulk.update_many([purchase for purchase, _amount in due], ["state", "captured", "loan"])
    _release_holds([purchase for purchase, _amount in due])
    _announce(due, by=by, at=at)
    return [purchases[purchase_id] for purchase_id, _amount in captures]


def _lock(purchase_ids: Sequence[int]) -> dict[int, Purchase]:
    lines = locking.lines(line_id for (line_id,) in LINE_IDS(list(purchase_ids)))
    purchases = {row.pk: row for row in PURCHASES(list(purchase_ids))}
    for row in purchases.values():
        row.line = lines[row.line_id]
    return purchases


def _draft_loan(purchase: Purchase, amount: Decimal, on: date, caps: cost.Caps) -> Loan:
    line = purchase.line
    chosen = plan(line, amount, purchase.tenor, on, caps)
    return booking.draft(
        customer_id=line.customer_id,
        product=line.product,
        line_id=line.pk,
        terms=chosen.terms,
        rows=chosen.rows,
        annual_cost=chosen.annual_cost,
    )


def _release_holds(purchases: Sequence[Purchase]) -> None:
    for purchase in purchases:
        purchase.line.held -= purchase.amount
    bulk.update_many(list({row.line_id: row.line for row in purchases}.values()), ["held"])


def _announce(due: Sequence[tuple[Purchase, Decimal]], *, by: User | None, at: datetime) -> None:
    events.record_many(
        [events.build("purchase.captured", purchase, by=by, at=at, amount=amount) for purchase, amount in due]
    )
    notices.queue_many(
        [
            notices.Message(
                customer=purchase.line.customer,
                template="purchase_captured",
                context={"purchase": purchase.order_ref, "amount": amount, "tenor": purchase.tenor},
                key=f"purchase-captured:{purchase.pk}",
            )
            for purchase, amount in due
        ],
        at=at,
    )


@transaction.atomic
def void(*, purchase_id: int, by: User | None, at: datetime) -> Purchase:
    """The order was called off: the hold is released. Voiding twice changes nothing."""
    purchase = _lock([purchase_id])[purchase_id]
    if purchase.state != Purchase.State.VOIDED:
        purchase.void()
        purchase.save(update_fields=["state"])
        _release_holds([purchase])
        events.record("purchase.voided", purchase, by=by, at=at, amount=purchase.amount)
    return purchase


@transaction.atomic
def refund(
    *, purchase_id: int, amount: Decimal, key: str, by: User | None, at: datetime, on: date
) -> Purchase:
    """Goods came back: the refund pays the loan first, what is left over becomes the customer's credit balance.

    A refund of all that is left settles the loan as of today, so that no later fee or interest falls due.
    """
    checks.amount(amount)
    purchase = _lock([purchase_id])[purchase_id]
    if posting.POSTED([key]):
        return _same_refund(purchase, amount, key)
    if purchase.state != Purchase.State.CAPTURED:
        raise Refused("not_captured", _("Only a captured purchase can be refunded."))
    loan = purchase.loan
    assert loan is not None  # the database insists: purchase_has_loan_once_captured
    left = purchase.captured - purchase.refunded
    if amount > left:
        raise Refused("above_captured", _("The amount is above what is left to refund."), field="amount")
    _post_refund(loan, amount, key, whole=amount == left, by=by, at=at, on=on)
    purchase.refunded += amount
    if amount == left:
        purchase.refund_whole()
    bulk.update_many([purchase], ["state", "refunded"])
    events.record("purchase.refunded", purchase, by=by, at=at, amount=amount)
    notices.queue(
        customer=purchase.line.customer,
        template="refund_booked",
        context={"purchase": purchase.order_ref, "amount": amount},
        key=f"refund:{key}",
        at=at,
    )
    return purchase


def _same_refund(purchase: Purchase, amount: Decimal, key: str) -> Purchase:
    posted = Transaction.objects.get(key=key)
    if (posted.loan_id, posted.amount) != (purchase.loan_id, amount):
        raise Refused("key_reused", _("This key was used for another transaction."), field="key")
    return purchase


def _post_refund(
    loan: Loan,
    amount: Decimal,
    key: str,
    *,
    whole: bool,
    by: User | None,
    at: datetime,
    on: date,
) -> None:
    settles = whole and loan.state in Loan.OWING
    posting.post_many(
        [
            posting.Posting(
                loan_id=loan.pk,
                type=posting.Type.SETTLEMENT if settles else posting.Type.MERCHANT_REFUND,
                kind=posting.BY_MERCHANT,
                amount=amount,
                key=key,
                value_on=on,
                channel="refund",
            )
        ],
        by=by,
        at=at,
        on=on,
    )


EXPIRED = bulk.Tuples("SELECT id FROM lending_purchase WHERE state = 'AUTHORISED' AND expires_on < %s")


@step(_("Authorisations that nobody captured run out"))
def expire(*, on: date, at: datetime) -> int:
    """Close step: authorisations that nobody captured in time give their hold back."""
    ids = [purchase_id for (purchase_id,) in EXPIRED(on)]
    if not ids:
        return 0
    rows = [row for row in _lock(ids).values() if row.state == Purchase.State.AUTHORISED]
    for purchase in rows:
        purchase.expire()
    bulk.update_many(rows, ["state"])
    _release_holds(rows)
    events.record_many(
        [events.build("purchase.expired", row, by=None, at=at, amount=row.amount) for row in rows]
    )
    return len(ids)
