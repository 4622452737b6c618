"""Applications: who asks, what the machine says, what officers make of the rest, and who accepts."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from config.simulation.cast import Cast, moment
from config.simulation.streams import stream
from config.simulation.world import Wish
from lending.models import Application, ApprovalRequest, Offer, Product
from lending.services import applications, approvals, desk, offers

State = Application.State
ACCEPTS = 0.9
# An officer sees more than the machine, papers and a voice, and errs all the same.
OFFICER_ERRS = 0.35
OFFICER_APPROVES_ABOVE = 0.1
REASONS = ("INCOME_UNPROVEN", "PAPERS_INCOMPLETE", "DEBTS_HIGH", "OFFICER_JUDGEMENT")


class Desk:
    def __init__(self, cast: Cast, wishes: dict[date, list[Wish]]) -> None:
        self._cast, self._wishes = cast, wishes
        self._products = {row.code: row.pk for row in Product.objects.filter(state=Product.State.LIVE)}

    def day(self, on: date) -> int:
        """The customers answer yesterday's offers; then the new ones apply."""
        self._answer(on)
        asked = self._wishes.get(on, [])
        if asked:
            self._apply(asked, on)
        return len(asked)

    def review(self, on: date) -> None:
        """The officers decide what was left to them yesterday."""
        self._second_people(on)
        self._review(on)

    def _apply(self, wishes: Sequence[Wish], on: date) -> None:
        ids = self._cast.ids
        self._cast.consent([ids[wish.who.ref] for wish in wishes], on)
        asks = [
            applications.Ask(
                customer_id=ids[wish.who.ref],
                product_id=self._products[wish.product],
                amount=wish.amount,
                tenor=wish.tenor,
                answers=wish.answers,
            )
            for wish in wishes
        ]
        started = applications.start_many(asks, by=None, at=moment(on, 9))
        # Nobody submits at the same second as another, so that the order of applications is the same every time.
        moments = {
            application.pk: moment(on, 9, 5)
            + timedelta(seconds=wish.who.number, milliseconds=ord(wish.who.ref[0]))
            for wish, application in zip(wishes, started, strict=True)
            if isinstance(application, Application)
        }
        if moments:
            applications.submit_many(moments, by=None)

    def _answer(self, on: date) -> None:
        """Nine in ten accept the next day; the others let the offer run out."""
        offered = Offer.objects.filter(
            application__state=State.OFFERED, made_at__lt=moment(on, 0), shown_at=None
        )
        mine = self._cast.share.of_customers(offered, "application__customer_id")
        rows = mine.select_related("application").only("amount", "application__customer_id")
        found = list(rows.order_by("pk"))
        willing = [offer.pk for offer in found if self._accepts(offer)]
        if found:
            offers.show_many([offer.pk for offer in found], by=None, at=moment(on, 10), on=on)
        if willing:
            offers.accept_many(willing, by=None, at=moment(on, 10, 2), on=on)

    def _accepts(self, offer: Offer) -> bool:
        who = self._cast.by_id[offer.application.customer_id]
        return stream(self._cast.world.seed, "accept", who.ref, offer.amount).random() < ACCEPTS

    def _review(self, on: date) -> None:
        asked = ApprovalRequest.objects.filter(state=ApprovalRequest.State.PENDING)
        waiting = {request.payload.get("application_id") for request in asked}
        referred = Application.objects.filter(state=State.REFERRED, submitted_at__lt=moment(on, 0))
        rows = [
            row
            for row in self._mine(referred)
            .select_related("product")
            .only("customer_id", "amount", "product__min_amount")
            .order_by("pk")
            if row.pk not in waiting
        ]
        if rows:
            self._decide(rows, on)

    def _decide(self, rows: Sequence[Application], on: date) -> None:
        """Yes, or a word why not; above what one officer may decide, the product itself asks a second person."""
        officer, at = self._cast.staff["credit_officer"], moment(on, 11)
        declined, approved = [], []
        for row in rows:
            who = self._cast.by_id[row.customer_id]
            rng = stream(self._cast.world.seed, "officer", who.ref, row.amount)
            if who.is_student or who.quality + rng.gauss(0, OFFICER_ERRS) < OFFICER_APPROVES_ABOVE:
                reason = "STUDENT" if who.is_student else rng.choice(REASONS)
                declined.append(
                    applications.Decision(
                        application_id=row.pk, outcome=applications.DECLINE, reasons=[reason]
                    )
                )
            else:
                worth = self._worth(row, rng.uniform(0.6, 1.0))
                approved.append(
                    desk.Approval(application_id=row.pk, amount=worth, note="Papers are in order")
                )
        if declined:
            applications.decide_many(declined, by=officer, at=at, on=on)
        if approved:
            desk.approve_applications(approved, by=officer, at=at, on=on)

    def _mine(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of the customers of this quarter."""
        return self._cast.share.of_customers(rows)

    def _worth(self, application: Application, share: float) -> Decimal:
        step = Decimal(100)
        amount = (application.amount * Decimal(f"{share:.2f}") / step).quantize(Decimal(1)) * step
        return min(application.amount, max(application.product.min_amount, amount))

    def _second_people(self, on: date) -> None:
        """What one person asked for yesterday, another decides today; one in ten is refused."""
        asked = ApprovalRequest.objects.filter(state=ApprovalRequest.State.PENDING, made_at__lt=moment(on, 0))
        for request in asked.order_by("pk"):
            who = self._cast.by_id.get(request.customer_id)
            if who is not None:
                self._second(request, stream(self._cast.world.seed, "second", who.ref, on).random() < 0.1, on)

    def _second(self, request: ApprovalRequest, refuses: bool, on: date) -> None:
        senior, at = self._cast.staff["senior_approver"], moment(on, 10, 30)
        if refuses:
            approvals.reject(request_id=request.pk, by=senior, at=at, remark="Not on these papers")
        else:
            approvals.approve(request_id=request.pk, by=senior, at=at, on=on)
