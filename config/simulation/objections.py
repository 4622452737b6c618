"""Customers object to what a control did to their line, and staff answer."""

from datetime import date

from config.simulation.cast import Cast, moment
from config.simulation.streams import stream
from lending import bulk
from lending.shares import CUSTOMERS
from risk.models import Appeal
from risk.services import appeals

WORDS = {
    "en": "I moved house and furnished it; what did not fit went back. Please look again.",
    "zh-hans": "我搬了新家，买了家具，不合适的都退了。请再看一下。",
}
# Asked every day, whatever there is.
TRIPPED = bulk.Tuples(f"""
    SELECT a.customer_id, a.line_id FROM risk_alert a LEFT JOIN lending_creditline l ON l.id = a.line_id
    WHERE a.state = 'OPEN' AND a.at >= %s AND a.action IN ('CUT', 'SUSPEND') AND l.state IS DISTINCT FROM 'CLOSED'
      AND a.{CUSTOMERS} ORDER BY a.id
""")  # noqa: S608
OPEN = bulk.Tuples(f"""
    SELECT id, customer_id FROM risk_appeal WHERE state = 'OPEN' AND opened_at < %s AND {CUSTOMERS} ORDER BY id
""")  # noqa: S608
ANSWERS = {True: "Your record with us is good.", False: "The pattern is too far from what is usual for you."}


class Objections:
    def __init__(self, cast: Cast) -> None:
        self._cast = cast

    def raise_them(self, on: date) -> None:
        """Of those whose line a control cut or suspended today about half object, the honest more often."""
        for customer_id, line_id in TRIPPED(moment(on, 0), *self._cast.share.params):
            who = self._cast.by_id[customer_id]
            objects = stream(self._cast.world.seed, "appeal", who.ref, on).random() < 0.1 + 0.5 * who.quality
            if objects and not Appeal.objects.filter(line_id=line_id, state=Appeal.State.OPEN).exists():
                words = WORDS[who.language]
                appeals.open(line_id=line_id, text=words, by=None, at=moment(on, 23, 40))

    def answer(self, on: date) -> None:
        """Staff look at the whole customer, and mostly see who is honest."""
        for appeal_id, customer_id in OPEN(moment(on, 0), *self._cast.share.params):
            who = self._cast.by_id[customer_id]
            upheld = who.quality > 0.5 and not who.cash_out
            appeals.decide(
                appeal_id=appeal_id,
                uphold=upheld,
                answer=ANSWERS[upheld],
                by=self._cast.staff["risk_analyst"],
                at=moment(on, 11, 30),
            )
