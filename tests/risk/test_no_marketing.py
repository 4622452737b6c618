"""Marketing data never enters price or limit: whoever differs in nothing else is judged the same, word for word."""

import inspect
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from stdnum.cn import ric

from lending.models import Application, Customer, Product
from lending.services import customers
from risk import features
from risk.models import Assessment, PolicyVersion
from risk.selectors import facts
from risk.services import policies, scoring
from tests.lending.conftest import MONDAY, moment
from tests.risk.cards import champion
from tests.risk.conftest import days_ago, row
from tests.risk.test_scoring import apply  # noqa: F401 - a fixture

# Every column of a customer that is no risk input, with another value than it had.
NOT_LOOKED_AT = {
    "name": "李娜",
    "email": "vip@example.com",
    "phone": "13800138000",
    "language": "en",
    "timezone": "UTC",
    "group_name": "gold circle",
}
MARKETING = {"campaign": "618", "coupon": "20 off", "membership": "GOLD", "points": 90000, "channel": "ad"}


def identity(number: int) -> str:
    body = f"1101051949123100{number}"
    return body + ric.calc_check_digit(body + "0")


@pytest.fixture
def priced(staff, at, books) -> None:
    """A live policy that sets a price as well as a limit, and a product that leaves room for it."""
    champion(staff("approver"), at, return_share_180d=(0.5, 2.0))
    Product.objects.filter(code="pay-later").update(state="DRAFT")
    Product.objects.filter(code="pay-later").update(min_fee_rate="0.001", max_fee_rate="0.006", state="LIVE")
    live = PolicyVersion.objects.get(segment="PERSON", state="LIVE")
    rows = [{"share_of_income": "1", "max": "50000"}, {"fee_rate": "0.004"}]
    matrix = live.matrix | {"B": rows}
    author = staff("author")
    draft = policies.draft(segment="PERSON", rules=live.rules, matrix=matrix, note="", by=author, at=at)
    policies.shadow(policy_id=draft.pk, by=author, at=at)
    policies.go_live(policy_id=draft.pk, by=staff("second"), at=at)


def events(ref: str, **data: object):
    for kind, days in (("ORDER", 40), ("DELIVERY", 38), ("ORDER", 9), ("DELIVERY", 6), ("RETURN", 5)):
        yield row(ref, kind, at=days_ago(days), data=data)


def test_who_differs_only_in_marketing_gets_the_same_limit_and_price(priced, apply, tell, at):  # noqa: F811
    plain = apply(platform_ref="plain", id_number=identity(1))
    wooed = apply(platform_ref="wooed", id_number=identity(2), answers={"heard_of_us": "an influencer"})
    Customer.objects.filter(pk=wooed.customer_id).update(**NOT_LOOKED_AT)
    for purpose in ("MARKETING", "THIRD_PARTY"):
        if purpose in dict(customers.Consent.Purpose.choices):
            customers.give_consent(
                customer_id=wooed.customer_id, purpose=purpose, text_version="1", by=None, at=at
            )
    tell(*events("plain"), *events("wooed", **MARKETING))
    later = moment(MONDAY, 13) + timedelta(days=1)
    scoring.score_waiting(at=later)
    one, two = (Assessment.objects.get(application=each) for each in (plain, wooed))
    assert one.inputs == two.inputs
    assert one.fingerprints == two.fingerprints
    assert (two.outcome, two.limit, two.fee_rate) == ("APPROVE", Decimal("6000"), Decimal("0.004"))
    offers = [Application.objects.get(pk=each.pk).offers.get() for each in (plain, wooed)]
    assert (
        len({(offer.amount, offer.annual_rate, offer.fee_rate, offer.annual_cost) for offer in offers}) == 1
    )


def test_every_other_column_of_a_customer_is_known_as_a_risk_input():
    """A new column must be put on one side or the other before it can be scored."""
    looked_at = {
        *("id", "kind", "state", "platform_ref", "id_number", "id_number_digest", "phone_digest"),
        *("region", "industry", "is_student", "monthly_income", "registered_on", "user"),
    }
    columns = {column.name for column in Customer._meta.concrete_fields}
    assert columns - looked_at == set(NOT_LOOKED_AT)


def test_no_feature_and_no_fact_reads_marketing_data():
    words = re.compile(r"market|member|campaign|coupon|loyal|advert", re.IGNORECASE)
    assert not [
        one.name for one in features.ALL.values() if words.search(one.sql) or words.search(one.source)
    ]
    assert not words.search(inspect.getsource(facts))
