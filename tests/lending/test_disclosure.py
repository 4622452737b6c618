"""The cost sheet: complete, hashed, read before it is signed, and the same for ever after."""

import hashlib
import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal as D
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils.translation import override
from fpdf import FPDF

from lending import clock
from lending.errors import Refused
from lending.models import Application, ContractDocument, CreditLine, Event, Offer, Product, RuleParameter
from lending.papers import sheet as papers
from lending.services import applications, close, contracts, offers, products, sheets
from tests.lending import web_support as web
from tests.lending.admin_support import desk, page, words
from tests.lending.conftest import MONDAY, moment

OTHERS = {
    "insurance_rate": D("0.01"),
    "insurer": "平安保险",
    "guarantee_rate": D("0.001"),
    "guarantor": "Guarantor Ltd",
    "other_cost": D(20),
    "other_cost_name": "Notary",
    "other_cost_name_zh": "公证费",
    "other_cost_payee": "公证处",
}


@pytest.fixture
def dear(books: date) -> Product:
    """A product with every kind of cost there is."""
    values = {
        "code": "dear",
        "name": "Dear loan",
        "name_zh": "全费用贷款",
        "kind": "LOAN",
        "audience": "PERSON",
        "method": "EQUAL_INSTALMENT",
        "annual_rate": D("0.08"),
        "fee_rate": D("0.001"),
        "upfront_fee_rate": D("0.005"),
        "tenors": [12],
        "min_amount": D(5000),
        "max_amount": D(20000),
        "penalty_rate": D("0.12"),
        "penalty_cap_rate": D("0.24"),
        "penalty_grace_days": 3,
    }
    made = products.create(values=values | OTHERS, by=None, at=moment(MONDAY))
    return products.go_live(product_id=made.pk, by=None, at=moment(MONDAY), on=MONDAY)


@pytest.fixture
def offered(dear: Product, make_customer: Callable[..., Any]) -> Offer:
    application = applications.start(
        customer_id=make_customer().pk,
        product_id=dear.pk,
        amount=D(10000),
        tenor=12,
        by=None,
        at=moment(MONDAY),
    )
    applications.submit(application_id=application.pk, by=None, at=moment(MONDAY))
    applications.decide(
        application_id=application.pk, outcome="APPROVE", by=None, at=moment(MONDAY), on=MONDAY
    )
    return application.offers.get()


def sign(offer: Offer, language: str = "") -> ContractDocument:
    offers.show(offer_id=offer.pk, by=None, at=moment(MONDAY), on=MONDAY, language=language)
    offers.accept(offer_id=offer.pk, by=None, at=moment(MONDAY, 13), on=MONDAY, language=language)
    return ContractDocument.objects.get(offer=offer)


# --- content ------------------------------------------------------------------------------------------------------


def test_every_cost_stands_on_the_sheet_with_who_how_and_how_much(offered: Offer) -> None:
    [plan] = offered.sheet["plans"]
    facts = {item["code"]: (item["payee"], item["basis"], item["amount"]) for item in plan["items"]}
    assert facts == {
        "INTEREST": ("OpenTab", "BALANCE_YEAR", plan["interest"]),
        "INSTALMENT_FEE": ("OpenTab", "PRINCIPAL_EACH", "120.00"),
        "UPFRONT_FEE": ("OpenTab", "PRINCIPAL_ONCE", "50.00"),
        "INSURANCE": ("平安保险", "PRINCIPAL_ONCE", "100.00"),
        "GUARANTEE": ("Guarantor Ltd", "PRINCIPAL_EACH", "120.00"),
        "OTHER": ("公证处", "AMOUNT_ONCE", "20.00"),
    }
    assert sum(D(item["amount"]) for item in plan["items"]) == D(plan["cost"])
    assert D(plan["received"]) == D("9950.00")
    # Interest alone: 8 % nominal is 8.30 % compounded, whatever stands beside it. Everything together is far more.
    alone = {item["code"]: D(item["annualised"]) for item in plan["items"]}
    assert round(alone["INTEREST"], 4) == D("0.0830")
    assert sum(alone.values()) < D(plan["annual_cost"]) * D("1.05")
    assert max(alone.values()) < D(plan["annual_cost"]) == offered.annual_cost


def test_the_example_of_the_central_bank_stands_on_the_sheet_to_the_hundredth(books: date) -> None:
    """PBOC [2021] No. 3: 100,000 with 1,000 kept back and 12 x 8,833.33 is 12.80 % simple, 13.58 % IRR."""
    made = products.create(
        values={
            "code": "pboc",
            "name": "Example",
            "name_zh": "示例",
            "kind": "LOAN",
            "audience": "PERSON",
            "method": "FLAT_FEE",
            "fee_rate": D("0.005"),
            "upfront_fee_amount": D(1000),
            "tenors": [12],
            "min_amount": D(100000),
            "max_amount": D(100000),
        },
        by=None,
        at=moment(MONDAY),
    )
    strict = sheets.content(made, D(100000), 12, MONDAY)
    assert (strict["basis"], papers.read(strict).annual_cost[1]) == ("COMPOUNDED", "13.58%")
    RuleParameter.objects.filter(code="ALL_IN_COST_COMPOUNDED").update(value=0)
    simple = sheets.content(made, D(100000), 12, MONDAY)
    read = papers.read(simple)
    assert (simple["basis"], read.annual_cost[1]) == ("NOMINAL", "12.80%")
    assert "a simple rate" in read.notes[0]


@pytest.mark.parametrize("tenor", [1, 3, 6, 12])
@pytest.mark.parametrize(
    "code", ["pay-later", "cash-loan", "purchase-line", "working-capital", "supplier-advance"]
)
def test_the_sheets_of_the_first_shelf_add_up(books: date, code: str, tenor: int) -> None:
    product = Product.objects.get(code=code)
    if tenor not in product.tenors:
        tenor = max(product.tenors)
    for amount in (product.min_amount, D("12345.67"), product.max_amount):
        sheets.check(sheets.content(product, amount, tenor, MONDAY))


@pytest.mark.parametrize("part", ["lender", "plans", "annual_cost", "penalty_payee", "other_charges"])
def test_a_sheet_without_a_part_cannot_be_signed(offered: Offer, part: str) -> None:
    content = {name: value for name, value in offered.sheet.items() if name != part}
    with pytest.raises(Refused, match="not complete"):
        sheets.check(content)


def test_a_sheet_whose_costs_are_not_those_of_its_schedule_cannot_be_signed(offered: Offer) -> None:
    offered.sheet["plans"][0]["items"][0]["amount"] = "1.00"
    with pytest.raises(Refused, match="not complete"):
        sheets.check(offered.sheet)
    Offer.objects.filter(pk=offered.pk).update(
        sheet=offered.sheet, sheet_sha256=sheets.fingerprint(offered.sheet)
    )
    with pytest.raises(Refused, match="not complete"):
        sign(offered)
    assert Application.objects.get(offers=offered).state == "OFFERED"


def test_the_fingerprint_is_the_sha256_of_the_canonical_json(offered: Offer) -> None:
    text = json.dumps(offered.sheet, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert offered.sheet_sha256 == hashlib.sha256(text.encode()).hexdigest()
    shuffled = dict(reversed(offered.sheet.items()))
    assert sheets.fingerprint(shuffled) == offered.sheet_sha256


# --- signing ------------------------------------------------------------------------------------------------------


def test_what_was_confirmed_is_kept_with_both_moments(offered: Offer) -> None:
    kept = sign(offered, "zh-hans")
    assert (kept.shown_at, kept.confirmed_at) == (moment(MONDAY), moment(MONDAY, 13))
    assert (kept.content, kept.sha256) == (offered.sheet, offered.sheet_sha256)
    assert (kept.language, kept.template_version) == ("zh-hans", contracts.TEMPLATE_VERSION)
    loan = offered.application.loan
    # The schedule that was signed is the one that was booked.
    booked = [
        (str(row.due_on), str(row.principal), str(row.interest))
        for row in loan.instalments.order_by("number")
    ]
    shown = [(row["due_on"], row["principal"], row["interest"]) for row in kept.content["plans"][0]["rows"]]
    assert booked == shown
    assert loan.annual_cost == D(kept.content["annual_cost"])


def test_a_loan_is_signed_on_the_sheet_of_its_day(offered: Offer) -> None:
    offers.show(offer_id=offered.pk, by=None, at=moment(MONDAY), on=MONDAY)
    tuesday = MONDAY + timedelta(days=1)
    with pytest.raises(Refused, match="dates have moved on"):
        offers.accept(offer_id=offered.pk, by=None, at=moment(tuesday), on=tuesday)
    shown = offers.show(offer_id=offered.pk, by=None, at=moment(tuesday), on=tuesday)
    assert (shown.sheet["on"], shown.shown_at) == ("2026-03-03", moment(tuesday))
    assert shown.sheet["plans"][0]["rows"][0]["due_on"] == "2026-04-03"
    booked = offers.accept(offer_id=offered.pk, by=None, at=moment(tuesday, 13), on=tuesday)
    assert booked.loan.disbursed_on == tuesday
    assert Event.objects.filter(kind="offer.rewritten").count() == 1


def test_a_sheet_that_went_above_the_cap_since_is_not_shown_again(offered: Offer) -> None:
    RuleParameter.objects.filter(code="ALL_IN_COST_CAP").update(value="0.10")
    with pytest.raises(Refused, match="above the legal cap"):
        offers.show(offer_id=offered.pk, by=None, at=moment(MONDAY), on=MONDAY + timedelta(days=1))


def test_a_changed_offer_cannot_be_signed(offered: Offer) -> None:
    offers.show(offer_id=offered.pk, by=None, at=moment(MONDAY), on=MONDAY)
    changed = offered.sheet | {"penalty_rate": "0"}
    Offer.objects.filter(pk=offered.pk).update(sheet=changed)
    with pytest.raises(Refused, match="not the one that was made"):
        offers.accept(offer_id=offered.pk, by=None, at=moment(MONDAY, 13), on=MONDAY)
    assert not ContractDocument.objects.exists()
    assert Application.objects.get(offers=offered).state == "OFFERED"


@pytest.mark.parametrize(
    "change",
    [
        'content = content || \'{"penalty_rate": "0"}\'',
        "sha256 = repeat('0', 64)",
        "confirmed_at = confirmed_at - interval '1 second'",
        "shown_at = shown_at - interval '1 minute'",
        "language = 'en'",
        "template_version = 9",
    ],
)
def test_the_database_lets_nobody_change_a_signed_sheet(offered: Offer, change: str) -> None:
    sign(offered, "zh-hans")
    with connection.cursor() as cursor, pytest.raises(DatabaseError), transaction.atomic():
        cursor.execute(f"UPDATE lending_contractdocument SET {change}")
    with connection.cursor() as cursor, pytest.raises(DatabaseError), transaction.atomic():
        cursor.execute("DELETE FROM lending_contractdocument")
    with pytest.raises(DatabaseError), transaction.atomic():
        Offer.objects.filter(pk=offered.pk).update(amount=1)


def _past_the_trigger(sql: str) -> None:
    """As the owner of the database could."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.mark.parametrize(
    "sql",
    [
        'UPDATE lending_contractdocument SET content = content || \'{"penalty_rate": "0"}\'',
        "UPDATE lending_contractdocument SET file = file || '\\x00'::bytea",
    ],
)
def test_tampering_past_the_database_is_found_and_nothing_is_handed_out(offered: Offer, sql: str) -> None:
    kept = sign(offered)
    contracts.file(document_id=kept.pk)
    _past_the_trigger(sql)
    with pytest.raises(Refused, match="does not match its fingerprint"):
        contracts.file(document_id=kept.pk)
    client = desk("compliance_officer")
    assert "does not match its fingerprint" in words(client.get(page(offered)))
    answer = client.get(f"/admin/lending/offer/{offered.pk}/sheet.pdf", follow=True)
    assert "does not match its fingerprint" in words(answer)


# --- the file -----------------------------------------------------------------------------------------------------


def test_the_file_is_made_once_and_is_the_same_bytes_for_ever(
    offered: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = sign(offered, "zh-hans")
    first = contracts.file(document_id=kept.pk)
    assert first.startswith(b"%PDF-")
    kept.refresh_from_db()
    assert hashlib.sha256(first).hexdigest() == kept.file_sha256
    # A later library or form would set it otherwise: what was handed out stays.
    monkeypatch.setattr(FPDF, "output", lambda self: bytearray(b"%PDF- another"))
    assert contracts.file(document_id=kept.pk) == first
    with pytest.raises(DatabaseError), transaction.atomic():
        ContractDocument.objects.filter(pk=kept.pk).update(file=b"x", file_sha256="0" * 64)


def test_the_same_content_sets_to_the_same_bytes(offered: Offer) -> None:
    assert contracts.draft_file(offered, language="en") == contracts.draft_file(offered, language="en")
    assert contracts.draft_file(offered, language="en") != contracts.draft_file(offered, language="zh-hans")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["Sheet of all financing costs", "公证处", "Guarantor Ltd", "Total to pay"]),
        ("zh-hans", ["综合融资成本明示表", "全费用贷款", "公证费", "平安保险", "罚息"]),
    ],
)
def test_the_file_embeds_a_font_that_has_every_character(
    offered: Offer, monkeypatch: pytest.MonkeyPatch, language: str, said: list[str]
) -> None:
    shown: list[str] = []
    missing: list[str] = []
    plain = FPDF.get_string_width

    def noted(self: FPDF, text: str, *args: Any, **options: Any) -> float:
        shown.append(text)
        font = self.current_font
        missing.extend(one for one in text if one not in "\n{}" and ord(one) not in font.cmap)
        return plain(self, text, *args, **options)

    monkeypatch.setattr(FPDF, "get_string_width", noted)
    content = contracts.draft_file(offered, language=language)
    assert missing == []
    assert b"/FontFile3" in content or b"/FontFile2" in content
    with override(language):
        sheet = papers.read(offered.sheet)
    text = " ".join([sheet.title, *(f"{name} {value}" for name, value in sheet.head + sheet.late)])
    text += " ".join(f"{i.name} {i.payee}" for i in sheet.plans[0].items)
    text += " ".join(name for name, _value in sheet.plans[0].totals)
    assert [word for word in said if word not in text] == []


# --- pages --------------------------------------------------------------------------------------------------------


@pytest.fixture
def today(db: None) -> date:
    from lending import reference

    close.open_books(on=date(2026, 11, 23))
    reference.starter_products()
    return date(2026, 11, 23)


def ready(amount: str = "8000") -> tuple[Client, Offer]:
    client, owner = web.customer()
    application = web.decide(web.submitted(owner, "cash-loan", amount, 6), "APPROVE")
    return client, application.offers.get()


def test_too_quick_a_yes_is_refused_with_the_seconds_and_nothing_is_lost(today: date) -> None:
    client, offer = ready()
    path = f"/offers/{offer.pk}/"
    client.get(path)
    answer = client.post(path, {"agreed": "on"})
    [said] = web.errors(answer)
    assert "you can confirm in" in str(said)
    assert "Your offer stands" in str(said)
    assert 'name="agreed"' in answer.content.decode()
    assert " checked" in answer.content.decode().split('name="agreed"')[1][:80]
    first = Offer.objects.get(pk=offer.pk).shown_at
    client.get(path)
    assert Offer.objects.get(pk=offer.pk).shown_at == first  # the time goes on counting from the first look
    web.read_long_enough(offer)
    assert client.post(path, {"agreed": "on"}).status_code == 302
    assert offer.application.loan is not None


def test_the_customer_reads_signs_and_downloads_and_nobody_else_does(today: date) -> None:
    client, offer = ready()
    path = f"/offers/{offer.pk}/"
    text = words(client.get(path))
    for said in (
        "Sheet of all financing costs",
        "collected by OpenTab",
        "Costs of a court case",
        "no other charges",
    ):
        assert said in text
    draft = client.get(f"{path}sheet.pdf")
    assert (draft.status_code, draft["Content-Type"]) == (200, "application/pdf")
    web.read_long_enough(offer)
    client.post(path, {"agreed": "on"}, headers={"accept-language": "zh-hans"})
    signed = client.get(f"{path}sheet.pdf")
    assert "attachment" in signed["Content-Disposition"]
    assert signed.content == client.get(f"{path}sheet.pdf").content != draft.content
    assert ContractDocument.objects.get().sha256 in words(client.get(path))
    staff = desk("credit_officer").get(f"/admin/lending/offer/{offer.pk}/sheet.pdf")
    assert staff.content == signed.content
    told = Event.objects.get(kind="document.revealed")
    assert (told.actor.username, told.customer_id) == ("the-credit_officer", offer.application.customer_id)
    stranger, _owner = web.customer("other@example.com")
    assert stranger.get(f"{path}sheet.pdf").status_code == 404
    assert stranger.get(path).status_code == 404
    assert desk("collector").get(f"/admin/lending/offer/{offer.pk}/sheet.pdf").status_code == 403


def test_a_line_is_signed_the_same_way(today: date) -> None:
    client, owner = web.customer()
    offer = web.decide(web.submitted(owner), "APPROVE").offers.get()
    client.get(f"/offers/{offer.pk}/")
    web.read_long_enough(offer)
    client.post(f"/offers/{offer.pk}/", {"agreed": "on"})
    assert CreditLine.objects.get(customer=owner).base_limit == offer.amount
    assert ContractDocument.objects.get(offer=offer).content == offer.sheet
    assert clock.today() == today
