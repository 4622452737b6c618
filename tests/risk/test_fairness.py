"""Rates by group with their intervals; a flag, and nothing blocked by it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from lending.models import Application, BusinessDate, Product
from risk.engine import fairness as engine
from risk.models import Assessment
from risk.selectors import fairness
from tests.risk.conftest import MONDAY


@pytest.mark.parametrize(
    "hits, count, low, high",
    [  # Newcombe 1998, table I
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_against_published_figures(hits, count, low, high):
    assert engine.wilson(hits, count) == pytest.approx((low, high), abs=5e-5)


def test_four_fifths_and_how_sure():
    found = {g.name: g for g in engine.compare({
        "best": (1000, 800, 0, 0), "near": (1000, 641, 0, 0), "below": (40, 24, 0, 0),
        "surely": (1000, 500, 200, 20), "few": (29, 0, 0, 0),
    })}  # fmt: skip
    assert [name for name, g in found.items() if g.flagged] == ["surely", "below"]
    assert [name for name, g in found.items() if g.surely] == ["surely"]
    assert found["few"].ratio is None and found["surely"].bad.share == 0.1
    assert engine.compare({}) == []


@pytest.fixture
def decided(make_customer, at):
    """So many decided applications, approved or not, of people of that age and region."""
    product = Product.objects.get(code="pay-later")

    def make(count: int, approved: bool, age: int | None = 30, region: str = "北京", **person) -> list:
        found = []
        for _number in range(count):
            row = Application.objects.create(
                customer=make_customer(region=region, **person),
                product=product,
                amount=Decimal(5000),
                submitted_at=at,
                decided_at=at,
                approved_amount=Decimal(5000) if approved else None,
                created_at=at,
                state="OFFERED" if approved else "DECLINED",
            )
            facts = {"facts": {"age": age, "region": region, "is_student": False}, "features": {}}
            Assessment.objects.create(application=row, as_of=at, inputs=facts, outcome="APPROVE", at=at)
            found.append(row)
        return found

    return make


def names(grouping: str, since=MONDAY, until=MONDAY) -> dict:
    found = fairness.by_group(grouping, since=since, until=until, on=MONDAY + timedelta(days=90))
    return {group.name: (group.approved.count, group.approved.hits) for group in found}


def test_decisions_are_counted_by_what_they_had_before_them(decided):
    decided(2, True, age=24)
    decided(1, False, age=25)
    decided(1, True, age=None, region="上海")
    decided(1, True, age=60)
    assert names("age") == {"18-24": (2, 2), "25-34": (1, 0), "": (1, 1), "55+": (1, 1)}
    assert names("region") == {"北京": (4, 3), "上海": (1, 1)}
    assert names("age", since=MONDAY + timedelta(days=1), until=MONDAY + timedelta(days=9)) == {}


def test_bad_is_counted_of_what_has_matured(decided, make_line, make_loan):
    good, bad, young = decided(3, True)
    for row, due in ((good, 0), (bad, 0), (young, 80)):
        line = make_line(customer=row.customer)
        line.application = row
        line.save()
        loan = make_loan(line=line, ref=f"o{row.pk}")
        loan.instalments.update(due_on=MONDAY + timedelta(days=due))
        if row == good:
            loan.instalments.update(paid_on=MONDAY + timedelta(days=3), outstanding=0)
    (group,) = fairness.by_group("region", since=MONDAY, until=MONDAY, on=MONDAY + timedelta(days=90))
    assert (group.bad.count, group.bad.hits) == (2, 1)


def test_sex_only_where_the_site_names_it(decided, settings):
    decided(1, True, id_number="11010519491231002X")
    decided(1, False)
    assert "sex" not in fairness.groupings()
    settings.FAIRNESS_GROUPS = ["sex"]
    assert fairness.groupings() == ["sex"]
    assert names("sex") == {"F": (1, 1), "": (1, 0)}


def test_the_page(decided, client, staff, settings):
    decided(30, True)
    decided(30, False, region="上海")
    BusinessDate.objects.update(date=MONDAY + timedelta(days=1))
    client.force_login(staff("analyst"))
    page = reverse("admin:risk_assessment_fairness")
    text = client.get(page, {"by": "region"}).content.decode()
    assert "上海" in text and "88.6%" in text  # the lower end for 30 of 30
    assert client.get(page, {"by": "sex"}).status_code == 200  # an error of the form
    assert client.get(page, {"by": "age", "format": "csv"}).status_code == 200
    settings.FAIRNESS_GROUPS = []
    assert client.get(page).status_code == 200
    assert Application.objects.filter(state="DECLINED").count() == 30
