"""Customers object to what a control did to their line, and staff answer."""

from datetime import date

from config.simulation.cast import Cast, moment
from config.simulation.streams import stream
from lending.models import CreditLine
from risk.models import Alert, Appeal
from risk.services import appeals

WORDS = {
    "en": "I moved house and furnished it; what did not fit went back. Please look again.",
    "zh-hans": "我搬了新家，买了家具，不合适的都退了。请再看一下。",
}
ANSWERS = {True: "Your record with us is good.", False: "The pattern is too far from what is usual for you."}


class Objections:
    def __init__(self, cast: Cast) -> None:
        self._cast = cast

    def raise_them(self, on: date) -> None:
        """Of those whose line a control cut or suspended today about half object, the honest more often."""
        tripped = Alert.objects.filter(
            state=Alert.State.OPEN, at__gte=moment(on, 0), action__in=("CUT", "SUSPEND")
        ).exclude(line__state=CreditLine.State.CLOSED)
        for alert in tripped.order_by("pk"):
            who = self._cast.by_id.get(alert.customer_id)
            if who is None:
                continue
            objects = stream(self._cast.world.seed, "appeal", who.ref, on).random() < 0.1 + 0.5 * who.quality
            if objects and not Appeal.objects.filter(line_id=alert.line_id, state=Appeal.State.OPEN).exists():
                words = WORDS[who.language]
                appeals.open(line_id=alert.line_id, text=words, by=None, at=moment(on, 23, 40))

    def answer(self, on: date) -> None:
        """Staff look at the whole customer, and mostly see who is honest."""
        for appeal in Appeal.objects.filter(state=Appeal.State.OPEN, opened_at__lt=moment(on, 0)).order_by(
            "pk"
        ):
            who = self._cast.by_id.get(appeal.customer_id)
            if who is not None:
                upheld = who.quality > 0.5 and not who.cash_out
                appeals.decide(
                    appeal_id=appeal.pk,
                    uphold=upheld,
                    answer=ANSWERS[upheld],
                    by=self._cast.staff["risk_analyst"],
                    at=moment(on, 11, 30),
                )
