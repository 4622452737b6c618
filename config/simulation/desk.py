"""Applications: who asks, what the machine says, what officers make of the rest, and who accepts."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from config.simulation.cast import Cast, moment
from config.simulation.streams import stream
from config.simulation.world import Wish
from lending import bulk
from lending.models import Application, Product
from lending.services import applications, approvals, desk, offers
from lending.shares import CUSTOMERS

ACCEPTS = 0.9
# An officer sees more than the machine, papers and a voice, and errs all the same.
OFFICER_ERRS = 0.35
OFFICER_APPROVES_ABOVE = 0.1
# What lies on the desk; asked every day, whatever there is.
OFFERED = bulk.Tuples(f"""
    SELECT o.id, o.amount, a.customer_id FROM lending_offer o JOIN lending_application a ON a.id = o.application_id
    WHERE a.state = 'OFFERED' AND o.made_at < %s AND o.shown_at IS NULL AND a.{CUSTOMERS} ORDER BY o.id
""")  # noqa: S608
REFERRED = bulk.Tuples(f"""
    SELECT a.id, a.customer_id, a.amount, p.min_amount
    FROM lending_application a JOIN lending_product p ON p.id = a.product_id
    WHERE a.state = 'REFERRED' AND a.submitted_at < %s AND a.{CUSTOMERS} AND NOT EXISTS (
        SELECT FROM lending_approvalrequest r
        WHERE r.state = 'PENDING' AND r.payload ->> 'application_id' = a.id::text
    ) ORDER BY a.id
""")  # noqa: S608
PENDING = bulk.Tuples(f"""
    SELECT id, customer_id FROM lending_approvalrequest
    WHERE state = 'PENDING' AND made_at < %s AND {CUSTOMERS} ORDER BY id
""")  # noqa: S608
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
        if rows := REFERRED(moment(on, 0), *self._cast.share.params):
            self._decide(rows, on)

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
        found = OFFERED(moment(on, 0), *self._cast.share.params)
        willing = [offer_id for offer_id, amount, customer_id in found if self._accepts(customer_id, amount)]
        if found:
            offers.show_many([offer_id for offer_id, *_ in found], by=None, at=moment(on, 10), on=on)
        if willing:
            offers.accept_many(willing, by=None, at=moment(on, 10, 2), on=on)

    def _accepts(self, customer_id: int, amount: Decimal) -> bool:
        who = self._cast.by_id[customer_id]
        return stream(self._cast.world.seed, "accept", who.ref, amount).random() < ACCEPTS

    def _decide(self, rows: Sequence[tuple[int, int, Decimal, Decimal]], on: date) -> None:
        """Yes, or a word why not; above what one officer may decide, the product itself asks a second person."""
        officer, at = self._cast.staff["credit_officer"], moment(on, 11)
        declined, approved = [], []
        for application_id, customer_id, amount, least in rows:
            who = self._cast.by_id[customer_id]
            rng = stream(self._cast.world.seed, "officer", who.ref, amount)
            if who.is_student or who.quality + rng.gauss(0, OFFICER_ERRS) < OFFICER_APPROVES_ABOVE:
                reason = "STUDENT" if who.is_student else rng.choice(REASONS)
                declined.append(
                    applications.Decision(
                        application_id=application_id, outcome=applications.DECLINE, reasons=[reason]
                    )
                )
            else:
                worth = self._worth(amount, least, rng.uniform(0.6, 1.0))
                approved.append(
                    desk.Approval(application_id=application_id, amount=worth, note="Papers are in order")
                )
        if declined:
            applications.decide_many(declined, by=officer, at=at, on=on)
        if approved:
            desk.approve_applications(approved, by=officer, at=at, on=on)

    def _worth(self, asked: Decimal, least: Decimal, share: float) -> Decimal:
        step = Decimal(100)
        return min(asked, max(least, (asked * Decimal(f"{share:.2f}") / step).quantize(Decimal(1)) * step))

    def _second_people(self, on: date) -> None:
        """What one person asked for yesterday, another decides today; one in ten is refused."""
        senior, at = self._cast.staff["senior_approver"], moment(on, 10, 30)
        for request_id, customer_id in PENDING(moment(on, 0), *self._cast.share.params):
            who = self._cast.by_id[customer_id]
            if stream(self._cast.world.seed, "second", who.ref, on).random() < 0.1:
                approvals.reject(request_id=request_id, by=senior, at=at, remark="Not on these papers")
            else:
                approvals.approve(request_id=request_id, by=senior, at=at, on=on)
