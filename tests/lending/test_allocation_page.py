"""Who is paid first, as a person of the house sets it: without JSON, tried out first, frozen with its version."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from lending import engine
from lending.admin import allocation as page
from lending.engine.allocation import FUTURE, PARTS
from lending.errors import Refused
from lending.models import Product
from lending.services import allocation, products
from tests.lending.admin_support import desk, words

from .conftest import MONDAY

Make = Callable[..., Any]
PRINCIPAL_FIRST = ["PRINCIPAL", "INTEREST", "FEE", "PENALTY"]


@pytest.fixture
def draft(product: Make, at: Any) -> Product:
    return products.new_version(product_id=product("cash-loan").pk, by=None, at=at)


def path(product: Product) -> str:
    return reverse("admin:lending_product_allocation", args=[product.pk])


def form(**changes: Any) -> dict[str, Any]:
    """The page as it stands, with an order of our own that begins with the twelve parts in their order."""
    data: dict[str, Any] = {"mode": "OWN", "processing": "HORIZONTAL"}
    data |= {"kind": "REPAYMENT", "amount": "100.00", "on": MONDAY.isoformat()}
    for kind in page.TYPES:
        data[f"future_{kind}"] = "NEXT"
        data |= {f"{kind}_{part}": str(number) for number, part in enumerate(page.ORDER, 1)}
    return data | changes


def principal_first(kind: str) -> dict[str, str]:
    """The numbers of a rule in which principal goes before everything else."""
    order = [f"{when}_{part}" for when in page.WHEN_WORDS for part in PRINCIPAL_FIRST]
    return {f"{kind}_{part}": str(number) for number, part in enumerate(order, 1)}


def test_the_page_knows_every_part_and_choice_of_the_engine() -> None:
    assert set(page.ORDER) == set(PARTS)
    assert set(page.FUTURE_WORDS) == set(FUTURE)


def test_an_order_of_our_own_is_kept_and_holds_for_new_loans(draft: Product) -> None:
    client = desk("senior_approver")
    data = form(_save="1", own_GOODWILL="on", future_GOODWILL="LAST", **principal_first("GOODWILL"))
    assert "The order is kept." in words(client.post(path(draft), data, follow=True))
    draft.refresh_from_db()
    rules = draft.terms(Decimal(1200), 3, MONDAY).allocation
    assert isinstance(rules, engine.Allocation)
    assert rules.processing == "HORIZONTAL"
    assert [name for name, _rule in rules.rules] == ["DEFAULT", "GOODWILL"]
    assert rules.rule_for("REPAYMENT").order == tuple(page.ORDER)
    assert rules.rule_for("GOODWILL").order[0] == "PAST_DUE_PRINCIPAL"
    assert rules.rule_for("GOODWILL").future == "LAST"
    shown = client.get(path(draft))
    assert shown.context["form"]["GOODWILL_PAST_DUE_PRINCIPAL"].value() == 1


def test_trying_out_says_where_the_money_goes_and_keeps_nothing(draft: Product) -> None:
    client = desk("senior_approver")
    usual = client.post(path(draft), form(_try="1"))
    assert "100.00 paid on 2026-03-02 goes to 1: penalty" in words(usual)
    other = client.post(path(draft), form(_try="1", own_REPAYMENT="on", **principal_first("REPAYMENT")))
    first = other.context["example"].lines[0]
    assert (first.got["principal"] > 0, usual.context["example"].lines[0].got["penalty"] > 0) == (True, True)
    assert other.context["sentence"] != usual.context["sentence"]
    draft.refresh_from_db()
    assert draft.allocation_rules is None


@pytest.mark.parametrize("future", sorted(FUTURE))
@pytest.mark.parametrize("processing", ["HORIZONTAL", "VERTICAL"])
def test_each_way_of_paying_ahead_adds_up(draft: Product, future: str, processing: str) -> None:
    data = form(_try="1", processing=processing, future_DEFAULT=future, amount="900.00")
    example = desk("senior_approver").post(path(draft), data).context["example"]
    assert sum(line.total for line in example.lines) + example.credit == Decimal("900.00")


def test_a_preset_puts_the_own_order_away(draft: Product) -> None:
    client = desk("senior_approver")
    client.post(path(draft), form(_save="1"))
    client.post(path(draft), form(_save="1", mode="DUE_THEN_PRINCIPAL"))
    draft.refresh_from_db()
    assert (draft.allocation, draft.allocation_rules) == ("DUE_THEN_PRINCIPAL", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"DEFAULT_DUE_FEE": "1"},
        {"DEFAULT_DUE_FEE": "0"},
        {"DEFAULT_DUE_FEE": "13"},
        {"DEFAULT_DUE_FEE": ""},
        {"DEFAULT_DUE_FEE": "x"},
        {"own_REPAYMENT": "on", "REPAYMENT_DUE_FEE": "1"},
        {"future_DEFAULT": "SOMEWHERE"},
        {"processing": "DIAGONAL"},
        {"mode": "MINE"},
        {"amount": "0"},
        {"amount": "-5"},
        {"amount": "1.005"},
        {"on": "soon"},
        {"on": "0001-01-01"},
    ],
)
def test_what_makes_no_sense_is_an_error_of_the_form(draft: Product, changes: dict[str, str]) -> None:
    answer = desk("senior_approver").post(path(draft), form(_save="1", **changes))
    assert answer.status_code == 200
    assert answer.context["form"].errors
    draft.refresh_from_db()
    assert draft.allocation_rules is None


def test_a_type_that_is_not_ticked_may_hold_anything(draft: Product) -> None:
    desk("senior_approver").post(path(draft), form(_save="1", GOODWILL_DUE_FEE="1"))
    draft.refresh_from_db()
    assert set(draft.allocation_rules["rules"]) == {"DEFAULT"}


def test_the_order_is_frozen_with_the_version(product: Make, at: Any) -> None:
    live = product("cash-loan")
    with pytest.raises(Refused) as refused:
        allocation.set_order(product_id=live.pk, preset="DUE_THEN_PRINCIPAL", by=None, at=at)
    assert refused.value.code == "product_frozen"
    with pytest.raises(IntegrityError, match="frozen"), transaction.atomic():
        Product.objects.filter(pk=live.pk).update(allocation_rules={"x": 1})
    client = desk("senior_approver")
    assert client.get(path(live)).status_code == 200
    assert client.post(path(live), form(_save="1")).status_code == 403


def test_a_new_version_begins_with_the_order_of_the_old(draft: Product, at: Any) -> None:
    desk("senior_approver").post(path(draft), form(_save="1"))
    draft.refresh_from_db()
    draft.go_live()
    Product.objects.filter(code=draft.code, state="LIVE").update(state="RETIRED")
    draft.save()
    again = products.new_version(product_id=draft.pk, by=None, at=at)
    assert again.allocation_rules == draft.allocation_rules


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"processing": "HORIZONTAL", "rules": {}},
        {"processing": "X", "rules": {"DEFAULT": {"order": page.ORDER}}},
        {"processing": "VERTICAL", "rules": {"DEFAULT": {"order": page.ORDER[:11]}}},
        {"processing": "VERTICAL", "rules": {"DEFAULT": {"order": page.ORDER, "future": "X"}}},
    ],
)
def test_the_service_refuses_rules_that_the_engine_cannot_read(draft: Product, at: Any, rules: dict) -> None:
    with pytest.raises(Refused):
        allocation.set_order(product_id=draft.pk, rules=rules, by=None, at=at)


def test_a_collector_may_look_and_not_keep(draft: Product) -> None:
    client = desk("collector")
    assert client.get(path(draft)).status_code == 200
    assert client.post(path(draft), form(_save="1")).status_code == 403
    assert client.get("/admin/lending/product/999999/allocation/").status_code == 404
    assert "Show and try out" in words(client.get(reverse("admin:lending_product_change", args=[draft.pk])))
