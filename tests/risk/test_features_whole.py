"""What holds for every feature of every segment at once: time, sameness, the unknown, words."""

import csv
import gzip
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from lending.accounts import FIGURES
from lending.models import Customer, Instalment, Product
from lending.services import applications, customers, lines, loans
from risk import catalogue, features
from risk.selectors import features as selector
from risk.selectors.features import Moment, vectors_at
from risk.services import filings, training
from risk.services.training import Case, Training
from tests.lending.conftest import MONDAY, moment
from tests.risk.conftest import row

PAST = moment(MONDAY + timedelta(days=120))
LATER = PAST + timedelta(days=1)
SEGMENTS = {"PERSON": "alice", "COMPANY": "firm", "SUPPLIER": "firm"}
KINDS = ("ORDER", "RETURN", "CANCEL", "DELIVERY", "DISPUTE", "ADDRESS_CHANGE", "INVOICE")
KINDS += ("GOODS_RECEIVED", "GOODS_REJECTED")


def figures(factor: int = 1):
    """A whole set of accounts; those of another factor have other ratios."""
    plain = {"revenue": 9000, "costs": 8000, "ebit": 1000, "interest_expense": 50, "net_profit": 500 * factor}
    plain |= {
        "operating_cash_flow": 700,
        "cash": 90,
        "receivables": 400,
        "inventory": 300,
        "current_assets": 1000,
    }
    plain |= {"total_assets": 4000, "payables": 200, "current_liabilities": 600 * factor}
    plain |= {"total_liabilities": 900 * factor, "equity": 4000 - 900 * factor}
    assert plain.keys() == FIGURES.keys()
    return {name: str(amount * factor) for name, amount in plain.items()}


def ask(customer, at):
    code, amount = ("cash-loan", "2000") if customer.kind == "PERSON" else ("supplier-advance", "50000")
    product = Product.objects.get(code=code)
    made = applications.start(
        customer_id=customer.pk,
        product_id=product.pk,
        amount=Decimal(amount),
        tenor=product.tenors[0],
        by=None,
        at=at,
    )
    return applications.submit(application_id=made.pk, by=None, at=at)


def tell_all(tell, ref, days, now):
    """One event of each kind on each of these days before `now`; every second invoice is paid."""
    rows = [
        row(ref, kind, at=now - timedelta(days=n), amount=str(100 + n), order_ref=f"{ref}{now}{n}")
        for n in days
        for kind in KINDS
    ]
    rows = [
        row(ref, "INVOICE", at=r.at, amount=r.amount, order_ref=r.order_ref, data={"buyer": f"B{n % 3}"})
        if r.kind == "INVOICE"
        else r
        for n, r in enumerate(rows)
    ]
    paid = [r for r in rows if r.kind == "INVOICE"][1::2]
    rows += [
        row(ref, "INVOICE_PAID", at=now - timedelta(hours=1), amount=r.amount, order_ref=r.order_ref)
        for r in paid
    ]
    assert not tell(*rows, now=now).refused


@pytest.fixture
def industry(lend, at):
    """Twenty other companies of the industry, with accounts and an instalment that a quarter of them owe."""
    for n in range(20):
        one = Customer.objects.create(
            kind="COMPANY", name=f"{n}", platform_ref=f"i{n}", registered_on=MONDAY, industry_id="F"
        )
        filings.file_statement(company_id=one.pk, year=2025, figures=figures(), by=None, at=at)
        Instalment.objects.create(
            loan=lend(one),
            number=1,
            accrues_from=MONDAY,
            due_on=MONDAY,
            principal=Decimal(100),
            paid_on=None if n < 5 else MONDAY,
        )


@pytest.fixture
def known(at, tell, make_line, make_loan, industry):
    """A person and a company of whom everything is known."""
    found = {}
    for ref, kind, code in (("alice", "PERSON", "pay-later"), ("firm", "COMPANY", "purchase-line")):
        one = customers.register(
            kind=kind,
            name=ref,
            platform_ref=ref,
            registered_on=MONDAY - timedelta(days=300),
            monthly_income=Decimal("9000") if kind == "PERSON" else None,
            industry_id="F",
            by=None,
            at=at,
        )
        line = make_line(customer=one, code=code, limit="20000")
        loan = make_loan(line=line, amount="1200", tenor=3, ref=ref)
        lines.cut(
            line_id=line.pk, to=Decimal("15000"), cause="x", by=None, at=moment(MONDAY + timedelta(days=9))
        )
        first = loan.instalments.get(number=1)
        on = first.due_on + timedelta(days=12)
        loans.repay(loan_id=loan.pk, amount=first.total, key=ref, by=None, at=moment(on), on=on)
        if kind == "COMPANY":
            for year in (2024, 2025):
                filings.file_statement(
                    company_id=one.pk, year=year, figures=figures(year - 2023), by=None, at=moment(MONDAY, 13)
                )
        ask(one, PAST - timedelta(days=1))
        tell_all(tell, ref, (3, 20, 45, 110, 150), PAST)
        found[ref] = one
    return found


def seen(known, as_of):
    return {
        segment: vectors_at(segment, [Moment(known[ref].pk, as_of)])[0] for segment, ref in SEGMENTS.items()
    }


def live_on(known, tell, lend):
    """Everything that can come later comes: events, payments, loans, cuts, filings, applications, new details."""
    for ref, one in known.items():
        tell_all(tell, ref, (0,), LATER)
        line = one.lines.get()
        loan = one.loans.get()
        loans.repay(
            loan_id=loan.pk, amount=Decimal("900"), key=f"{ref}-2", by=None, at=LATER, on=LATER.date()
        )
        for _ in range(2):  # the payment has settled one
            lend(one, disbursed_on=LATER.date())
        lines.cut(line_id=line.pk, to=Decimal("5000"), cause="y", by=None, at=LATER)
        asked = one.applications.get()
        applications.withdraw(application_id=asked.pk, by=None, at=LATER)
        ask(one, LATER)
        customers.update_details(
            customer_id=one.pk, industry_id="C", monthly_income=Decimal(1), by=None, at=LATER
        )
    filings.file_statement(
        company_id=known["firm"].pk, year=2025, figures={"revenue": "1"}, by=None, at=LATER
    )
    for one in Customer.objects.filter(platform_ref__startswith="i"):
        filings.file_statement(company_id=one.pk, year=2025, figures=figures(9), by=None, at=LATER)
    Instalment.objects.filter(due_on=MONDAY, paid_on=None).update(paid_on=LATER.date())


def test_what_comes_later_changes_no_past_vector(known, tell, lend):
    before = seen(known, PAST)
    unknown = {(s, name) for s, vector in before.items() for name, value in vector.items() if value is None}
    assert unknown == set()  # so that the comparison speaks of every feature
    live_on(known, tell, lend)
    assert seen(known, PAST) == before
    now = seen(known, LATER + timedelta(days=2))
    for segment, found in features.BY_SEGMENT.items():
        for source, mine in features.by_source(found).items():
            moved = [f.name for f in mine if now[segment][f.name] != before[segment][f.name]]
            assert moved, f"what came later did not reach {source} of {segment}"


def test_training_and_serving_see_the_same(known):
    """One by one, all at once, in any order, and as the frozen file has them."""
    for segment, ref in SEGMENTS.items():
        moments = [Moment(known[ref].pk, PAST - timedelta(days=n, hours=n)) for n in (0, 40, 3, 0)]
        together = vectors_at(segment, moments)
        assert together == [vectors_at(segment, [one])[0] for one in moments]
        cases = [
            Case(n, one.customer_id, one.as_of, False, vector)
            for n, (one, vector) in enumerate(zip(moments, together, strict=True))
        ]
        names = features.names(segment)
        run = Training(segment, PAST, cases, 2, [f.spec for f in features.BY_SEGMENT[segment]])
        rows = csv.DictReader(gzip.decompress(training._as_csv(run, names)).decode().splitlines())
        assert [{n: float(r[n]) if r[n] else None for n in names} for r in rows] == together


@pytest.mark.parametrize("segment", SEGMENTS)
def test_one_statement_whatever_the_number_of_customers(at, make_customer, segment):
    moments = [Moment(make_customer(platform_ref=f"n{n}").pk, at) for n in range(3)]
    with CaptureQueriesContext(connection) as asked:
        found = vectors_at(segment, moments)
    assert len([one for one in asked if "MATERIALIZED" in one["sql"]]) == 1
    assert len(asked) <= 2
    assert len(found) == 3


def test_few_and_many_get_the_same_answers(known, monkeypatch):
    """One plan for all serves as well as one that is made for the occasion."""
    few = seen(known, PAST)
    monkeypatch.setattr(selector, "FEW", 0)
    assert seen(known, PAST) == few


@pytest.mark.parametrize("segment", SEGMENTS)
def test_the_unknown_is_none_and_never_zero(at, make_customer, segment):
    [found] = vectors_at(segment, [Moment(make_customer(platform_ref="new").pk, at)])
    assert set(found) == set(features.names(segment))
    assert {name for name, value in found.items() if value is not None} <= {"tenure_days", "income"}


def test_there_are_enough_of_them_and_each_is_declared_once():
    counts = {segment: len(found) for segment, found in features.BY_SEGMENT.items()}
    assert counts["PERSON"] >= 40 and counts["COMPANY"] >= 30 and counts["SUPPLIER"] >= 20
    for segment, found in features.BY_SEGMENT.items():
        assert len({f.name for f in found}) == len(found), segment
        assert all(features.ALL[f.name] is f for f in found)


def test_each_has_words_in_both_languages():
    for feature in features.ALL.values():
        assert feature.sign in (-1, 0, 1) and feature.source in features.SOURCES
        assert feature.window >= 0 and str(feature.unit)
        for words in (feature.label, feature.reason):
            with translation.override("en"):
                english = str(words)
            with translation.override("zh-hans"):
                chinese = str(words)
            assert english and chinese != english, english
        assert str(feature.reason).endswith(".")


def test_the_page_in_the_docs_is_the_one_that_the_code_makes():
    assert catalogue.PAGE.read_text() == catalogue.content(), "run manage.py list_features"
