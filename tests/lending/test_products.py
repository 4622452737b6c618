"""The shelf: terms typed in, previewed, held against the legal cap, put on sale by two people, and frozen."""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from lending.admin.products import ProductForm
from lending.errors import Refused
from lending.models import (
    Application,
    ApprovalRequest,
    Event,
    Loan,
    Offer,
    Product,
    RuleParameter,
)
from lending.selectors import pricing
from lending.selectors import products as selectors
from lending.services import (
    accrual,
    applications,
    approvals,
    collateral,
    lines,
    loans,
    offers,
    products,
    purchases,
    statements,
)
from tests.lending.admin_support import button, desk, page, words
from tests.lending.conftest import MONDAY, moment

ADD = "admin:lending_product_add"


def typed(**values: Any) -> dict[str, Any]:
    """What a browser would send: every field of the form, filled in as it comes or as said."""
    first = {name: field.initial for name, field in ProductForm().fields.items()}
    blank = {name: "" if value is None else value for name, value in first.items()}
    blank = {
        name: value() if callable(value) else value for name, value in blank.items() if value is not False
    }
    return (
        blank
        | {
            "code": "festival",
            "name": "Festival",
            "name_zh": "节日分期",
            "kind": "LOAN",
            "audience": "PERSON",
            "method": "EQUAL_INSTALMENT",
            "annual_rate": "0.1",
            "tenors": "3,6",
            "max_amount": "1000",
            "penalty_rate": "0.15",
        }
        | values
    )


def add(client: Client, **values: Any) -> Product:
    answer = client.post(reverse(ADD), typed(**values))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    return Product.objects.get(code=typed(**values)["code"], state="DRAFT")


def sell(draft: Product) -> None:
    """Asked for by one, allowed by another."""
    answer = desk("risk_analyst").post(button(draft, "go_live"), {"reason": "Agreed in the committee"})
    assert answer.status_code == 302, words(answer)
    request = ApprovalRequest.objects.get(state="PENDING", command="product.go_live")
    answer = desk("senior_approver").post(button(request, "approve"), {"remark": "Fine"})
    assert answer.status_code == 302, words(answer)


def draft(**values: Any) -> Product:
    """A draft with these terms, through the service."""
    terms = {
        "code": "spring",
        "name": "Spring",
        "name_zh": "春季",
        "kind": "LOAN",
        "audience": "PERSON",
        "method": "EQUAL_INSTALMENT",
        "annual_rate": D("0.12"),
        "tenors": [3, 12],
        "min_amount": D("1000"),
        "max_amount": D("50000"),
        "penalty_rate": D("0.18"),
    }
    return products.create(values=terms | values, by=None, at=moment(MONDAY))


def live(**values: Any) -> Product:
    made = draft(**values)
    return products.go_live(product_id=made.pk, by=None, at=moment(MONDAY), on=MONDAY)


# --- from draft to sale -------------------------------------------------------------------------------------------


def test_a_product_is_drafted_sold_by_two_and_frozen(books: date) -> None:
    client = desk("risk_analyst")
    first = add(client)
    assert client.post(page(first), typed(annual_rate="0.11")).status_code == 302
    sell(first)
    first.refresh_from_db()
    assert (first.state, first.annual_rate) == (Product.State.LIVE, D("0.11"))
    assert client.post(page(first), typed()).status_code == 403
    client.post(button(first, "new_version"), {})
    second = Product.objects.get(code="festival", version=2)
    sell(second)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == (Product.State.RETIRED, Product.State.LIVE)
    kinds = Event.objects.filter(kind__startswith="product.").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == [
        *("product.drafted", "product.edited", "product.live", "product.drafted", "product.retired"),
        "product.live",
    ]


def test_whoever_asks_cannot_allow_it(books: date) -> None:
    client = desk("senior_approver")
    made = add(client)
    client.post(button(made, "go_live"), {"reason": "It is good"})
    request = ApprovalRequest.objects.get(command="product.go_live")
    assert "a second person" in words(client.post(button(request, "approve"), {"remark": "x"})).lower()
    # The accountant decides on requests, but has no say about products.
    assert "may not decide" in words(desk("accountant").post(button(request, "approve"), {"remark": "x"}))
    made.refresh_from_db()
    assert made.state == Product.State.DRAFT


def test_a_draft_that_waits_cannot_be_changed_under_the_checker(books: date) -> None:
    client = desk("risk_analyst")
    made = add(client)
    client.post(button(made, "go_live"), {"reason": "It is good"})
    answer = client.post(page(made), typed(annual_rate="0.2"), follow=True)
    assert "waits for a second person" in words(answer)
    assert "waits for a second person already" in words(
        client.post(button(made, "go_live"), {"reason": "Once more"})
    )
    made.refresh_from_db()
    assert made.annual_rate == D("0.1")
    request = ApprovalRequest.objects.get(command="product.go_live")
    client.post(button(request, "withdraw"), {})
    assert client.post(page(made), typed(annual_rate="0.2")).status_code == 302


@pytest.mark.parametrize(
    ("term", "value"),
    [("annual_rate", "0.2"), ("days_to_pay", 5), ("insurer", "Other"), ("penalty_cap_rate", "0.1")],
)
def test_the_database_freezes_every_term_once_live(books: date, term: str, value: object) -> None:
    made = live()
    with pytest.raises(DatabaseError, match="frozen"), transaction.atomic():
        Product.objects.filter(pk=made.pk).update(**{term: value})


# --- the form -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"tenors": "0"}, "tenors"),
        ({"tenors": "three"}, "tenors"),
        ({"tenors": "3,3"}, "tenors"),
        ({"day_count": "31/365"}, "day_count"),
        ({"max_amount": "50"}, "__all__"),
        ({"annual_rate": "-0.1"}, "annual_rate"),
        ({"annual_rate": "12"}, "annual_rate"),
        ({"max_amount": "1000.001"}, "max_amount"),
        ({"min_annual_rate": "0.2"}, "min_annual_rate"),
        ({"max_annual_rate": "0.05"}, "max_annual_rate"),
        ({"default_tenor": "4"}, "default_tenor"),
        ({"default_amount": "5000"}, "default_amount"),
        ({"insurance_rate": "0.01"}, "insurer"),
        ({"guarantee_rate": "0.01"}, "guarantor"),
        ({"other_cost": "20"}, "other_cost_name"),
        ({"method": "FLAT_FEE", "fee_rate": "0.005"}, "annual_rate"),
        ({"grace_principal_instalments": "3"}, "grace_principal_instalments"),
        ({"down_payment_rate": "1"}, "down_payment_rate"),
        ({"instalment_multiple_of": "0"}, "instalment_multiple_of"),
        ({"upfront_fee_amount": "100"}, "upfront_fee_amount"),
        ({"every": "0"}, "every"),
        ({"kind": "LINE", "unit": "WEEK"}, "unit"),
        ({"kind": "LINE", "upfront_fee_rate": "0.01"}, "upfront_fee_rate"),
        ({"kind": "LINE", "statement_day": "22", "days_to_pay": "10"}, "days_to_pay"),
        ({"statement_day": "29"}, "statement_day"),
        ({"code": "pay-later"}, "__all__"),
    ],
)
def test_a_wrong_draft_is_answered_at_its_field(books: date, values: dict, field: str) -> None:
    response = desk("senior_approver").post(reverse(ADD), typed(**values))
    assert response.status_code == 200
    assert set(response.context["adminform"].form.errors) == {field}
    assert not Product.objects.filter(state="DRAFT").exists()


def test_every_term_of_the_form_reaches_the_engine(books: date) -> None:
    made = add(
        desk("risk_analyst"),
        every="2",
        unit="WEEK",
        rounding="HALF_EVEN",
        residue="SMOOTH",
        day_count="ACT/365",
        interest_period="DAILY",
        interest_free_days="10",
        down_payment_rate="0.1",
        grace_principal_instalments="1",
        allocation="DUE_THEN_PRINCIPAL",
        settlement_fee="CHARGE",
        upfront_fee_rate="0.01",
        upfront_fee_amount="5",
        penalty_grace_days="3",
        penalty_cap_rate="0.24",
        penalty_year_days="360",
    )
    told = made.terms(D("1000"), 3, MONDAY).to_json()
    assert told | {"annual_rate": "0.1", "penalty_rate": "0.15"} == {
        "principal": "1000",
        "annual_rate": "0.1",
        "method": "EQUAL_INSTALMENT",
        "instalments": 3,
        "every": 2,
        "unit": "WEEK",
        "disbursed_on": "2026-03-02",
        "day_count": "ACT/365",
        "interest_period": "DAILY",
        "residue": "SMOOTH",
        "down_payment_rate": "0.10000000",
        "upfront_fee": "15.00",
        "grace_principal_instalments": 1,
        "interest_free_days": 10,
        "allocation": "DUE_THEN_PRINCIPAL",
        "penalty_rate": "0.15",
        "penalty_grace_days": 3,
        "penalty_cap": "240.00",
        "day_count_penalty": 360,
        "settlement_fee": "CHARGE",
    }


# --- the preview --------------------------------------------------------------------------------------------------


def test_the_preview_shows_schedule_cost_and_headroom_of_what_is_typed_in(books: date) -> None:
    chosen = {"preview_amount": "900", "preview_tenor": "3", "preview_on": "2026-03-02"}
    answer = desk("risk_analyst").post(reverse("admin:lending_product_preview"), typed(**chosen))
    text = words(answer)
    # 900 at 10 % in 3: level 305.01, interest 7.50 first; compounded (1 + 0.1/12)^12 - 1 = 10.47 %, 13.53 below 24 %.
    assert "Schedule of 900.00 in 3 instalments" in text
    assert re.search(r"297\.51\s+7\.50\s+0\.00\s+305\.01\s+602\.49", text)
    assert re.search(r"6 \S+ 10\.4\d% 10\.4\d% 13\.5\d", text)
    assert not Product.objects.filter(code="festival").exists()


def test_the_preview_button_works_without_script_and_saves_nothing(books: date) -> None:
    client = desk("risk_analyst")
    answer = client.post(reverse(ADD), typed(annual_rate="0.2", preview_amount="600", _preview="1"))
    assert answer.status_code == 200
    assert "Schedule of 600.00 in 6 instalments" in words(answer)
    assert 'value="0.2"' in answer.content.decode()
    assert not Product.objects.filter(code="festival").exists()
    made = add(client)
    answer = client.post(page(made), typed(annual_rate="0.15", _preview="1"))
    assert 'value="0.15"' in answer.content.decode()
    made.refresh_from_db()
    assert made.annual_rate == D("0.1")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"annual_rate": "abc"}, "Correct the terms above"),
        ({"preview_amount": "-5"}, "Choose an amount"),
        ({"preview_tenor": "5"}, "not on offer"),
        ({"preview_on": "0001-01-01"}, "Choose an amount"),
        ({"preview_on": "9999-12-31"}, "Choose an amount"),
        ({"preview_amount": "1e30"}, "Choose an amount"),
        ({"grace_principal_instalments": "5"}, "must leave at least one instalment"),
        ({"tenors": ""}, "Correct the terms above"),
    ],
)
def test_a_preview_that_cannot_be_made_says_why(books: date, values: dict, said: str) -> None:
    answer = desk("risk_analyst").post(reverse("admin:lending_product_preview"), typed(**values))
    assert answer.status_code == 200
    assert said in words(answer)


def test_rates_stand_in_the_form_as_people_write_them(books: date) -> None:
    made = draft()
    text = desk("risk_analyst").get(page(made)).content.decode()
    assert 'name="annual_rate" value="0.12"' in text
    assert 'name="down_payment_rate" value="0"' in text
    assert "0E-" not in text


def test_the_preview_is_for_who_may_see_products(books: date) -> None:
    assert desk("nobody").post(reverse("admin:lending_product_preview"), typed()).status_code in (302, 403)


def test_a_live_version_shows_its_preview_and_what_changed(books: date) -> None:
    live()
    old = Product.objects.get(code="spring")
    new = products.new_version(product_id=old.pk, by=None, at=moment(MONDAY))
    products.edit(
        product_id=new.pk,
        values={
            "annual_rate": D("0.15"),
            "tenors": [3, 6],
            "single_is_free": True,
            "settlement_fee": "CHARGE",
        },
        by=None,
        at=moment(MONDAY),
    )
    new.refresh_from_db()
    assert [(c.before, c.after) for c in selectors.changes(old, new)] == [
        ("3, 12", "3, 6"),
        ("12.00%", "15.00%"),
        ("No", "Yes"),
        ("given up when settled early", "due also when settled early"),
    ]
    client = desk("compliance_officer")
    text = words(client.get(page(new)))
    assert "What changes against version 1" in text
    assert "12.00% 15.00%" in text
    assert "Schedule of 2,000.00 in 3 instalments" in words(
        client.get(page(old), {"preview_amount": "2000", "preview_tenor": "3"})
    )


# --- the legal cap ------------------------------------------------------------------------------------------------


def test_above_the_cap_it_says_at_which_tenor_and_by_how_much(books: date) -> None:
    # The tariff table of the facts: 1.2 % a month flat is 23.72 % compounded over 3, and 28.82 % over 12 instalments.
    made = draft(
        method="FLAT_FEE", annual_rate=D(0), fee_rate=D("0.012"), tenors=[3, 12], min_amount=D(50000)
    )
    answer = desk("risk_analyst").post(button(made, "go_live"), {"reason": "x"})
    text = words(answer)
    assert "above the legal cap of 24.00%" in text
    assert "12 instalments cost 28.82%, 4.83 percentage points above" in text
    assert "3 instalments cost" not in text.replace("12 instalments cost", "")
    assert not ApprovalRequest.objects.exists()


def test_the_cap_is_held_against_the_highest_price_and_the_dearest_amount(books: date) -> None:
    inside = draft(code="a", annual_rate=D("0.2"), max_annual_rate=D("0.21"))
    assert not list(pricing.excesses(inside, MONDAY))
    wide = draft(code="b", annual_rate=D("0.2"), max_annual_rate=D("0.23"))
    with pytest.raises(Refused, match="12 instalments cost"):
        products.go_live(product_id=wide.pk, by=None, at=moment(MONDAY), on=MONDAY)
    # 100 kept back is nothing of 50,000 and a tenth of 1,000.
    small = draft(code="c", upfront_fee_amount=D(100))
    assert {excess.amount for excess in pricing.excesses(small, MONDAY)} == {D(1000)}


def test_the_cap_on_the_day_counts_by_its_own_basis(books: date) -> None:
    made = draft(annual_rate=D("0.238"))  # 23.8 % nominal, 26.6 % compounded
    with pytest.raises(Refused, match="above the legal cap"):
        products.check_ready(product_id=made.pk, on=MONDAY)
    RuleParameter.objects.filter(code="ALL_IN_COST_COMPOUNDED").update(value=0)
    products.check_ready(product_id=made.pk, on=MONDAY)
    with pytest.raises(Refused, match=r"legal cap of 12.00%"):
        products.check_ready(product_id=made.pk, on=date(2028, 1, 1))
    RuleParameter.objects.filter(code="ALL_IN_COST_CAP").delete()
    with pytest.raises(Refused, match="No legal cap"):
        products.check_ready(product_id=made.pk, on=MONDAY)


@pytest.mark.parametrize(("rate", "sold"), [("0.24", True), ("0.2400001", False)])
def test_a_bullet_of_one_year_at_the_cap_itself_can_be_sold(books: date, rate: str, sold: bool) -> None:
    made = draft(method="BULLET", annual_rate=D(rate), tenors=[12], min_amount=D(50000))
    found = list(pricing.excesses(made, MONDAY))
    assert bool(found) is not sold
    if found:
        assert found[0].above == D("0.0001")


def test_insurance_guarantee_and_other_costs_count(books: date) -> None:
    made = draft(
        insurance_rate=D("0.02"),
        insurer="Insurer",
        guarantee_rate=D("0.003"),
        guarantor="Guarantor",
        other_cost=D(50),
        other_cost_name="Appraisal",
        other_cost_name_zh="评估费",
        other_cost_payee="Appraiser",
    )
    quote = pricing.quote(made, D(10000), 12, MONDAY)
    assert quote.charged == D("610.00")  # 200 + 12 x 30 + 50
    # The same flows put together by hand: 9,750 received, 888.49 + 30 paid twelve times.
    flows = [(D(0), D("-9750"))] + [(D(n), row.total + 30) for n, row in enumerate(quote.rows, 1)]
    value = sum(amount / (1 + quote.annual_cost.nominal / 12) ** time for time, amount in flows)
    assert abs(value) < D("0.001")


def test_a_penalty_above_the_cap_cannot_be_sold(books: date) -> None:
    made = draft(penalty_rate=D("0.2555"))  # the old tariff of 0.07 % a day
    with pytest.raises(Refused, match="1.55 percentage points above the legal cap"):
        products.check_ready(product_id=made.pk, on=MONDAY)


def test_a_purchase_near_the_due_day_goes_to_the_next_bill_rather_than_above_the_cap(
    books: date, make_customer: Callable[..., Any]
) -> None:
    made = live(
        code="dear", kind="LINE", method="FLAT_FEE", annual_rate=D(0), fee_rate=D("0.012"), tenors=[3]
    )
    owner = make_customer()
    line = lines.open_line(
        customer_id=owner.pk, product_id=made.pk, limit=D(5000), by=None, at=moment(MONDAY), on=MONDAY
    )
    [plan] = purchases.plans(line, D(3000), MONDAY)  # the bill is made today and due in nine days
    assert plan.rows[0].due_on == date(2026, 4, 11)
    assert plan.annual_cost <= D("0.24")
    RuleParameter.objects.filter(code="ALL_IN_COST_CAP").update(value="0.10")
    assert purchases.plans(line, D(3000), MONDAY) == []
    with pytest.raises(Refused, match="above the legal cap"):
        purchases.authorise(
            line_id=line.pk, order_ref="o", amount=D(3000), tenor=3, by=None, at=moment(MONDAY), on=MONDAY
        )


# --- what the terms do --------------------------------------------------------------------------------------------


def asked(product: Product, owner: Any, amount: str = "10000", tenor: int | None = 12) -> Application:
    made = applications.start(
        customer_id=owner.pk, product_id=product.pk, amount=D(amount), tenor=tenor, by=None, at=moment(MONDAY)
    )
    return applications.submit(application_id=made.pk, by=None, at=moment(MONDAY))


def approve(application: Application, **terms: Any) -> Offer:
    applications.decide(
        application_id=application.pk, outcome="APPROVE", by=None, at=moment(MONDAY), on=MONDAY, **terms
    )
    return application.offers.get()


def take(offer: Offer) -> Application:
    offers.show(offer_id=offer.pk, by=None, at=moment(MONDAY), on=MONDAY)
    return offers.accept(offer_id=offer.pk, by=None, at=moment(MONDAY, 13), on=MONDAY)


def test_an_officer_offers_another_price_and_tenor_within_the_product(
    books: date, make_customer: Callable[..., Any]
) -> None:
    made = live(min_annual_rate=D("0.08"), max_annual_rate=D("0.2"))
    application = asked(made, make_customer())
    client = desk("credit_officer")
    form = client.get(button(application, "approve")).content.decode()
    assert 'name="annual_rate"' in form
    assert 'name="fee_rate"' not in form
    values = {"amount": "10000", "tenor": "3", "note": "Good payer", "annual_rate": "0.07"}
    assert "greater than or equal to 0.08" in words(client.post(button(application, "approve"), values))
    client.post(button(application, "approve"), values | {"annual_rate": "0.09"})
    offer = application.offers.get()
    assert (offer.tenor, offer.annual_rate, D(offer.sheet["annual_rate"])) == (3, D("0.09"), D("0.09"))
    loan = take(offer).loan
    assert D(loan.terms["annual_rate"]) == D("0.09")
    assert loan.instalments.count() == 3


@pytest.mark.parametrize(
    ("terms", "field"), [({"annual_rate": D("0.21")}, "annual_rate"), ({"tenor": 4}, "tenor")]
)
def test_a_price_outside_the_product_is_refused(
    books: date, make_customer: Callable[..., Any], terms: dict, field: str
) -> None:
    application = asked(live(max_annual_rate=D("0.2")), make_customer())
    with pytest.raises(Refused) as refusal:
        approve(application, **terms)
    assert refusal.value.field == field
    application.refresh_from_db()
    assert application.state == "SUBMITTED"


def test_a_large_approval_keeps_its_price_through_the_second_person(
    books: date, make_customer: Callable[..., Any], staff: Callable[[str], Any]
) -> None:
    from lending.services import desk as desks

    made = live(max_amount=D(100000), max_annual_rate=D("0.2"))
    application = asked(made, make_customer(), "80000")
    when = {"at": moment(MONDAY), "on": MONDAY}
    terms = {"tenor": 3, "annual_rate": D("0.15")}
    request = desks.approve_application(
        application_id=application.pk, amount=D(80000), note="x", by=staff("a"), **terms, **when
    )
    approvals.approve(request_id=request.pk, by=staff("b"), **when)
    offer = application.offers.get()
    assert (offer.tenor, offer.annual_rate) == (3, D("0.15"))


def test_a_line_keeps_the_price_it_was_offered(books: date, make_customer: Callable[..., Any]) -> None:
    made = live(
        kind="LINE",
        method="FLAT_FEE",
        annual_rate=D(0),
        fee_rate=D("0.006"),
        min_fee_rate=D("0.003"),
        tenors=[3],
    )
    line = take(approve(asked(made, make_customer(), tenor=None), fee_rate=D("0.004"))).line
    assert purchases.plan(line, D(1000), 3, MONDAY).rows[0].fee == D("4.00")


def test_missing_security_is_said_and_the_offer_stands(
    books: date, make_customer: Callable[..., Any]
) -> None:
    made = live(required_coverage=D("0.5"))
    owner = make_customer()
    offer = approve(asked(made, owner))
    with pytest.raises(Refused, match=r"¥5,000.00 must be pledged first; ¥0.00 is. Your offer stands"):
        take(offer)
    item = collateral.propose(
        customer_id=owner.pk,
        kind="DEPOSIT",
        description="Deposit",
        value=D(5000),
        haircut=D(0),
        valued_on=MONDAY,
        on=MONDAY,
        by=None,
        at=moment(MONDAY),
    )
    for step in ("verify", "pledge"):
        collateral.move(collateral_id=item.pk, step=step, note="", by=None, at=moment(MONDAY))
    assert take(offer).state == "BOOKED"


def test_no_more_loans_at_a_time_than_the_product_says(
    books: date, make_customer: Callable[..., Any]
) -> None:
    made, owner = live(max_open_loans=1), make_customer()
    take(approve(asked(made, owner)))
    with pytest.raises(Refused, match="as many loans"):
        asked(made, owner)


def test_the_penalty_ends_at_its_cap_on_the_books_as_in_the_fold(
    books: date, make_customer: Callable[..., Any]
) -> None:
    made = live(penalty_rate=D("0.24"), penalty_cap_rate=D("0.001"), penalty_year_days=360, tenors=[3])
    loan: Loan = take(approve(asked(made, make_customer(), "9000", 3))).loan
    day = date(2026, 4, 1)
    grown = []
    while day < date(2026, 5, 6):  # a second instalment is late by then
        accrual.open_day(on=day, at=moment(day))
        day += timedelta(days=1)
        loan.refresh_from_db()
        grown.append(loan.penalty)
    # 2,970.20 late from 2 April at 24 % over 360 days is 1.98 a day: 7.92 after four, and 9.00 is all there may be.
    assert grown[:7] == [D(amount) for amount in ("0", "1.98", "3.96", "5.94", "7.92", "9", "9")]
    assert set(grown[6:]) == {D("9.00")}
    by_day = [(row.number, row.penalty) for row in loan.instalments.order_by("number")]
    loans.repay(loan_id=loan.pk, amount=D(1), key="k", by=None, at=moment(day), on=day)
    assert [(row.number, row.penalty) for row in loan.instalments.order_by("number")] == by_day


def test_bills_follow_the_statement_rules_of_the_product(
    books: date, make_customer: Callable[..., Any], run_to: Callable[[date], datetime]
) -> None:
    made = live(
        kind="LINE",
        method="FLAT_FEE",
        annual_rate=D(0),
        fee_rate=D("0.005"),
        tenors=[3],
        statement_day=15,
        days_to_pay=5,
    )
    line = take(approve(asked(made, make_customer(), tenor=None))).line
    assert line.statement_day == 15
    bought = purchases.authorise(
        line_id=line.pk, order_ref="o", amount=D(900), tenor=3, by=None, at=moment(MONDAY), on=MONDAY
    )
    purchases.capture(purchase_id=bought.pk, by=None, at=moment(MONDAY), on=MONDAY)
    run_to(date(2026, 3, 16))
    bill = line.statements.get()
    assert (bill.statement_on, bill.due_on, bill.amount) == (
        date(2026, 3, 15),
        date(2026, 3, 20),
        D("304.50"),
    )
    assert statements.issue(on=date(2026, 3, 15), at=moment(MONDAY)) == 0
