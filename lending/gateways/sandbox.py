"""A gateway for demos and tests: a page of our own with two buttons, and answers signed like a real one's."""

from collections.abc import Mapping
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from lending.gateways.base import Answer, Forged, Order, Taken
from lending.models import Payment

SUCCEED, FAIL = "succeed", "fail"
# What an account answers to a debit, by the end of its number; every other account pays.
ENDINGS = {"0001": "INSUFFICIENT", "0002": "CLOSED_ACCOUNT", "0003": "REFUSED", "0004": "UNKNOWN"}


class Sandbox:
    """No money moves. The signature is an HMAC-SHA-256 over reference, amount and outcome."""

    name = "sandbox"

    def page(self, payment: Payment, return_url: str) -> str:
        return reverse("lending:sandbox", args=[payment.reference])

    def answer(self, payment: Payment, outcome: str) -> dict[str, str]:
        """What the gateway would send after the customer's choice."""
        data = {"reference": payment.reference, "amount": f"{payment.amount:.2f}", "outcome": outcome}
        return data | {"signature": _signature(data)}

    def return_address(self, payment: Payment, outcome: str) -> str:
        return f"{reverse('lending:payment_return')}?{urlencode(self.answer(payment, outcome))}"

    def debit(self, order: Order) -> Taken:
        return Taken(ENDINGS.get(order.account[-4:], "OK"))

    def read(self, data: Mapping[str, str]) -> Answer:
        if not constant_time_compare(data.get("signature", ""), _signature(data)):
            raise Forged
        ok = data["outcome"] == SUCCEED
        return Answer(data["reference"], ok, "" if ok else _("The payment was cancelled."))


def _signature(data: Mapping[str, str]) -> str:
    signed = "|".join(data.get(name, "") for name in ("reference", "amount", "outcome"))
    return salted_hmac("lending.gateways.sandbox", signed, algorithm="sha256").hexdigest()
